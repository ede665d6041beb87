package push_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

// oneClaim is a store with one person to push.
type oneClaim struct {
	claim  push.Claim
	result *push.Result
}

func (s *oneClaim) Claim(_ context.Context, _ int, urgent, _ bool) ([]push.Claim, error) {
	if !urgent || s.result != nil {
		return nil, nil
	}
	s.claim.Expires = time.Now().Add(15 * time.Second)
	return []push.Claim{s.claim}, nil
}

func (s *oneClaim) Hasten(context.Context) error { return nil }

func (s *oneClaim) Finish(_ context.Context, ended []push.Ended) ([]push.Claim, error) {
	s.result = &ended[0].Result
	return nil, nil
}

func pushOne(t *testing.T, c push.Claim, r push.Register, configure func(*push.Config)) push.Result {
	t.Helper()
	store := &oneClaim{claim: c}
	config := push.Config{Store: store, Register: r, Log: slog.New(slog.DiscardHandler), SharesAllowed: func() bool { return true }}
	if configure != nil {
		configure(&config)
	}
	p, err := push.New(config)
	if err != nil {
		t.Fatal(err)
	}
	if p.Round(t.Context()) != 1 {
		t.Fatal("nothing was claimed")
	}
	return *store.result
}

func target(channel contact.Channel, kind plan.Kind) plan.Target {
	return plan.Target{Channel: channel, Want: plan.Want{Kind: kind, EventID: string(channel), Share: plan.Share{Value: numberOf(5)}}}
}

// wholeSeconds is a register whose versions are the time in whole seconds, so that two changes within a second share one. Its reads
// show what stood there some time before.
type wholeSeconds struct {
	lag    time.Duration
	mu     sync.Mutex
	states []wholeSecond // oldest first
}

type wholeSecond struct {
	at      time.Time
	version string
	own     []plan.Entry
	staff   string // an entry that is not ours
}

func (r *wholeSeconds) last() wholeSecond {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.states[len(r.states)-1]
}

func (r *wholeSeconds) change(own []plan.Entry, staff string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	version := time.Now().UTC().Format("20060102150405")
	r.states = append(r.states, wholeSecond{time.Now(), version, own, staff})
	return version
}

func (r *wholeSeconds) Read(context.Context, contact.PersonID) (push.Reading, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.states[0]
	for _, s := range r.states {
		if time.Since(s.at) >= r.lag {
			seen = s
		}
	}
	return &wholeSecondsReading{seen, r}, nil
}

type wholeSecondsReading struct {
	seen     wholeSecond
	register *wholeSeconds
}

func (r *wholeSecondsReading) Record() plan.Record {
	return plan.Record{Version: r.seen.version, Own: map[contact.Channel][]plan.Entry{contact.Mobile: r.seen.own}}
}

func (r *wholeSecondsReading) Write(_ context.Context, w plan.Write) (string, error) {
	if r.register.last().version != r.seen.version {
		return "", &push.Error{Class: push.Stale, Err: errors.New("stale")}
	}
	return r.register.change([]plan.Entry{*w.Changes[0].Entry}, r.seen.staff), nil
}

// Trap 4 of DESIGN §4: versions of whole seconds. Staff change the record twice in a second, and we read in between, or later and
// are shown what stood there in between. Such a record may be written over only when its second was over as it stood.
func TestWholeSecondVersionIsReadAfterItsSecond(t *testing.T) {
	t.Parallel()
	for _, lag := range []time.Duration{0, 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			r := &wholeSeconds{lag: lag}
			r.change(nil, "first")
			<-time.After(200 * time.Millisecond)
			changing := time.AfterFunc(500*time.Millisecond, func() { r.change(nil, "second") })
			defer changing.Stop()
			<-time.After(lag) // now a read shows the first change
			var result push.Result
			for range 5 {
				result = pushOne(t, push.Claim{Targets: []plan.Target{target(contact.Mobile, plan.Shared)}}, r, func(c *push.Config) {
					c.VersionSettle, c.VersionZone, c.ReadLag = time.Second, time.UTC, lag
				})
				if len(result.Settled) > 0 {
					break
				}
				if !result.Untried {
					t.Errorf("lag %v: waiting for the end of a second counts as an attempt", lag)
				}
				<-time.After(result.RetryIn)
			}
			if r.last().staff != "second" {
				t.Errorf("lag %v: the staff's entry is %q: their change was overwritten", lag, r.last().staff)
			}
			if len(result.Settled) != 1 || result.Settled[0].Outcome != event.Pushed {
				t.Errorf("lag %v: result %+v", lag, result)
			}
		})
	}
}

// A register whose reads are late answers a write as stale and then shows the stale version on: that is waited out, not asked again
// at once.
func TestStaleVersionThatIsShownOnIsWaitedOut(t *testing.T) {
	t.Parallel()
	stale := &push.Error{Class: push.Stale, Err: errors.New("stale")}
	r := &scripted{record: plan.Record{Version: "20261123120000"}, errs: []error{stale, stale, stale}}
	result := pushOne(t, push.Claim{Targets: []plan.Target{target(contact.Mobile, plan.Shared)}}, r, func(c *push.Config) { c.ReadLag = 3 * time.Second })
	if len(r.writes) != 1 || result.RetryIn != time.Second || len(result.Settled) > 0 {
		t.Errorf("%d writes, result %+v; want one, and another try in a second", len(r.writes), result)
	}
}

// scripted answers reads with one record, and each write with the next of its errors.
type scripted struct {
	record plan.Record
	errs   []error
	writes []plan.Write
}

func (r *scripted) Read(context.Context, contact.PersonID) (push.Reading, error) { return r, nil }
func (r *scripted) Record() plan.Record                                          { return r.record }

func (r *scripted) Write(_ context.Context, w plan.Write) (string, error) {
	r.writes = append(r.writes, w)
	if len(r.errs) == 0 {
		return "20261123120001", nil
	}
	err := r.errs[0]
	r.errs = r.errs[1:]
	return "20261123120001", err
}

var refused = &push.Error{Class: push.Refused, Reason: reason.RegisterRefused, Err: errors.New("refused")}

func TestRefusedShareDoesNotHoldBackTheOtherChannelsWithdrawal(t *testing.T) {
	t.Parallel()
	r := &scripted{errs: []error{refused, nil, refused}}
	r.record.Own = map[contact.Channel][]plan.Entry{contact.Email: {{Value: contact.KnownValue("a@example.se")}}}
	got := pushOne(t, push.Claim{Targets: []plan.Target{target(contact.Mobile, plan.Shared), target(contact.Email, plan.Withdrawn)}}, r, nil)
	if len(got.Settled) != 1 || got.Settled[0].Target.Channel != contact.Email || got.Settled[0].Outcome != event.Pushed {
		t.Errorf("settled %+v", got.Settled)
	}
	if len(got.Parked) != 1 || got.Parked[0].Target.Channel != contact.Mobile || got.Parked[0].Reason != reason.RegisterRefused {
		t.Errorf("parked %+v", got.Parked)
	}
	if len(r.writes) != 3 || r.writes[1].Changes[0].Channel != contact.Email {
		t.Errorf("the withdrawal was not tried first: %+v", r.writes)
	}
}

func TestRefusalWithoutACodeMayMeanAStaleVersion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		unnamed := &push.Error{Class: push.Refused, Reason: reason.RegisterRefused, Unnamed: true, Err: errors.New("refused")}
		moving := &movingRegister{scripted: scripted{errs: []error{unnamed}}}
		got := pushOne(t, push.Claim{Targets: []plan.Target{target(contact.Mobile, plan.Shared)}}, moving,
			func(c *push.Config) { c.ReadLag = 3 * time.Second })
		if len(got.Settled) != 1 {
			t.Errorf("a moved version was taken for a refusal: %+v", got)
		}
		standing := &scripted{errs: []error{unnamed}}
		got = pushOne(t, push.Claim{Targets: []plan.Target{target(contact.Mobile, plan.Shared)}}, standing, nil)
		if len(got.Parked) != 1 {
			t.Errorf("a refusal was not parked: %+v", got)
		}
	})
}

// movingRegister has another version at each read.
type movingRegister struct {
	scripted
	reads int
}

func (r *movingRegister) Read(context.Context, contact.PersonID) (push.Reading, error) {
	r.reads++
	return &movedReading{r, plan.Record{Version: time.Unix(int64(r.reads), 0).UTC().Format("20060102150405")}}, nil
}

type movedReading struct {
	*movingRegister
	record plan.Record
}

func (r *movedReading) Record() plan.Record { return r.record }

func TestUnknownPerson(t *testing.T) {
	t.Parallel()
	got := pushOne(t, push.Claim{Targets: []plan.Target{target(contact.Mobile, plan.Shared), target(contact.Email, plan.Withdrawn)}}, nobody{}, nil)
	if len(got.Parked) != 1 || got.Parked[0].Reason != reason.PersonUnknown {
		t.Errorf("the share is not parked: %+v", got.Parked)
	}
	if len(got.Settled) != 1 || got.Settled[0].Outcome != event.Unchanged || got.Settled[0].Reason != reason.PersonUnknown {
		t.Errorf("the withdrawal is not done: %+v", got.Settled)
	}
}

type nobody struct{}

func (nobody) Read(context.Context, contact.PersonID) (push.Reading, error) { return nil, nil }

func TestNoWriteThatCouldOutliveTheLease(t *testing.T) {
	t.Parallel()
	r := &scripted{}
	got := pushOne(t, push.Claim{Targets: []plan.Target{target(contact.Mobile, plan.Shared)}}, r, func(c *push.Config) {
		c.CallTimeout = 16 * time.Second // the lease is 15 s
	})
	if len(r.writes) != 0 || got.RetryIn == 0 {
		t.Errorf("wrote %d times, result %+v", len(r.writes), got)
	}
}

// Who failed together must not come back together: the waits lie all over the time that the attempt allows. It is never long for a No.
func TestBackoffGrowsWithinItsCap(t *testing.T) {
	t.Parallel()
	const draws = 200
	down := &push.Error{Class: push.Retry, Err: errors.New("down")}
	for kind, longest := range map[plan.Kind]time.Duration{plan.Shared: 2 * time.Minute, plan.Withdrawn: time.Minute} {
		for _, attempts := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 40} {
			top := min(longest, 200*time.Millisecond<<min(attempts, 20))
			least, most, sum := time.Hour, time.Duration(0), time.Duration(0)
			for range draws {
				r := &scripted{errs: []error{down}}
				r.record.Own = map[contact.Channel][]plan.Entry{contact.Email: {{Value: contact.KnownValue("a@example.se")}}}
				got := pushOne(t, push.Claim{Attempts: attempts, Targets: []plan.Target{target(contact.Mobile, plan.Shared), target(contact.Email, kind)}}, r,
					func(c *push.Config) { c.MaxBackoff = 2 * time.Minute })
				if got.RetryIn <= 0 || got.Unsure {
					t.Fatalf("after %d attempts: %+v", attempts, got)
				}
				least, most, sum = min(least, got.RetryIn), max(most, got.RetryIn), sum+got.RetryIn
			}
			if mean := sum / draws; least > top/10 || most < top*9/10 || most > top+time.Millisecond || mean < top/3 || mean > top*2/3 {
				t.Errorf("kind %d after %d attempts: from %v to %v, on average %v, want up to %v", kind, attempts, least, most, mean, top)
			}
		}
	}
}

// To wait until our last write shows is no failed attempt; to be refused for an old version is one.
func TestWaitingForALateReadIsNoAttempt(t *testing.T) {
	t.Parallel()
	waits := func(c *push.Config) { c.ReadLag = 3 * time.Second }
	late := &scripted{record: plan.Record{Version: "20261123120000"}}
	claim := push.Claim{Targets: []plan.Target{target(contact.Mobile, plan.Shared)}, Written: push.Written{Version: "20261123120001", At: time.Now()}}
	if got := pushOne(t, claim, late, waits); !got.Untried || got.RetryIn == 0 || len(late.writes) != 0 {
		t.Errorf("a late read: %+v", got)
	}
	old := &scripted{record: plan.Record{Version: "20261123120001"}, errs: []error{&push.Error{Class: push.Stale, Err: errors.New("old")}}}
	if got := pushOne(t, claim, old, waits); got.Untried || got.RetryIn == 0 || len(old.writes) != 1 {
		t.Errorf("a refused version: %+v", got)
	}
}

// crowd is a store where a thousand persons are due, all with a share, or all with a withdrawal.
type crowd struct {
	urgent bool
	left   int
	claims int
	// settles lets what was claimed before end while the next claim is made. It needs a synctest bubble.
	settles bool
	// overtaken counts how often shares were asked for while withdrawals were due.
	overtaken int
	// hastened counts how often those were hastened whom an outage had put off.
	hastened int
}

func (s *crowd) Claim(_ context.Context, limit int, urgent, _ bool) ([]push.Claim, error) {
	if s.settles {
		synctest.Wait()
	}
	if urgent != s.urgent {
		if s.urgent && s.left > 0 {
			s.overtaken++
		}
		return nil, nil
	}
	var out []push.Claim
	for range min(limit, s.left) {
		s.left--
		s.claims++
		out = append(out, push.Claim{Expires: time.Now().Add(10 * time.Second), Targets: []plan.Target{target(contact.Mobile, plan.Shared)}})
	}
	return out, nil
}

func (*crowd) Finish(context.Context, []push.Ended) ([]push.Claim, error) { return nil, nil }

func (s *crowd) Hasten(context.Context) error {
	s.hastened++
	return nil
}

// down is a register that is away, or has too much to do.
type down struct{ busy bool }

func (d down) Read(context.Context, contact.PersonID) (push.Reading, error) {
	return nil, &push.Error{Class: push.Retry, Busy: d.busy, Err: errors.New("down")}
}

func TestFewerAreWorkedOnWhileTheRegisterIsBusy(t *testing.T) {
	t.Parallel()
	for _, busy := range []bool{false, true} {
		p, err := push.New(push.Config{Store: &crowd{urgent: true, left: 1000}, Register: down{busy}, Log: slog.New(slog.DiscardHandler),
			SharesAllowed: func() bool { return true }, Concurrency: 4})
		if err != nil {
			t.Fatal(err)
		}
		if first, next := p.Round(t.Context()), p.Round(t.Context()); first != 4 || (next < first) != busy {
			t.Errorf("busy %t: %d persons, then %d", busy, first, next)
		}
	}
}

func TestBreakerStopsClaimsWhileTheRegisterIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &crowd{urgent: true, left: 1000}
		p, err := push.New(push.Config{Store: store, Register: down{}, Log: slog.New(slog.DiscardHandler), SharesAllowed: func() bool { return true }, Concurrency: 4})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		p.Run(ctx)
		if store.claims < 15 || store.claims > 40 {
			t.Errorf("%d claims in ten seconds: want ten before the breaker opens, and one probe a second after", store.claims)
		}
	})
}

// away is a register that is away for some time.
type away struct{ until time.Time }

func (a away) Read(ctx context.Context, p contact.PersonID) (push.Reading, error) {
	if time.Now().Before(a.until) {
		return down{}.Read(ctx, p)
	}
	return nil, nil
}

func TestWhoWasPutOffIsHastenedOnTheRegistersReturn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &crowd{urgent: true, left: 1000}
		p, err := push.New(push.Config{Store: store, Register: away{time.Now().Add(11 * time.Second)}, Log: slog.New(slog.DiscardHandler),
			SharesAllowed: func() bool { return true }, Concurrency: 4})
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			length time.Duration
			want   int
		}{{10 * time.Second, 1}, {5 * time.Second, 2}} { // once at the start: an outage may lie before it
			ctx, cancel := context.WithTimeout(t.Context(), step.length)
			p.Run(ctx)
			cancel()
			if store.hastened != step.want {
				t.Errorf("after %v more: hastened %d times, want %d", step.length, store.hastened, step.want)
			}
		}
	})
}

// A place that becomes free while withdrawals are being claimed is the next withdrawal's.
func TestNoShareIsClaimedWhileWithdrawalsAreDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &crowd{urgent: true, left: 1000, settles: true}
		p, err := push.New(push.Config{Store: store, Register: nobody{}, Log: slog.New(slog.DiscardHandler),
			SharesAllowed: func() bool { return true }, Concurrency: 8})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p.Run(ctx)
		if store.left > 0 || store.overtaken > 0 {
			t.Errorf("%d withdrawals are left, and shares were asked for %d times before them", store.left, store.overtaken)
		}
	})
}

func TestSharesWaitForTheIntakeAndForFreePlaces(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name             string
		urgent, allowed  bool
		places, narrowed int
		want             int
	}{
		{"no share before the intake has its partitions", false, false, 8, 0, 0},
		{"shares leave a quarter of the places to withdrawals", false, true, 8, 0, 6},
		{"withdrawals take every place, and wait for nothing", true, false, 8, 0, 8},
		{"a quarter of those that there are at first", false, true, 256, 0, 12},
		{"and of those that the register bears", false, true, 256, 2, 3},
		{"one share where there is one place", false, true, 256, 9, 1},
		{"and a withdrawal beside it", true, true, 256, 9, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store, now := &crowd{urgent: tt.urgent, left: 1000}, time.Now()
			p, err := push.New(push.Config{Store: store, Register: nobody{}, Log: slog.New(slog.DiscardHandler),
				SharesAllowed: func() bool { return tt.allowed }, Concurrency: tt.places, Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			for range tt.narrowed {
				p.Waited(time.Minute)
				now = now.Add(time.Minute)
			}
			if got := p.Round(t.Context()); got != tt.want {
				t.Errorf("%d claims, want %d", got, tt.want)
			}
		})
	}
}

func (*oneClaim) Waiting(context.Context, int) ([]contact.PersonID, error) { return nil, nil }

func (*crowd) Waiting(context.Context, int) ([]contact.PersonID, error) { return nil, nil }

func (*oneClaim) UnderWay(context.Context, int) (int, error) { return 0, nil }

func (*crowd) UnderWay(context.Context, int) (int, error) { return 0, nil }
