package register

import (
	"context"
	"time"

	"contactsync/consent/contact"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/sync/push"
)

// Ahead reads many records in one call of GetPersonsForProfileUnrestricted, major 5, for pushes by a PersonV4.
type Ahead struct {
	profiles *ProfileV5
	pushes   *PersonV4
}

var _ push.Records = (*Ahead)(nil)

// NewAhead puts the two contracts together: the records of the one are written by the other.
func NewAhead(profiles *ProfileV5, pushes *PersonV4) *Ahead { return &Ahead{profiles, pushes} }

// Records implements push.Records. A record with unknown elements is left out: which of them were the contract's own of the record, and
// not of the person around it, cannot be told.
func (a *Ahead) Records(ctx context.Context, ids []contact.PersonID) (map[contact.PersonID]push.Reading, error) {
	began := time.Now()
	answers, err := a.profiles.Client.Persons(ctx, identities(ids), personprofilev5.P3, true)
	err = classifyQuestion(err)
	observed(a.profiles.Observe, "profiles", err, began)
	if err != nil {
		return nil, err
	}
	known := make(map[contact.PersonID]push.Reading, len(ids))
	for i, answer := range answers { // in the order of the ids
		x := answer.Person
		if x == nil || personID(x.ID) != ids[i] || x.Version == "" || len(x.Unknown) > 0 {
			continue
		}
		known[ids[i]] = &reading{PersonV4: a.pushes, raw: personv4.Record{Version: x.Version, Person: x.ID, Entries: x.Entries,
			ContactPersons: x.ContactPersons, OptoutPaper: x.OptoutPaper}}
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
