package contracttest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/problem"
	"contactsync/contracts/rivta"
)

// way is one contract as its client goes through it, in what all contracts have in common: the resident's own details.
type way struct {
	name       string
	restricted bool                                                      // protected persons are blanked, and not changed
	unguarded  bool                                                      // what it writes is of no version
	readsOnly  bool                                                      // what it read is written by another contract
	read       func(ctx context.Context, id personv4.ID) (*found, error) // nil: nobody is found
}

// found is what a way shows of a person.
type found struct {
	version   string // empty where it is not told
	own       details
	protected bool
	// replace makes these the own details, and leaves those alone that are the same as what was shown; nil: not from what was shown.
	replace func(context.Context, details) error
	add     func(context.Context, string) error // adds an entry that is not the resident's own; nil: the contract knows none
}

// details are the resident's own number and address; empty: none.
type details struct{ mobile, email string }

// refused is the code with which a register answers an update that it does not carry out.
type refused string

func (r refused) Error() string { return "refused: " + string(r) }

// said is what a client makes of an error, or of none, as a short text: a code, by SOAP the faultcode where there is none, and how
// long to wait.
func said(err error) string {
	fault, isFault := errors.AsType[*rivta.Fault](err)
	status, isStatus := errors.AsType[*rivta.StatusError](err)
	p, isProblem := errors.AsType[*problem.Problem](err)
	code, isRefused := errors.AsType[refused](err)
	switch {
	case err == nil:
		return "ok"
	case isRefused:
		return string(code)
	case isFault && fault.VP != "":
		return fault.VP
	case isFault:
		return "fault " + string(fault.Code)
	case isStatus:
		return fmt.Sprintf("%d, wait %s", status.Status, status.RetryAfter)
	case isProblem && p.RetryAfter > 0:
		return fmt.Sprintf("%s, wait %s", p.Code, p.RetryAfter)
	case isProblem:
		return p.Code
	case errors.Is(err, io.EOF):
		return "cut"
	}
	return err.Error()
}

// ways are those that the register has, each with a client of its own.
func (r run) ways(t *testing.T) []way {
	t.Helper()
	var all []way
	revision := new(atomic.Int64) // of all decisions, whoever passes them on
	revision.Store(time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC).UnixMicro())
	for _, restricted := range []bool{false, true} {
		twin := map[bool]string{true: ", restricted"}[restricted]
		for _, major := range majors() {
			client := major.client(t, r.served, r.System, r.LogicalAddress, restricted)
			all = append(all, way{name: major.name + twin, restricted: restricted, read: throughRecord(client)})
		}
		if r.Limited == "" {
			continue
		}
		profiles := r.served.Profiles(t, r.System, r.LogicalAddress, restricted)
		written := newest().client(t, r.served, r.System, r.LogicalAddress, restricted)
		all = append(all, way{name: "profile" + twin, restricted: restricted, readsOnly: true, read: throughProfile(profiles, written)})
		system := map[bool]string{false: r.System, true: r.Limited}[restricted]
		rest := &throughREST{client: r.served.Contacts(t, system), revision: revision, refs: map[personv4.ID]string{}}
		all = append(all,
			way{name: "REST, by lookup" + twin, restricted: restricted, read: rest.lookup},
			way{name: "REST, by ref" + twin, restricted: restricted, read: rest.byRef},
			way{name: "REST, in bulk" + twin, restricted: restricted, unguarded: true, read: rest.bulk})
	}
	return all
}

// throughRecord is a major of the contract that replaces whole records.
func throughRecord(c client) func(context.Context, personv4.ID) (*found, error) {
	return func(ctx context.Context, id personv4.ID) (*found, error) {
		record, err := c.Get(ctx, id)
		if err != nil || record == nil {
			return nil, err
		}
		return foundIn(*record, c), nil
	}
}

func foundIn(record personv4.Record, c client) *found {
	update := func(ctx context.Context, entries []personv4.Entry) error {
		u := Unchanged(record)
		u.Entries = entries
		result, err := c.Update(ctx, u)
		if err == nil && !result.OK {
			err = refused(result.Code)
		}
		return err
	}
	return &found{record.Version, ownOf(record.Entries), record.Protected(),
		func(ctx context.Context, to details) error {
			return update(ctx, setOwn(setOwn(record.Entries, "tel", "mobile", to.mobile), "mail", "personal", to.email))
		},
		func(ctx context.Context, value string) error {
			return update(ctx, append(slices.Clone(record.Entries), personv4.Entry{Type: "tel", Value: &value}))
		}}
}

func isOwn(e personv4.Entry, kind, use string) bool {
	return e.Type == kind && e.Use != nil && *e.Use == use
}

func ownOf(entries []personv4.Entry) (d details) {
	for _, e := range entries {
		switch {
		case e.Value == nil:
		case isOwn(e, "tel", "mobile"):
			d.mobile = *e.Value
		case isOwn(e, "mail", "personal"):
			d.email = *e.Value
		}
	}
	return d
}

// setOwn gives the own entry another value, and leaves all else in it and beside it as it is.
func setOwn(entries []personv4.Entry, kind, use, value string) []personv4.Entry {
	i := slices.IndexFunc(entries, func(e personv4.Entry) bool { return isOwn(e, kind, use) })
	entries = slices.Clone(entries)
	switch {
	case i >= 0 && value == "":
		return slices.Delete(entries, i, i+1)
	case i >= 0:
		entries[i].Value = &value
	case value != "":
		entries = append(entries, personv4.Entry{Type: kind, Use: &use, Value: &value})
	}
	return entries
}

// throughProfile reads by profile, and writes what was read by the contract that can.
func throughProfile(c *personprofilev5.Client, written client) func(context.Context, personv4.ID) (*found, error) {
	return func(ctx context.Context, id personv4.ID) (*found, error) {
		answers, err := c.Persons(ctx, []personv4.ID{id}, personprofilev5.P3, true)
		if err != nil || answers[0].Person == nil {
			return nil, err
		}
		person := answers[0].Person
		if record := person.Record(); record != nil {
			return foundIn(*record, written), nil
		}
		return &found{own: ownOf(person.Entries), protected: person.Protected()}, nil
	}
}

// throughREST is the REST contract. Refs are learnt once: they stay the same.
type throughREST struct {
	client   *contactsv1.Client
	revision *atomic.Int64 // of the last decision
	mu       sync.Mutex
	refs     map[personv4.ID]string
}

func (x *throughREST) lookup(ctx context.Context, id personv4.ID) (*found, error) {
	contacts, err := x.client.Lookup(ctx, []contactsv1.Person{contactsv1.PersonOf(id)})
	if err != nil || !contacts[0].Found {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.refs[id] = contacts[0].Ref
	return x.found(contacts[0]), nil
}

func (x *throughREST) byRef(ctx context.Context, id personv4.ID) (*found, error) {
	x.mu.Lock()
	ref := x.refs[id]
	x.mu.Unlock()
	if ref == "" {
		return x.lookup(ctx, id)
	}
	contact, err := x.client.Read(ctx, ref)
	if err != nil {
		return nil, err
	}
	return x.found(contact), nil
}

func (x *throughREST) found(c contactsv1.Contact) *found {
	f := &found{version: c.Version, protected: c.ProtectedPerson || c.ProtectedPopulation}
	if c.Mobile != nil {
		f.own.mobile = c.Mobile.Value
	}
	if c.Email != nil {
		f.own.email = c.Email.Value
	}
	f.replace = func(ctx context.Context, to details) error {
		_, err := x.client.Write(ctx, c.Ref, contactsv1.Write{Version: c.Version,
			Mobile: setting(f.own.mobile, to.mobile), Email: setting(f.own.email, to.email)})
		return err
	}
	return f
}

func setting(from, to string) contactsv1.Setting {
	switch to {
	case from:
		return contactsv1.Setting{}
	case "":
		return contactsv1.Setting{Given: true}
	}
	return contactsv1.Setting{Given: true, Detail: &contactsv1.NewDetail{Value: to}}
}

// bulk is lookup, and writes by decisions.
func (x *throughREST) bulk(ctx context.Context, id personv4.ID) (*found, error) {
	f, err := x.lookup(ctx, id)
	if f == nil {
		return nil, err
	}
	f.replace = func(ctx context.Context, to details) error {
		revision := x.revision.Add(1)
		var decisions []contactsv1.Change
		if to.mobile != f.own.mobile {
			decisions = append(decisions, decision(id, contactsv1.Mobile, to.mobile, revision))
		}
		if to.email != f.own.email {
			decisions = append(decisions, decision(id, contactsv1.Email, to.email, revision))
		}
		outcomes, err := x.client.Change(ctx, uuid.NewString(), decisions)
		if err != nil {
			return err
		}
		for _, o := range outcomes {
			if o.Outcome != contactsv1.Applied {
				return refused(cmp.Or(o.Code, string(o.Outcome)))
			}
		}
		return nil
	}
	return f, nil
}

func decision(id personv4.ID, channel contactsv1.Channel, value string, revision int64) contactsv1.Change {
	c := contactsv1.Change{Person: contactsv1.PersonOf(id), Channel: channel, Decision: contactsv1.Withdraw, Revision: revision}
	if value != "" {
		c.Decision, c.Value = contactsv1.Share, value
	}
	return c
}
