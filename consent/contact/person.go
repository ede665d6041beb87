package contact

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

var errRedacted = errors.New("personal data is encoded only by Reveal")

// OIDs of the identity types (IIType.root), from TKB 5.1.
const (
	RootPersonnummer      = "1.2.752.129.2.1.3.1"
	RootSamordningsnummer = "1.2.752.129.2.1.3.3"
	RootNationalReserve   = "1.2.752.74.9.1" // recognised, and refused by name: nobody with one can log in to decide
)

// PersonID is a judged person identity. The zero value is nobody. It prints as "[person]".
type PersonID struct{ root, extension string }

// KnownPersonID wraps an identity that was judged before, such as one read back from our own database.
func KnownPersonID(root, extension string) PersonID { return PersonID{root, extension} }

// Root is the OID of the identity type.
func (p PersonID) Root() string { return p.root }

// RevealExtension returns the twelve digits. Only wire formats and stores may call it.
func (p PersonID) RevealExtension() string { return p.extension }

// IsZero tells whether this is nobody.
func (p PersonID) IsZero() bool { return p == PersonID{} }

// Format prints the redacted form whatever the verb.
func (PersonID) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[person]") }

// LogValue implements slog.LogValuer: identities never reach a log.
func (PersonID) LogValue() slog.Value { return slog.StringValue("[person]") }

// MarshalText refuses: an identity must be revealed on purpose to be encoded.
func (PersonID) MarshalText() ([]byte, error) { return nil, errRedacted }
