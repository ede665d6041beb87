// Package stream is the way to and from Kafka: publish with acks from all replicas, and consume by consumer-group generation.
//
// It is the only importer of kafka-go, whose traps it closes: no Reader (it loses its place over rebalances, skips what
// retention deleted and panics on compacted batches), no Writer zero value (it acknowledges nothing). It reads no
// events: records are bytes and headers. Start with Consume and Publisher.
package stream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
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
	// TLS secures every connection; nil leaves them in clear. Without a ServerName each broker must prove its own.
	TLS *tls.Config
	// Login is who we are to the brokers; nil if they do not ask.
	Login *Login
}

// name is what a topic or a group is called on the wire.
func (c Config) name(plain string) string { return c.Prefix + plain }

func (c Config) validate() error {
	var faults []error
	if len(c.Brokers) == 0 {
		faults = append(faults, errors.New("kafka: no broker address given"))
	}
	for _, b := range c.Brokers {
		if _, port, err := net.SplitHostPort(b); err != nil || port == "" {
			faults = append(faults, fmt.Errorf("kafka: broker %q is not host:port", b))
		}
	}
	if c.Login != nil {
		faults = append(faults, c.Login.validate())
	}
	return errors.Join(faults...)
}

const dialTimeout = 3 * time.Second

func (c Config) transport() (*kafka.Transport, error) {
	login, err := c.mechanism()
	return &kafka.Transport{DialTimeout: dialTimeout, IdleTimeout: 30 * time.Second, MetadataTTL: 6 * time.Second, TLS: c.TLS, SASL: login}, err
}

// dialer is for what kafka-go does not do by a transport: the group's connections.
func (c Config) dialer() (*kafka.Dialer, error) {
	login, err := c.mechanism()
	return &kafka.Dialer{Timeout: dialTimeout, DualStack: true, TLS: c.TLS, SASLMechanism: login}, err
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
