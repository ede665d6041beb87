package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"contactsync/cmd/internal/devstack"
	"contactsync/consent/event"
)

var (
	regdieSeed    = flag.Uint64("regdie.seed", 1, "seed of who writes what about whom, and of when the register is killed")
	regdieRuns    = flag.Int("regdie.runs", 1, "how many runs, each on the next seed")
	regdieKills   = flag.Int("regdie.kills", 6, "how often the register, PostgreSQL or both are killed in a run, or the way between them is cut")
	regdiePersons = flag.Int("regdie.persons", 30, "over how many persons")
)

// TestRegisterUnderKill9 kills the register and its PostgreSQL while systems read and write through all contracts. In the end its
// access log tells of every change and every answered read, and of nothing that did not happen.
//
//	go test ./cmd/internal/e2e -run RegisterUnderKill9 -v -timeout 0 -regdie.seed 1 -regdie.runs 5 -regdie.kills 100
func TestRegisterUnderKill9(t *testing.T) {
	t.Parallel()
	for seed := *regdieSeed; seed < *regdieSeed+uint64(*regdieRuns); seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { registerUnderKill9(t, seed) })
	}
}

func registerUnderKill9(t *testing.T, seed uint64) {
	d := startDying(t)
	systems := newSystems(d, seed)
	if err := d.suffer(systems, d.kills(seed)); err != nil {
		t.Fatal(err)
	}
	d.settle(systems[len(systems)-1])
	d.judge()
}

// suffer lets the systems work until the blows are over, and the calls end that were begun.
func (d *dying) suffer(systems []*system, blows schedule) error {
	calls, abandon := context.WithCancel(d.t.Context()) // only if the register stays away
	defer abandon()
	working, stop := context.WithCancel(calls)
	defer stop()
	var group errgroup.Group
	for _, s := range systems {
		s.ctx = calls
		group.Go(func() error {
			for working.Err() == nil {
				if err := s.turn(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := blows.run(d.t.Context())
	stop()
	if err != nil {
		abandon()
	}
	return errors.Join(err, group.Wait())
}

// dying is a register that dies again and again. Nobody else is there: what it publishes waits in its outbox.
type dying struct {
	*Fleet
	t       *testing.T
	persons []string // all have a personnummer, and records that were empty
	noted   notes
	heads   []string // of the access log, as they stood after each blow
}

// startDying also has PostgreSQL remember every change of a record by itself, in the change's transaction, whatever the register logs.
func startDying(t *testing.T) *dying {
	t.Helper()
	f := &Fleet{t: t, Dir: t.TempDir(), Links: map[string]*Link{}, ops: map[*Service]string{}}
	_, err := devstack.PrepareCertificates(filepath.Join(f.Dir, "tls"), time.Now())
	f.must(err)
	f.startPostgres()
	f.migrate(*regdiePersons)
	f.grant(devstack.JournalHSAID)
	query(t, f.Postgres.URL(), `
		create schema regdie;
		create table regdie.history (
			id bigint generated always as identity, extension text, replaced text, version text, mobile text, email text, content text,
			tx xid8 default pg_current_xact_id());
		create function regdie.remember() returns trigger security definer language plpgsql as $$ begin
			insert into regdie.history (extension, replaced, version, mobile, email, content)
			values (new.extension, old.version, new.version, new.mobile, new.email, new.content);
			return null;
		end $$;
		create trigger regdie after update on register.persons for each row execute function regdie.remember()`)
	f.registerPort = freePort(t)
	f.link("register-postgres", hostOf(t, f.Postgres.URL()))
	f.At.Postgres, f.At.Register, f.Admin = f.Postgres.URL(), "https://"+local(f.registerPort), "http://"+local(freePort(t))
	f.Register = f.newService("register", "register", f.registerEnv(),
		[]string{"CONTACTSYNC_KAFKA_BROKERS=" + local(freePort(t)), "CONTACTSYNC_PEPPER=" + event.DevelopmentPepper})
	f.must(f.Register.Start())
	f.AwaitReady(f.Register)
	d := &dying{Fleet: f, t: t}
	for _, p := range (&scene{t: t, dir: f.Dir}).persons("generated") {
		d.persons = append(d.persons, p.Extension)
	}
	return d
}

// kills draws when which part suffers. All kinds of blows come before one comes again; half of them are the register's alone.
func (d *dying) kills(seed uint64) schedule {
	random := rand.New(rand.NewPCG(seed, 7))
	register := func(down time.Duration) error { return d.killed(d.Register, down) }
	cut := func(down time.Duration) error {
		d.Links["register-postgres"].Cut()
		defer d.Links["register-postgres"].Mend()
		return wait(d.t.Context(), down)
	}
	both := func(down time.Duration) error {
		d.Register.Kill9()
		return errors.Join(d.postgresKilled(down), d.Register.Start())
	}
	ways := []func(time.Duration) error{register, register, register, d.postgresKilled, cut, both}
	var blows []blow
	for range (*regdieKills + len(ways) - 1) / len(ways) {
		for _, i := range random.Perm(len(ways)) {
			blows = append(blows, blow{drawTime(random, 100*time.Millisecond, time.Second), drawTime(random, 0, 200*time.Millisecond), i,
				func(length time.Duration) error { return errors.Join(ways[i](length), d.up()) }})
		}
	}
	return schedule{"the register": blows[:*regdieKills]}
}

// up waits until the register works again, and notes where its log stands.
func (d *dying) up() error {
	err := d.until("the register is ready", func() error { return d.Ready(d.Register) })
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(d.t.Context(), d.At.Postgres)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(d.t.Context()))
	var head string
	err = conn.QueryRow(d.t.Context(), `
		select coalesce(max(number || ':' || encode(hash, 'hex')), '') from register.audit_head where chain = 'access'`).Scan(&head)
	if head != "" {
		d.heads = append(d.heads, head)
	}
	return err
}

// settle waits until all signals are in the feed and all entries sealed, reads the feed to its end, and stops the register, so that
// nothing is under way any more.
func (d *dying) settle(reader *system) {
	d.t.Helper()
	s := &scene{t: d.t, at: d.At}
	eventually(d.t, "all signals are in the feed", func() bool { return s.count(`select count(*) from register.change`) == 0 })
	reader.ctx = d.t.Context()
	for more := true; more; { // until a page is answered, and empty
		readings, signals := len(d.noted.readings), len(d.noted.signals)
		d.must(reader.follow())
		more = len(d.noted.readings) == readings || len(d.noted.signals) > signals
	}
	eventually(d.t, "all entries are sealed", func() bool { return d.verified("").Unsealed == 0 })
	d.Register.Stop()
}
