package register

import (
	"context"
	"time"

	"contactsync/consent/contact"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

// Ahead reads many records in one call of GetPersonsForProfileUnrestricted, major 5: for pushes by a PersonV4, and to see what they led to.
type Ahead struct {
	profiles *ProfileV5
	pushes   *PersonV4
}

var (
	_ push.Records = (*Ahead)(nil)
	_ push.Shown   = (*Ahead)(nil)
)

// NewAhead puts the two contracts together: the records of the one are written by the other.
func NewAhead(profiles *ProfileV5, pushes *PersonV4) *Ahead { return &Ahead{profiles, pushes} }

// Records implements push.Records. A record with unknown elements is left out: which of them were the contract's own of the record, and
// not of the person around it, cannot be told.
func (a *Ahead) Records(ctx context.Context, ids []contact.PersonID) (map[contact.PersonID]push.Reading, error) {
	read, err := a.read(ctx, ids)
	known := make(map[contact.PersonID]push.Reading, len(read))
	for id, r := range read {
		if r.raw.Version != "" && len(r.raw.Unknown) == 0 {
			known[id] = r
		}
	}
	return known, err
}

// Shown implements push.Shown.
func (a *Ahead) Shown(ctx context.Context, ids []contact.PersonID) (map[contact.PersonID]plan.Record, error) {
	read, err := a.read(ctx, ids)
	known := make(map[contact.PersonID]plan.Record, len(read))
	for id, r := range read {
		known[id] = r.Record()
	}
	return known, err
}

// read asks for the very records of the numbers, even if another number has taken a number's place.
func (a *Ahead) read(ctx context.Context, ids []contact.PersonID) (map[contact.PersonID]*reading, error) {
	began := time.Now()
	answers, err := a.profiles.Client.Persons(ctx, identities(ids), personprofilev5.P3, true)
	err = classifyQuestion(err)
	observed(a.profiles.Observe, "profiles", err, began)
	if err != nil {
		return nil, err
	}
	known := make(map[contact.PersonID]*reading, len(ids))
	for i, answer := range answers { // in the order of the ids
		if x := answer.Person; x != nil && personID(x.ID) == ids[i] {
			known[ids[i]] = &reading{PersonV4: a.pushes, raw: personv4.Record{Version: x.Version, Person: x.ID, Entries: x.Entries,
				ContactPersons: x.ContactPersons, OptoutPaper: x.OptoutPaper, Unknown: x.Unknown}}
		}
	}
	return known, nil
}

func identities(ids []contact.PersonID) []personv4.ID {
	out := make([]personv4.ID, len(ids))
	for i, id := range ids {
		out[i] = personv4.ID{Root: id.Root(), Extension: id.RevealExtension()}
	}
	return out
}
