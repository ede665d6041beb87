package mockregister

import (
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/pgtest"
	"contactsync/contracts/personv4"
)

func TestMigrateByThreeAtOnce(t *testing.T) {
	t.Parallel()
	pool := pgtest.Database(t)
	atOnce(3, func() {
		if err := Migrate(t.Context(), pool); err != nil {
			t.Error(err)
		}
	})
	var outside int
	err := pool.QueryRow(t.Context(), `
		select count(*) from pg_tables where schemaname not in ('register', 'pg_catalog', 'information_schema')`).Scan(&outside)
	if err != nil || outside != 0 {
		t.Errorf("%d tables outside the schema, error %v", outside, err)
	}
}

func TestSeedHasEveryState(t *testing.T) {
	t.Parallel()
	register := newRegister(t, migrated(t), noon, slog.DiscardHandler)
	persons, err := register.Seed(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	states := []string{}
	for _, p := range persons {
		states = append(states, p.State)
	}
	want := []string{"empty", "both_channels", "staff_entries", "contact_persons", "paper_opt_out", "secrecy",
		"protected_registration", "deceased", "child_under_13", "guardian", "child_13", "coordination_number",
		"guardian_of_two", "second_guardian", "elder_sibling", "younger_sibling", "protected_guardian", "child_of_protected_guardian",
		"guardian_of_protected_child", "protected_child", "replaced_coordination_number", "replacing_personal_number", "emigrated",
		"many_names",
		"generated", "generated", "generated"}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	for _, p := range persons {
		if fault := faultOf(p, noon()); fault != "" {
			t.Errorf("%s: %s", p.State, fault)
		}
	}
}

// faultOf judges an identity and an age by rules written a second time, so that seed and test cannot err together.
func faultOf(p TestPerson, now time.Time) string {
	number := p.Extension
	day := number[:8]
	if p.Root == personv4.RootSamordningsnummer {
		n, _ := strconv.Atoi(number[6:8])
		day = number[:6] + strconv.Itoa(n-60)
	}
	born, err := time.Parse("20060102", day)
	digits := []int{}
	for _, c := range number[2:] {
		digits = append(digits, int(c-'0'))
	}
	sum := 0
	for i, d := range digits {
		if i%2 == 0 {
			d *= 2
		}
		if d > 9 {
			d -= 9
		}
		sum += d
	}
	ages := map[string][2]int{"child_under_13": {0, 12}, "child_13": {13, 17}, "elder_sibling": {0, 12}, "younger_sibling": {0, 12},
		"child_of_protected_guardian": {0, 12}, "protected_child": {0, 12}}
	span, isChild := ages[p.State]
	if !isChild {
		span = [2]int{18, 100}
	}
	switch {
	case err != nil:
		return "no date"
	case len(number) != 12 || sum%10 != 0:
		return "wrong check digit"
	case now.Before(born.AddDate(span[0], 0, 0)) || !now.Before(born.AddDate(span[1]+1, 0, 0)):
		return "wrong age"
	}
	return ""
}

func TestSeedTwiceAddsNobody(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	register := newRegister(t, pool, noon, slog.DiscardHandler)
	first, err := register.Seed(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	later := newRegister(t, pool, func() time.Time { return noon().AddDate(3, 0, 0) }, slog.DiscardHandler)
	second, err := later.Seed(t.Context(), 50)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("(-first +second):\n%s", diff)
	}
}

func TestSeedByTwoAtOnce(t *testing.T) {
	t.Parallel()
	register := newRegister(t, migrated(t), noon, slog.DiscardHandler)
	var mu sync.Mutex
	counts := map[int]int{}
	atOnce(4, func() {
		persons, err := register.Seed(t.Context(), 7)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		counts[len(persons)]++
	})
	if diff := cmp.Diff(map[int]int{31: 4}, counts); diff != "" {
		t.Errorf("persons seen (-want +got):\n%s", diff)
	}
}

func TestSeedThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	register := newRegister(t, pool, noon, slog.DiscardHandler)
	// The persons are in when the seed finds that it cannot relate them.
	if _, err := pool.Exec(t.Context(), `drop table register.guardianships`); err != nil {
		t.Fatal(err)
	}
	if _, err := register.Seed(t.Context(), 100); err == nil {
		t.Fatal("a seed without a table to write to succeeded")
	}
	if n := countPersons(t, pool); n != 0 {
		t.Errorf("%d persons are left", n)
	}
}

func TestSeedKeepsGuardianship(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	var child, guardian string
	err := w.pool.QueryRow(t.Context(), `select child_extension, guardian_extension from register.guardianships where child_extension = $1`,
		w.persons["child_under_13"].Extension).Scan(&child, &guardian)
	if err != nil || child != w.persons["child_under_13"].Extension || guardian != w.persons["guardian"].Extension {
		t.Errorf("child under 13 and its guardian are not related, error %v", err)
	}
}

func countPersons(t *testing.T, pool *pgxpool.Pool) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), `select count(*) from register.persons`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// atOnce runs n copies of work at the same time and waits for them.
func atOnce(n int, work func()) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			<-start
			work()
		})
	}
	close(start)
	all.Wait()
}

func BenchmarkSeed(b *testing.B) {
	for range b.N {
		register := newRegister(b, migrated(b), noon, slog.DiscardHandler)
		if _, err := register.Seed(b.Context(), 200_000); err != nil {
			b.Fatal(err)
		}
	}
}
