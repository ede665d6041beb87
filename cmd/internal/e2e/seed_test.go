package e2e

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/mockregister"
)

// TestASeedDrawsTheSameTwice: a run that failed can only be looked into because its seed draws the same again. Nothing is started.
func TestASeedDrawsTheSameTwice(t *testing.T) {
	t.Parallel()
	var before map[string]any
	for seed := range uint64(10) {
		once, again := drawAll(seed), drawAll(seed)
		for what := range once {
			if !reflect.DeepEqual(once[what], again[what]) {
				t.Errorf("seed %d draws other %s the second time", seed, what)
			}
			if what != "world" && reflect.DeepEqual(once[what], before[what]) {
				t.Errorf("seed %d draws the same %s as the seed before", seed, what)
			}
		}
		before = once
	}
}

// drawAll is all that is drawn for chaos, the fleet and the dying register.
func drawAll(seed uint64) map[string]any {
	var persons []mockregister.TestPerson
	for i := range chaosPersons {
		p := numberedPerson(i)
		persons = append(persons, mockregister.TestPerson{Root: p.Root(), Extension: p.RevealExtension()})
	}
	h := drawHistory(seed, chaosDecisions, persons)
	c, faults := drawChaos(seed)
	fleet := &Fleet{Workers: []*Service{{Name: "worker0"}, {Name: "worker1"}}}
	return map[string]any{
		"decisions":                h.decisions,
		"sending":                  h.sent(),
		"wishes":                   drawWishes(seed, chaosChoices, chaosLength, persons),
		"world":                    [...]any{c.seconds, c.lag, c.bulk},
		"faults":                   withoutDeeds(faults),
		"troubles at the register": c.registerTroubles(),
		"kills of the fleet":       withoutDeeds(drawSchedule(seed, 3, fleet)),
		"zombies of the fleet":     withoutDeeds(drawZombies(seed, 10, fleet)),
		"troubles of the fleet":    troubles(seed),
		"kills of a lone register": withoutDeeds((&dying{Fleet: fleet}).kills(seed)),
	}
}

// drawChaos draws what is so in a chaos run, and what befalls its parts, of which none exists.
func drawChaos(seed uint64) (*chaos, schedule) {
	c := &chaos{seed: seed, workers: make([]*part, 2)}
	c.drawWorld()
	return c, c.drawFaults()
}

// withoutDeeds is a schedule that can be compared.
func withoutDeeds(s schedule) schedule {
	for _, blows := range s {
		for i := range blows {
			blows[i].what = nil
		}
	}
	return s
}

// TestSeedsOfEveryRunDrawEveryKindOfFault: what the default seeds leave out nobody would see.
func TestSeedsOfEveryRunDrawEveryKindOfFault(t *testing.T) {
	t.Parallel()
	kinds := map[string]bool{}
	for seed := range uint64(chaosSeeds) {
		c, faults := drawChaos(1 + seed)
		for name := range faults {
			kinds[name] = true
		}
		for _, f := range c.registerTroubles() {
			kinds["register: "+string(f.Kind)] = true
		}
		kinds[fmt.Sprint("whole seconds ", c.seconds)], kinds[fmt.Sprint("late reads ", c.lag > 0)] = true, true
		if *chaosContract == "" { // else it is not drawn
			kinds[fmt.Sprint("contactsv1 ", c.bulk)] = true
		}
	}
	want := []string{"PostgreSQL killed", "all workers", "broker killed", "clock", "portal killed",
		"whole seconds true", "whole seconds false", "late reads true", "late reads false"}
	if *chaosContract == "" {
		want = append(want, "contactsv1 true", "contactsv1 false")
	}
	for _, kind := range strings.Fields("answer_lost late_write delay duplicate server_fault too_many read_lag") {
		want = append(want, "register: "+kind)
	}
	for _, worker := range []string{"worker 0", "worker 1"} {
		want = append(want, worker+" killed", worker+" ended")
		for _, way := range []string{"cut", "slow", "silent"} {
			want = append(want, worker+" and register "+way, worker+" and PostgreSQL "+way)
		}
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(maps.Keys(kinds))); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
}
