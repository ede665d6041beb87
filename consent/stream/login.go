package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// ErrLogin is returned by all that talks to Kafka when the broker refuses the login. Publish and Consume go on trying: it may
// be put right at the broker.
var ErrLogin = errors.New("kafka refuses the login")

// Mechanism is how a login is proved to the broker.
type Mechanism string

// The mechanisms that are spoken. Plain hands the password over as it is: use it behind TLS.
const (
	Plain       Mechanism = "PLAIN"
	ScramSHA256 Mechanism = "SCRAM-SHA-256"
	ScramSHA512 Mechanism = "SCRAM-SHA-512"
)

// Login is a user of the Kafka cluster. It prints without its password.
type Login struct {
	Mechanism Mechanism
	User      string
	Password  string `json:"-"`
}

// Format prints the redacted form whatever the verb.
func (l Login) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, l.redacted()) }

// LogValue implements slog.LogValuer: the password never reaches a log.
func (l Login) LogValue() slog.Value { return slog.StringValue(l.redacted()) }

func (l Login) redacted() string { return string(l.Mechanism) + " as " + l.User + " [password]" }

func (l Login) validate() error {
	var faults []error
	switch l.Mechanism {
	case Plain, ScramSHA256, ScramSHA512:
	default:
		faults = append(faults, fmt.Errorf("kafka login: mechanism %q is none of %s, %s, %s", l.Mechanism, Plain, ScramSHA256, ScramSHA512))
	}
	if l.User == "" || l.Password == "" {
		faults = append(faults, errors.New("kafka login: user and password are both needed"))
	}
	return errors.Join(faults...)
}

// proof is a login that remembers whether any broker has taken it.
type proof struct {
	sasl.Mechanism
	taken atomic.Bool
}

// Start implements sasl.Mechanism.
func (p *proof) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	steps, first, err := p.Mechanism.Start(ctx)
	return proving{steps, p}, first, err
}

type proving struct {
	sasl.StateMachine
	proof *proof
}

// Next implements sasl.StateMachine.
func (s proving) Next(ctx context.Context, challenge []byte) (bool, []byte, error) {
	done, answer, err := s.StateMachine.Next(ctx, challenge)
	if done && err == nil {
		s.proof.taken.Store(true)
	}
	return done, answer, err
}

func newProof(l *Login) (*proof, error) {
	var m sasl.Mechanism = plain.Mechanism{Username: l.User, Password: l.Password}
	var err error
	switch l.Mechanism {
	case ScramSHA256:
		m, err = scram.Mechanism(scram.SHA256, l.User, l.Password)
	case ScramSHA512:
		m, err = scram.Mechanism(scram.SHA512, l.User, l.Password)
	}
	if err != nil { // its text may quote what it judges
		return nil, errors.New("kafka login: user or password holds characters that SCRAM forbids")
	}
	return &proof{Mechanism: m}, nil
}

// refused tells whether an error means that the login is wrong. Kafka has codes for it; other brokers just hang up.
func (p *proof) refused(err error) bool {
	if errors.Is(err, kafka.SASLAuthenticationFailed) || errors.Is(err, kafka.UnsupportedSASLMechanism) || errors.Is(err, kafka.IllegalSASLState) {
		return true
	}
	return p != nil && !p.taken.Load() && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF))
}
