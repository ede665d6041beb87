package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestDatabaseGoesBackUnderTheWorkers has the workers' database forget what was done last, as a restored one does, or a replica that had not
// everything when it took over. What is to be done by the older one is a Yes; the No after it was carried out and proved, and lies in Kafka
// before what is read next. It must not be passed over, nor the Yes be pushed.
func TestDatabaseGoesBackUnderTheWorkers(t *testing.T) {
	f := StartFleet(t, FleetConfig{Workers: 2, Persons: 60})
	s := f.scene(t)
	l := newLoad(s)
	persons := s.persons("generated")
	leavers, others := persons[:20], persons[20:]
	all := func(share bool) {
		t.Helper()
		for _, p := range leavers {
			if err := l.decide(t.Context(), p, share); err != nil {
				t.Fatal(err)
			}
		}
	}
	all(true)
	s.settle()
	f.Links["worker-register"].Cut()
	all(true)
	eventually(t, "the second Yes is read", func() bool { return s.unread() == 0 })
	s.execute(copySQL())
	f.Links["worker-register"].Mend()
	s.settle()
	all(false)
	s.settle()
	changes, sequence := s.changes(), s.count(`select last_value from sync.outbox_id`)

	f.Links["worker-postgres"].Cut()
	s.execute(goBackSQL())
	f.KillPostgres()
	f.must(f.RestartPostgres())
	if due := s.count(`select count(*) from sync.due where not urgent`); due != int64(len(leavers)) {
		t.Fatalf("%d Yeses are due after the restore, want %d", due, len(leavers))
	}
	f.Links["worker-postgres"].Mend()
	if err := l.decide(t.Context(), others[0], true); err != nil { // which comes after what was forgotten
		t.Fatal(err)
	}
	s.settle()
	l.judge()
	if again := s.changes() - changes; again != 1 {
		t.Errorf("%d details have changed since, want the new one alone: a Yes came back", again)
	}
	if now := s.count(`select last_value from sync.outbox_id`); now <= sequence {
		t.Errorf("sequences of outcomes go on from %d, and %d was told", now, sequence)
	}
}

// tablesThatGoBack are all of the workers' tables but the audit, whose chain would tell.
func tablesThatGoBack() []string {
	return strings.Fields(`person channel due partition refused outbox ask proof server`)
}

func copySQL() (sql string) {
	for _, table := range tablesThatGoBack() {
		sql += fmt.Sprintf("create table public.old_%s as table sync.%[1]s;\n", table)
	}
	return sql + `create table public.old_sequence as select last_value from sync.outbox_id;`
}

func goBackSQL() string {
	sql := "truncate sync." + strings.Join(tablesThatGoBack(), ", sync.") + " cascade;\n"
	for _, table := range tablesThatGoBack() {
		sql += fmt.Sprintf("insert into sync.%s overriding system value table public.old_%[1]s;\n", table)
	}
	return sql + `select setval('sync.outbox_id', last_value) from public.old_sequence;`
}

// changes counts what residents' own details in the register have changed so far.
func (s *scene) changes() int64 {
	s.t.Helper()
	eventually(s.t, "every change is in the feed", func() bool { return s.count(`select count(*) from register.change`) == 0 })
	return s.count(`select count(*) from register.feed`)
}
