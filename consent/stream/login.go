package stream

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

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

// mechanism is nil without a login. An unknown one was refused by validate.
func (c Config) mechanism() (sasl.Mechanism, error) {
	if c.Login == nil {
		return nil, nil
	}
	switch c.Login.Mechanism {
	case ScramSHA256:
		return scramOf(scram.SHA256, c.Login)
	case ScramSHA512:
		return scramOf(scram.SHA512, c.Login)
	}
	return plain.Mechanism{Username: c.Login.User, Password: c.Login.Password}, nil
}

func scramOf(a scram.Algorithm, l *Login) (sasl.Mechanism, error) {
	m, err := scram.Mechanism(a, l.User, l.Password)
	if err != nil { // its text may quote what it judges
		return nil, errors.New("kafka login: user or password holds characters that SCRAM forbids")
	}
	return m, nil
}

// told names the trouble that an operator must mend by hand.
func told(err error) error {
	if errors.Is(err, kafka.SASLAuthenticationFailed) || errors.Is(err, kafka.UnsupportedSASLMechanism) || errors.Is(err, kafka.IllegalSASLState) {
		return fmt.Errorf("%w: %w", ErrLogin, err)
	}
	return err
}
