package mockregister

import (
	"log/slog"
	"testing"

	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
)

func TestRegisterConforms(t *testing.T) {
	t.Parallel()
	contracttest.Conformance(t, func(t *testing.T) contracttest.Register {
		w := seeded(t, slog.DiscardHandler)
		return contracttest.Register{
			Handler:        w.Handler(),
			LogicalAddress: address,
			System:         worker,
			Stranger:       "SE2321000016-CSX1",
			Person:         w.id(t, "empty"),
			Rich:           w.id(t, "contact_persons"),
			Protected:      w.id(t, "secrecy"),
			Registration:   w.id(t, "protected_registration"),
			Deceased:       w.id(t, "deceased"),
			Unknown:        personv4.ID{Root: personv4.RootPersonnummer, Extension: "201701012393"},
		}
	})
}
