package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"contactsync/cmd/internal/devstack"
	"contactsync/consent/consentpg"
	"contactsync/consent/kafkatest"
)

var (
	chaosSeed      = flag.Uint64("chaos.seed", 1, "seed of the first run: of decisions and faults")
	chaosRuns      = flag.Int("chaos.runs", chaosSeeds, "how many runs in this process, each on the next seed")
	chaosApache    = flag.Int("chaos.apache", 2, "how many runs in this process, but with Apache Kafka")
	chaosContract  = flag.String("chaos.contract", "", "what the workers push by in all runs in this process, personv4 or contactsv1; empty: it is drawn")
	chaosProcesses = flag.Int("chaos.processes", 0, "how many runs of processes that are killed by kill -9, with Apache Kafka")
)

// TestChaos draws decisions and faults, lets both happen at once, and judges what came of it. In this process a run takes a few seconds:
// the workers, the portal's relay and reader of outcomes, and the register are the real ones, with PostgreSQL, a broker and links that can be
// cut between them. A worker that is killed is cut off from everything in the middle of what it does, and the next one starts. The same
// seed draws the same decisions and the same faults; what meets what is up to the machine. The model in sync/push is played again exactly.
//
//	go test ./cmd/internal/e2e -run 'TestChaos$' -timeout 0 -chaos.runs 1000 -chaos.seed 1 -chaos.apache 100 -chaos.processes 100
func TestChaos(t *testing.T) {
	t.Parallel()
	t.Run("in-process", func(t *testing.T) {
		for lane := range uint64(chaosLanes) {
			t.Run(fmt.Sprint("lane ", lane), func(t *testing.T) {
				t.Parallel()
				g := startChaosGround(t)
				for seed := range seeds(*chaosRuns) {
					if seed%chaosLanes == lane {
						t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { g.run(t, seed, startFakeBroker(t)) })
					}
				}
			})
		}
	})
	t.Run("apache-kafka", func(t *testing.T) {
		kafkatest.NeedsApache(t)
		g := startChaosGround(t)
		apache := startApacheBroker(t)
		for seed := range seeds(*chaosApache) {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { g.run(t, seed, apache.withTopics(t)) })
		}
	})
	t.Run("processes", func(t *testing.T) {
		for seed := range seeds(*chaosProcesses) {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				fleetUnderKill9(t, seed, fleetSize{kills: 3, decisions: 1000, persons: 100, flowing: 15 * time.Second})
			})
		}
	})
}

func seeds(n int) func(yield func(uint64) bool) {
	return func(yield func(uint64) bool) {
		for seed := *chaosSeed; seed < *chaosSeed+uint64(n); seed++ {
			if !yield(seed) {
				return
			}
		}
	}
}

const (
	chaosSeeds     = 25 // from 1 on, that are run if nothing else is asked for
	chaosLanes     = 2  // runs side by side, each lane with a PostgreSQL of its own
	chaosPersons   = 16 // generated ones
	chaosAtPortal  = 2  // of them
	chaosDecisions = 200
	chaosChoices   = 12
	chaosPatience  = raceSlows * 2 * time.Minute // far above what it takes
	chaosLength    = 1200 * time.Millisecond     // of faults and decisions
)

func (g *chaosGround) run(t *testing.T, seed uint64, broker *chaosBroker) {
	began := time.Now()
	c := g.start(t, seed, broker)
	persons := c.persons("generated", "staff_entries", "contact_persons")
	deciding, atPortal := persons[:len(persons)-chaosAtPortal], persons[len(persons)-chaosAtPortal:]
	h := drawHistory(seed, chaosDecisions, deciding)
	c.history = h
	others := c.others(persons)
	clinic := newClinic(c.scene, persons[2:len(persons)-chaosAtPortal])
	c.dialTroubles()
	faults := c.drawFaults()

	var choices map[place]consentpg.Choice
	working, leave := context.WithCancel(t.Context())
	defer leave()
	group, ctx := errgroup.WithContext(working)
	group.Go(func() error { return clinic.work(ctx, rand.New(rand.NewPCG(seed, 5))) })
	group.Go(func() error {
		defer leave()
		return atOnce(ctx, faults.run,
			func(ctx context.Context) error { return c.send(ctx, h.sent(), chaosLength, seed) },
			func(ctx context.Context) (err error) {
				choices, err = c.decide(ctx, seed, chaosChoices, chaosLength, atPortal)
				return err
			})
	})
	if err := group.Wait(); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	over := time.Since(began)
	c.calm()
	store := c.consent()
	deadline := time.Now().Add(chaosPatience)
	eventually(t, "everything is pushed and told", func() bool {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not settled after %v: %d unread, %d due, %d to be proved, %d outcomes and %d choices in outboxes", c.what, chaosPatience, c.unread(),
				c.count(`select count(*) from sync.due`), c.count(`select count(*) from sync.proof`), c.count(`select count(*) from sync.outbox`), c.count(`select count(*) from consent.outbox`))
		}
		return c.settled() && c.count(`select count(*) from consent.outbox`) == 0 && allTold(t, store, choices)
	})
	settled := time.Since(began) - over
	c.judgeRegister(h)
	c.judgeOutcomes(h)
	c.judgeChoices(choices)
	c.judgeAudit(h, choices)
	c.judgeReturns(h)
	if n := c.count(`select count(*) from sync.audit where outcome = 'still_there'`); n > 0 {
		t.Errorf("%d removals were told, and then seen not to be", n)
	}
	clinic.judge(c.scene)
	if got := c.others(persons); len(got) != 2 || !reflect.DeepEqual(got, others) {
		t.Error("an entry that is not the resident's own has changed")
	}
	c.repeat(h)
	c.judgeLog(h)
	for _, p := range append(c.workers, c.portal) {
		p.end()
	}
	t.Logf("%s; faults for %v, settled %v later, all of it %v", c.what, over.Round(10*time.Millisecond), settled.Round(10*time.Millisecond),
		time.Since(began).Round(10*time.Millisecond))
}

// judgeReturns looks at all that each record has been. Once the audit tells that a withdrawal stands in the register, no value comes back that it takes back.
func (c *chaos) judgeReturns(h *history) {
	c.t.Helper()
	byID, byPlace := map[string]drawn{}, map[string][]drawn{}
	for _, d := range h.decisions {
		byID[d.id] = d
		at := d.key.person.RevealExtension() + string(d.key.channel)
		byPlace[at] = append(byPlace[at], d)
	}
	for _, r := range c.returns() {
		no := byID[r.Ground]
		back := slices.ContainsFunc(byPlace[r.Extension+r.Channel], func(d drawn) bool {
			return d.refused == "" && d.event.Share != nil && d.event.Share.Value.Reveal() == r.Value && !takesBack(no, d)
		})
		if no.event.Withdrawal != nil && !back {
			c.t.Errorf("decision %s was carried out, and later the register showed again what it took back", r.Ground)
		}
	}
}

// takesBack tells whether a withdrawal takes back a share.
func takesBack(no, yes drawn) bool {
	w, s := no.event.Withdrawal, yes.event.Share
	return w != nil && s.Revision <= w.Revision && (!w.Scoped || w.Source == s.Source)
}

// returned is a value that came into a record after a decision about it was told to be carried out.
type returned struct{ Ground, Extension, Channel, Value string }

func (c *chaos) returns() []returned {
	return rows[returned](c.t, c.at.Postgres, `
		with shown as (
			select h.id, h.extension, h.at, 'mobile' as channel, h.mobile as value,
				lag(h.mobile) over (partition by h.extension order by h.id) as before from chaos.history h
			union all
			select h.id, h.extension, h.at, 'email', h.email, lag(h.email) over (partition by h.extension order by h.id) from chaos.history h)
		select a.ground, s.extension, s.channel, s.value
		from shown s join sync.person p on p.extension = s.extension
			join sync.audit a on a.person_id = p.person_id and a.channel = s.channel and a.outcome in ('pushed', 'unchanged', 'removed') and a.at < s.at
		where s.value is not null and s.value is distinct from s.before`)
}

// chaosGround is what all runs stand on.
type chaosGround struct {
	postgres *chaosPostgres
	dir      string // holds tls/
	certs    *devstack.Certificates
	left     sync.WaitGroup // parts that were killed, and may be at it still
}

func startChaosGround(t *testing.T) *chaosGround {
	t.Helper()
	g := &chaosGround{dir: t.TempDir()}
	var err error
	if g.certs, err = devstack.PrepareCertificates(filepath.Join(g.dir, "tls"), time.Now()); err != nil {
		t.Fatal(err)
	}
	g.postgres = startChaosPostgres(t)
	t.Cleanup(g.left.Wait)
	return g
}
