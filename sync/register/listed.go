package register

import (
	"context"
	"errors"
	"time"

	"contactsync/consent/contact"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/sync/plan"
)

// Listed is what a bulk read tells of one number: its own record, and whose number it is.
type Listed struct {
	Record  plan.Record
	Profile plan.Profile
}

// ListingConfig is what a Listing needs. All fields are required.
type ListingConfig struct {
	// Client uses the Unrestricted contract: the other one shows no details of protected persons, who would seem to have none.
	Client *personprofilev5.Client
	Codes  map[contact.Channel]Code
	// Observe is called after each call with operation "listing", an outcome and whose fault it was.
	Observe func(operation, outcome, blame string, took time.Duration)
}

// Listing reads whole records in bulk, by GetPersonsForProfileUnrestricted, major 5.
type Listing struct{ ListingConfig }

// NewListing returns the adapter.
func NewListing(c ListingConfig) (*Listing, error) {
	if c.Client == nil || c.Observe == nil {
		return nil, errors.New("listing adapter: Client and Observe are required")
	}
	return &Listing{c}, CheckCodes(c.Codes)
}

// List asks about up to push.MostProfiles numbers in one call, each by its very own record, even if another number has taken its place.
// What the register does not know is missing. Errors are those of ProfileV5.Profiles.
func (l *Listing) List(ctx context.Context, numbers []contact.PersonID) (map[contact.PersonID]Listed, error) {
	began := time.Now()
	answers, err := l.Client.Persons(ctx, identities(numbers), personprofilev5.P3, true) // P3 is the least that holds contact details
	err = classifyQuestion(err)
	observed(l.Observe, "listing", err, began)
	if err != nil {
		return nil, err
	}
	known := make(map[contact.PersonID]Listed, len(answers))
	for i, a := range answers { // in the order of the numbers
		if x := a.Person; x != nil {
			known[numbers[i]] = l.listed(*x, numbers[i])
		}
	}
	return known, nil
}

// listed leaves the record out that is another number's: there is none under the one that was asked for.
func (l *Listing) listed(x personprofilev5.Person, asked contact.PersonID) Listed {
	out := Listed{Profile: profileOf(x, asked)}
	if personID(x.ID) == asked {
		out.Record = recordOf(x.Version, x.Entries, x.OptoutPaper, l.Codes)
	}
	return out
}

// recordOf shows plan what a record says.
func recordOf(version string, entries []personv4.Entry, optoutPaper *bool, codes map[contact.Channel]Code) plan.Record {
	out := plan.Record{Version: version, Own: map[contact.Channel][]plan.Entry{}, PaperOptOut: isTrue(optoutPaper)}
	for _, e := range entries {
		notify := isTrue(e.DigitalNotification)
		if channel, own := ownChannel(codes, e); own {
			out.Own[channel] = append(out.Own[channel], plan.Entry{Value: contact.KnownValue(valueOf(e)), Notify: notify})
		} else if notify {
			out.OthersNotify = true
		}
	}
	return out
}

// ownChannel tells whose channel's own entry this is; false for an entry of somebody else.
func ownChannel(codes map[contact.Channel]Code, e personv4.Entry) (contact.Channel, bool) {
	for channel, code := range codes {
		if e.Type == code.Type && e.Use != nil && *e.Use == code.Use {
			return channel, true
		}
	}
	return "", false
}
