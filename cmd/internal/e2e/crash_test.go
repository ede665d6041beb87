package e2e

import (
	"flag"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"contactsync/consent/event"
)

var (
	crashSeed      = flag.Uint64("crash.seed", 1, "seed of the decisions, of their order and of when dev is killed")
	crashDecisions = flag.Int("crash.decisions", 4000, "how many decisions are drawn")
	crashKills     = flag.Int("crash.kills", 8, "how often dev is killed")
)

// TestNothingIsLostOrOvertakenUnderKill9 produces random decisions, shuffled and repeated, while the whole stack is killed
// again and again. In the end the register shows what the pure function (plan.State.Want) says, nobody else's entry has changed,
// and every decision has an outcome.
func TestNothingIsLostOrOvertakenUnderKill9(t *testing.T) {
	c := startCrash(t, "198")
	persons := c.persons("generated", "staff_entries", "contact_persons") // the named ones hold what is not ours
	h := drawHistory(*crashSeed, *crashDecisions, persons)
	others := c.others(persons)

	c.produce(h)
	c.settle()
	c.judgeRegister(h)
	c.judgeOutcomes(h)
	if told := ends(t, c.at.Kafka, event.TopicUnreadable)[0]; told < unreadable {
		t.Errorf("%d unreadable records are told of, want %d", told, unreadable)
	}
	if got := c.others(persons); len(got) != 2 || !reflect.DeepEqual(got, others) {
		t.Error("an entry that is not the resident's own has changed")
	}
	c.repeat(h)
	c.judgeLog(h)
}

// crash is a scene whose whole stack, a dev, is killed.
type crash struct {
	scene
	dev       *Dev
	generated string          // persons
	before    strings.Builder // the logs of the runs that were killed
}

func startCrash(t *testing.T, generated string) *crash {
	t.Helper()
	c := &crash{scene: scene{t: t, dir: filepath.Join(t.TempDir(), "data")}, generated: generated}
	c.log = func() string { return c.before.String() + c.dev.Log() }
	c.start()
	return c
}

func (c *crash) start() {
	c.t.Helper()
	c.dev = Start(c.t, "--data", c.dir, "--persons", c.generated)
	c.at = c.dev.Endpoints
}

// produce sends everything. Between two chunks the stack is killed, as often as asked for; half of the kills come when all is
// sent and the worker is at it.
func (c *crash) produce(h *history) {
	c.t.Helper()
	sent := h.sent()
	chunks := slices.Collect(slices.Chunk(sent, 50))
	kills := map[int]bool{}
	for len(kills) < *crashKills/2 {
		kills[h.random.IntN(len(chunks))] = true
	}
	publisher := c.publisher()
	for i, chunk := range chunks {
		if kills[i] {
			c.killAndRestart()
		}
		eventually(c.t, "publish", func() bool { return publisher.Publish(c.t.Context(), chunk...) == nil })
	}
	for range *crashKills - len(kills) {
		before := c.count(`select count(*) from sync.channel where settled <> ''`)
		eventually(c.t, "some progress", func() bool {
			return c.count(`select count(*) from sync.channel where settled <> ''`) > before || c.settled()
		})
		c.killAndRestart()
	}
}

func (c *crash) killAndRestart() {
	c.t.Helper()
	c.dev.Kill9()
	c.before.WriteString(c.dev.Log())
	c.start()
}
