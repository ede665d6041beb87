package mockregister

import (
	"log/slog"
	"testing"

	"contactsync/contracts/contracttest"
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
	for _, tt := range []struct {
		name string
		call func()
		want int64
	}{
		{"a read", func() { record = must(w.Get(t.Context(), rivta.Caller{}, id, true))(t) }, 1},
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
