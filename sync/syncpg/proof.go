package syncpg

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

var _ push.Proofs = (*Store)(nil)

// lookAgain is how long a record that was shown too old is left alone.
const lookAgain = time.Second

// toProve queues the withdrawals that have just been settled. Reads may be late by ProofAfter.
func (f *finish) toProve(batch *pgx.Batch) {
	var persons []int64
	var channels, marks, outcomes, reasons, effects []string
	for _, one := range f.all {
		for _, s := range one.result.Settled {
			state := f.states[key{one.claim.ID, s.Target.Channel}]
			m := s.Target.Want.Mark()
			if _, counts := state.Withdrew(m); counts && state.Settled == m { // even if a newer share is wanted now: that may never be carried out
				persons, channels = append(persons, one.claim.ID), append(channels, string(s.Target.Channel))
				marks, outcomes = append(marks, string(m)), append(outcomes, string(s.Outcome))
				reasons, effects = append(reasons, string(s.Reason)), append(effects, joinCodes(s.Effects))
			}
		}
	}
	if len(persons) > 0 {
		batch.Queue(`
			insert into sync.proof (person_id, channel, mark, outcome, reason, effects, since, due_at)
			select p, c, m, o, w, string_to_array(e, ' '), now(), now() + $7
			from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) as r (p, c, m, o, w, e)
			on conflict (person_id, channel) do update set mark = excluded.mark, outcome = excluded.outcome, reason = excluded.reason,
				effects = excluded.effects, since = excluded.since, due_at = excluded.due_at`,
			persons, channels, marks, outcomes, reasons, effects, f.ProofAfter)
	}
}

// joinCodes puts codes, which have no spaces, into one text.
func joinCodes(codes []reason.Code) string {
	var all []string
	for _, c := range codes {
		all = append(all, string(c))
	}
	return strings.Join(all, " ")
}

// Proofs implements push.Proofs. A worker that dies with proofs in its hands delays them by a lease.
func (s *Store) Proofs(ctx context.Context, limit int) ([]push.Proof, error) {
	rows, err := s.Pool.Query(ctx, `
		with picked as (
			select person_id, channel from sync.proof where due_at <= now() or due_at > now() + interval '20 minutes'
			order by due_at limit $1 for update skip locked),
		taken as (
			update sync.proof x set due_at = now() + $2 from picked k where x.person_id = k.person_id and x.channel = k.channel
			returning x.person_id, x.channel, x.mark)
		select t.person_id, t.channel, t.mark, p.person_id, p.root, p.extension, p.written_version,
			coalesce(extract(epoch from now() - p.written_at), 0)::float8
		from taken t join sync.person p on p.person_id = t.person_id or p.primary_id = t.person_id
		order by t.person_id, t.channel, p.primary_id nulls first, p.person_id`, limit, s.Lease)
	if err != nil {
		return nil, fmt.Errorf("take proofs: %w", err)
	}
	var proofs []push.Proof
	var next push.Proof
	var number push.Linked
	var root, extension string
	var age float64
	_, err = pgx.ForEachRow(rows, []any{&next.ID, &next.Channel, &next.Mark, &number.ID, &root, &extension, &number.Written.Version, &age}, func() error {
		if last := len(proofs) - 1; last < 0 || proofs[last].ID != next.ID || proofs[last].Channel != next.Channel {
			proofs = append(proofs, next)
		}
		number.Person, number.Written.At = contact.KnownPersonID(root, extension), ago(age)
		last := &proofs[len(proofs)-1]
		last.Records = append(last.Records, number)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("take proofs: %w", err)
	}
	return proofs, nil
}

// Proved implements push.Proofs. What was decided or done since the look was handed out is not judged by it.
func (s *Store) Proved(ctx context.Context, looked []push.Looked) (since []time.Duration, undone []push.Proof, err error) {
	p := &proving{Store: s}
	err = s.begin(ctx, func(tx *transaction) error {
		p.tx, p.changed, p.kept = tx, map[key]plan.State{}, map[int64]contact.PersonID{}
		return p.run(ctx, looked)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("record %d proofs: %w", len(looked), err)
	}
	return p.since, p.undone, nil
}

// proving is what was seen, on its way into the database.
type proving struct {
	*Store
	tx       *transaction
	at       time.Time
	states   map[key]plan.State
	told     map[key]plan.Verdict // before; only of proofs that are still asked for
	changed  map[key]plan.State
	kept     map[int64]contact.PersonID // the number that a person is kept under
	outcomes []said
	since    []time.Duration
	undone   []push.Proof
}

func (p *proving) run(ctx context.Context, looked []push.Looked) error {
	wanted := map[key]push.Looked{}
	for _, l := range looked {
		wanted[key{l.Proof.ID, l.Proof.Channel}] = l
	}
	if err := p.lock(ctx, wanted); err != nil {
		return err
	}
	var audit pgx.Batch
	var over, early []key
	for _, k := range sortedKeys(wanted) {
		l := wanted[k]
		if _, asked := p.told[k]; !asked {
			continue // another worker has looked, or something new is to be proved
		}
		switch w, settled := p.settled(k, l.Proof.Mark); {
		case l.Seen == push.TooEarly:
			early = append(early, k)
			continue
		case !settled: // something newer has been carried out
		case l.Seen == push.Present && w.Mark() != p.states[k].Want().Mark():
			early = append(early, k) // perhaps as it is wanted now
			continue
		default:
			p.judge(&audit, k, l, w)
		}
		over = append(over, k)
	}
	if err := p.tx.SendBatch(ctx, &audit).Close(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if err := save(ctx, p.tx, p.changed); err != nil {
		return err
	}
	if err := p.queue(ctx, over, early); err != nil {
		return err
	}
	return p.publish(ctx, p.tx, p.outcomes, nil)
}

// lock takes the channel rows, then the proofs that are still about the same decision.
func (p *proving) lock(ctx context.Context, wanted map[key]push.Looked) error {
	keys := sortedKeys(wanted)
	rows, err := rowsThere(ctx, p.tx, keys, "for update")
	if err != nil {
		return err
	}
	if p.states, err = statesOf(rows); err != nil { // one that has moved to another number is empty
		return err
	}
	persons, channels := split(keys)
	marks := make([]string, len(keys))
	for i, k := range keys {
		marks[i] = string(wanted[k].Proof.Mark)
		p.kept[k.person] = wanted[k].Proof.Records[0].Person
	}
	proofs, err := p.tx.Query(ctx, `
		select x.person_id, x.channel, x.outcome, x.reason, x.effects, now() from sync.proof x
		join unnest($1::bigint[], $2::text[], $3::text[]) as l (p, c, m) on x.person_id = p and x.channel = c and x.mark = m
		order by x.person_id, x.channel for update of x`, persons, channels, marks)
	if err != nil {
		return err
	}
	p.told = map[key]plan.Verdict{}
	var k key
	var v plan.Verdict
	_, err = pgx.ForEachRow(proofs, []any{&k.person, &k.channel, &v.Outcome, &v.Reason, &v.Effects, &p.at}, func() error {
		p.told[k] = v
		v.Effects = nil // it belongs to the verdict now
		return nil
	})
	return err
}

// settled tells what the withdrawal wanted, if it is still the last that was carried out. A share that came since and is not carried out yet may
// never be: then the withdrawal counts again, and nobody pushes it.
func (p *proving) settled(k key, m plan.Mark) (w plan.Want, ok bool) {
	state := p.states[k]
	if state.Settled != m {
		return w, false
	}
	return state.Withdrew(m)
}

// judge tells that a detail is gone, or has the push begin anew.
func (p *proving) judge(audit *pgx.Batch, k key, l push.Looked, want plan.Want) {
	state, outcome := p.states[k], "removed"
	if l.Seen == push.Gone {
		v, told := want.Verdict(p.told[k].Outcome), p.told[k]
		v.Reason, v.Effects, v.Version, v.ProvedAt = told.Reason, told.Effects, l.Version, p.at
		p.outcomes = append(p.outcomes, p.about(p.kept[k.person], k.channel, v))
		p.since = append(p.since, max(0, p.at.Sub(time.UnixMicro(want.Revision)))) // a revision may lie up to 24 h ahead
	} else {
		state.Doubt(want)
		p.changed[k], outcome = state, "still_there"
		p.undone = append(p.undone, l.Proof)
	}
	p.queueEntries(audit, entry{at: p.at, action: "register.prove", person: k.person, channel: string(k.channel), ground: want.EventID, outcome: outcome, version: l.Version})
}

func (p *proving) queue(ctx context.Context, over, early []key) error {
	q := queue{}
	for k, state := range p.changed {
		q.add(k.person, p.kept[k.person], state)
		undone := q[k.person]
		undone.crowd = still
		q[k.person] = undone
	}
	if len(q) > 0 {
		if err := q.put(ctx, p.tx); err != nil {
			return err
		}
	}
	persons, channels := split(over)
	_, err := p.tx.Exec(ctx, `delete from sync.proof where (person_id, channel) in (select * from unnest($1::bigint[], $2::text[]))`, persons, channels)
	if err != nil || len(early) == 0 {
		return err
	}
	persons, channels = split(early)
	_, err = p.tx.Exec(ctx, `
		update sync.proof set due_at = now() + $3 where (person_id, channel) in (select * from unnest($1::bigint[], $2::text[]))`,
		persons, channels, lookAgain)
	return err
}
