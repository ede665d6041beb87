package register

import (
	"context"

	"contactsync/consent/contact"
	"contactsync/sync/plan"
)

// Holding is what the register holds about a person, for people to look at.
type Holding struct {
	Version   string
	Protected bool // by secrecy marking or protected registration: nobody is shown a whole value
	Own       map[contact.Channel][]plan.Entry
	Others    []Other
}

// Other is an entry that another party made, such as a clinic.
type Other struct {
	Channel   contact.Channel // whose type it has; empty for a type that is no channel's
	Type, Use string          // as the register has them; Use may be empty
	Value     contact.Value
}

// Hold reads a person's entries; nil for a person the register does not know. Errors are those of Read.
func (r *PersonV4) Hold(ctx context.Context, p contact.PersonID) (*Holding, error) {
	read, err := r.Read(ctx, p)
	if err != nil || read == nil {
		return nil, err
	}
	raw := read.(*reading).raw // Read returns no other
	h := &Holding{Version: raw.Version, Protected: raw.Protected(), Own: read.Record().Own}
	for _, e := range raw.Entries {
		if _, own := r.channelOf(e); !own {
			other := Other{Channel: r.channelOfType(e.Type), Type: e.Type, Value: contact.KnownValue(valueOf(e))}
			if e.Use != nil {
				other.Use = *e.Use
			}
			h.Others = append(h.Others, other)
		}
	}
	return h, nil
}

// channelOfType is the one channel whose own entries have the type, if there is just one.
func (r *PersonV4) channelOfType(kind string) (found contact.Channel) {
	for channel, code := range r.Codes {
		switch {
		case code.Type != kind:
		case found != "":
			return ""
		default:
			found = channel
		}
	}
	return found
}
