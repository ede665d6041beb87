package syncpg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

// ErrLeaseLost says that the lease ran out and went to another worker before the result was recorded. Nothing was recorded;
// the other one finds out by itself. There is nothing to do.
var ErrLeaseLost = errors.New("the lease has gone to another worker")

// Finish implements push.Store: what the register showed, outcomes, audit and the person's place in the queue, all or nothing.
func (s *Store) Finish(ctx context.Context, c push.Claim, r push.Result) error {
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		keys := make([]key, len(contact.Channels))
		for i, channel := range contact.Channels {
			keys[i] = key{c.ID, channel}
		}
		sortKeys(keys)
		states, err := lockRows(ctx, tx, keys)
		if err != nil {
			return err
		}
		at, err := holdLease(ctx, tx, c)
		if err != nil {
			return err
		}
		f := &finishing{Store: s, tx: tx, at: at, claim: c, result: r, states: states, changed: map[key]plan.State{}}
		return f.run(ctx)
	})
	if err != nil {
		return fmt.Errorf("record result: %w", err)
	}
	return nil
}

// holdLease returns the transaction's time, by PostgreSQL's clock.
func holdLease(ctx context.Context, tx pgx.Tx, c push.Claim) (at time.Time, err error) {
	err = tx.QueryRow(ctx, `select now() from sync.due where person_id = $1 and lease = $2 for update`, c.ID, c.Token).Scan(&at)
	if errors.Is(err, pgx.ErrNoRows) {
		return at, ErrLeaseLost
	}
	return at, err
}

type finishing struct {
	*Store
	tx       pgx.Tx
	at       time.Time
	claim    push.Claim
	result   push.Result
	states   map[key]plan.State
	changed  map[key]plan.State
	outcomes []said
}

func (f *finishing) run(ctx context.Context) error {
	for _, s := range f.result.Settled {
		f.apply(s.Target, func(state *plan.State) []plan.Verdict {
			return state.Settle(s.Target.Want, plan.Verdict{Outcome: s.Outcome, Reason: s.Reason, Effects: s.Effects, Version: s.Version})
		})
	}
	for _, p := range f.result.Parked {
		f.apply(p.Target, func(state *plan.State) []plan.Verdict { return state.Park(p.Target.Want, p.Reason) })
	}
	f.doubt()
	if err := save(ctx, f.tx, f.changed); err != nil {
		return err
	}
	if err := f.person(ctx); err != nil {
		return err
	}
	if err := f.queue(ctx); err != nil {
		return err
	}
	if err := f.audit(ctx); err != nil {
		return err
	}
	return f.publish(ctx, f.tx, f.outcomes, nil)
}

func (f *finishing) apply(t plan.Target, do func(*plan.State) []plan.Verdict) {
	k := key{f.claim.ID, t.Channel}
	state := f.states[k]
	for _, v := range do(&state) {
		f.outcomes = append(f.outcomes, f.about(f.claim.Person, t.Channel, v))
	}
	f.states[k], f.changed[k] = state, state
}

// doubt: a write whose end is unknown may have happened for each target that came to no end. On another number's record that can
// only be a withdrawal.
func (f *finishing) doubt() {
	elsewhere := slices.ContainsFunc(f.result.Linked, func(r push.RecordResult) bool { return r.Unsure })
	for _, t := range f.claim.Targets {
		if !f.result.Unsure && (!elsewhere || t.Want.Kind != plan.Withdrawn) {
			continue
		}
		if _, ended := f.changed[key{f.claim.ID, t.Channel}]; !ended {
			f.apply(t, func(state *plan.State) []plan.Verdict { state.Doubt(t.Want); return nil })
		}
	}
}

// person keeps what the next claim must know about writes, for each record.
func (f *finishing) person(ctx context.Context) error {
	records := append([]push.RecordResult{{ID: f.claim.ID, Unsure: f.result.Unsure, Written: f.result.Written}}, f.result.Linked...)
	for _, r := range records {
		_, err := f.tx.Exec(ctx, `
			update sync.person set unsure = $2,
				written_version = case when $3 = '' then written_version else $3 end,
				written_at = case when $3 = '' then written_at else now() end
			where person_id = $1 and (unsure <> $2 or $3 <> '')`, r.ID, r.Unsure, r.Written.Version)
		if err != nil {
			return fmt.Errorf("record write: %w", err)
		}
	}
	return nil
}

// queue takes the person out of the queue, or puts it back for when the next of its targets is due.
func (f *finishing) queue(ctx context.Context) error {
	wait, urgent, due := f.next()
	if !due {
		if _, err := f.tx.Exec(ctx, `delete from sync.due where person_id = $1`, f.claim.ID); err != nil {
			return err
		}
		return f.askWho(ctx)
	}
	_, err := f.tx.Exec(ctx, `
		update sync.due set lease = null, urgent = $2,
			due_at = now() + case when $6 and exists (select from sync.ask where person_id = $1 and first) then `+held+` else $3 end,
			attempts = case when $5 then attempts when $4 then attempts + 1 else 0 end
		where person_id = $1`, f.claim.ID, urgent, wait, f.result.RetryIn > 0, f.result.Untried, wait == 0 && !urgent && f.claim.AskFirst)
	if err != nil {
		return err
	}
	return f.askWho(ctx)
}

// askWho has the register asked about a person under whose number it takes no share: the person may have another one now.
func (f *finishing) askWho(ctx context.Context) error {
	if !slices.ContainsFunc(f.result.Parked, func(p push.Parked) bool {
		return p.Target.Want.Kind == plan.Shared && (p.Reason == reason.PersonUnknown || p.Reason == reason.RegisterRefused)
	}) {
		return nil
	}
	return ask(ctx, f.tx, []int64{f.claim.ID}, []bool{false})
}

// next tells when the person is due again: at once for a decision that came meanwhile, after the attempt's own wish for one
// that could not be carried out, after ParkedRetry for a withdrawal that was refused.
func (f *finishing) next() (wait time.Duration, urgent, due bool) {
	for _, channel := range contact.Channels {
		state := f.states[key{f.claim.ID, channel}]
		if !state.Due() {
			continue
		}
		w, withdrawn := f.wait(channel, state), state.Want().Kind == plan.Withdrawn
		switch {
		case !due || w < wait:
			wait, urgent = w, withdrawn // a refused No that waits does not make a share urgent
		case w == wait:
			urgent = urgent || withdrawn
		}
		due = true
	}
	return wait, urgent, due
}

func (f *finishing) wait(channel contact.Channel, state plan.State) time.Duration {
	if state.Parked != "" {
		return f.ParkedRetry
	}
	for _, t := range f.claim.Targets {
		if t.Channel == channel && t.Want.Mark() == state.Want().Mark() {
			return f.result.RetryIn
		}
	}
	return 0
}
