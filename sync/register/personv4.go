// Package register carries wants into the register through its service contracts, one adapter per contract. It is the only
// place where the residents' side and the contracts meet.
//
// An adapter reads a record, shows plan what concerns the resident, and writes it back with everything else as it came. It
// also decides, where an error arises, what may be done after it. Start with PersonV4.
package register

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
	"contactsync/contracts/personv4"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

// Code is the pair by which a register entry says what it is. The entries with the pair of a channel are the resident's own,
// and ours to replace; every other entry is somebody else's.
type Code struct{ Type, Use string }

// DefaultCodes are our own choice: the national code system is not public.
func DefaultCodes() map[contact.Channel]Code {
	return map[contact.Channel]Code{contact.Mobile: {"tel", "mobile"}, contact.Email: {"mail", "personal"}}
}

// PersonV4Config is what the adapter needs. All fields are required.
type PersonV4Config struct {
	// Reads and Writes use the Unrestricted contracts, with clients of HTTPClients: a restricted read of a protected person comes
	// back blanked, and a write based on it would wipe the record.
	Reads, Writes *personv4.Client
	Codes         map[contact.Channel]Code
	// Observe is called after each call with operation "get" or "update", an outcome and whose fault it was.
	Observe func(operation, outcome, blame string, took time.Duration)
}

// PersonV4 is Get/UpdatePersonContactInformation, major 4.
type PersonV4 struct{ PersonV4Config }

var _ push.Register = (*PersonV4)(nil)

// NewPersonV4 checks that every channel has a code of its own.
func NewPersonV4(c PersonV4Config) (*PersonV4, error) {
	if c.Reads == nil || c.Writes == nil || c.Observe == nil {
		return nil, errors.New("personv4 adapter: Reads, Writes and Observe are required")
	}
	if err := CheckCodes(c.Codes); err != nil {
		return nil, fmt.Errorf("personv4 adapter: %w", err)
	}
	return &PersonV4{c}, nil
}

// CheckCodes tells what is wrong with the pairs of the channels, if anything is.
func CheckCodes(codes map[contact.Channel]Code) error {
	seen := map[Code]bool{}
	for _, channel := range contact.Channels {
		code := codes[channel]
		if code.Type == "" || code.Use == "" || seen[code] {
			return errors.New("each channel needs a (type, use) pair of its own")
		}
		seen[code] = true
	}
	if len(codes) != len(seen) {
		return errors.New("there is a pair for what is no channel")
	}
	return nil
}

// Read implements push.Register.
func (r *PersonV4) Read(ctx context.Context, p contact.PersonID) (push.Reading, error) {
	began := time.Now()
	rec, err := r.Reads.Get(ctx, personv4.ID{Root: p.Root(), Extension: p.RevealExtension()})
	err = classify(err, false)
	r.observe("get", err, began)
	if err != nil {
		return nil, err
	}
	if rec == nil {
		return nil, nil
	}
	if rec.Person.Root != p.Root() || rec.Person.Extension != p.RevealExtension() {
		return nil, &push.Error{Class: push.Refused, Reason: reason.RegisterRefused, Err: push.ErrOtherRecord}
	}
	return &reading{PersonV4: r, raw: *rec}, nil
}

func (r *PersonV4) channelOf(e personv4.Entry) (contact.Channel, bool) { return ownChannel(r.Codes, e) }

type reading struct {
	*PersonV4
	raw personv4.Record
}

// Record implements push.Reading.
func (r *reading) Record() plan.Record {
	return recordOf(r.raw.Version, r.raw.Entries, r.raw.OptoutPaper, r.Codes)
}

// Write implements push.Reading: the whole record goes back with the version that was read, changed in our entries only.
func (r *reading) Write(ctx context.Context, w plan.Write) (string, error) {
	began := time.Now()
	result, err := r.Writes.Update(ctx, r.update(w))
	if err == nil && !result.OK {
		err = refusal(result)
	} else {
		err = classify(err, true)
	}
	r.observe("update", err, began)
	switch {
	case err != nil:
		return "", err
	case result.Record == nil:
		return r.raw.Version + "+", nil // above the version that was written on, below any other
	default:
		return result.Record.Version, nil
	}
}

func (r *reading) update(w plan.Write) personv4.Update {
	u := personv4.Update{
		Actor: personv4.Actor{ID: r.raw.Person}, Person: r.raw.Person, VersionToUpdate: r.raw.Version,
		Entries: slices.Clone(r.raw.Entries), ContactPersons: r.raw.ContactPersons,
		OptoutPaper: r.raw.OptoutPaper, Unknown: r.raw.Unknown,
	}
	for _, c := range w.Changes {
		u.Entries = r.change(u.Entries, c)
	}
	if w.EndPaperOut {
		u.OptoutPaper = new(false)
	}
	return u
}

// change puts the new entry where the first of the old ones stood, else at the end, and drops the other old ones.
func (r *reading) change(entries []personv4.Entry, c plan.Change) []personv4.Entry {
	out := make([]personv4.Entry, 0, len(entries)+1)
	placed := c.Entry == nil
	for _, e := range entries {
		if channel, own := r.channelOf(e); !own || channel != c.Channel {
			out = append(out, e)
		} else if !placed {
			out = append(out, renew(e, *c.Entry))
			placed = true
		}
	}
	if !placed {
		code := r.Codes[c.Channel]
		out = append(out, renew(personv4.Entry{Type: code.Type, Use: &code.Use}, *c.Entry))
	}
	return out
}

// renew keeps rank and unknown elements of an entry; comment and period were said of the old value, and stay only with it.
func renew(old personv4.Entry, e plan.Entry) personv4.Entry {
	if valueOf(old) != e.Value.Reveal() {
		old.Comment, old.Period = nil, nil
	}
	old.Value, old.DigitalNotification = new(e.Value.Reveal()), new(e.Notify)
	return old
}

func isTrue(b *bool) bool { return b != nil && *b }

func valueOf(e personv4.Entry) string {
	if e.Value == nil {
		return ""
	}
	return *e.Value
}
