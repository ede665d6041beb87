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
		{"a read, and its log entry", func() { record = must(w.Get(t.Context(), rivta.Caller{}, id, true))(t) }, 2},
		{"a read of 500 persons, and its log entries", func() { must(w.Persons(t.Context(), rivta.Caller{}, bulk))(t) }, 2},
		{"an update, log entry and all", update, 1},
		{"a refused update: with others, alone, why, and its log entry", update, 4},
	} {
		before := w.pool.Stat().AcquireCount()
		tt.call()
		if got := w.pool.Stat().AcquireCount() - before; got != tt.want {
			t.Errorf("%s took %d statements, want %d", tt.name, got, tt.want)
		}
	}
}
