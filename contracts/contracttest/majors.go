package contracttest

import (
	"context"
	"testing"

	"contactsync/contracts/personv3"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// client is a major's client, in the newest major's words.
type client interface {
	Get(ctx context.Context, person personv4.ID) (*personv4.Record, error)
	Update(ctx context.Context, update personv4.Update) (personv4.Result, error)
}

// contract is a major that the suite runs through.
type contract struct {
	name        string
	full        bool // it can say all that a record holds
	get, update func(unrestricted bool) rivta.Operation
	namespace   string
	client      func(t *testing.T, s Served, hsaID, logicalAddress string, restricted bool) client
}

func majors() []contract { return []contract{newest(), third()} }

func newest() contract {
	return contract{name: "major 4", full: true, get: personv4.GetOperation, update: personv4.UpdateOperation, namespace: personv4.Namespace,
		client: func(t *testing.T, s Served, hsaID, logicalAddress string, restricted bool) client {
			return s.Client(t, hsaID, logicalAddress, restricted)
		}}
}

func third() contract {
	return contract{name: "major 3", get: personv3.GetOperation, update: personv3.UpdateOperation, namespace: personv3.Namespace,
		client: func(t *testing.T, s Served, hsaID, logicalAddress string, restricted bool) client {
			return throughV3{s.ClientV3(t, hsaID, logicalAddress, restricted)}
		}}
}

// shown is what of an entry this major shows.
func (c contract) shown(e personv4.Entry) personv4.Entry {
	if !c.full {
		e.DigitalNotification = nil
	}
	return e
}

// throughV3 says in major 3 what it is told, as far as that can be said there.
type throughV3 struct{ *personv3.Client }

func (c throughV3) Get(ctx context.Context, person personv4.ID) (*personv4.Record, error) {
	record, err := c.Client.Get(ctx, person)
	return recordOfV3(record), err
}

func (c throughV3) Update(ctx context.Context, update personv4.Update) (personv4.Result, error) {
	result, err := c.Client.Update(ctx, UpdateV3(update))
	return personv4.Result{OK: result.OK, Text: result.Text, Code: result.Code, Record: recordOfV3(result.Record)}, err
}

// UpdateV3 is what of an update can be said in major 3.
func UpdateV3(update personv4.Update) personv3.Update {
	return personv3.Update{
		Actor:  personv3.Actor{ID: update.Actor.ID, Professional: update.Actor.Professional, Unknown: update.Actor.Unknown},
		Person: update.Person, VersionToUpdate: update.VersionToUpdate, Unknown: update.Unknown,
		Entries: each(update.Entries, entryV3),
		ContactPersons: each(update.ContactPersons, func(p personv4.ContactPerson) personv3.ContactPerson {
			return personv3.ContactPerson{Relationship: p.Relationship, PriorityOrder: p.PriorityOrder, GivenName: p.GivenName,
				SurName: p.SurName, MiddleName: p.MiddleName, Address: p.Address, Entries: each(p.Entries, entryV3), Unknown: p.Unknown}
		}),
	}
}

func entryV3(e personv4.Entry) personv3.Entry {
	return personv3.Entry{Type: e.Type, Use: e.Use, Value: e.Value, Rank: e.Rank, Comment: e.Comment, Period: e.Period, Unknown: e.Unknown}
}

func recordOfV3(r *personv3.Record) *personv4.Record {
	if r == nil {
		return nil
	}
	record := personv4.Record{Version: r.Version, Person: r.Person, ProtectedPerson: r.ProtectedPerson, Unknown: r.Unknown,
		Entries: each(r.Entries, entryOfV3),
		ContactPersons: each(r.ContactPersons, func(p personv3.ContactPerson) personv4.ContactPerson {
			return personv4.ContactPerson{Relationship: p.Relationship, PriorityOrder: p.PriorityOrder, GivenName: p.GivenName,
				SurName: p.SurName, MiddleName: p.MiddleName, Address: p.Address, Entries: each(p.Entries, entryOfV3), Unknown: p.Unknown}
		}),
	}
	if a := r.Actor; a != nil {
		record.Actor = &personv4.Actor{ID: a.ID, Professional: a.Professional, Unknown: a.Unknown}
	}
	return &record
}

func entryOfV3(e personv3.Entry) personv4.Entry {
	return personv4.Entry{Type: e.Type, Use: e.Use, Value: e.Value, Rank: e.Rank, Comment: e.Comment, Period: e.Period, Unknown: e.Unknown}
}

func each[A, B any](list []A, convert func(A) B) []B {
	var converted []B
	for _, item := range list {
		converted = append(converted, convert(item))
	}
	return converted
}
