package e2e

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"contactsync/cmd/internal/devstack"
	"contactsync/contracts/mockregister"
)

// drawWorld draws what is so throughout the run.
func (c *chaos) drawWorld() {
	random := rand.New(rand.NewPCG(c.seed, 9))
	c.seconds = random.IntN(4) == 0
	if random.IntN(2) == 0 {
		c.lag = 400 * time.Millisecond
	}
	c.bulk = random.IntN(4) == 0
	if *chaosContract != "" {
		c.bulk = *chaosContract == "contactsv1"
	}
	c.bulk = c.bulk && !c.seconds // a worker refuses both together
	c.what = fmt.Sprintf("contactsv1 %t, whole seconds %t, reads %v late", c.bulk, c.seconds, c.lag)
}

// dialTroubles dials what the register does wrong.
func (c *chaos) dialTroubles() {
	c.t.Helper()
	for _, f := range c.registerTroubles() {
		_, err := c.mock.Faults().Set(f)
		c.must(err)
	}
}

// drawFaults draws what befalls the parts.
func (c *chaos) drawFaults() schedule {
	random := rand.New(rand.NewPCG(c.seed, 2))
	s := schedule{}
	add := func(name string, most int, length span, what func(time.Duration) error) {
		for range random.IntN(most + 1) {
			s[name] = append(s[name], blow{after: drawTime(random, 50*time.Millisecond, 400*time.Millisecond), length: drawTime(random, length[0], length[1]), what: what})
		}
	}
	brief, long := span{0, 200 * time.Millisecond}, span{0, chaosLease + 300*time.Millisecond} // some outlive a lease
	for i := range c.workers {
		worker := fmt.Sprint("worker ", i)
		add(worker+" killed", 2, brief, func(down time.Duration) error { return c.replaced(&c.workers[i], c.startWorker, (*part).kill, down) })
		add(worker+" ended", 1, brief, func(down time.Duration) error { return c.replaced(&c.workers[i], c.startWorker, (*part).end, down) })
		for link, name := range []string{"register", "PostgreSQL"} {
			way := random.IntN(3)
			called := worker + " and " + name + []string{" cut", " slow", " silent"}[way]
			add(called, 2, long, func(length time.Duration) error { return c.suffers(c.part(&c.workers[i]).links[link], way, length) })
		}
	}
	add("all workers", 1, span{chaosLease, chaosLease + 300*time.Millisecond}, c.zombies)
	add("portal killed", 2, brief, func(down time.Duration) error { return c.replaced(&c.portal, c.startPortal, (*part).kill, down) })
	if !c.seconds { // by that clock the second of a version is over; it is PostgreSQL's, which nobody sets by hours. Behind by 5 s it would refuse the portal's shares
		add("clock", 3, span{-4 * time.Second, time.Hour}, func(by time.Duration) error { c.clock.Store(int64(by)); return nil })
	}
	if random.IntN(3) == 0 {
		add("broker killed", 1, brief, c.brokerKilled)
	}
	if random.IntN(4) == 0 {
		add("PostgreSQL killed", 1, brief, func(down time.Duration) error { return c.ground.postgres.kill(c.t.Context(), down) })
	}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		c.what += fmt.Sprintf(", %d × %s", len(s[name]), name)
	}
	return s
}

// registerTroubles are those of the fleet, in the proportions of this run's lease.
func (c *chaos) registerTroubles() []mockregister.Fault {
	const read, write = "read", "write"
	often := func(p float64) *float64 { return &p }
	lasts := func(d time.Duration) mockregister.Duration { return mockregister.Duration(d) }
	all := []mockregister.Fault{
		{Kind: mockregister.KindAnswerLost, Operation: write, Probability: often(0.08)},
		{Kind: mockregister.KindLateWrite, Operation: write, Probability: often(0.04), Duration: lasts(chaosCall)},
		{Kind: mockregister.KindLateWrite, Operation: write, Probability: often(0.06), Duration: lasts(chaosLease + 300*time.Millisecond), Hold: lasts(chaosCall * 3 / 4)},
		{Kind: mockregister.KindDelay, Operation: write, Probability: often(0.04), Duration: lasts(2 * chaosCall)},
		{Kind: mockregister.KindDelay, Operation: read, Probability: often(0.02), Duration: lasts(2 * chaosCall)},
		{Kind: mockregister.KindDuplicate, Operation: write, Probability: often(0.06), Duration: lasts(chaosCall)},
		{Kind: mockregister.KindServerFault, Probability: often(0.03)},
		{Kind: mockregister.KindTooMany, Probability: often(0.02)},
	}
	if c.lag > 0 {
		all = append(all, mockregister.Fault{Kind: mockregister.KindReadLag, Operation: read, Duration: lasts(c.lag)})
	}
	for i := range all {
		all[i].Caller, all[i].Seed = devstack.WorkerHSAID, c.seed+uint64(i)
	}
	return all
}

// part is the one that plays a role now.
func (c *chaos) part(role **part) *part {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *role
}

// replaced lets a part go, one way or the other, and starts the next one in its role.
func (c *chaos) replaced(role **part, start func() *part, goes func(*part), down time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	goes(*role)
	err := wait(c.t.Context(), down)
	*role = start()
	return err
}

// suffers is a link that is cut, slow or silent.
func (c *chaos) suffers(l *Link, way int, length time.Duration) error {
	switch way {
	case 0:
		l.Cut()
		defer l.Mend()
	case 1:
		l.Slow(length)
		defer l.Clear()
	default:
		l.Silence()
		defer l.Clear()
	}
	return wait(c.t.Context(), length)
}

// zombies are workers that hear nothing for longer than their lease, all at the same time, and then go on.
func (c *chaos) zombies(length time.Duration) error {
	var links []*Link
	for i := range c.workers {
		links = append(links, c.part(&c.workers[i]).links...)
	}
	for _, l := range links {
		l.Silence()
		defer l.Clear()
	}
	return wait(c.t.Context(), length)
}

func (c *chaos) brokerKilled(down time.Duration) error {
	if err := c.broker.kill(); err != nil {
		return err
	}
	err := wait(c.t.Context(), down)
	return errors.Join(err, c.broker.start())
}

// calm ends what the register does wrong, and waits until no write is still to land.
func (c *chaos) calm() {
	c.t.Helper()
	c.mock.Faults().ClearAll()
	c.clock.Store(0)
	eventually(c.t, "writes that are late land", func() bool {
		_, pending := c.mock.Faults().List()
		return pending == 0
	})
}
