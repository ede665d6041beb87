package syncpg

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/contact"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

// Claim implements push.Store. A lease that ran out is taken over, and marks the person unsure: whoever held it may have a
// write under way. Shares are claimed only while every partition is read up to its gate.
func (s *Store) Claim(ctx context.Context, limit int, urgent, shares bool) ([]push.Claim, error) {
	claims, err := s.lease(ctx, limit, urgent)
	if err == nil && len(claims) > 0 {
		describing, cancel := context.WithTimeout(context.WithoutCancel(ctx), describeTimeout) // a stop must not leave leases behind
		defer cancel()
		err = s.describe(describing, claims, shares) // if it fails they run out
	}
	if err != nil {
		return nil, fmt.Errorf("claim persons: %w", err)
	}
	out := make([]push.Claim, len(claims))
	for i, c := range claims {
		out[i] = c.Claim
	}
	return out, nil
}

// describeTimeout is for the second half of a claim, which nobody's stop cuts short.
const describeTimeout = 2 * time.Second

// leased is a claim in the making.
type leased struct {
	push.Claim
	takenOver bool // from somebody who may have a write under way, on any of the person's records
	linked    bool // the person has other numbers
	seen      seen
}

// Hasten implements push.Store. A withdrawal that the register refused is no failed attempt, and keeps its time. All conditions but the last two
// let the index find the few who were tried among a million who were not.
func (s *Store) Hasten(ctx context.Context) error {
	_, err := s.Pool.Exec(ctx, `
		update sync.due set due_at = now()
		where urgent = any ('{true,false}') and `+lateSQL+` = any ('{true,false}') and crowd = any (array(select generate_series(-1, 40)))
			and least(attempts, 8) > 0 and lease is null and due_at > now()`)
	if err != nil {
		return fmt.Errorf("hasten: %w", err)
	}
	return nil
}

// UnderWay implements push.Store. Those that have failed often do not count: that is no crowd to wait for. All conditions but the last let the index
// find them: a withdrawal's crowd is between still and crowded, and no lease of ours ends later.
func (s *Store) UnderWay(ctx context.Context, limit int) (n int, err error) {
	err = s.Pool.QueryRow(ctx, `
		select count(*) from (select from sync.due
			where urgent and `+lateSQL+` = any ('{false}') and crowd = any ('{-1,0,1}') and least(attempts, 8) = any ('{0,1,2,3,4,5,6,7}') and due_at > now() and due_at <= now() + $1 and lease is not null
			limit $2) as leased`, s.Lease, limit).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count withdrawals under way: %w", err)
	}
	return n, nil
}

// lateSQL tells who stands behind all others: those who fail again and again. Not so a No before a flood: an outage fails whoever stands first, and
// nobody's No may wait for the end of a flood. It stands behind every fresh one of its own crowd, and is tried twice a minute or so.
const lateSQL = `(attempts >= 8 and (crowd > 0 or not urgent))`

// A claimed row's due_at is the end of its lease: until then nobody sees it as due. Nothing is ever due more than 20 minutes ahead,
// unless the database's clock was set back. First come those of e-services that send few, and among these whoever was tried least.
const leaseSQL = `
	with picked as (
		select person_id, lease is not null as taken_over from sync.due
		where urgent = $1 and (due_at <= now() or due_at > now() + interval '20 minutes') and ($1 or ` + gateSQL + `)
		order by ` + lateSQL + `, crowd, least(attempts, 8), due_at limit $2 for update skip locked)
	update sync.due d set lease = nextval('sync.lease'), due_at = now() + $3
	from picked join sync.person p using (person_id) where d.person_id = p.person_id
	returning p.person_id, p.root, p.extension, d.lease, d.attempts, p.unsure or picked.taken_over, p.written_version,
		coalesce(extract(epoch from now() - p.written_at), 0)::float8, picked.taken_over,
		exists (select from sync.ask a where a.person_id = p.person_id and a.first),
		exists (select from sync.person l where l.primary_id = p.person_id), d.xmin`

func (s *Store) lease(ctx context.Context, limit int, urgent bool) ([]leased, error) {
	asked := time.Now() // before the database's now(): our lease ends no later than the database's
	rows, err := s.Pool.Query(ctx, leaseSQL, urgent, limit, s.Lease)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (leased, error) {
		c := leased{Claim: push.Claim{Expires: asked.Add(s.Lease)}}
		var root, extension string
		var age float64
		err := r.Scan(&c.ID, &root, &extension, &c.Token, &c.Attempts, &c.Unsure, &c.Written.Version, &age, &c.takenOver, &c.AskFirst, &c.linked, &c.seen.place)
		c.Person = contact.KnownPersonID(root, extension)
		c.Written.At = ago(age)
		return c, err
	})
}

func ago(seconds float64) time.Time {
	return time.Now().Add(-time.Duration(seconds * float64(time.Second)))
}

// describe says what is to be done under the leases. What was decided since they were taken is seen here, or by Finish.
func (s *Store) describe(ctx context.Context, claims []leased, shares bool) error {
	ids := make([]int64, len(claims))
	for i, c := range claims {
		ids[i] = c.ID
	}
	var batch pgx.Batch
	queueLinked(&batch, claims)
	var read []versionedRow
	batch.Queue(`select $1 and `+gateSQL, shares).QueryRow(func(row pgx.Row) error { return row.Scan(&shares) })
	queueVersioned(&batch, ids, &read)
	if err := s.Pool.SendBatch(ctx, &batch).Close(); err != nil {
		return err
	}
	return addTargets(claims, read, shares)
}

func queueVersioned(batch *pgx.Batch, ids []int64, read *[]versionedRow) {
	batch.Queue(`select `+columns+`, xmin from sync.channel where person_id = any ($1)`, ids).Query(func(rows pgx.Rows) (err error) {
		*read, err = pgx.CollectRows(rows, pgx.RowToStructByPos[versionedRow])
		return err
	})
}

// queueLinked gives each claim the records of the person's other numbers.
func queueLinked(batch *pgx.Batch, claims []leased) {
	at := map[int64]int{}
	var ids []int64
	for i, c := range claims {
		if c.linked {
			at[c.ID], ids = i, append(ids, c.ID)
		}
	}
	if len(ids) == 0 {
		return
	}
	batch.Queue(`
		select primary_id, person_id, root, extension, unsure, written_version, coalesce(extract(epoch from now() - written_at), 0)::float8
		from sync.person where primary_id = any ($1) order by person_id`, ids).Query(func(rows pgx.Rows) error {
		var primary int64
		var l push.Linked
		var root, extension string
		var age float64
		_, err := pgx.ForEachRow(rows, []any{&primary, &l.ID, &root, &extension, &l.Unsure, &l.Written.Version, &age}, func() error {
			c := &claims[at[primary]]
			l.Person, l.Written.At = contact.KnownPersonID(root, extension), ago(age)
			l.Unsure = l.Unsure || c.takenOver
			c.Linked = append(c.Linked, l)
			return nil
		})
		return err
	})
}

// addTargets gives each claim what is due, shares only where they are allowed: a person may be claimed for a withdrawal while
// the other channel's share must wait. A channel that is settled is left alone: if somebody else changed it since, that is for
// the reconciliation to judge. But where a write of unknown end may still land, a settled withdrawal is looked after again.
func addTargets(claims []leased, read []versionedRow, shares bool) error {
	known := make(map[key]seenRow, len(read))
	for _, r := range read {
		state, err := r.state()
		if err != nil {
			return err
		}
		known[r.key()] = seenRow{contact.Channel(r.Channel), r.Version, state}
	}
	for i := range claims {
		c := &claims[i]
		for _, channel := range contact.Channels {
			row, there := known[key{c.ID, channel}]
			state := row.state
			if there {
				c.seen.rows = append(c.seen.rows, row)
			}
			withdrawn := state.Want().Kind == plan.Withdrawn
			if state.Due() && (shares && !c.AskFirst || withdrawn) || c.unsure() && withdrawn {
				c.Targets = append(c.Targets, plan.Target{Channel: channel, Want: state.Want()})
			}
		}
		c.Seen = c.seen
	}
	return nil
}

// unsure tells whether a write may still land on any of the person's records.
func (c leased) unsure() bool {
	return c.Unsure || slices.ContainsFunc(c.Linked, func(l push.Linked) bool { return l.Unsure })
}

// Waiting implements push.Store. The order is that of the claims.
func (s *Store) Waiting(ctx context.Context, limit int) ([]contact.PersonID, error) {
	rows, err := s.Pool.Query(ctx, `
		select p.root, p.extension from (
			(select person_id, 0 as turn, `+lateSQL+` as late, attempts, crowd, due_at from sync.due where urgent and lease is null and due_at <= now()
				order by `+lateSQL+`, crowd, least(attempts, 8), due_at limit $1)
			union all
			(select person_id, 1, `+lateSQL+`, attempts, crowd, due_at from sync.due where not urgent and lease is null and due_at <= now()
				order by `+lateSQL+`, crowd, least(attempts, 8), due_at limit $1)) as d
		join sync.person p using (person_id)
		where not exists (select from sync.person l where l.primary_id = d.person_id)
		order by d.turn, d.late, d.crowd, least(d.attempts, 8), d.due_at limit $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("look who waits: %w", err)
	}
	persons, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (contact.PersonID, error) {
		var root, extension string
		err := r.Scan(&root, &extension)
		return contact.KnownPersonID(root, extension), err
	})
	if err != nil {
		return nil, fmt.Errorf("look who waits: %w", err)
	}
	return persons, nil
}
