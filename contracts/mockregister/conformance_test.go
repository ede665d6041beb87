package mockregister

import (
	"log/slog"
	"testing"
	"time"

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

func TestDialledFaultsConform(t *testing.T) {
	t.Parallel()
	contracttest.FaultConformance(t, func(t *testing.T) contracttest.FaultRegister {
		w, waits := seeded(t, slog.DiscardHandler), make(timers, 100)
		w.faults.after = waits.after
		f := contracttest.FaultRegister{Register: underTest(t, w)}
		for kind := range kindRules() {
			f.Kinds = append(f.Kinds, string(kind))
		}
		f.Dial = func(t *testing.T, kind, class string) func() {
			fault := Fault{Kind: Kind(kind), Operation: class}
			rule, _ := ruleOf(fault.Kind)
			if rule.duration == always {
				fault.Duration = Duration(time.Minute)
			}
			if rule.rate == always {
				fault.Rate = 1
			}
			id := must(w.faults.Set(fault))(t)
			return func() { w.faults.Clear(id) }
		}
		f.Elapse = func(t *testing.T, meanwhile func()) {
			fire := waits.awaits(t, time.Minute)
			meanwhile()
			fire()
			w.faults.group.Wait()
		}
		return f
	})
}

func underTest(t *testing.T, w world) contracttest.Register {
	t.Helper()
	return contracttest.Register{
		Handler:        w.Handler(),
		LogicalAddress: address,
		System:         worker,
		Stranger:       "SE2321000016-CSX1",
		Limited:        clinic,
		Person:         w.id(t, "empty"),
		Rich:           w.id(t, "contact_persons"),
		Protected:      w.id(t, "secrecy"),
		Registration:   w.id(t, "protected_registration"),
		Deceased:       w.id(t, "deceased"),
		Unknown:        personv4.ID{Root: personv4.RootPersonnummer, Extension: "201701012393"},
	}
}
