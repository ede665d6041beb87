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
	"slices"
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

// link is a checked Config, with what both of kafka-go's ways to a broker are made of.
type link struct {
	Config
	login *proof // nil without a Login
}

func (c Config) link() (*link, error) {
	l := &link{Config: c}
	err := c.validate()
	if err == nil && c.Login != nil {
		l.login, err = newProof(c.Login)
	}
	return l, err
}

const dialTimeout = 3 * time.Second

func (l *link) transport() *kafka.Transport {
	t := &kafka.Transport{DialTimeout: dialTimeout, IdleTimeout: 30 * time.Second, MetadataTTL: 6 * time.Second, TLS: l.TLS}
	if l.login != nil {
		t.SASL = l.login
	}
	return t
}

// dialer is for the connections of a consumer group.
func (l *link) dialer() *kafka.Dialer {
	d := &kafka.Dialer{Timeout: dialTimeout, DualStack: true, TLS: l.TLS}
	if l.login != nil {
		d.SASLMechanism = l.login
	}
	return d
}

// told names the trouble that somebody must mend by hand, and shortens what a batch says once for each record.
func (l *link) told(err error) error {
	if many, ok := errors.AsType[kafka.WriteErrors](err); ok {
		if i := slices.IndexFunc(many, func(e error) bool { return e != nil }); i >= 0 {
			err = many[i]
		}
	}
	if l.login.refused(err) {
		return fmt.Errorf("%w: %w", ErrLogin, err)
	}
	return err
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
