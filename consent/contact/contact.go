// Package contact judges what a person may share: the identity it belongs to, a mobile number, an e-mail address.
//
// Every judgement turns outside text into a normalised value or a reason code. It does no I/O and knows no register.
// PersonID and Value hold personal data and print redacted; Reveal and RevealExtension are the only ways out.
// Start with ParsePersonID, then Channel.Parse.
package contact

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"unique"
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
// Values are equal (==) when their texts are.
type Value struct{ text hidden }

// KnownValue wraps a text that was judged before, such as one read back from our own database.
func KnownValue(text string) Value { return Value{hide(text)} }

// Reveal returns the value itself. Only wire formats, stores and the person's own page may call it.
func (v Value) Reveal() string { return v.text.reveal() }

// IsZero tells whether there is no value.
func (v Value) IsZero() bool { return v == Value{} }

// Format prints the redacted form whatever the verb.
func (Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[value]") }

// LogValue implements slog.LogValuer: values never reach a log.
func (Value) LogValue() slog.Value { return slog.StringValue("[value]") }

// MarshalText refuses: a value must be revealed on purpose to be encoded.
func (Value) MarshalText() ([]byte, error) { return nil, errRedacted }

var errRedacted = errors.New("personal data is encoded only by Reveal")

// hidden keeps a text out of reach of reflection. fmt calls no Format method on a value in an unexported field, nor for %p, and
// would print a plain string there; of a handle it prints an address. Handles of equal texts are equal, as the strings would be.
type hidden struct{ handle unique.Handle[string] }

func hide(text string) hidden {
	if text == "" {
		return hidden{}
	}
	return hidden{unique.Make(text)}
}

func (h hidden) reveal() string {
	if h == (hidden{}) {
		return ""
	}
	return h.handle.Value()
}
