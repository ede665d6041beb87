package push_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"contactsync/consent/contact"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

// queue is a store that keeps who is due, and orders as the real one does.
type queue struct {
	mu   sync.Mutex
	rows map[string]*queued
	done []carried
}

type queued struct {
	urgent   bool
	since    time.Time
	due      time.Time
	attempts int
	leased   bool
}

// carried is who was carried out, and how long that took.
type carried struct {
	name   string
	urgent bool
	took   time.Duration
}

func newQueue() *queue { return &queue{rows: map[string]*queued{}} }

// add makes persons due, who are called name0, name1, ….
func (q *queue) add(name string, n int, urgent bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range n {
		q.rows[fmt.Sprintf("%s%d", name, i)] = &queued{urgent: urgent, since: time.Now(), due: time.Now()}
	}
}

func (q *queue) Claim(_ context.Context, limit int, urgent, _ bool) ([]push.Claim, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var due []string
	for name, r := range q.rows {
		if r.urgent == urgent && !r.leased && !r.due.After(time.Now()) {
			due = append(due, name)
		}
	}
	slices.SortFunc(due, func(a, b string) int {
		x, y := q.rows[a], q.rows[b]
		return cmp.Or(min(x.attempts, 8)-min(y.attempts, 8), x.due.Compare(y.due), strings.Compare(a, b))
	})
	var out []push.Claim
	for _, name := range due[:min(limit, len(due))] {
		r := q.rows[name]
		r.leased = true
		kind := plan.Shared
		if urgent {
			kind = plan.Withdrawn
		}
		out = append(out, push.Claim{Person: contact.KnownPersonID("name", name), Expires: time.Now().Add(10 * time.Second),
			Attempts: r.attempts, Targets: []plan.Target{target(contact.Mobile, kind)}})
	}
	return out, nil
}

func (q *queue) Finish(_ context.Context, ended []push.Ended) ([]push.Claim, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range ended {
		q.finish(e.Claim, e.Result)
	}
	return nil, nil
}

func (q *queue) finish(c push.Claim, r push.Result) {
	name := c.Person.RevealExtension()
	row := q.rows[name]
	if len(r.Settled)+len(r.Parked) > 0 {
		q.done = append(q.done, carried{name, row.urgent, time.Since(row.since)})
		delete(q.rows, name)
		return
	}
	row.leased, row.due = false, time.Now().Add(r.RetryIn)
	if !r.Untried {
		row.attempts++
	}
}

func (q *queue) Hasten(context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.rows {
		if !r.leased && r.attempts > 0 {
			r.due = time.Now()
		}
	}
	return nil
}

// faulty is a register that takes 50 ms, and fails for whom it should.
type faulty struct {
	reads, writes func(name string) bool // true: it fails
}

func (f faulty) Read(_ context.Context, p contact.PersonID) (push.Reading, error) {
	<-time.After(50 * time.Millisecond)
	if f.reads != nil && f.reads(p.RevealExtension()) {
		return nil, &push.Error{Class: push.Retry, Err: errors.New("server fault")}
	}
	return faultyReading{f, p.RevealExtension()}, nil
}

type faultyReading struct {
	faulty
	name string
}

// Record shows something to remove, and something else than what is to be shared.
func (r faultyReading) Record() plan.Record {
	return plan.Record{Version: "20200101000000", Own: map[contact.Channel][]plan.Entry{contact.Mobile: {{Value: numberOf(7)}}}}
}

func (r faultyReading) Write(context.Context, plan.Write) (string, error) {
	if r.writes != nil && r.writes(r.name) {
		return "", &push.Error{Class: push.Unknown, Err: errors.New("status 503")}
	}
	return "20200101000001", nil
}

func (q *queue) pushes(t *testing.T, register push.Register, length time.Duration, log *slog.Logger) {
	t.Helper()
	p, err := push.New(push.Config{Store: q, Register: register, Log: log, SharesAllowed: func() bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	p.Run(ctx)
}

func TestCrowdThatFailsDoesNotHoldUpAFreshWithdrawal(t *testing.T) {
	t.Parallel()
	for _, crowd := range []int{20, 200} {
		synctest.Test(t, func(t *testing.T) {
			q := newQueue()
			q.add("poisoned", crowd, true)
			q.add("share", 3000, false)
			register := faulty{reads: func(name string) bool { return strings.HasPrefix(name, "poisoned") }}
			q.pushes(t, register, 10*time.Minute, slog.New(slog.DiscardHandler)) // by now all of the crowd have been tried
			ctx, cancel := context.WithCancel(t.Context())
			var adding sync.WaitGroup
			adding.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					q.add(fmt.Sprintf("fresh%d-", i), 1, true)
					select {
					case <-time.After(5 * time.Second):
					case <-ctx.Done():
					}
				}
			})
			q.pushes(t, register, 30*time.Minute, slog.New(slog.DiscardHandler))
			cancel()
			adding.Wait()
			shares, fresh, slowest := 0, 0, time.Duration(0)
			for _, c := range q.done {
				if !c.urgent {
					shares++
					continue
				}
				fresh++
				slowest = max(slowest, c.took)
			}
			if shares < 3000 || fresh < 359 || slowest > 3*time.Second {
				t.Errorf("crowd of %d: %d of 3000 shares, %d of 360 fresh withdrawals, the slowest after %v", crowd, shares, fresh, slowest)
			}
		})
	}
}

// The register answers reads and takes no writes for half an hour. Withdrawals that were tried in vain come before the shares that
// are made after its return, but for those under way at the first success, also if a worker was started meanwhile. The log says what
// was wrong.
func TestWithdrawalsComeFirstAfterWritesWereRefused(t *testing.T) {
	t.Parallel()
	for _, waiting := range []int{1, 3, 200} {
		for _, restarted := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				q := newQueue()
				q.add("no", waiting, true)
				back := time.Now().Add(30 * time.Minute)
				writes := 0
				var mu sync.Mutex
				register := faulty{writes: func(string) bool {
					mu.Lock()
					defer mu.Unlock()
					writes++
					return time.Now().Before(back)
				}}
				var said bytes.Buffer
				log := slog.New(slog.NewTextHandler(&said, nil))
				if restarted {
					q.pushes(t, register, 30*time.Minute+time.Second, log)
					q.add("share", 100, false)
					q.pushes(t, register, 5*time.Minute, log)
				} else {
					p, err := push.New(push.Config{Store: q, Register: register, Log: log, SharesAllowed: func() bool { return true }, Concurrency: 16})
					if err != nil {
						t.Fatal(err)
					}
					adding := time.AfterFunc(30*time.Minute, func() { q.add("share", 100, false) })
					defer adding.Stop()
					ctx, cancel := context.WithTimeout(t.Context(), 36*time.Minute)
					defer cancel()
					p.Run(ctx)
				}
				shares, overtaken := 0, 0
				for _, c := range q.done {
					if !c.urgent {
						shares++
					} else if overtaken = shares; c.took > 30*time.Minute+15*time.Second {
						t.Errorf("%d waiting, restarted %t: a withdrawal came %v after the register's return", waiting, restarted, c.took-30*time.Minute)
					}
				}
				if shares != 100 || len(q.done) != 100+waiting || !restarted && waiting > 1 && overtaken > 16 {
					t.Errorf("%d waiting, restarted %t: %d carried out, %d of 100 shares before the last withdrawal", waiting, restarted, len(q.done), overtaken)
				}
				if writes > 8000+100*waiting {
					t.Errorf("%d waiting: %d writes in half an hour", waiting, writes)
				}
				if lines := strings.Count(said.String(), "status 503"); lines == 0 || lines > 40 {
					t.Errorf("%d waiting: the log says why %d times, want once a minute", waiting, lines)
				}
			})
		}
	}
}

// Two workers have places for all: one takes the withdrawals, which take long, and neither lets a crowd of shares go beside them.
func TestSharesWaitForWithdrawalsThatAreUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.add("first", 1000, false) // those who widen the way
		register := faulty{reads: func(name string) bool {
			if strings.HasPrefix(name, "no") {
				<-time.After(time.Second)
			}
			return false
		}}
		crowd := time.AfterFunc(time.Minute+time.Millisecond, func() { // not while a worker looks, which has asked for withdrawals and now asks for shares
			q.add("no", 100, true)
			q.add("share", 400, false)
		})
		defer crowd.Stop()
		var workers sync.WaitGroup
		for range 2 {
			workers.Go(func() { q.pushes(t, register, 2*time.Minute, slog.New(slog.DiscardHandler)) })
		}
		workers.Wait()
		shares, overtaken, slowest := 0, 0, time.Duration(0)
		for _, c := range q.done[1000:] {
			if c.urgent {
				overtaken, slowest = shares, max(slowest, c.took)
			} else {
				shares++
			}
		}
		const most = 2 * 4 * 21 // each worker has four at a time under way, which take a twentieth of a withdrawal
		if shares != 400 || overtaken > most {
			t.Errorf("%d of %d shares went before the last withdrawal, which took %v, want %d of 400 at most", overtaken, shares, slowest, most)
		}
	})
}

// Trap 4 must not hang on this machine's clock.
func TestWholeSecondsAreJudgedByTheSharedClock(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{0, 3 * time.Second, -3 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			r := &wholeSeconds{}
			r.change(nil, "first")
			result := pushOne(t, push.Claim{Targets: []plan.Target{target(contact.Mobile, plan.Shared)}}, r, func(c *push.Config) {
				c.VersionSettle, c.VersionZone = 2*time.Second, time.UTC
				c.Now = func() time.Time { return time.Now().Add(skew) }
				c.RegisterNow = time.Now
			})
			if len(result.Settled) > 0 || result.RetryIn <= time.Second {
				t.Errorf("skew %v: %+v, want a wait until the second is over", skew, result)
			}
		})
	}
}

func TestVersionAheadOfTheClockIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &wholeSeconds{}
		r.change(nil, "first")
		result := pushOne(t, push.Claim{Targets: []plan.Target{target(contact.Mobile, plan.Shared)}}, r, func(c *push.Config) {
			c.VersionSettle, c.VersionZone = 2*time.Second, time.UTC
			c.RegisterNow = func() time.Time { return time.Now().Add(-time.Minute) }
		})
		if len(result.Settled) > 0 || result.RetryIn < time.Minute {
			t.Errorf("%+v, want a wait of a minute and two seconds", result)
		}
	})
}

// In October an hour comes twice: a version of it may be of either.
func TestVersionOfTheHourThatComesTwice(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Stockholm")
	if err != nil {
		t.Fatal(err)
	}
	r := &scripted{record: plan.Record{Version: "20261025023000"}}
	for _, pass := range []string{"2026-10-25T00:30:01Z", "2026-10-25T01:30:01Z"} {
		now, err := time.Parse(time.RFC3339, pass)
		if err != nil {
			t.Fatal(err)
		}
		result := pushOne(t, push.Claim{Targets: []plan.Target{target(contact.Mobile, plan.Shared)}}, r, func(c *push.Config) {
			c.VersionSettle, c.VersionZone, c.RegisterNow = 2*time.Second, zone, func() time.Time { return now }
		})
		if len(result.Settled) > 0 || result.RetryIn != time.Second {
			t.Errorf("at %s: %+v, want a wait of a second", pass, result)
		}
	}
}

func (*queue) Waiting(context.Context, int) ([]contact.PersonID, error) { return nil, nil }

func (q *queue) UnderWay(_ context.Context, limit int) (n int, _ error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.rows {
		if r.urgent && r.leased {
			n++
		}
	}
	return min(n, limit), nil
}
