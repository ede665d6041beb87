package mockregister

import (
	"log/slog"
	"slices"
	"testing"

	"contactsync/contracts/contracttest"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// Each statement takes a connection from the pool once, which is how this test counts them.
func TestStatementsPerCall(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	person := w.persons["both_channels"]
	id := personv4.ID{Root: person.Root, Extension: person.Extension}
	var record *personv4.Record
	update := func() {
		must(w.Update(t.Context(), rivta.Caller{}, contracttest.Unchanged(*record), true))(t)
	}
	bulk := personprofilev5.Query{Persons: slices.Repeat([]personv4.ID{id}, personprofilev5.MaxPersons), Profile: personprofilev5.P4}
	for _, tt := range []struct {
		name string
		call func()
		want int64
	}{
		{"a read", func() { record = must(w.Get(t.Context(), rivta.Caller{}, id, true))(t) }, 1},
		{"a read of 500 persons", func() { must(w.Persons(t.Context(), rivta.Caller{}, bulk))(t) }, 1},
		{"an update", update, 1},
		{"a refused update", update, 2},
	} {
		before := w.pool.Stat().AcquireCount()
		tt.call()
		if got := w.pool.Stat().AcquireCount() - before; got != tt.want {
			t.Errorf("%s took %d statements, want %d", tt.name, got, tt.want)
		}
	}
}
