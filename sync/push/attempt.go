package push

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
)

// rounds bounds how often one claim reads again after a stale answer, before it gives its place back.
const rounds = 3

// attempt carries out one claim.
type attempt struct {
	*Pusher
	claim  Claim  // Unsure and Written follow what happens
	linked bool   // on the record of another number of the person
	stale  string // the version that a write was refused for
	result Result
	called bool  // the register was asked
	failed error // the last trouble with the register as a whole

	unheard bool          // a call was not made, as its turn did not come
	alone   []plan.Target // after a bulk: what is to be attempted by itself; nil: nothing, and nothing to look at

	unanswered bool // the bulk was refused as a whole
}

// run works on the targets until each is settled, parked or left for later.
func (a *attempt) run(ctx context.Context) Result {
	if len(a.claim.Targets) == 0 && !a.claim.Unsure {
		return a.result // what is due may not be pushed now
	}
	a.try(ctx, a.claim.Targets)
	a.result.Unsure = a.claim.Unsure
	return a.result
}

func (a *attempt) try(ctx context.Context, targets []plan.Target) {
	for range rounds {
		reading, early := a.early()
		if !early {
			var ok bool
			if reading, ok = a.read(ctx, targets); !ok {
				return
			}
		}
		if reading == nil {
			a.unknownPerson(targets)
			return
		}
		// A read older than our last write proves nothing, however long ago that was: only a write tells.
		old := reading.Record().Version < a.claim.Written.Version
		write := plan.Decide(targets, reading.Record(), a.claim.Unsure || old)
		if write == nil && early {
			continue
		}
		if write == nil {
			a.settle(targets, nil, reading.Record().Version)
			return
		}
		if again := a.write(ctx, targets, reading, *write); !again {
			return
		}
	}
	a.later(0)
}

// early returns the record that was read ahead of the claim, if it could be written on had it been read just now.
func (a *attempt) early() (Reading, bool) {
	if a.linked {
		return nil, false
	}
	e, ok := a.ahead.take(a.claim.Person, a.now())
	if !ok || len(a.claim.Linked) > 0 {
		return nil, false
	}
	version := e.Record().Version
	return e.Reading, version >= a.claim.Written.Version && a.unfinishedSecond(version, e.began) == 0
}

// read returns a record that may be believed; false means that the claim ends here.
func (a *attempt) read(ctx context.Context, targets []plan.Target) (Reading, bool) {
	began := a.cfg.RegisterNow()
	reading, err := a.call(ctx, func(ctx context.Context) (Reading, error) { return a.register.Read(ctx, a.claim.Person) })
	if err != nil {
		a.readFailed(targets, err)
		return nil, false
	}
	if reading == nil {
		return nil, true
	}
	version := reading.Record().Version
	late, second := a.lagging(version), a.unfinishedSecond(version, began)
	if wait := max(late, second); wait > 0 {
		// Unless the version was refused nothing has failed: else the first failure would put off for minutes who has waited often.
		a.result.RetryIn, a.result.Untried = wait, version != a.stale
		return nil, false
	}
	return reading, true
}

// askAgain is the part of ReadLag after which a record is asked for again that was shown although it is stale.
const askAgain = 3

// lagging tells how long to wait before a read older than our last write may be believed: the register shows a write up to
// ReadLag late, so that for so long an absent entry proves nothing. A version that a write was refused for is such a read too.
func (a *attempt) lagging(version string) time.Duration {
	if version == a.stale {
		return a.cfg.ReadLag / askAgain // to ask again at once would only use up calls
	}
	if version >= a.claim.Written.Version {
		return 0
	}
	return min(a.cfg.ReadLag, max(0, a.cfg.ReadLag-a.now().Sub(a.claim.Written.At)))
}

// unfinishedSecond tells how long to wait until the second of a version is over, where versions are times in whole seconds
// and two writes within one second share a version. Only a record as it stood after that second is the last one of that version;
// where reads are late, it stood so ReadLag before it was read.
func (a *attempt) unfinishedSecond(version string, readAt time.Time) time.Duration {
	if a.cfg.VersionSettle == 0 {
		return 0
	}
	written, err := time.ParseInLocation(versionLayout, version, a.cfg.VersionZone)
	if err != nil {
		return 0
	}
	wait := a.unfinished(written, readAt)
	for _, other := range []time.Time{written.Add(time.Hour), written.Add(-time.Hour)} { // in the hour that October has twice
		if other.Format(versionLayout) == version {
			wait = max(wait, a.unfinished(other, readAt))
		}
	}
	return wait
}

// farAhead is how far a version may lie in the future for a clock that is wrong. A version beyond that is of a register that counts on
// by itself.
const farAhead = 10 * time.Minute

func (a *attempt) unfinished(written, readAt time.Time) time.Duration {
	age, settled := readAt.Sub(written), a.cfg.VersionSettle+a.cfg.ReadLag
	if age >= settled || age < -farAhead {
		return 0
	}
	return settled - age
}

const versionLayout = "20060102150405"

func (a *attempt) readFailed(targets []plan.Target, err error) {
	e, ok := errors.AsType[*Error](err)
	switch {
	case a.linked && errors.Is(err, ErrOtherRecord):
		a.unknownPerson(targets) // the number has no record of its own
	case ok && e.Class == Refused:
		a.park(targets, e.Reason)
	case ok:
		a.later(e.RetryAfter)
	default:
		a.later(0)
	}
}

// write returns true if the targets that are left are to be read and decided on again.
func (a *attempt) write(ctx context.Context, targets []plan.Target, reading Reading, w plan.Write) bool {
	if a.claim.Expires.Sub(a.now()) < a.cfg.CallTimeout {
		a.later(0) // the write could outlive the lease
		return false
	}
	version, err := a.send(ctx, reading, w)
	if err == nil {
		a.claim.Unsure = false
		a.result.Written = Written{Version: version, At: a.now()}
		a.claim.Written = a.result.Written
		a.settle(targets, &w, version)
		return false
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Class: Unknown, Err: err}
	}
	switch e.Class {
	case Stale:
		a.stale = reading.Record().Version
		a.claim.Unsure = true // a proxy may have sent it twice, and this be the answer to the second one
		return true
	case Refused:
		return a.refused(ctx, targets, reading, w, e)
	case Unknown:
		a.claim.Unsure = true
	}
	a.later(e.RetryAfter)
	return false
}

func (a *attempt) send(ctx context.Context, reading Reading, w plan.Write) (string, error) {
	var version string
	_, err := a.call(ctx, func(ctx context.Context) (_ Reading, err error) {
		version, err = reading.Write(ctx, w)
		return nil, err
	})
	return version, err
}

// refused parks the one change that was refused. A write of several is taken apart, withdrawals first: a refused share must
// not hold back a withdrawal.
func (a *attempt) refused(ctx context.Context, targets []plan.Target, reading Reading, w plan.Write, e *Error) bool {
	if e.Unnamed {
		switch moved, known := a.movedOn(ctx, reading.Record().Version); {
		case moved:
			return true
		case !known:
			a.later(0)
			return false
		}
	}
	switch len(w.Changes) {
	case 0:
		a.park(targets, e.Reason)
	case 1:
		changed, rest := split(targets, w.Changes[0])
		a.park(changed, e.Reason)
		if len(rest) > 0 {
			a.try(ctx, rest)
		}
	default:
		for _, t := range withdrawalsFirst(targets) {
			a.try(ctx, []plan.Target{t})
		}
	}
	return false
}

// movedOn tells whether the record has another version than the one that a refused write carried: then the refusal may
// have meant that. Unless that is known, nothing may be parked: the register may take it.
func (a *attempt) movedOn(ctx context.Context, version string) (moved, known bool) {
	if pause(ctx, a.cfg.ReadLag) != nil {
		return false, false
	}
	reading, err := a.call(ctx, func(ctx context.Context) (Reading, error) { return a.register.Read(ctx, a.claim.Person) })
	if err != nil || reading == nil {
		return false, false
	}
	return reading.Record().Version != version, true
}

func split(targets []plan.Target, c plan.Change) (changed, rest []plan.Target) {
	for _, t := range targets {
		if t.Channel == c.Channel {
			changed = append(changed, t)
		} else {
			rest = append(rest, t)
		}
	}
	return changed, rest
}

func withdrawalsFirst(targets []plan.Target) []plan.Target {
	sorted := slices.Clone(targets)
	slices.SortStableFunc(sorted, func(x, y plan.Target) int { return int(y.Want.Kind) - int(x.Want.Kind) })
	return sorted
}

// unknownPerson: the register has no record, so there is nothing to remove and nowhere to put a share.
func (a *attempt) unknownPerson(targets []plan.Target) {
	writtenNow := a.claim.Written.Version != "" && a.now().Sub(a.claim.Written.At) < max(a.cfg.ReadLag, time.Minute)
	if a.claim.Unsure && a.claim.Attempts < hopeless || writtenNow {
		a.later(0) // the register knew the person a moment ago
		return
	}
	for _, t := range targets {
		if t.Want.Kind == plan.Shared {
			a.park([]plan.Target{t}, reason.PersonUnknown)
			continue
		}
		a.result.Settled = append(a.result.Settled, Settled{Target: t, Outcome: event.Unchanged, Reason: reason.PersonUnknown})
	}
}

func (a *attempt) settle(targets []plan.Target, w *plan.Write, version string) {
	for _, t := range targets {
		s := Settled{Target: t, Outcome: event.Unchanged, Version: version}
		if w != nil && slices.ContainsFunc(w.Changes, func(c plan.Change) bool { return c.Channel == t.Channel }) {
			s.Outcome, s.Effects = event.Pushed, w.Effects()
		}
		a.result.Settled = append(a.result.Settled, s)
	}
}

func (a *attempt) park(targets []plan.Target, why reason.Code) {
	for _, t := range targets {
		a.result.Parked = append(a.result.Parked, Parked{Target: t, Reason: why})
	}
}

// later gives the place back until the backoff, or the register's own wish, is over.
func (a *attempt) later(wish time.Duration) {
	a.result.RetryIn = max(min(wish, a.longest()), a.backoff())
	a.result.Untried = a.unheard && a.failed == nil
}

// longestForNo is MaxBackoff for who has withdrawn. It is not shorter: of those that the register fails on whatever is tried, a few dozen
// would take the calls of all who share.
const longestForNo = time.Minute

func (a *attempt) longest() time.Duration {
	if slices.ContainsFunc(a.claim.Targets, func(t plan.Target) bool { return t.Want.Kind == plan.Withdrawn }) {
		return min(a.cfg.MaxBackoff, longestForNo)
	}
	return a.cfg.MaxBackoff
}

// backoff is capped exponential with full jitter: 0.2 s, 0.4 s, … on average half of that.
func (a *attempt) backoff() time.Duration {
	top := min(a.longest(), 200*time.Millisecond<<min(a.claim.Attempts, 20))
	return time.Duration(rand.Int64N(int64(top))) + time.Millisecond
}
