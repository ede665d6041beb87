package mockregister

import (
	"log/slog"
	"testing"

	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
)

func TestRegisterConforms(t *testing.T) {
	t.Parallel()
	contracttest.Conformance(t, func(t *testing.T) contracttest.Register { return underTest(t, seeded(t, slog.DiscardHandler)) })
}

func TestProfilesConform(t *testing.T) {
	t.Parallel()
	contracttest.ProfileConformance(t, func(t *testing.T) contracttest.ProfileRegister {
		w := seeded(t, slog.DiscardHandler)
		return contracttest.ProfileRegister{
			Register:  underTest(t, w),
			Guardian:  w.id(t, "guardian"),
			Ward:      w.id(t, "child_under_13"),
			Replaced:  w.id(t, "replaced_coordination_number"),
			Primary:   w.id(t, "replacing_personal_number"),
			Emigrated: w.id(t, "emigrated"),
		}
	})
}

func underTest(t *testing.T, w world) contracttest.Register {
	t.Helper()
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
}
