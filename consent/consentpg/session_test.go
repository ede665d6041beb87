package consentpg_test

import (
	"testing"
	"time"

	"contactsync/consent/contact"
)

func TestSessionIsThePersonsUntilItIsOverOrClosed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	whose := func(hash [32]byte) contact.PersonID {
		t.Helper()
		p, err := d.store.SessionPerson(t.Context(), hash)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first, second, other := [32]byte{1}, [32]byte{2}, [32]byte{3}
	for _, hash := range [][32]byte{first, second} {
		if err := d.store.OpenSession(t.Context(), hash, tove, d.now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if whose(first) != tove || whose(second) != tove || !whose(other).IsZero() {
		t.Error("an open session is not its person's, or an unknown one is somebody's")
	}
	if err := d.store.CloseSession(t.Context(), first); err != nil || !whose(first).IsZero() || whose(second) != tove {
		t.Errorf("after closing one of two: %v", err)
	}
	d.now = d.now.Add(time.Hour)
	if !whose(second).IsZero() {
		t.Error("a session lives on when its time is over")
	}
	if err := d.store.OpenSession(t.Context(), other, tove, d.now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := d.pool.QueryRow(t.Context(), `select count(*) from consent.session`).Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d sessions are kept, want the one that is not over (%v)", rows, err)
	}
}
