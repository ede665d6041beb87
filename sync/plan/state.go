// Package plan decides, without I/O and without a clock, what a person wants and what the register needs for it.
//
// State holds the decisions that count for one person and channel, and Want is the pure function of DESIGN §7 over them: the
// same whatever order the events came in. Judge is the rule on guardians, Join folds what was kept under two numbers of one person.
// Decide compares wants with a register record and says what to write. Everything around it (Kafka, PostgreSQL, the register) is
// plumbing in the packages that import this one. Start with State.Want.
package plan

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
)

// Mark tells decisions apart: kind, revision, source and event id. Event ids alone need not be unique: they are their e-service's.
type Mark string

func mark(kind Kind, revision int64, source, eventID string) Mark {
	return Mark(strconv.Itoa(int(kind)) + " " + strconv.FormatInt(revision, 10) + " " + source + " " + eventID)
}

// Share is a Yes: the person lets the register have a value.
type Share struct {
	Revision  int64
	EventID   string
	Source    string           // the e-service it came through
	Value     contact.Value    // zero once a newer decision has replaced it
	Notify    *bool            // nil: the entry keeps what it has
	DecidedAt time.Time        // in Swedish time: by the calendar there a child is under 13, or not
	Guardian  contact.PersonID // who decided for the person, to be confirmed; zero: the person
	Under     contact.PersonID // the number it was made under, if not the one that the state is kept under
}

func (s Share) mark() Mark { return mark(Shared, s.Revision, s.Source, s.EventID) }

// Withdrawal is a No. A scoped one takes back only what its own e-service shared.
type Withdrawal struct {
	Revision int64
	EventID  string
	Source   string
	Scoped   bool
	Under    contact.PersonID // as a Share's
}

func (w Withdrawal) mark() Mark { return mark(Withdrawn, w.Revision, w.Source, w.EventID) }

// Registered is the share of ours that stands in the register as far as we know. The zero value: none, or unknown. A revision
// of 0 with a source: the share of that source may stand; several sources, a space between: of one of them.
type Registered struct {
	Revision int64
	Source   string
}

// or is what may stand after a write of source's share that may or may not have happened.
func (r Registered) or(source string) Registered {
	sources := r.sources()
	if !slices.Contains(sources, source) {
		sources = append(sources, source)
	}
	r.Source = strings.Join(sources, " ")
	return r
}

func (r Registered) sources() []string { return strings.Fields(r.Source) }

// State is what is kept for one person and channel: the newest of each kind, and what the register did with it.
type State struct {
	Share      *Share
	Withdrawal *Withdrawal           // the newest that is not scoped
	Scoped     map[string]Withdrawal // the newest scoped one per source
	Waiting    []Share               // shares by guardians that are not confirmed yet: they take no part
	Registered Registered
	Settled    Mark        // of the decision that the register was last seen to show; empty: none, or not sure
	Blocked    reason.Code // why the share cannot be pushed for now, or Dropped: ever; then it must not hold back a withdrawal
	Parked     reason.Code // why the wanted withdrawal could not be carried out so far; it is tried on
}

// Want is what the register should show, and the decision that says so.
type Want struct {
	Kind     Kind
	Revision int64
	EventID  string
	Source   string
	Under    contact.PersonID // as a Share's
	Share    Share            // with Kind Shared
}

// Mark tells which decision the want comes from; empty for none.
func (w Want) Mark() Mark {
	if w.Kind == Unasked {
		return ""
	}
	return mark(w.Kind, w.Revision, w.Source, w.EventID)
}

// Kind of a want.
type Kind int

// The zero kind, Unasked: no decision counts, and the register is not ours to touch.
const (
	Unasked Kind = iota
	Shared
	Withdrawn
)

// Want is the desired state. At equal revision a withdrawal wins over a share.
func (s State) Want() Want {
	w, withdrawn := s.withdrawal()
	switch {
	case s.Share != nil && (!withdrawn || s.Share.Revision > w.Revision):
		return s.wantShare(w, withdrawn)
	case withdrawn:
		return want(w)
	default:
		return Want{}
	}
}

// wantShare returns the share, or, while it cannot be pushed, the withdrawal that is newer than what stands in the register.
func (s State) wantShare(w Withdrawal, withdrawn bool) Want {
	if s.Blocked == "" {
		return Want{Kind: Shared, Revision: s.Share.Revision, EventID: s.Share.EventID, Source: s.Share.Source, Under: s.Share.Under, Share: *s.Share}
	}
	for _, source := range s.Registered.sources() {
		if own, ok := s.Scoped[source]; ok && (!withdrawn || newer(own, w)) {
			w, withdrawn = own, true
		}
	}
	if withdrawn && w.Revision >= s.Registered.Revision {
		return want(w)
	}
	return Want{}
}

// withdrawal returns the newest one that concerns the newest share.
func (s State) withdrawal() (w Withdrawal, ok bool) {
	if s.Withdrawal != nil {
		w, ok = *s.Withdrawal, true
	}
	if s.Share == nil {
		return w, ok
	}
	if own, found := s.Scoped[s.Share.Source]; found && (!ok || newer(own, w)) {
		return own, true
	}
	return w, ok
}

// Withdrew returns what a withdrawal wanted, the newest one or the newest scoped one of an e-service, whether or not it is what counts now.
func (s State) Withdrew(m Mark) (w Want, ok bool) {
	if s.Withdrawal != nil && s.Withdrawal.mark() == m {
		return want(*s.Withdrawal), true
	}
	for _, own := range s.Scoped {
		if own.mark() == m {
			return want(own), true
		}
	}
	return w, false
}

func want(w Withdrawal) Want {
	return Want{Kind: Withdrawn, Revision: w.Revision, EventID: w.EventID, Source: w.Source, Under: w.Under}
}

func (s *State) withdraw(w Withdrawal) {
	if w.Scoped {
		if old, ok := s.Scoped[w.Source]; !ok || newer(w, old) {
			if s.Scoped == nil {
				s.Scoped = map[string]Withdrawal{}
			}
			s.Scoped[w.Source] = w
		}
	} else if s.Withdrawal == nil || newer(w, *s.Withdrawal) {
		s.Withdrawal = &w
	}
	s.forget()
}

func (s *State) take(share Share) {
	if s.Share == nil || newerShare(share, *s.Share) {
		if s.Share != nil && s.Due() { // whoever died with it in hand may have written it
			s.Registered = s.Registered.or(s.Share.Source)
		}
		s.Share, s.Blocked = &share, ""
	}
	s.forget()
}

// passed tells whether a share is behind a decision that counts, so that it will never be pushed.
func (s State) passed(share Share) bool {
	if s.Share != nil && newerShare(*s.Share, share) {
		return true
	}
	if s.Withdrawal != nil && s.Withdrawal.Revision >= share.Revision {
		return true
	}
	own, ok := s.Scoped[share.Source]
	return ok && own.Revision >= share.Revision
}

// forget erases the value of a share that a newer decision replaced: its revision and source stay.
func (s *State) forget() {
	if s.Share != nil && s.passed(*s.Share) {
		kept := *s.Share
		kept.Value = contact.Value{}
		s.Share, s.Blocked = &kept, ""
	}
}

func newer(a, b Withdrawal) bool {
	return cmp.Or(cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.EventID, b.EventID), cmp.Compare(a.Source, b.Source)) > 0
}

func newerShare(a, b Share) bool {
	return cmp.Or(cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.EventID, b.EventID), cmp.Compare(a.Source, b.Source)) > 0
}
