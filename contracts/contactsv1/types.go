package contactsv1

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"contactsync/contracts/personv4"
)

// Path is where the contract is served. It carries the major only (profile VER.05).
const Path = "/contact-register/v1"

// Bounds of the contract.
const (
	MaxItems = 1000    // in one lookup, comparison, bulk change or page of the feed
	MaxBody  = 1 << 20 // bytes of a request

	MinWait     = 0 * time.Second // of a reader of the feed, until there is news
	DefaultWait = 5 * time.Second
	MaxWait     = 60 * time.Second
)

// CursorNow asks the feed for nothing that has been, only for the cursor to go on from.
const CursorNow = "now"

// Personal is embedded in types that hold personal data: they print as "[redacted]" whatever the verb. Unlike
// rivta.Redacted it lets them become JSON, which is the form in which this contract sends them.
type Personal struct{}

// Format implements fmt.Formatter.
func (Personal) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// LogValue implements slog.LogValuer.
func (Personal) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Person is an identity. It is comparable.
type Person struct {
	Personal  `json:"-"`
	Root      string `json:"root"`      // OID of the identity type
	Extension string `json:"extension"` // the identity itself
}

// PersonOf is the identity in the form of this contract.
func PersonOf(id personv4.ID) Person { return Person{Root: id.Root, Extension: id.Extension} }

// ID is the identity in the form of the SOAP contracts.
func (p Person) ID() personv4.ID { return personv4.ID{Root: p.Root, Extension: p.Extension} }

// Channel is a way to reach a person.
type Channel string

// The channels.
const (
	Mobile Channel = "mobile"
	Email  Channel = "email"
)

// Contact is what the register tells about one person.
type Contact struct {
	Personal `json:"-"`
	Person   Person `json:"person"`
	Found    bool   `json:"found"`
	// Code says why nobody was found: CodePersonUnknown or CodeIdentityMalformed. Empty if somebody was.
	Code                string  `json:"code,omitempty"`
	Ref                 string  `json:"ref,omitempty"`     // names the record in addresses
	Version             string  `json:"version,omitempty"` // opaque; compare for equality only
	Name                string  `json:"name,omitempty"`
	Deceased            bool    `json:"deceased"`
	ProtectedPerson     bool    `json:"protectedPerson"`     // sekretessmarkering
	ProtectedPopulation bool    `json:"protectedPopulation"` // skyddad folkbokföring
	Blanked             bool    `json:"blanked"`             // name and details are kept from this caller: their absence tells nothing
	Mobile              *Detail `json:"mobile,omitempty"`
	Email               *Detail `json:"email,omitempty"`
}

// Detail is the resident's own value of a channel.
type Detail struct {
	Personal `json:"-"`
	Value    string `json:"value"`
	Notify   bool   `json:"notify"` // the person agrees to be notified here
}

// Held is a version that a caller holds of a person's record.
type Held struct {
	Personal `json:"-"`
	Person   Person `json:"person"`
	Version  string `json:"version"`
}

// Newer is a record that is not of the version that the caller holds.
type Newer struct {
	Personal `json:"-"`
	Person   Person `json:"person"`
	Found    bool   `json:"found"`             // false: the register does not know the person
	Version  string `json:"version,omitempty"` // the one that stands
}

// Change is one decision of a person for one channel.
type Change struct {
	Personal `json:"-"`
	Person   Person   `json:"person"`
	Channel  Channel  `json:"channel"`
	Decision Decision `json:"decision"`
	Value    string   `json:"value,omitempty"`  // of a share; of a withdrawal it is ignored and not kept
	Notify   *bool    `json:"notify,omitempty"` // of a share; nil keeps what the entry has, false if it is new
	Revision int64    `json:"revision"`         // microseconds since 1970 of the decision; the newer one wins
	EventID  string   `json:"eventId,omitempty"`
}

// Decision is what a person wants.
type Decision string

// The decisions.
const (
	Share    Decision = "share"
	Withdraw Decision = "withdraw"
)

// Outcome is what became of a Change. It holds no identity and no value.
type Outcome struct {
	Outcome OutcomeKind `json:"outcome"`
	Code    string      `json:"code,omitempty"`    // why refused
	Version string      `json:"version,omitempty"` // of the record, where it was applied
	Effects []string    `json:"effects,omitempty"` // what else changed in the record, such as EffectPaperOptOutEnded
}

// OutcomeKind is how a change ended.
type OutcomeKind string

// The kinds of outcomes.
const (
	Applied    OutcomeKind = "applied"    // the record is as the change says
	Duplicate  OutcomeKind = "duplicate"  // this decision was applied before
	Superseded OutcomeKind = "superseded" // a newer decision was applied before
	Refused    OutcomeKind = "refused"    // Code says why
)

// EffectPaperOptOutEnded: the last permission to notify went, so a person who had declined letters on paper gets them again.
const EffectPaperOptOutEnded = "paper_opt_out_ended"

// Bulk is a request to change.
type Bulk struct {
	Personal
	Key    string   // Idempotency-Key, a UUID in lower case
	Digest [32]byte // of the body: the same key with another one is refused
	Items  []Change
}

// BulkAnswer is the answer to a Bulk: an outcome for each item, in the order of the items.
type BulkAnswer struct {
	Outcomes []Outcome
	Replayed bool // the answer is that of an earlier request with the same key
}

// Write changes a single record's own details.
type Write struct {
	Personal
	Version       string // the version that the caller has read
	Mobile, Email Setting
}

// Setting is what a Write does to one channel.
type Setting struct {
	Given  bool       // false: the channel stays as it is
	Detail *NewDetail // nil: it goes
}

// NewDetail is a Detail to be set.
type NewDetail struct {
	Personal `json:"-"`
	Value    string `json:"value"`
	Notify   *bool  `json:"notify,omitempty"` // nil keeps what the entry has, false if it is new
}

// Written is the record after a Write.
type Written struct {
	Contact
	Effects []string `json:"effects,omitempty"`
}

// Signal tells that a person's own detail changed. It holds none: the register stays the truth.
type Signal struct {
	Personal `json:"-"`
	Person   Person    `json:"person"`
	Channel  Channel   `json:"channel"`
	Version  string    `json:"version"` // of the record after the change
	Time     time.Time `json:"time"`    // of the change, UTC
}

// From is where and how a reader goes on with the feed.
type From struct {
	Cursor string // as the last page gave it; empty: from the oldest signal that is kept; CursorNow: from now on
	Limit  int    // signals in a page, 1 to MaxItems
	Wait   time.Duration
}

// Page is a part of the feed.
type Page struct {
	Signals []Signal `json:"changes"`
	Cursor  string   `json:"cursor"` // what to go on from; keep it when the page has been worked on
	More    bool     `json:"more"`   // there is more already
}

// Codes of problems and outcomes. openapi.yaml says of each what it means.
const (
	CodeCallerUnidentified      = "caller_unidentified"
	CodeNotAllowed              = "not_allowed"
	CodeNotFound                = "not_found"
	CodeMethodNotAllowed        = "method_not_allowed"
	CodeUnsupportedMediaType    = "unsupported_media_type"
	CodeTooLarge                = "too_large"
	CodeTimeout                 = "timeout"
	CodeMalformed               = "malformed"
	CodeInvalid                 = "invalid"
	CodeIdempotencyKeyMissing   = "idempotency_key_missing"
	CodeIdempotencyKeyMalformed = "idempotency_key_malformed"
	CodeIdempotencyKeyReused    = "idempotency_key_reused"
	CodeInWork                  = "in_work"
	CodeIfMatchMissing          = "if_match_missing"
	CodeIfMatchMalformed        = "if_match_malformed"
	CodeStaleVersion            = "stale_version"
	CodeRefUnknown              = "ref_unknown"
	CodeCursorMalformed         = "cursor_malformed"
	CodeCursorExpired           = "cursor_expired"
	CodeTooManyRequests         = "too_many_requests"
	CodeUnavailable             = "unavailable"
	CodeInternal                = "internal"
	CodeRefused                 = "refused"

	CodePersonUnknown     = "person_unknown"
	CodePersonDeceased    = "person_deceased"
	CodeProtectedPerson   = "protected_person"
	CodeIdentityMalformed = "identity_malformed"
	CodeValueInvalid      = "value_invalid"
	CodeClockAhead        = "clock_ahead"
	CodeRecordTooLarge    = "record_too_large"
)
