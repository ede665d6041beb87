package mockregister

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"contactsync/contracts"
	"contactsync/contracts/contactsv1"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
)

// Kind is what a dialled fault does to the calls that it hits.
type Kind string

// The kinds. contracts/README.md tells of each what a caller sees.
const (
	KindAnswerLost  Kind = "answer_lost"  // carried out, then the connection is cut
	KindDelay       Kind = "delay"        // carried out late, then answered
	KindLateWrite   Kind = "late_write"   // the connection is cut, and the write carried out late
	KindDuplicate   Kind = "duplicate"    // carried out, answered, and carried out again later
	KindReadLag     Kind = "read_lag"     // reads show the record as it was before the last writes
	KindServerFault Kind = "server_fault" // nothing is done, SOAP fault Server
	KindClientFault Kind = "client_fault" // nothing is done, SOAP fault Client
	KindStale       Kind = "stale"        // nothing is done, the version is said to be stale
	KindTooMany     Kind = "too_many"     // nothing is done, HTTP 429
	KindOutage      Kind = "outage"       // nothing is done, HTTP 503
	KindReset       Kind = "reset"        // nothing is done, the connection is cut
	KindRate        Kind = "rate"         // calls of one system beyond the rate get HTTP 429
)

// Classes of operations, for Fault.Operation.
const (
	classRead  = "read"
	classWrite = "write"
)

// need tells whether a kind has use for a parameter.
type need int

const (
	never need = iota
	maybe
	always
)

// stage is where on its way a call meets a fault.
type stage int

const (
	atTheDoor    stage = iota // before anybody looks at the call
	onTheWay                  // to the service, and back
	inTheService              // where it is judged
	inTheStore                // where records are read
)

// kindRule is where a kind stands, and what it asks of its parameters.
type kindRule struct {
	stage                             stage
	only                              string // the class of operations that it is about; empty: both
	probability, duration, hold, rate need
}

// ruleOf returns the rule of a kind; false for a kind that there is not.
func ruleOf(k Kind) (kindRule, bool) {
	rule, ok := kindRules()[k]
	return rule, ok
}

func kindRules() map[Kind]kindRule {
	return map[Kind]kindRule{
		KindRate:        {stage: atTheDoor, rate: always},
		KindTooMany:     {stage: atTheDoor, probability: maybe, duration: maybe},
		KindOutage:      {stage: atTheDoor, probability: maybe, duration: maybe},
		KindReset:       {stage: atTheDoor, probability: maybe},
		KindAnswerLost:  {stage: onTheWay, probability: maybe},
		KindDelay:       {stage: onTheWay, probability: maybe, duration: always},
		KindLateWrite:   {stage: onTheWay, probability: maybe, duration: always, hold: maybe, only: classWrite},
		KindDuplicate:   {stage: onTheWay, probability: maybe, duration: always},
		KindServerFault: {stage: inTheService, probability: maybe},
		KindClientFault: {stage: inTheService, probability: maybe},
		KindStale:       {stage: inTheService, probability: maybe, only: classWrite},
		KindReadLag:     {stage: inTheStore, probability: maybe, duration: always, only: classRead},
	}
}

// Fault is a fault as it is dialled. All filters must fit a call for it to be hit; an empty one fits all.
type Fault struct {
	Kind      Kind   `json:"kind"`
	Contract  string `json:"contract,omitempty"`  // such as UpdatePersonContactInformationUnrestricted; with "/3", its major 3 alone
	Operation string `json:"operation,omitempty"` // read or write
	Person    string `json:"person,omitempty"`    // extension of the identity; a bulk call is hit if it asks for it among others
	Caller    string `json:"caller,omitempty"`    // HSA-id
	Count     int    `json:"count,omitempty"`     // how many calls are hit; 0: all
	// Probability is that of each call; nil means 1. The draws of one seed are always the same.
	Probability *float64 `json:"probability,omitempty"`
	Seed        uint64   `json:"seed,omitempty"`
	Duration    Duration `json:"duration,omitempty"` // of too_many and outage: what Retry-After says
	Hold        Duration `json:"hold,omitempty"`     // how long late_write keeps the caller waiting before it cuts
	Rate        int      `json:"rate,omitempty"`     // calls of one system in any one second
}

// Format implements fmt.Formatter, and LogValue slog.LogValuer: a fault may name a person.
func (f Fault) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "fault "+string(f.Kind)) }

// LogValue implements slog.LogValuer.
func (f Fault) LogValue() slog.Value { return slog.StringValue("fault " + string(f.Kind)) }

// Duration is a time.Duration that is written as text, such as "1.5s". A text that is none is read as a negative one, which
// no fault may have, so that the error can name the field.
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		parsed = -1
	}
	*d = Duration(parsed)
	return nil
}

// Codes of a FieldError.
const (
	CodeMissing    = "missing"      // the field is needed
	CodeInvalid    = "invalid"      // no fault can have this value
	CodeNotForKind = "not_for_kind" // faults of this kind have no use for the field
)

// FieldError tells why a fault cannot be dialled. It quotes nothing.
type FieldError struct{ Code, Field string }

// Error implements error.
func (e *FieldError) Error() string { return e.Field + " is " + e.Code }

// Bounds of what a fault may say.
const (
	maxDuration = time.Hour
	maxRate     = 100_000
)

var extensionText = regexp.MustCompile(`^[0-9]{12}$`)

// check judges a fault; knows tells whether the register knows a calling system. What would never hit anything is refused.
func (f Fault) check(knows func(caller string) bool) *FieldError {
	rule, known := ruleOf(f.Kind)
	switch class := classOf(f.Contract); {
	case f.Kind == "":
		return &FieldError{CodeMissing, "kind"}
	case !known:
		return &FieldError{CodeInvalid, "kind"}
	case f.Contract != "" && class == "", !agree(class, rule.only), f.Kind == KindStale && !namesVersion(f.Contract):
		return &FieldError{CodeInvalid, "contract"}
	case f.Operation != "" && f.Operation != classRead && f.Operation != classWrite,
		!agree(f.Operation, rule.only), !agree(f.Operation, class):
		return &FieldError{CodeInvalid, "operation"}
	case f.Person != "" && !extensionText.MatchString(f.Person):
		return &FieldError{CodeInvalid, "person"}
	case f.Caller != "" && !knows(f.Caller):
		return &FieldError{CodeInvalid, "caller"}
	case f.Count < 0:
		return &FieldError{CodeInvalid, "count"}
	}
	return f.checkParameters(rule)
}

func (f Fault) checkParameters(rule kindRule) *FieldError {
	p := f.Probability
	for _, x := range []struct {
		field        string
		need         need
		given, valid bool
	}{
		{"probability", rule.probability, p != nil, p == nil || *p >= 0 && *p <= 1},
		{"seed", rule.probability, f.Seed != 0, true},
		{"duration", rule.duration, f.Duration != 0, f.Duration >= 0 && f.Duration <= Duration(maxDuration)},
		{"hold", rule.hold, f.Hold != 0, f.Hold >= 0 && f.Hold <= Duration(maxDuration)},
		{"rate", rule.rate, f.Rate != 0, f.Rate >= 0 && f.Rate <= maxRate},
	} {
		switch {
		case x.given && x.need == never:
			return &FieldError{CodeNotForKind, x.field}
		case !x.given && x.need == always:
			return &FieldError{CodeMissing, x.field}
		case !x.valid:
			return &FieldError{CodeInvalid, x.field}
		}
	}
	return nil
}

// agree tells whether two classes of operations have a call in common; an empty one means both.
func agree(a, b string) bool { return a == "" || b == "" || a == b }

// namesVersion tells whether a write through the contract is of one version of the record; bulk changes are not.
func namesVersion(contract string) bool {
	name, _, _ := strings.Cut(contract, "/")
	return name != contactsv1.OperationChange
}

// isMajor tells whether there is this major of a contract, such as GetPersonContactInformation/3; of the REST contract, its operations have it.
func isMajor(text string) bool {
	c, err := contracts.ParseContract(text)
	if _, rest := contactsv1.Operations()[c.Name]; rest {
		c.Name = contractREST
	}
	_, known := contracts.Of(c)
	return err == nil && known
}

// classOf is the class of a contract's operation, in all majors or in the one that is named; empty for what there is not.
func classOf(contract string) string {
	name, _, limited := strings.Cut(contract, "/")
	if limited && !isMajor(contract) {
		return ""
	}
	contract = name
	if writes, known := contactsv1.Operations()[contract]; known {
		if writes {
			return classWrite
		}
		return classRead
	}
	for _, unrestricted := range []bool{false, true} {
		switch contract {
		case personv4.GetOperation(unrestricted).Name, personprofilev5.Operation(unrestricted).Name:
			return classRead
		case personv4.UpdateOperation(unrestricted).Name:
			return classWrite
		}
	}
	return ""
}
