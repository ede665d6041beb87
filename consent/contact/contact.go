// Package contact judges what a person may share: the identity it belongs to, a mobile number, an e-mail address.
//
// Every judgement turns outside text into a normalised value or a reason code. It does no I/O and knows no register.
// Start with PersonID, then Channel.Parse.
package contact

import (
	"fmt"
	"io"
	"log/slog"
)

// Channel is a way of contact (kontaktväg). Each channel is decided on separately.
type Channel string

// The channels of event contract v1.
const (
	Mobile Channel = "mobile"
	Email  Channel = "email"
)

// Channels lists all channels, in the order in which they are shown and locked.
var Channels = [...]Channel{Mobile, Email}

// Parse judges a value for the channel and returns it normalised: E.164 for a mobile number, the address with its domain
// in lower-case ASCII for an e-mail address. The error is a reason.Refusal.
func (c Channel) Parse(raw string) (Value, error) {
	if c == Mobile {
		return ParseMobile(raw)
	}
	return ParseEmail(raw)
}

// Value is a normalised mobile number or e-mail address. It prints as "[value]"; Reveal gives the text.
type Value struct{ text string }

// KnownValue wraps a text that was judged before, such as one read back from our own database.
func KnownValue(text string) Value { return Value{text} }

// Reveal returns the value itself. Only wire formats, stores and the person's own page may call it.
func (v Value) Reveal() string { return v.text }

// IsZero tells whether there is no value.
func (v Value) IsZero() bool { return v.text == "" }

// Format prints the redacted form whatever the verb.
func (Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[value]") }

// LogValue implements slog.LogValuer: values never reach a log.
func (Value) LogValue() slog.Value { return slog.StringValue("[value]") }

// MarshalText refuses: a value must be revealed on purpose to be encoded.
func (Value) MarshalText() ([]byte, error) { return nil, errRedacted }
