package plan

import (
	"contactsync/consent/contact"
	"contactsync/consent/reason"
)

// Record is what a register record says, seen from the resident's own entries.
type Record struct {
	Version string
	// Own holds the entries of the resident's own (type, use) pair, per channel.
	Own map[contact.Channel][]Entry
	// OthersNotify tells that an entry which is not the resident's own has digitalNotification.
	OthersNotify bool
	// PaperOptOut tells that the person takes no paper letters. The register allows it only beside a digitalNotification.
	PaperOptOut bool
}

// Entry is one of the resident's own entries. The zero value of Notify is absent, which the register reads as false.
type Entry struct {
	Value  contact.Value
	Notify bool
}

// Target is a want for one channel.
type Target struct {
	Channel contact.Channel
	Want    Want
}

// Change is what a write does to one channel's own entries: Entry replaces them, nil removes them.
type Change struct {
	Channel contact.Channel
	Entry   *Entry
}

// Write is a change of one record. It is sent with the version of the record it was decided on. A write without changes
// only burns that version.
type Write struct {
	Changes     []Change
	EndPaperOut bool // set optoutPaperNotification to false: its last digitalNotification goes
}

// Effects are what else a write changes, for the outcome.
func (w Write) Effects() []reason.Code {
	if w.EndPaperOut {
		return []reason.Code{reason.PaperOptOutEnded}
	}
	return nil
}

// Decide returns the write that makes the record show what is wanted, or nil when it does already.
//
// unsure tells that an earlier write may still land on the version that was read. Then a write is due even if there is
// nothing to change, since only a write burns the version: a read that shows nothing to do fences nothing.
func Decide(targets []Target, rec Record, unsure bool) *Write {
	var w Write
	for _, t := range targets {
		if c, ok := change(t, rec.Own[t.Channel]); ok {
			w.Changes = append(w.Changes, c)
		}
	}
	if len(w.Changes) == 0 && !unsure {
		return nil
	}
	w.EndPaperOut = rec.PaperOptOut && !rec.OthersNotify && !notifies(rec, w.Changes)
	return &w
}

func change(t Target, own []Entry) (Change, bool) {
	switch t.Want.Kind {
	case Withdrawn:
		return Change{Channel: t.Channel}, len(own) > 0
	case Shared:
		e := Entry{Value: t.Want.Share.Value, Notify: notify(t.Want.Share, own)}
		return Change{Channel: t.Channel, Entry: &e}, len(own) != 1 || own[0] != e
	default:
		return Change{}, false
	}
}

// notify is the share's own word, else what the entry has, else false.
func notify(s Share, own []Entry) bool {
	if s.Notify != nil {
		return *s.Notify
	}
	for _, e := range own {
		if e.Notify {
			return true
		}
	}
	return false
}

// notifies tells whether any of the resident's own entries has digitalNotification after the changes.
func notifies(rec Record, changes []Change) bool {
	changed := map[contact.Channel]bool{}
	for _, c := range changes {
		changed[c.Channel] = true
		if c.Entry != nil && c.Entry.Notify {
			return true
		}
	}
	for channel, own := range rec.Own {
		for _, e := range own {
			if e.Notify && !changed[channel] {
				return true
			}
		}
	}
	return false
}
