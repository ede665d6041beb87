package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/stream"
	"contactsync/contracts/mockregister"
	"contactsync/sync/plan"
)

var (
	fleetRuns      = flag.Int("fleet.runs", 1, "how many runs, each on the next seed")
	fleetKills     = flag.Int("fleet.kills", 3, "how often each part is killed in a run")
	fleetDecisions = flag.Int("fleet.decisions", 2000, "how many decisions are drawn in a run")
	fleetPersons   = flag.Int("fleet.persons", 200, "over how many persons")
)

// TestFleetUnderKill9 runs the services as processes on PostgreSQL and a broker, draws decisions, kills every part again and
// again and cuts the ways between them. In the end register, outcomes and audit are as the pure function says.
//
//	go test ./cmd/internal/e2e -run FleetUnderKill9 -timeout 0 -crash.seed 1 -fleet.runs 20 -fleet.kills 20 \
//	    -fleet.decisions 10000 -fleet.persons 500
func TestFleetUnderKill9(t *testing.T) {
	t.Parallel()
	for seed := *crashSeed; seed < *crashSeed+uint64(*fleetRuns); seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			fleetUnderKill9(t, seed, fleetSize{*fleetKills, *fleetDecisions, *fleetPersons, flowing})
		})
	}
}

// fleetSize is how much happens in a run.
type fleetSize struct {
	kills     int // of each part
	decisions int
	persons   int
	flowing   time.Duration // how long decisions flow after the killing
}

// flowing is that of a run of its own.
const flowing = 40 * time.Second

func fleetUnderKill9(t *testing.T, seed uint64, size fleetSize) {
	began := time.Now()
	config := FleetConfig{Workers: 2, Persons: size.persons - 2,
		Env: []string{"CONTACTSYNC_PUSH_LEASE=5s", "CONTACTSYNC_PUSH_CALL_TIMEOUT=2s", "CONTACTSYNC_KAFKA_SESSION_TIMEOUT=6s"}}
	if seed%2 == 1 {
		config.Env = append(config.Env, "CONTACTSYNC_REGISTER_VERSIONS=seconds", "CONTACTSYNC_REGISTER_VERSION_SETTLE=2s")
	}
	if seed%4 == 2 {
		config.Env = append(config.Env, "CONTACTSYNC_REGISTER_CONTRACT=contactsv1")
	}
	f := StartFleet(t, config)
	s := f.scene(t)
	persons := s.persons("generated", "staff_entries", "contact_persons") // the named ones hold what is not ours
	// A tenth of the persons decide at the portal: their revisions are times, which no drawn revision comes near.
	atPortal := persons[len(persons)-len(persons)/10:]
	h := drawHistory(seed, size.decisions, persons[:len(persons)-len(atPortal)])
	others := s.others(persons)

	clinic := newClinic(s, persons[2:len(persons)-len(atPortal)]) // the first two are the named ones
	f.must(f.dial(troubles(seed)))
	var choices map[place]consentpg.Choice
	sent := h.sent()
	half := len(sent) / 2
	working, leave := context.WithCancel(t.Context())
	defer leave()
	group, ctx := errgroup.WithContext(working)
	group.Go(func() error { return clinic.work(ctx, rand.New(rand.NewPCG(seed, 5))) })
	group.Go(func() error {
		defer leave()
		// First every part is killed, so often that little gets through; then decisions flow while workers stop as if dead.
		killing := time.Duration(size.kills) * 4 * time.Second
		err := atOnce(ctx, drawSchedule(seed, size.kills, f).run,
			func(ctx context.Context) error { return s.send(ctx, sent[:half], killing, seed) },
			func(ctx context.Context) (err error) {
				choices, err = s.decide(ctx, seed, size.decisions/20, killing, atPortal)
				return err
			})
		if err != nil {
			return err
		}
		return atOnce(ctx, drawZombies(seed, 10, f).run,
			func(ctx context.Context) error { return s.send(ctx, sent[half:], size.flowing, seed+1) })
	})
	if err := group.Wait(); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	over := time.Since(began)
	f.must(f.undial())
	for _, service := range f.services() {
		f.AwaitReady(service)
	}
	store := s.consent()
	defer func() {
		if t.Failed() {
			t.Log(s.left())
		}
	}()
	eventually(t, "everything is pushed and told", func() bool {
		return s.settled() && s.count(`select count(*) from consent.outbox`) == 0 && allTold(t, store, choices)
	})
	t.Logf("seed %d: %d audited", seed, s.count(`select count(*) from sync.audit`))
	t.Logf("seed %d: faults for %v, all done %v later", seed, over.Round(time.Second), (time.Since(began) - over).Round(time.Second))
	s.judgeRegister(h)
	s.judgeOutcomes(h)
	s.judgeChoices(choices)
	s.judgeAudit(h, choices)
	clinic.judge(s)
	if got := s.others(persons); len(got) != 2 || !reflect.DeepEqual(got, others) {
		t.Error("an entry that is not the resident's own has changed")
	}
	s.repeat(h)
	s.judgeLog(h)
}

// scene is the fleet as it is judged.
func (f *Fleet) scene(t *testing.T) *scene {
	f.At.Ops = f.Ops(append(f.Workers, f.Portal)[0])
	return &scene{t: t, dir: f.Dir, at: f.At, log: func() string {
		var all strings.Builder
		for _, s := range f.services() {
			all.WriteString(s.Log())
		}
		return all.String()
	}}
}

// atOnce does all of it at once, and returns the first error.
func atOnce(ctx context.Context, all ...func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, do := range all {
		group.Go(func() error { return do(ctx) })
	}
	return group.Wait()
}

// send produces messages over about so long.
func (s *scene) send(ctx context.Context, messages []stream.Message, length time.Duration, seed uint64) error {
	random := rand.New(rand.NewPCG(seed, 3))
	publisher := s.publisher()
	chunks := slices.Collect(slices.Chunk(messages, 20))
	every := length / time.Duration(len(chunks))
	for _, chunk := range chunks {
		for publisher.Publish(ctx, chunk...) != nil {
			if err := wait(ctx, 50*time.Millisecond); err != nil {
				return err
			}
		}
		if err := wait(ctx, drawTime(random, 0, 2*every)); err != nil {
			return err
		}
	}
	return nil
}

// decide makes n choices as the portal does, each again under the same id until it is known to be made, and returns the last
// one of each person and channel.
func (s *scene) decide(ctx context.Context, seed uint64, n int, length time.Duration, persons []mockregister.TestPerson) (map[place]consentpg.Choice, error) {
	store, last := s.consent(), map[place]consentpg.Choice{}
	for _, w := range drawWishes(seed, n, length, persons) {
		for {
			choice, err := store.Decide(ctx, w.Wish)
			if err == nil {
				last[place{w.Person, w.Channel}] = choice
				break
			}
			if err := wait(ctx, 50*time.Millisecond); err != nil {
				return nil, err
			}
		}
		if err := wait(ctx, w.pause); err != nil {
			return nil, err
		}
	}
	return last, nil
}

// wish is one that was drawn, and how long nothing is wished after it.
type wish struct {
	consentpg.Wish
	pause time.Duration
}

// drawWishes draws n of them over about so long.
func drawWishes(seed uint64, n int, length time.Duration, persons []mockregister.TestPerson) (all []wish) {
	random := rand.New(rand.NewPCG(seed, 1))
	every := length / time.Duration(n)
	for range n {
		p := persons[random.IntN(len(persons))]
		w := consentpg.Wish{Person: contact.KnownPersonID(p.Root, p.Extension), Channel: contact.Channels[random.IntN(2)]}
		var id uuid.UUID
		for i := range id {
			id[i] = byte(random.UintN(256))
		}
		w.EventID, w.Share = id.String(), random.IntN(3) > 0
		if w.Share {
			w.Value = drawValue(random, w.Channel)
		}
		all = append(all, wish{w, drawTime(random, 0, 2*every)})
	}
	return all
}

func (s *scene) judgeChoices(choices map[place]consentpg.Choice) {
	s.t.Helper()
	wrong := 0
	for at, choice := range choices {
		shown := s.shown(at)
		if choice.Share && !slices.Equal(shown, []string{choice.Value.Reveal()}) || !choice.Share && len(shown) != 0 {
			wrong++
		}
	}
	if wrong > 0 {
		s.t.Errorf("%d of %d choices made at the portal are not what the register shows", wrong, len(choices))
	}
}

// judgeAudit looks for the entry of each decision that counts, of each outcome that tells of a push, and of each choice made at
// the portal.
func (s *scene) judgeAudit(h *history, choices map[place]consentpg.Choice) {
	s.t.Helper()
	pushed := s.texts(`select ground || ' ' || channel || ' ' || outcome || ' ' || version from sync.audit`)
	shown := s.texts(`select distinct ground || ' ' || channel from sync.audit where outcome in ('pushed', 'unchanged')`)
	for at, w := range h.wanted() {
		if w.Kind != plan.Unasked && !shown[w.EventID+" "+string(at.channel)] {
			s.t.Errorf("decision %s counts, and the audit does not tell that the register shows it", w.EventID)
		}
	}
	for id, o := range s.outcomes() {
		entry := fmt.Sprintf("%s %s %s %s", id, o.Channel, o.Outcome, o.RegisterVersion)
		proof := fmt.Sprintf("%s %s removed %s", id, o.Channel, o.RegisterVersion)
		if o.Outcome == event.Pushed && !pushed[entry] && !pushed[proof] {
			s.t.Errorf("decision %s is told to be pushed as version %s, and the audit does not say so", id, o.RegisterVersion)
		}
	}
	made := s.texts(`select distinct event_id from consent.audit where outcome = 'saved'`)
	for _, choice := range choices {
		if !made[choice.EventID] {
			s.t.Errorf("choice %s is not in the audit", choice.EventID)
		}
	}
}
