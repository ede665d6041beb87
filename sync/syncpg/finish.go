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

// Finish implements push.Store: what the register showed, outcomes, audit and places in the queue, of each claim all or nothing. A claim whose lease
// ran out and went to another worker is left out and returned: nothing of it is recorded, and the other one finds out by itself.
func (s *Store) Finish(ctx context.Context, ended []push.Ended) (lost []push.Claim, err error) {
	plain, rest := plainOf(ended)
	if len(plain) > 0 {
		if err = s.finishPlain(ctx, plain); errors.Is(err, errChanged) {
			rest, err = ended, nil
		}
	}
	if err == nil && len(rest) > 0 {
		lost, err = s.finishAny(ctx, rest)
	}
	if err != nil {
		return nil, fmt.Errorf("record %d results: %w", len(ended), err)
	}
	return lost, nil
}

func (s *Store) finishAny(ctx context.Context, ended []push.Ended) (lost []push.Claim, err error) {
	more := false
	err = s.begin(ctx, func(tx *transaction) error {
		f := &finish{Store: s, tx: tx, changed: map[key]plan.State{}}
		if err := f.lock(ctx, ended); err != nil {
			return err
		}
		for _, e := range ended {
			if !f.held[e.Claim.ID] {
				lost = append(lost, e.Claim)
				continue
			}
			f.all = append(f.all, &finishing{finish: f, claim: e.Claim, result: e.Result})
		}
		err := f.run(ctx)
		more = f.more
		return err
	})
	if err == nil && s.Pusher != nil && more {
		s.Pusher.Wake()
	}
	return lost, err
}

// finish is one transaction that records what came of claims.
type finish struct {
	*Store
	tx       *transaction
	at       time.Time // the transaction's time, by PostgreSQL's clock
	held     map[int64]bool
	states   map[key]plan.State
	changed  map[key]plan.State
	outcomes []said
	all      []*finishing
	more     bool // somebody is due at once
}

// finishing is what came of one claim.
type finishing struct {
	*finish
	claim  push.Claim
	result push.Result
}

// lock takes the channel rows and then the due rows, as everybody does. A channel row that there is not is looked for again under the
// due rows' locks: whoever makes it waits for these now, or has made it before. Nothing changes it here, so it need not be locked.
func (f *finish) lock(ctx context.Context, ended []push.Ended) error {
	var keys []key
	for _, e := range ended {
		keys = append(keys, keysOf(e.Claim.ID)...)
	}
	sortKeys(keys)
	rows, err := rowsThere(ctx, f.tx, keys, "for update")
	if err != nil {
		return err
	}
	if err := f.holdLeases(ctx, ended); err != nil {
		return err
	}
	there := make(map[key]bool, len(rows))
	for _, r := range rows {
		there[r.key()] = true
	}
	missing := slices.DeleteFunc(keys, func(k key) bool { return there[k] })
	if len(missing) > 0 {
		later, err := rowsThere(ctx, f.tx, missing, "")
		if err != nil {
			return err
		}
		rows = append(rows, later...)
	}
	f.states, err = unmovedStates(rows)
	return err
}

// holdLeases locks the due rows of the claims whose lease is still theirs.
func (f *finish) holdLeases(ctx context.Context, ended []push.Ended) error {
	ids, tokens := make([]int64, len(ended)), make([]int64, len(ended))
	for i, e := range ended {
		ids[i], tokens[i] = e.Claim.ID, e.Claim.Token
	}
	rows, err := f.tx.Query(ctx, `
		select person_id, now() from sync.due where (person_id, lease) in (select * from unnest($1::bigint[], $2::bigint[]))
		order by person_id for update`, ids, tokens)
	if err != nil {
		return fmt.Errorf("hold leases: %w", err)
	}
	f.held = make(map[int64]bool, len(ended))
	var id int64
	_, err = pgx.ForEachRow(rows, []any{&id, &f.at}, func() error { f.held[id] = true; return nil })
	return err
}

func (f *finish) run(ctx context.Context) error {
	for _, one := range f.all {
		one.settle()
	}
	var batch pgx.Batch
	if err := queueSave(&batch, f.changed); err != nil {
		return err
	}
	f.queue(&batch)
	f.askWho(&batch)
	var d drawn
	d.queue(&batch, len(f.outcomes))
	if err := f.tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("record results: %w", err)
	}
	return f.record(ctx, d)
}

// record tells of what was settled.
func (f *finish) record(ctx context.Context, d drawn) error {
	batch := &pgx.Batch{}
	f.persons(batch)
	f.toProve(batch)
	var entries []entry
	for _, one := range f.all {
		entries = append(entries, one.audited()...)
	}
	f.queueEntries(batch, entries...)
	return f.publishDrawn(ctx, f.tx, batch, d, f.outcomes, nil)
}

// settle brings the states to what the register showed.
func (f *finishing) settle() {
	for _, s := range f.result.Settled {
		f.apply(s.Target, func(state *plan.State) []plan.Verdict {
			return state.Settle(s.Target.Want, plan.Verdict{Outcome: s.Outcome, Reason: s.Reason, Effects: s.Effects, Version: s.Version})
		})
	}
	for _, p := range f.result.Parked {
		f.apply(p.Target, func(state *plan.State) []plan.Verdict { return state.Park(p.Target.Want, p.Reason) })
	}
	f.doubt()
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

// persons keeps what the next claims must know about writes, for each record.
func (f *finish) persons(batch *pgx.Batch) {
	var ids []int64
	var unsure []bool
	var versions []string
	for _, one := range f.all {
		records := append([]push.RecordResult{{ID: one.claim.ID, Unsure: one.result.Unsure, Written: one.result.Written}}, one.result.Linked...)
		for _, r := range records {
			ids, unsure, versions = append(ids, r.ID), append(unsure, r.Unsure), append(versions, r.Written.Version)
		}
	}
	batch.Queue(`
		update sync.person p set unsure = u,
			written_version = case when v = '' then written_version else v end,
			written_at = case when v = '' then written_at else now() end
		from unnest($1::bigint[], $2::boolean[], $3::text[]) as r (id, u, v) where p.person_id = id and (p.unsure <> u or v <> '')`,
		ids, unsure, versions)
}

// queue takes persons out of the queue, or puts them back for when the next of their targets is due.
func (f *finish) queue(batch *pgx.Batch) {
	var done, again []int64
	var urgent, tried, untried, asksFirst []bool
	var waits []time.Duration
	for _, one := range f.all {
		wait, withdrawn, due := one.next()
		if !due {
			done = append(done, one.claim.ID)
			continue
		}
		again, urgent, waits = append(again, one.claim.ID), append(urgent, withdrawn), append(waits, wait)
		tried, untried = append(tried, one.result.RetryIn > 0), append(untried, one.result.Untried)
		asksFirst = append(asksFirst, wait == 0 && !withdrawn && one.claim.AskFirst)
		f.more = f.more || wait == 0
	}
	if len(done) > 0 {
		batch.Queue(`delete from sync.due where person_id = any ($1)`, done)
	}
	if len(again) > 0 {
		batch.Queue(`
			update sync.due d set lease = null, urgent = u,
				due_at = now() + case when a and exists (select from sync.ask where ask.person_id = id and first) then `+held+` else w end,
				crowd = case when u and not d.urgent then 0 else d.crowd end,
				attempts = case when n then attempts when t then attempts + 1 else 0 end
			from unnest($1::bigint[], $2::boolean[], $3::interval[], $4::boolean[], $5::boolean[], $6::boolean[]) as r (id, u, w, t, n, a)
			where d.person_id = id`, again, urgent, waits, tried, untried, asksFirst)
	}
}

// askWho has the register asked about persons under whose number it takes no share: they may have another one now.
func (f *finish) askWho(batch *pgx.Batch) {
	var ids []int64
	for _, one := range f.all {
		if slices.ContainsFunc(one.result.Parked, func(p push.Parked) bool {
			return p.Target.Want.Kind == plan.Shared && (p.Reason == reason.PersonUnknown || p.Reason == reason.RegisterRefused)
		}) {
			ids = append(ids, one.claim.ID)
		}
	}
	slices.Sort(ids)
	queueAsks(batch, ids, make([]bool, len(ids)))
}

// next tells when the person is due again: at once for a decision that came meanwhile, after the attempt's own wish for one
// that could not be carried out, after ParkedRetry for a withdrawal that was refused. Beside a withdrawal that is still to be carried out a
// share waits with it: else the person would stand among those who share.
func (f *finishing) next() (wait time.Duration, urgent, due bool) {
	first := false // a withdrawal is to be carried out
	for _, channel := range contact.Channels {
		state := f.states[key{f.claim.ID, channel}]
		if !state.Due() {
			continue
		}
		w, withdrawn := f.wait(channel, state), state.Want().Kind == plan.Withdrawn
		open := withdrawn && state.Parked == "" // a refused No that waits does not make a share urgent
		switch {
		case first && !open:
		case open && !first:
			wait, urgent, first = w, true, true
		case !due || w < wait:
			wait, urgent = w, withdrawn
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
