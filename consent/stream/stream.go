// Package stream is the way to and from Kafka: publish with acks from all replicas, and consume by consumer-group generation.
//
// It is the only importer of kafka-go, whose traps it closes: no Reader (it loses its place over rebalances, skips what
// retention deleted and panics on compacted batches), no Writer zero value (it acknowledges nothing). It reads no
// events: records are bytes and headers. Start with Consume and Publisher.
package stream

import (
	"errors"
	"time"

	"github.com/segmentio/kafka-go"

	"contactsync/consent/event"
)

// Config says how to reach Kafka.
type Config struct {
	Brokers []string // host:port, at least one
	// Prefix goes before every topic and group, on the wire and nowhere else: so several installations share a cluster. May be
	// empty.
	Prefix string
}

// name is what a topic or a group is called on the wire.
func (c Config) name(plain string) string { return c.Prefix + plain }

func (c Config) validate() error {
	if len(c.Brokers) == 0 {
		return errors.New("kafka: no broker address given")
	}
	return nil
}

func (c Config) transport() *kafka.Transport {
	return &kafka.Transport{DialTimeout: 3 * time.Second, IdleTimeout: 30 * time.Second, MetadataTTL: 6 * time.Second}
}

// Header is one header of a record. Kafka allows the same key several times.
type Header = event.Header

// Message is a record to publish. Records with the same key keep their order.
type Message struct {
	Topic   string
	Key     []byte
	Value   []byte
	Headers []Header
}

// Record is a record as it was read.
type Record struct {
	Offset  int64
	Key     []byte
	Value   []byte
	Headers []Header
	// Transactional tells that a transaction wrote the record. Whether it committed cannot be told.
	Transactional bool
}
