package mockregister

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// newCaller knows how each contract is called.
func (m matrix) newCaller(t *testing.T, c cell) caller {
	t.Helper()
	name := m.contracts[c.contract]
	if name == contractREST {
		return m.newContactsCaller(t, c)
	}
	restricted := !strings.HasSuffix(name, unrestrictedSuffix)
	switch strings.TrimSuffix(name, unrestrictedSuffix) + c.contract[len(name):] {
	case "GetPersonContactInformation/4":
		client := m.Client(t, m.system(c), address, restricted)
		return m.reader(func(t *testing.T, id personv4.ID) (*seen, error) {
			record, err := client.Get(t.Context(), id)
			if record == nil {
				return nil, err
			}
			return &seen{len(record.Entries), record.Protected()}, err
		})
	case "GetPersonContactInformation/3":
		client := m.ClientV3(t, m.system(c), address, restricted)
		return m.reader(func(t *testing.T, id personv4.ID) (*seen, error) {
			record, err := client.Get(t.Context(), id)
			if record == nil {
				return nil, err
			}
			return &seen{len(record.Entries), record.ProtectedPerson}, err
		})
	case "GetPersonsForProfile/5":
		client := m.Profiles(t, m.system(c), address, restricted)
		return m.reader(func(t *testing.T, id personv4.ID) (*seen, error) {
			answers, err := client.Persons(t.Context(), []personv4.ID{id}, personprofilev5.P3, true)
			if err != nil || answers[0].Person == nil {
				return nil, err
			}
			return &seen{len(answers[0].Person.Entries), answers[0].Person.Protected()}, nil
		})
	case "UpdatePersonContactInformation/4":
		client := m.Client(t, m.system(c), address, restricted)
		return m.writer(c.actor, func(t *testing.T, update personv4.Update) (bool, string, error) {
			result, err := client.Update(t.Context(), update)
			return result.OK, result.Code, err
		})
	case "UpdatePersonContactInformation/3":
		client := m.ClientV3(t, m.system(c), address, restricted)
		return m.writer(c.actor, func(t *testing.T, update personv4.Update) (bool, string, error) {
			result, err := client.Update(t.Context(), contracttest.UpdateV3(update))
			return result.OK, result.Code, err
		})
	}
	t.Fatalf("the test does not know how to call %s", c.contract)
	return nil
}

// seen is what a contract shows of a record. That what it shows is right, other tests look at.
type seen struct {
	entries   int
	protected bool
}

func (m matrix) stored(t *testing.T, id personv4.ID) *personv4.Record {
	t.Helper()
	return must(m.Get(t.Context(), rivta.Caller{}, id, true))(t)
}

func (m matrix) reader(read func(*testing.T, personv4.ID) (*seen, error)) caller {
	return func(t *testing.T, id personv4.ID) (string, error) {
		t.Helper()
		got, err := read(t, id)
		if err != nil || got == nil {
			return "absent", err
		}
		all := m.stored(t, id)
		switch {
		case got.protected != all.Protected():
			return "another protection", nil
		case got.entries == len(all.Entries):
			return "whole", nil
		case got.entries == 0 && got.protected:
			return "blanked", nil
		}
		return "something else", nil
	}
}

func (m matrix) writer(actor string, write func(*testing.T, personv4.Update) (ok bool, code string, err error)) caller {
	return func(t *testing.T, id personv4.ID) (string, error) {
		t.Helper()
		before := m.stored(t, id)
		update := personv4.Update{Actor: personv4.Actor{ID: id}, Person: id, VersionToUpdate: "20200101000000"}
		if before != nil {
			update = contracttest.Unchanged(*before)
		}
		if actor == "staff" {
			update.Actor = staff()
		}
		ok, code, err := write(t, update)
		if m.changed(t, id, before) != ok {
			return "changed, and said not to be", nil
		}
		if ok {
			return "written", err
		}
		return code, err
	}
}

// changed tells whether the record is not the one that it was.
func (m matrix) changed(t *testing.T, id personv4.ID, before *personv4.Record) bool {
	t.Helper()
	return before != nil && m.stored(t, id).Version != before.Version
}

// newContactsCaller knows how each operation of the REST contract is called.
func (m matrix) newContactsCaller(t *testing.T, c cell) caller {
	t.Helper()
	client := m.contacts(t, m.system(c))
	switch strings.TrimSuffix(c.contract, "/1") {
	case contactsv1.OperationLookup:
		return m.contactReader(func(t *testing.T, id personv4.ID) (contactsv1.Contact, error) {
			contacts, err := client.Lookup(t.Context(), []contactsv1.Person{contactsv1.PersonOf(id)})
			if err != nil {
				return contactsv1.Contact{}, err
			}
			return contacts[0], nil
		})
	case contactsv1.OperationRead:
		return m.contactReader(func(t *testing.T, id personv4.ID) (contactsv1.Contact, error) {
			return client.Read(t.Context(), m.ref(t, id))
		})
	case contactsv1.OperationChangedSince:
		return func(t *testing.T, id personv4.ID) (string, error) {
			newer, err := client.ChangedSince(t.Context(), []contactsv1.Held{{Person: contactsv1.PersonOf(id), Version: "20200101000000"}})
			if err != nil {
				return "", err
			}
			stored := m.stored(t, id)
			switch {
			case len(newer) != 1 || newer[0].Found != (stored != nil):
				return "something else", nil
			case stored == nil:
				return "absent", nil
			case newer[0].Version != stored.Version:
				return "another version", nil
			}
			return "told", nil
		}
	case contactsv1.OperationChanges:
		return func(t *testing.T, id personv4.ID) (string, error) {
			page, err := client.Changes(t.Context(), contactsv1.From{Limit: contactsv1.MaxItems})
			if slices.ContainsFunc(page.Signals, func(s contactsv1.Signal) bool { return s.Person == contactsv1.PersonOf(id) }) {
				return "told", err
			}
			return "absent", err
		}
	case contactsv1.OperationWrite:
		return m.contactWriter(func(t *testing.T, id personv4.ID, before personv4.Record) (string, error) {
			_, err := client.Write(t.Context(), m.ref(t, id), contactsv1.Write{Version: before.Version})
			return "written", err
		})
	case contactsv1.OperationChange:
		return m.contactWriter(func(t *testing.T, id personv4.ID, before personv4.Record) (string, error) {
			*m.revision++
			change := contactsv1.Change{Person: contactsv1.PersonOf(id), Channel: contactsv1.Mobile, Decision: contactsv1.Withdraw, Revision: *m.revision}
			if own := ownOf(before.Entries); own.mobile != nil { // decided as it is, so that the next one finds it again
				change.Decision, change.Value = contactsv1.Share, *own.mobile
			}
			outcomes, err := client.Change(t.Context(), uuid.NewString(), []contactsv1.Change{change})
			switch {
			case err != nil:
				return "", err
			case outcomes[0].Outcome == contactsv1.Applied:
				return "written", nil
			}
			return outcomeText(outcomes[0]), nil
		})
	}
	t.Fatalf("the test does not know how to call %s", c.contract)
	return nil
}

// ref is what a lookup by somebody else would tell; of nobody too.
func (m matrix) ref(t *testing.T, id personv4.ID) string {
	t.Helper()
	return must(m.refsOf(t.Context()))(t).seal(id)
}

func (m matrix) contactReader(read func(*testing.T, personv4.ID) (contactsv1.Contact, error)) caller {
	return func(t *testing.T, id personv4.ID) (string, error) {
		t.Helper()
		got, err := read(t, id)
		if err != nil || !got.Found {
			return "absent", err
		}
		all := m.stored(t, id)
		own := ownOf(all.Entries)
		mobile, email := detail(own.mobile, own.mobileNotify), detail(own.email, own.emailNotify)
		switch {
		case got.ProtectedPerson != all.ProtectedPerson || got.ProtectedPopulation != *all.ProtectedPopulation:
			return "another protection", nil
		case got.Blanked && got.Name == "" && got.Mobile == nil && got.Email == nil:
			return "blanked", nil
		case !got.Blanked && got.Name != "" && cmp.Equal(got.Mobile, mobile) && cmp.Equal(got.Email, email):
			return "whole", nil
		}
		return "something else", nil
	}
}

// contactWriter checks that what is said is what was done. write tells "written", or why not.
func (m matrix) contactWriter(write func(*testing.T, personv4.ID, personv4.Record) (string, error)) caller {
	return func(t *testing.T, id personv4.ID) (string, error) {
		t.Helper()
		before := m.stored(t, id)
		known := personv4.Record{Version: "20200101000000"}
		if before != nil {
			known = *before
		}
		outcome, err := write(t, id, known)
		if m.changed(t, id, before) != (err == nil && outcome == "written") {
			return "changed, and said not to be", nil
		}
		return outcome, err
	}
}
