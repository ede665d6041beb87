package e2e

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/stream"
	"contactsync/contracts/mockregister"
)

// made is a decision that was produced.
type made struct {
	at       place
	share    bool
	revision int64
}

// load produces decisions one after the other, each newer than the one before.
type load struct {
	scene     *scene
	publisher *stream.Publisher
	random    *rand.Rand
	byID      map[string]made
	last      made
}

func newLoad(s *scene) *load {
	return &load{scene: s, publisher: s.publisher(), random: rand.New(rand.NewPCG(*crashSeed, 4)), byID: map[string]made{}}
}

// decide produces one decision about a person's mobile number, until Kafka has it.
func (l *load) decide(ctx context.Context, p mockregister.TestPerson, share bool) error {
	now := time.Now()
	d := event.Decision{EventID: uuid.NewString(), Source: "urn:hsaid:SE2321000016-A1", Person: contact.KnownPersonID(p.Root, p.Extension),
		Channel: contact.Mobile, Share: share, Revision: now.UnixMicro(), DecidedAt: now, Time: now, Reason: event.ReasonResident}
	if share {
		d.Value = drawValue(l.random, contact.Mobile)
	}
	l.last = made{place{d.Person, d.Channel}, share, d.Revision}
	l.byID[d.EventID] = l.last
	for l.publisher.Publish(ctx, message(d, "", nil)) != nil {
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// steadily decides for drawn persons at a rate until ctx ends.
func (l *load) steadily(ctx context.Context, perSecond int, persons []mockregister.TestPerson) error {
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		// What was begun is finished: of a decision that was given up nobody could say whether it counts.
		if err := l.decide(l.scene.t.Context(), persons[l.random.IntN(len(persons))], l.random.IntN(2) == 0); err != nil {
			return err
		}
	}
}

// entry is a line of the worker's audit.
type entry struct {
	made
	at time.Time
}

// audit reads what was carried out of the load, in order, and checks that nothing was overtaken.
func (l *load) audit() []entry {
	s := l.scene
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.at.Postgres)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(s.t.Context()))
	rows, err := conn.Query(s.t.Context(), `select ground, at from sync.audit where outcome in ('pushed', 'unchanged') order by id`)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []entry
	newest := map[place]int64{}
	var id string
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &at}, func() error {
		m, known := l.byID[id]
		if !known {
			return errors.New("the audit tells of a decision that nobody made")
		}
		if m.revision < newest[m.at] {
			s.t.Error("an older decision was carried out after a newer one")
		}
		newest[m.at] = m.revision
		out = append(out, entry{m, at})
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// judge compares the register with the newest decision of each person.
func (l *load) judge() {
	l.scene.t.Helper()
	newest := map[place]made{}
	for _, m := range l.byID {
		if m.revision > newest[m.at].revision {
			newest[m.at] = m
		}
	}
	for at, m := range newest {
		if shown := l.scene.shown(at); m.share != (len(shown) == 1) {
			l.scene.t.Errorf("share %t, and the register shows %d entries", m.share, len(shown))
		}
	}
}

// TestOutageOfTheRegister takes the register away for 30 s under load: Kafka is read on, and when it is back everything is carried
// out within 10 s, withdrawals before shares.
func TestOutageOfTheRegister(t *testing.T) {
	f := StartFleet(t, FleetConfig{Workers: 2, Persons: 400})
	s := f.scene(t)
	l := newLoad(s)
	persons := s.persons("generated")
	leavers, joiners := persons[:100], persons[100:]
	for _, p := range leavers {
		if err := l.decide(t.Context(), p, true); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the first shares are there", s.settled)

	f.Links["worker-register"].Cut()
	const outage = 30 * time.Second
	until := time.After(outage)
	for i, p := range joiners { // shares first, so that withdrawals must overtake them
		if err := l.decide(t.Context(), p, true); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			if err := l.decide(t.Context(), leavers[i/3], false); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "Kafka is read on while the register is away", func() bool { return s.unread() == 0 })
	<-until
	back := time.Now()
	f.Links["worker-register"].Mend()
	eventually(t, "everything is carried out", func() bool { return s.count(`select count(*) from sync.due`) == 0 })
	took := time.Since(back)
	eventually(t, "everything is proved and told", s.settled)
	t.Logf("400 persons, %v after the return", took.Round(10*time.Millisecond))
	if took > 10*time.Second {
		t.Errorf("carried out %v after the register's return, want 10 s at most", took)
	}
	l.judge()
	l.withdrawalsFirst(back, 2*16)
}

// withdrawalsFirst checks that of the shares none but those which were under way already came before the last withdrawal.
func (l *load) withdrawalsFirst(since time.Time, places int) {
	l.scene.t.Helper()
	var before, shares int
	for _, e := range l.audit() {
		switch {
		case e.at.Before(since):
		case e.share:
			shares++
		default:
			before = shares
		}
	}
	l.scene.t.Logf("%d of %d shares were carried out before the last withdrawal", before, shares)
	if before > places || shares < 200 {
		l.scene.t.Errorf("%d of %d shares were carried out before the last withdrawal, want %d at most", before, shares, places)
	}
}

// TestRollingRestart replaces two workers one after the other under load: there is no pause over 5 s, and nothing is lost or
// overtaken.
func TestRollingRestart(t *testing.T) {
	f := StartFleet(t, FleetConfig{Workers: 2, Persons: 200})
	s := f.scene(t)
	l := newLoad(s)
	ctx, stop := context.WithCancel(t.Context())
	loaded := make(chan error, 1)
	go func() { loaded <- l.steadily(ctx, 100, s.persons("generated")) }()
	eventually(t, "the load is under way", func() bool { return s.count(`select count(*) from sync.audit`) > 100 })
	began := time.Now()
	for range 2 {
		for _, w := range f.Workers {
			if took := w.Stop(); took > 5*time.Second {
				t.Errorf("%s took %v to end", w.Name, took)
			}
			f.must(w.Start())
			f.AwaitReady(w)
		}
	}
	ended := time.Now()
	stop()
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	eventually(t, "everything is carried out", s.settled)
	l.judge()
	var longest time.Duration
	last := began
	for _, e := range l.audit() {
		if e.at.After(began) && e.at.Before(ended) {
			longest, last = max(longest, e.at.Sub(last)), e.at
		}
	}
	t.Logf("four restarts in %v, the longest pause %v", ended.Sub(began).Round(time.Millisecond), longest.Round(time.Millisecond))
	if longest > 5*time.Second {
		t.Errorf("nothing was carried out for %v", longest)
	}
}
