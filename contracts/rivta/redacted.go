package rivta

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const redactedText = "[redacted]"

// Redacted is embedded in types that hold personal data. They print as "[redacted]" whatever the verb, reach no log and
// refuse to become JSON, so that leaking takes effort, not care.
type Redacted struct{}

// Format implements fmt.Formatter.
func (Redacted) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redactedText) }

// LogValue implements slog.LogValuer.
func (Redacted) LogValue() slog.Value { return slog.StringValue(redactedText) }

// MarshalJSON refuses: personal data leaves through the contracts' own codecs only.
func (Redacted) MarshalJSON() ([]byte, error) {
	return nil, errors.New("personal data is not encoded as JSON")
}
