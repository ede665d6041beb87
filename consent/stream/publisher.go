package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// Publisher writes records. It is safe for concurrent use, and is shared: each one owns connections and goroutines.
type Publisher struct {
	link      *link
	writer    *kafka.Writer
	transport *kafka.Transport
}

// NewPublisher returns a publisher; nothing is dialled yet.
func NewPublisher(c Config) (*Publisher, error) {
	l, err := c.link()
	if err != nil {
		return nil, err
	}
	transport := l.transport()
	return &Publisher{link: l, transport: transport, writer: &kafka.Writer{
		Addr:         kafka.TCP(c.Brokers...),
		Balancer:     kafka.Murmur2Balancer{}, // where the Java client puts the key
		RequiredAcks: kafka.RequireAll,        // the zero value acknowledges nothing
		BatchTimeout: 50 * time.Microsecond,   // the default holds every single record for a second
		BatchSize:    1000,
		BatchBytes:   maxRecord,
		WriteTimeout: 10 * time.Second,
		ReadTimeout:  10 * time.Second,
		MaxAttempts:  3,
		Transport:    transport,
	}}, nil
}

// Publish returns nil when every message is on all in-sync replicas. After an error some of them may be there, and a
// repeated call may write them twice: readers are idempotent. The error never holds message content.
func (p *Publisher) Publish(ctx context.Context, messages ...Message) error {
	out := make([]kafka.Message, len(messages))
	for i, m := range messages {
		out[i] = kafka.Message{Topic: p.link.name(m.Topic), Key: m.Key, Value: m.Value, Headers: toKafka(m.Headers)}
	}
	if err := p.writer.WriteMessages(ctx, out...); err != nil {
		return fmt.Errorf("publish %d records: %w", len(messages), p.link.told(err))
	}
	return nil
}

// Close flushes what is being written and drops the connections.
func (p *Publisher) Close() error {
	err := p.writer.Close()
	p.transport.CloseIdleConnections()
	return err
}

func toKafka(headers []Header) []kafka.Header {
	out := make([]kafka.Header, len(headers))
	for i, h := range headers {
		out[i] = kafka.Header{Key: h.Key, Value: h.Value}
	}
	return out
}
