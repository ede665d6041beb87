package reconcile

import (
	"slices"
	"time"

	"contactsync/consent/contact"
	"contactsync/sync/plan"
	"contactsync/sync/register"
)

// answers are what the register said of some numbers.
type answers struct {
	listed  map[contact.PersonID]register.Listed
	refused map[contact.PersonID]bool // it will not tell of these
	calls   int64
	began   time.Time // when the first of them was asked about, by this machine's clock
}

// compare tells where the register does not show what the person wants, and how many channels wait for the push anyway: those are no
// differences, whatever the register shows.
func compare(p Person, a answers) (found []Finding, unsettled int64) {
	whole := Finding{Person: p.ID, Number: p.Numbers[0].Person}
	if slices.ContainsFunc(p.Numbers, func(n Number) bool { return a.refused[n.Person] }) {
		whole.Kind = ReadFailed
		return []Finding{whole}, 0
	}
	if p.numberUnknown(a.listed[p.Numbers[0].Person].Profile) {
		whole.Kind, whole.No = NumberUnknown, p.withdrawn()
		found = append(found, whole)
	}
	for _, channel := range contact.Channels {
		state := p.States[channel]
		want := state.Want()
		switch {
		case want.Kind == plan.Unasked:
		case state.Parked == "" && state.Due() || p.Due && p.Unsure:
			unsettled++
		default: // also of a No that the register refuses: it is tried again now and then, and nobody may take that for being carried out
			f := Finding{Person: p.ID, Number: p.Numbers[0].Person, Channel: channel, Mark: want.Mark(), Parked: state.Parked != ""}
			if p.differs(&f, want, a.listed) {
				found = append(found, f)
			}
		}
	}
	return found, unsettled
}

// numberUnknown tells whether the register names a number of the person that we do not keep with it, or takes another for the primary
// one. A profile of nobody names none.
func (p Person) numberUnknown(said plan.Profile) bool {
	if said.Primary.IsZero() {
		return false
	}
	return said.Primary != p.Numbers[0].Person || slices.ContainsFunc(said.Others, func(id contact.PersonID) bool {
		return !slices.ContainsFunc(p.Numbers, func(n Number) bool { return n.Person == id })
	})
}

func (p Person) withdrawn() bool {
	for _, state := range p.States {
		if state.Want().Kind == plan.Withdrawn {
			return true
		}
	}
	return false
}

// differs completes f, if a record is not as it should be: that of the first number as the want says, and nothing in those of the others.
func (p Person) differs(f *Finding, want plan.Want, listed map[contact.PersonID]register.Listed) bool {
	f.Own = true
	for i, n := range p.Numbers {
		at, known := listed[n.Person]
		target := plan.Target{Channel: f.Channel, Want: want}
		if i > 0 {
			target.Want = plan.Want{Kind: plan.Withdrawn}
		}
		kind := kindOf(target, at.Record, known)
		if kind == "" {
			continue
		}
		if kind == PresentAfterNo && want.Kind == plan.Shared {
			kind = OnOtherNumber
		}
		if f.Kind == "" {
			f.Kind, f.Version = kind, at.Record.Version
		}
		f.Own = f.Own && known && n.Version != "" && at.Record.Version == n.Version
	}
	f.No = f.Kind == PresentAfterNo
	return f.Kind != ""
}

// kindOf asks plan what a push would do.
func kindOf(t plan.Target, rec plan.Record, known bool) Kind {
	shared := t.Want.Kind == plan.Shared
	if !known && shared {
		return UnknownPerson
	}
	if plan.Decide([]plan.Target{t}, rec, false) == nil {
		return ""
	}
	own := rec.Own[t.Channel]
	switch {
	case !shared:
		return PresentAfterNo
	case len(own) == 0:
		return ShareMissing
	case len(own) > 1 || own[0].Value != t.Want.Share.Value:
		return ValueDiffers
	default:
		return NotifyDiffers
	}
}

// stands tells whether what was found by comparing p with the answers is true: the person is still the same, after took since the
// register was asked, and the last write was then old enough to show.
func (p Person) stands(now Person, took, lag time.Duration) bool {
	if p.ID != now.ID || !slices.EqualFunc(p.Numbers, now.Numbers, Number.same) {
		return false
	}
	for _, n := range now.Numbers {
		if n.Version != "" && now.SeenAt.Sub(n.WrittenAt)-took < lag {
			return false
		}
	}
	for channel, state := range p.States {
		if later := now.States[channel]; later.Want().Mark() != state.Want().Mark() || later.Settled != state.Settled {
			return false
		}
	}
	return len(p.States) == len(now.States)
}

func (n Number) same(other Number) bool {
	return n.Person == other.Person && n.Version == other.Version && n.WrittenAt.Equal(other.WrittenAt)
}
