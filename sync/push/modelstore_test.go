package push_test

import (
	"cmp"
	"slices"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

// modelStore is what syncpg is in PostgreSQL, as a list: the same states, leases, doubts and queue. Only the model's own goroutine works on it.
type modelStore struct {
	*model
	rows  []*modelRow
	lease int64
	told  map[string]plan.Verdict // the last outcome of each decision
}

// modelRow is one person: the rows of sync.person, sync.channel and sync.due.
type modelRow struct {
	id     int64
	person contact.PersonID
	states map[contact.Channel]plan.State

	unsure    bool
	written   string
	writtenAt time.Time

	due, urgent bool
	urgentSince time.Time // or later
	dueAt       time.Time // a claimed row's: the end of its lease
	lease       int64     // 0: nobody's
	attempts    int
}

const (
	modelLease  = 10 * time.Second
	modelParked = time.Minute // how often a withdrawal that the register refused is tried again
)

func (s *modelStore) row(p contact.PersonID) *modelRow {
	i := slices.IndexFunc(s.rows, func(r *modelRow) bool { return r.person == p })
	return s.rows[i]
}

func (s *modelStore) say(verdicts []plan.Verdict) {
	for _, v := range verdicts {
		s.note("told %s %s %s", v.EventID, v.Outcome, v.Reason)
		s.told[v.EventID] = v
	}
}

// take is what Take does with one decision.
func (s *modelStore) take(d modelDecision) {
	r := s.row(d.person)
	state := r.states[d.channel]
	s.say(state.Apply(d.event))
	r.states[d.channel] = state
	if !state.Due() {
		return
	}
	first := !r.due
	if first || !r.urgent {
		r.urgent, r.urgentSince = state.Want().Kind == plan.Withdrawn, time.Now()
	}
	r.due = true
	if r.lease == 0 {
		r.dueAt, r.attempts = time.Now(), 0
	}
	if first {
		s.handOver(r)
	}
}

// handOver is what Take does for a person who was not in the queue: the worker that took the decision in pushes it, if it has a place.
func (s *modelStore) handOver(r *modelRow) {
	w := s.workers[s.draw(len(s.workers)+1)%max(1, len(s.workers)):]
	if len(w) == 0 || time.Now().Before(w[0].stoppedUntil) {
		return
	}
	place := w[0].pusher.Reserve(s.t.Context(), []contact.PersonID{r.person}, r.urgent)
	var claims []push.Claim
	if place.Places == 1 {
		for _, other := range s.waiting(true) {
			s.holds(r.urgent || other == r || other.dueAt.After(w[0].asked) || other.urgentSince.After(w[0].asked), "a share is handed over before a withdrawal that was due")
		}
		claims = append(claims, s.lend(w[0], r, true, time.Now().Add(w[0].clock)))
		s.note("handed over to %v: %s", w[0], r.person.RevealExtension())
		if s.draw(12) == 11 { // nobody knows that the transaction ended well
			claims = nil
		}
	}
	w[0].pusher.HandOver(s.t.Context(), place, claims)
}

// waiting are those who are due, as they are claimed.
func (s *modelStore) waiting(urgent bool) []*modelRow {
	now := time.Now()
	var out []*modelRow
	for _, r := range s.rows {
		if r.due && r.urgent == urgent && !r.dueAt.After(now) {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b *modelRow) int {
		return cmp.Or(cmp.Compare(min(a.attempts, 8), min(b.attempts, 8)), a.dueAt.Compare(b.dueAt))
	})
	return out
}

func (s *modelStore) underWay(limit int) (n int) {
	for _, r := range s.rows {
		if r.due && r.urgent && r.lease != 0 && r.dueAt.After(time.Now()) {
			n++
		}
	}
	return min(n, limit)
}

func (s *modelStore) claim(w *modelWorker, limit int, urgent, shares bool, asked time.Time) []push.Claim {
	var claims []push.Claim
	for _, r := range s.waiting(urgent) {
		if len(claims) == limit {
			break
		}
		claims = append(claims, s.lend(w, r, shares, asked))
	}
	return claims
}

// lend puts a person under a lease.
func (s *modelStore) lend(w *modelWorker, r *modelRow, shares bool, asked time.Time) push.Claim {
	takenOver := r.lease != 0
	s.lease++
	r.lease, r.dueAt = s.lease, time.Now().Add(modelLease)
	c := push.Claim{ID: r.id, Person: r.person, Token: r.lease, Expires: asked.Add(modelLease), Unsure: r.unsure || takenOver, Attempts: r.attempts}
	if r.written != "" {
		c.Written = push.Written{Version: r.written, At: time.Now().Add(w.clock - time.Since(r.writtenAt))}
	}
	for _, channel := range contact.Channels {
		state := r.states[channel]
		withdrawn := state.Want().Kind == plan.Withdrawn
		if state.Due() && (shares || withdrawn) || c.Unsure && withdrawn {
			c.Targets = append(c.Targets, plan.Target{Channel: channel, Want: state.Want()})
		}
	}
	return s.without(c)
}

// without lets go of what closes a trap, where the run is to show that it is needed.
func (s *modelStore) without(c push.Claim) push.Claim {
	if s.trap == readFencesNothing {
		c.Unsure = false
	}
	if s.trap == readsAreOld {
		c.Written = push.Written{}
	}
	return c
}

// finish is what Finish does with one result, and tells whether the lease is still its own.
func (s *modelStore) finish(e push.Ended) bool {
	r := s.rows[e.Claim.ID]
	if r.lease != e.Claim.Token {
		return false
	}
	ended := map[contact.Channel]bool{}
	apply := func(t plan.Target, do func(*plan.State) []plan.Verdict) {
		state := r.states[t.Channel]
		s.say(do(&state))
		r.states[t.Channel], ended[t.Channel] = state, true
	}
	for _, x := range e.Result.Settled {
		apply(x.Target, func(state *plan.State) []plan.Verdict {
			return state.Settle(x.Target.Want, plan.Verdict{Outcome: x.Outcome, Reason: x.Reason, Version: x.Version})
		})
		s.settled(r.person, x.Target)
	}
	for _, x := range e.Result.Parked {
		apply(x.Target, func(state *plan.State) []plan.Verdict { return state.Park(x.Target.Want, x.Reason) })
		s.parked(r.person, x)
	}
	for _, t := range e.Claim.Targets {
		if e.Result.Unsure && !ended[t.Channel] {
			apply(t, func(state *plan.State) []plan.Verdict { state.Doubt(t.Want); return nil })
		}
	}
	if r.unsure = e.Result.Unsure; e.Result.Written.Version != "" {
		r.written, r.writtenAt = e.Result.Written.Version, time.Now()
	}
	s.queue(r, e)
	return true
}

// queue takes a person out of the queue, or puts it back for when the next of its targets is due.
func (s *modelStore) queue(r *modelRow, e push.Ended) {
	r.lease, r.due = 0, false
	var wait time.Duration
	first := false
	for _, channel := range contact.Channels {
		state := r.states[channel]
		if !state.Due() {
			continue
		}
		w, withdrawn := s.wait(channel, state, e), state.Want().Kind == plan.Withdrawn
		open := withdrawn && state.Parked == ""
		switch {
		case first && !open:
		case open && !first:
			wait, r.urgent, first = w, true, true
		case !r.due || w < wait:
			wait, r.urgent = w, withdrawn
		case w == wait:
			r.urgent = r.urgent || withdrawn
		}
		r.due = true
	}
	for _, state := range r.states {
		s.holds(r.urgent || !state.Due() || state.Want().Kind != plan.Withdrawn || state.Parked != "", "a withdrawal waits among the shares")
	}
	r.dueAt, r.urgentSince = time.Now().Add(wait), time.Now()
	switch {
	case e.Result.Untried:
	case e.Result.RetryIn > 0:
		r.attempts++
	default:
		r.attempts = 0
	}
}

// wait draws the backoff itself: the pusher's jitter is any time, and a run is to be played again exactly.
func (s *modelStore) wait(channel contact.Channel, state plan.State, e push.Ended) time.Duration {
	if state.Parked != "" {
		return modelParked
	}
	for _, t := range e.Claim.Targets {
		if t.Channel == channel && t.Want.Mark() == state.Want().Mark() && e.Result.RetryIn > 0 {
			return time.Duration(1+s.draw([]int{1000, 6000, 20_000}[s.draw(3)])) * time.Millisecond
		}
	}
	return 0
}

func (s *modelStore) hasten() {
	for _, r := range s.rows {
		if r.due && r.lease == 0 && r.attempts > 0 {
			r.dueAt = time.Now()
		}
	}
}

// persons are those whose records are worth reading together.
func (s *modelStore) persons(limit int) (out []contact.PersonID) {
	for _, r := range append(s.waiting(true), s.waiting(false)...) {
		if r.lease == 0 && len(out) < limit {
			out = append(out, r.person)
		}
	}
	return out
}

// idle tells whether nobody is due.
func (s *modelStore) idle() bool {
	return !slices.ContainsFunc(s.rows, func(r *modelRow) bool { return r.due })
}

// settled judges a result at the moment in which it is recorded: the register shows what it says, and what is removed now must never come back.
func (s *modelStore) settled(p contact.PersonID, t plan.Target) {
	shown := s.register.now(p).own[t.Channel]
	switch t.Want.Kind {
	case plan.Withdrawn:
		d := s.byID[t.Want.EventID]
		s.removed = append(s.removed, d)
		s.holds(!d.covers(s.byValue[shown]), "a detail is told to be removed, and stands in the register")
	case plan.Shared:
		s.holds(shown == t.Want.Share.Value.Reveal() || s.unknown(p), "a detail is told to be shared, and is not in the register")
	}
}

// parked judges that only what the register refuses is given up.
func (s *modelStore) parked(p contact.PersonID, x push.Parked) {
	d := s.byID[x.Target.Want.EventID]
	s.holds(s.unknown(p) && x.Reason == reason.PersonUnknown || d.refused, "a decision is parked that the register takes")
}

func (s *modelStore) toldWell(d modelDecision) bool {
	o := s.told[d.id].Outcome
	return o == event.Pushed || o == event.Unchanged || o == event.Parked && (d.refused || s.unknown(d.person))
}
