package register

import (
	"context"
	"errors"
	"time"

	"contactsync/consent/contact"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

// ProfileV5Config is what the adapter needs. All fields are required.
type ProfileV5Config struct {
	// Client uses the Unrestricted contract: the other one shows no relations of protected persons, and a guardian would seem to be none.
	Client *personprofilev5.Client
	// Observe is called after each call with operation "profiles", an outcome and whose fault it was.
	Observe func(operation, outcome, blame string, took time.Duration)
}

// ProfileV5 is GetPersonsForProfileUnrestricted, major 5.
type ProfileV5 struct{ ProfileV5Config }

var _ push.Profiles = (*ProfileV5)(nil)

// NewProfileV5 returns the adapter.
func NewProfileV5(c ProfileV5Config) (*ProfileV5, error) {
	if c.Client == nil || c.Observe == nil {
		return nil, errors.New("personprofilev5 adapter: Client and Observe are required")
	}
	return &ProfileV5{c}, nil
}

// Profiles implements push.Profiles. Of a number that was replaced it returns what is said of the person who has the new one.
func (r *ProfileV5) Profiles(ctx context.Context, ids []contact.PersonID, relations bool) (map[contact.PersonID]plan.Profile, error) {
	profile := personprofilev5.P1 // names linked identities and protection
	if relations {
		profile = personprofilev5.P4
	}
	began := time.Now()
	answers, err := r.Client.Persons(ctx, identities(ids), profile, false)
	err = classifyQuestion(err)
	observed(r.Observe, "profiles", err, began)
	if err != nil {
		return nil, err
	}
	known := map[contact.PersonID]plan.Profile{}
	for i, a := range answers { // in the order of the ids
		if a.Person != nil {
			known[ids[i]] = profileOf(*a.Person, ids[i])
		}
	}
	return known, nil
}

// classifyQuestion: a client fault of a call about many may be about one of them, or about how much there is to tell.
func classifyQuestion(err error) error {
	err = classify(err, false)
	if e, ok := errors.AsType[*push.Error](err); ok && e.Class == push.Refused {
		f, fault := errors.AsType[*rivta.Fault](e.Err)
		e.Unnamed = fault && f.VP == ""
	}
	return err
}

// profileOf takes the answered number to be the person's too: it was referred.
func profileOf(x personprofilev5.Person, asked contact.PersonID) plan.Profile {
	p := plan.Profile{Primary: personID(x.PrimaryID()), Protected: x.Protected(), Deceased: x.Deceased(), Version: x.Version}
	for _, id := range append(x.LinkedIDs(), personv4.ID{Root: asked.Root(), Extension: asked.RevealExtension()}) {
		if other := personID(id); !p.Has(other) {
			p.Others = append(p.Others, other)
		}
	}
	for _, id := range x.Related(personprofilev5.Guardian) {
		p.Guardians = append(p.Guardians, personID(id))
	}
	return p
}

func personID(id personv4.ID) contact.PersonID { return contact.KnownPersonID(id.Root, id.Extension) }
