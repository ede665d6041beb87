package push_test

import (
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"contactsync/consent/contact"
	"contactsync/sync/plan"
)

var (
	modelRuns = flag.Int("model.runs", 500, "how many runs of the model, each on the next seed")
	modelSeed = flag.Uint64("model.seed", 1, "seed of the first run: of decisions, faults and of what comes before what")
)

// TestModel plays the life of a few persons, with everything that can happen to workers, their calls and the register, in every order that is drawn.
//
//	go test ./sync/push -run 'TestModel$' -model.runs 10000 -model.seed 1
func TestModel(t *testing.T) {
	t.Parallel()
	for seed := *modelSeed; seed < *modelSeed+uint64(*modelRuns); seed++ {
		if m := playSeed(t, seed, noTrap); len(m.broken) > 0 {
			t.Fatalf("seed %d: %s\n%s", seed, strings.Join(m.broken, "; "), m.story(60))
		}
	}
}

// TestModelShrinks lets rapid draw, which makes what it finds as short as it can.
func TestModelShrinks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		m := play(t, func(n int) int { return rapid.IntRange(0, n-1).Draw(r, "draw") }, noTrap)
		if len(m.broken) > 0 {
			r.Fatalf("%s\n%s", strings.Join(m.broken, "; "), m.story(200))
		}
	})
}

// TestModelIsPlayedAgain: the same seed is the same run, step by step.
func TestModelIsPlayedAgain(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		if first, second := playSeed(t, seed, noTrap), playSeed(t, seed, noTrap); first.hash() != second.hash() {
			for i := range first.history {
				if i >= len(second.history) || first.history[i] != second.history[i] {
					t.Fatalf("seed %d: step %d is %q the first time, and not the second", seed, i, first.history[i])
				}
			}
			t.Fatalf("seed %d: the second run goes on where the first one ends", seed)
		}
	}
}

// trap is one of the four of sync/README.md. What closes it is taken away, to see that the model falls into it.
type trap int

const (
	noTrap trap = iota
	readFencesNothing
	readsAreOld
	updatesAreRepeated
	secondsAreShared
	clocksStandStill // no rule, but what the rules rest on: a clock that shows when a lease is over
)

// modelTries is some times as many runs as are needed.
const modelTries = 10_000

// TestModelFallsIntoEachTrap plays without one of the rules, until a promise is broken.
func TestModelFallsIntoEachTrap(t *testing.T) {
	t.Parallel()
	for trap, name := range map[trap]string{
		readFencesNothing:  "a read that shows nothing to do is believed while a write is under way",
		readsAreOld:        "a read older than the last write is believed",
		updatesAreRepeated: "an update of unknown end is sent again",
		secondsAreShared:   "a record is written on before the second of its version is over",
		clocksStandStill:   "the clock of a worker stands still with it, as a machine's does that is suspended",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= modelTries; seed++ {
				if m := playSeed(t, seed, trap); len(m.broken) > 0 {
					t.Logf("seed %d: %s", seed, m.broken[0])
					return
				}
			}
			t.Errorf("no promise is broken in %d runs", modelTries)
		})
	}
}

func playSeed(t *testing.T, seed uint64, without trap) *model {
	return play(t, rand.New(rand.NewPCG(seed, 8)).IntN, without)
}

// model is a world in which one thing happens at a time, and which one is drawn: a call of a worker goes a step further, or is lost or held
// up on its way, a decision comes, a clinic writes, a worker dies, or time passes. Time is the bubble's; nothing waits for it really.
type model struct {
	t       *testing.T
	draw    func(n int) int // of 0 … n-1; 0 is the mildest
	trap    trap
	running sync.WaitGroup

	// What is so in this run.
	readLag      time.Duration
	wholeSeconds bool // versions are times in whole seconds
	oneOf        int  // calls of the register goes wrong at each step on its way
	unnamedStale bool // the register refuses a stale version without saying why
	persons      []contact.PersonID
	decisions    []modelDecision
	byID         map[string]modelDecision
	byValue      map[string]modelDecision

	store    *modelStore
	register *modelRegister
	workers  []*modelWorker
	number   int // of the last worker

	mu         sync.Mutex // of what workers touch themselves
	calls      []*modelCall
	over       bool
	calm       bool // nothing goes wrong any more
	removed    []modelDecision
	clinicLast map[contact.PersonID]string

	steps   int
	history []string
	broken  []string
}

// modelDecision is what a person decides, or with a revision of 0 what staff registered without asking.
type modelDecision struct {
	id       string
	person   contact.PersonID
	channel  contact.Channel
	event    plan.Event
	share    bool
	scoped   bool
	refused  bool // the register does not take the value
	revision int64
	source   string
}

// covers tells whether a withdrawal takes back a share.
func (d modelDecision) covers(share modelDecision) bool {
	return share.share && !d.share && share.revision <= d.revision && (!d.scoped || d.source == share.source)
}

// modelBad begins values that the register refuses.
const modelBad = "refused"

func play(t *testing.T, draw func(n int) int, without trap) *model {
	m := &model{draw: draw, trap: without, byID: map[string]modelDecision{}, byValue: map[string]modelDecision{}, clinicLast: map[contact.PersonID]string{}}
	m.store = &modelStore{model: m, told: map[string]plan.Verdict{}}
	m.register = &modelRegister{model: m, records: map[contact.PersonID][]modelRecord{}}
	var ran any // rapid ends a run by a panic, which must not leave the bubble
	synctest.Test(t, func(t *testing.T) {
		m.t = t
		defer func() {
			ran = recover()
			m.end()
		}()
		m.run()
	})
	if ran != nil {
		panic(ran)
	}
	return m
}

func (m *model) run() {
	m.invent()
	for range 1 + m.draw(3) {
		m.start()
	}
	coming := m.coming()
	for range 150 + m.draw(350) {
		m.step(&coming)
	}
	m.settle(coming)
	m.judge()
	written := m.register.writes
	m.settle(m.decisions)
	m.holds(m.register.writes == written, "what was decided before is written again")
	m.judge()
}

// invent draws the world.
func (m *model) invent() {
	m.readLag = []time.Duration{0, 3 * time.Second}[m.draw(2)]
	m.wholeSeconds, m.unnamedStale = m.draw(3) == 2, m.draw(4) == 3
	m.oneOf = []int{12, 12, 6}[m.draw(3)]
	n := 1 + m.draw(2)
	if m.draw(16) == 15 {
		n = 24 // so many that their records are read together
	}
	switch m.trap { // where it is found sooner
	case readsAreOld:
		m.readLag = 3 * time.Second
	case updatesAreRepeated:
		m.oneOf, n = 6, 1
	case secondsAreShared:
		m.wholeSeconds = true
	}
	for i := range n {
		p := contact.KnownPersonID(contact.RootPersonnummer, fmt.Sprintf("19121212%04d", i))
		m.persons = append(m.persons, p)
		m.store.rows = append(m.store.rows, &modelRow{id: int64(i), person: p, states: map[contact.Channel]plan.State{}})
		if m.draw(10) == 9 {
			continue // the register does not know the person
		}
		m.clinicLast[p] = "clinic"
		own := map[contact.Channel]string{}
		if m.draw(4) == 3 {
			own[contact.Mobile] = "staff's " + fmt.Sprint(i)
			m.byValue[own[contact.Mobile]] = modelDecision{share: true, person: p}
		}
		m.register.put(p, modelRecord{own: own, clinic: "clinic"})
	}
	for i := range 6 + 2*n + m.draw(8) {
		m.decide(i)
	}
}

// decide draws a decision. Revisions are few, so that decisions cross and meet.
func (m *model) decide(i int) {
	d := modelDecision{id: fmt.Sprintf("d%02d", i), person: m.persons[m.draw(len(m.persons))], channel: contact.Channels[m.draw(4)/3],
		share: m.draw(5) < 3, revision: int64(1 + i/2 + m.draw(4)), source: []string{"A", "B"}[m.draw(2)]}
	switch {
	case d.share:
		value := "value of " + d.id
		if d.refused = m.draw(10) == 9; d.refused {
			value = modelBad + " " + value
		}
		d.event.Share = &plan.Share{Revision: d.revision, EventID: d.id, Source: d.source, Value: contact.KnownValue(value)}
		m.byValue[value] = d
	default:
		d.scoped = m.draw(4) == 3
		d.event.Withdrawal = &plan.Withdrawal{Revision: d.revision, EventID: d.id, Source: d.source, Scoped: d.scoped}
	}
	m.decisions = append(m.decisions, d)
	m.byID[d.id] = d
}

// coming is the decisions as they arrive: not far out of order, and some of them twice.
func (m *model) coming() []modelDecision {
	all := slices.Clone(m.decisions)
	for range len(all) / 2 {
		if again := m.draw(2 * len(all)); again < len(m.decisions) {
			all = append(all, m.decisions[again])
		}
	}
	for i := range all {
		if j := i + m.draw(4); j < len(all) {
			all[i], all[j] = all[j], all[i]
		}
	}
	return all
}

// step lets one thing happen.
func (m *model) step(coming *[]modelDecision) {
	synctest.Wait()
	m.mu.Lock()
	calls := m.underWay()
	pass := time.Duration(0)
	switch n := m.draw(100); {
	case n < 66 && len(calls) > 0:
		m.goOn(calls[m.draw(len(calls))])
	case len(*coming) > 0 && (n < 66 && m.store.idle() || n >= 66 && n < 71 || n >= 66 && n < 80 && m.writing()):
		m.take((*coming)[0])
		*coming = (*coming)[1:]
	case n >= 98:
		m.register.clinicWrites(m.persons[m.draw(len(m.persons))])
	case n >= 94:
		m.strike()
	default:
		pass = m.drawPause()
		m.wake()
	}
	m.mu.Unlock()
	m.pass(pass)
}

// writing tells whether a write may still land: a decision that comes then is worth more.
func (m *model) writing() bool {
	return slices.ContainsFunc(m.calls, func(c *modelCall) bool { return c.write && !c.done })
}

func (m *model) take(d modelDecision) {
	m.note("comes: %s of %s about %s, share %t, revision %d of %s", d.id, d.person.RevealExtension(), d.channel, d.share, d.revision, d.source)
	m.store.take(d)
}

func (m *model) drawPause() time.Duration {
	return time.Duration(1+m.draw([]int{20, 20, 300, 1500, 4000, 12000}[m.draw(6)])) * time.Millisecond
}

// strike hits one of the workers.
func (m *model) strike() {
	switch n := m.draw(3); {
	case len(m.workers) == 0 || n == 0 && len(m.workers) < 3:
		m.start()
	case n == 1 || m.trap == clocksStandStill:
		w, length := m.workers[m.draw(len(m.workers))], time.Duration(1+m.draw(20))*time.Second
		w.stoppedUntil = time.Now().Add(length)
		m.note("%v stops where it is", w)
		if m.trap == clocksStandStill {
			w.clock, w.stoodStill = w.clock-length, true
		}
	default:
		m.kill(m.workers[m.draw(len(m.workers))])
	}
}

// pass lets time pass. No two steps are apart by a round time: what workers wait for themselves never comes at the moment of a step.
func (m *model) pass(d time.Duration) {
	m.steps++
	<-time.After(d + time.Duration(m.steps)*time.Nanosecond)
}

// modelSteps is far more than a run takes.
const modelSteps = 100000

// settle lets what is still to come, come, and everything be carried out without trouble.
func (m *model) settle(coming []modelDecision) {
	m.mu.Lock()
	m.calm = true
	m.note("calm")
	if len(m.workers) == 0 {
		m.start()
	}
	for _, d := range coming {
		m.take(d)
	}
	m.mu.Unlock()
	for began := time.Now(); ; {
		synctest.Wait()
		m.mu.Lock()
		calls, idle, pass := m.underWay(), m.store.idle() && len(m.calls) == 0, time.Duration(0)
		switch {
		case len(calls) > 0:
			m.goOn(calls[0])
		default:
			pass = 500 * time.Millisecond
			m.wake()
		}
		m.mu.Unlock()
		if idle {
			return
		}
		if time.Since(began) > time.Hour || m.steps > modelSteps {
			m.holds(false, "persons are due for ever")
			return
		}
		m.pass(pass)
	}
}

// end leaves nobody behind in the bubble.
func (m *model) end() {
	m.mu.Lock()
	m.over = true
	for _, w := range slices.Clone(m.workers) {
		m.kill(w)
	}
	m.mu.Unlock()
	m.running.Wait()
}

// judge compares the register with the pure function, plan.State.Want, over all that was decided, and looks for what nobody was told.
func (m *model) judge() {
	wanted := map[contact.PersonID]map[contact.Channel]*plan.State{}
	for _, p := range m.persons {
		wanted[p] = map[contact.Channel]*plan.State{contact.Mobile: {}, contact.Email: {}}
	}
	for _, d := range m.decisions {
		wanted[d.person][d.channel].Apply(d.event)
	}
	for p, channels := range wanted {
		for channel, state := range channels {
			m.judgeOne(p, channel, state.Want())
		}
	}
	for _, d := range m.decisions {
		_, told := m.store.told[d.id]
		m.holds(told, "a decision has no outcome")
	}
}

func (m *model) judgeOne(p contact.PersonID, channel contact.Channel, w plan.Want) {
	shown := m.register.now(p).own[channel]
	if w.Kind != plan.Unasked {
		m.holds(m.toldWell(m.byID[w.EventID]), "the decision that counts is told to have come to something else")
	}
	switch {
	case m.unknown(p):
	case w.Kind == plan.Withdrawn:
		m.holds(shown == "", "a withdrawn detail stands in the register")
	case w.Kind == plan.Shared && !m.byID[w.EventID].refused:
		m.holds(shown == w.Share.Value.Reveal(), "a shared detail is not in the register")
	case w.Kind == plan.Shared:
		for _, d := range m.decisions {
			m.holds(d.person != p || d.channel != channel || !d.covers(m.byValue[shown]), "a withdrawn detail stands in the register behind a share that it refuses")
		}
	}
}

func (m *model) toldWell(d modelDecision) bool { return m.store.toldWell(d) }

const brokenMark = "BROKEN: "

// holds notes a broken promise, once.
func (m *model) holds(is bool, promise string) {
	if !is && !slices.Contains(m.broken, promise) {
		m.note(brokenMark+"%s", promise)
		m.broken = append(m.broken, promise)
	}
}

func (m *model) note(format string, args ...any) {
	at := time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) // where the bubble's time begins
	m.history = append(m.history, fmt.Sprintf("%12.3f ", at.Seconds())+fmt.Sprintf(format, args...))
}

// story is what came before the first broken promise, in so many lines.
func (m *model) story(n int) string {
	end := slices.IndexFunc(m.history, func(line string) bool { return strings.Contains(line, brokenMark) })
	return strings.Join(m.history[max(0, end-n):end+1], "\n")
}

func (m *model) hash() uint64 {
	h := fnv.New64a()
	for _, line := range m.history {
		_, _ = h.Write([]byte(line))
	}
	return h.Sum64()
}
