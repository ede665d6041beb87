package reconcile

import (
	"time"

	"contactsync/consent/contact"
	"contactsync/sync/plan"
)

// Kind of a difference. The names are part of the report, and stay.
type Kind string

// The kinds, the gravest first.
const (
	PresentAfterNo Kind = "present_after_no" // withdrawn, and an own entry is there, under whichever number
	NumberUnknown  Kind = "number_unknown"   // the register has a number of the person that is not known here
	ShareMissing   Kind = "share_missing"
	ValueDiffers   Kind = "value_differs"   // another value than what is shared, or several entries
	NotifyDiffers  Kind = "notify_differs"  // the value is right, whether to notify there is not
	OnOtherNumber  Kind = "on_other_number" // shared as it should be, and an own entry is left under another number of the person
	UnknownPerson  Kind = "unknown_person"  // shared, and the register does not know the number any more
	ReadFailed     Kind = "read_failed"     // the register will not tell of the person: nothing was compared
)

// Kinds are all of them, the gravest first.
func Kinds() []Kind {
	return []Kind{PresentAfterNo, NumberUnknown, ShareMissing, ValueDiffers, NotifyDiffers, OnOtherNumber, UnknownPerson, ReadFailed}
}

// Status says what became of a difference.
type Status string

// The statuses.
const (
	Reported Status = "reported" // nothing was to be healed in this run, or nothing can be
	Foreign  Status = "foreign"  // not healed: somebody may have changed the record since we wrote, and it takes an operator's word
	Held     Status = "held"     // not healed: the safety stop
	Healing  Status = "healing"  // the person is due again
	Healed   Status = "healed"   // and the register shows what is wanted
	Refused  Status = "refused"  // the register will not have it changed now: it is parked
	Persists Status = "persists" // the push has ended, and the difference is still there
	Again    Status = "again"    // to be looked at again before it counts; a report has none
)

// Statuses are those that a report may have.
func Statuses() []Status {
	return []Status{Reported, Foreign, Held, Healing, Healed, Refused, Persists}
}

// Phase of a run.
type Phase string

// The phases, in their order.
const (
	Withdrawals Phase = "withdrawals" // persons with a No
	Shares      Phase = "shares"      // all others
	Proof       Phase = "proof"       // those that were made due are looked at again
	Ended       Phase = "ended"
)

// Person is a person as kept here, under however many numbers.
type Person struct {
	ID      int64
	Numbers []Number // the one that decisions are kept under first; never empty
	States  map[contact.Channel]plan.State
	Due     bool      // something is queued for the push
	Unsure  bool      // a write's end is unknown: it may land at any time
	SeenAt  time.Time // when this was read, by the store's clock
}

// Number is a number of a person, and the last write to its record that was answered.
type Number struct {
	Person    contact.PersonID
	Version   string // empty: none was
	WrittenAt time.Time
}

// Finding is a difference, or what may be one.
type Finding struct {
	Person  int64
	Number  contact.PersonID // that the person is kept under
	Channel contact.Channel  // empty: it is about the person as a whole
	Kind    Kind
	No      bool      // healing it carries a No out
	Mark    plan.Mark // of the decision that the register does not show
	Parked  bool      // the register has refused to be changed so
	Own     bool      // every record that differs stands at the version that we wrote
	Version string    // of the first record that differs
	Status  Status
}

// Page is some of the persons of a phase, in order.
type Page struct {
	Persons []Person
	Through int64 // up to and with this person nobody is left out
	End     bool  // nobody comes after
}

// Case is a finding that was recorded.
type Case struct {
	Person  int64 // as found
	Kept    int64 // where the person is kept now
	Channel contact.Channel
	Kind    Kind
	Mark    plan.Mark
}

// Report is what a run came to.
type Report struct {
	Run   Run
	Ended time.Time
	Kinds []Count // those that there are, the gravest first
	Cases []Named
	More  int64 // cases that are not named
}

// Count tells how many differences of a kind there are, by what became of them.
type Count struct {
	Kind Kind
	By   map[Status]int64
}

// Found is how many there are, Left how many are not healed.
func (c Count) Found() (n int64) {
	for _, m := range c.By {
		n += m
	}
	return n
}

// Left is how many are not healed.
func (c Count) Left() int64 { return c.Found() - c.By[Healed] }

// Left is how many differences are not healed.
func (r Report) Left() (n int64) {
	for _, c := range r.Kinds {
		n += c.Left()
	}
	return n
}

// Named is a difference, and whose it is by pseudonym.
type Named struct {
	Pseudonym string
	Channel   contact.Channel
	Kind      Kind
	Status    Status
}
