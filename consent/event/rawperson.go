package event

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"contactsync/consent/contact"
)

// RawPerson is an identity as an e-service sent it, judged or not: what an outcome needs to say whom it is about.
// It is bounded and printable, and prints as "[person]".
type RawPerson struct {
	sent contact.PersonID // only for the way it hides its text; nobody judged it
}

// maxIdentity bounds both parts of an identity as sent: room for every OID in use, and none for a load.
const maxIdentity = 64

// AsSent keeps an identity as it was sent: cut at 64 bytes, and without control characters (PostgreSQL takes no NUL).
func AsSent(root, extension string) RawPerson {
	return RawPerson{contact.KnownPersonID(printable(root), printable(extension))}
}

// RawOf is an identity that is in order.
func RawOf(p contact.PersonID) RawPerson { return RawPerson{p} }

// Root is the OID of the identity type, as sent.
func (p RawPerson) Root() string { return p.sent.Root() }

// RevealExtension returns the identity as sent. Only wire formats and stores may call it.
func (p RawPerson) RevealExtension() string { return p.sent.RevealExtension() }

// Key is the Kafka key of the person as sent: the key of Key if the identity is in order.
func (p RawPerson) Key(pepper []byte) string { return Key(pepper, p.sent) }

// Format prints the redacted form whatever the verb.
func (RawPerson) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[person]") }

// LogValue implements slog.LogValuer: identities never reach a log.
func (RawPerson) LogValue() slog.Value { return slog.StringValue("[person]") }

// MarshalText refuses: an identity must be revealed on purpose to be encoded.
func (p RawPerson) MarshalText() ([]byte, error) { return p.sent.MarshalText() }

func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, s)
	if len(s) <= maxIdentity {
		return s
	}
	cut := maxIdentity
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}
