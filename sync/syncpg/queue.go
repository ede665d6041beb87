package syncpg

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/contact"
	"contactsync/sync/plan"
)

// queued is what is to be done about a person.
type queued struct {
	kept     contact.PersonID // the number that the person is kept under
	due      bool
	urgent   bool   // a withdrawal is due
	free     bool   // something is due that needs no answer first
	ask      bool   // the register is to be asked who the person is
	askFirst bool   // before a share is pushed
	source   string // of what is due, of a withdrawal if there is one, of a person's own if there is one
	closes   bool   // only that: an e-service takes back what it shared itself, as when it closes its accounts
	crowd    int16  // how crowded that is; still for a detail that stands there though it was withdrawn
	place    bool   // somebody is there to carry it out at once
}

// The crowds of withdrawals: still goes before every other one, since the person was told that it was carried out; then come those of
// e-services that send few, and those of the others.
const still, crowded = -1, 1

// leases tells what became of persons who were queued with a place.
type leases struct {
	length time.Duration
	got    func(person, token int64, place uint32)
}

// queue collects by person what follows from changed states.
type queue map[int64]queued

// add takes one channel of a person in, who is kept under a number.
//
// The register is asked about a guardian's share, about a share by somebody with a samordningsnummer or another number than the
// primary one, since it must go to the number that counts now, and about a withdrawal, which goes to the records of all numbers. The
// withdrawal does not wait for the answer.
func (q queue) add(person int64, kept contact.PersonID, state plan.State) {
	want, all := state.Want(), q[person]
	all.kept = kept
	shared := want.Kind == plan.Shared
	first := shared && (kept.Root() == contact.RootSamordningsnummer || !want.Under.IsZero())
	if state.Due() {
		all.due = true
		closes := !shared && state.Scoped[want.Source].EventID == want.EventID
		if !all.urgent || all.closes && !shared && !closes {
			all.urgent, all.source, all.closes = !shared, want.Source, closes
		}
		all.free = all.free || !first
		all.ask = all.ask || first || !shared
		all.askFirst = all.askFirst || first
	}
	all.ask = all.ask || len(state.Waiting) > 0
	q[person] = all
}

// held is how long a person is left alone whose shares wait for an answer. The answer makes the person due at once.
const held = `interval '10 seconds'`

// put is queue at once.
func (q queue) put(ctx context.Context, tx querier) error {
	var batch pgx.Batch
	q.queue(&batch, leases{})
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("queue persons: %w", err)
	}
	return nil
}

// queue queues persons. One that waits for its next attempt is tried at once: the decision is new. One that somebody works on stays
// theirs; Finish sees the new decision, by xmin, and that of the version before, which may run beside us, by more. One that nobody has queued
// before and that has a place is leased, but a share only if it could be claimed.
func (q queue) queue(batch *pgx.Batch, l leases) {
	var asks, due []int64
	var first, urgent, free, places []bool
	var crowds []int16
	for _, person := range slices.Sorted(maps.Keys(q)) {
		p := q[person]
		if p.ask {
			asks, first = append(asks, person), append(first, p.askFirst)
		}
		if p.due {
			due, urgent, free = append(due, person), append(urgent, p.urgent), append(free, p.free)
			crowds, places = append(crowds, p.crowd), append(places, p.place)
		}
	}
	if len(due) > 0 {
		queueDue(batch, l, due, urgent, free, crowds, places)
	}
	queueAsks(batch, asks, first)
}

func queueDue(batch *pgx.Batch, l leases, persons []int64, urgent, free []bool, crowds []int16, places []bool) {
	leased := `false`
	if slices.Contains(places, true) {
		leased = `l and (u or (select ` + gateSQL + `))`
	}
	batch.Queue(`
		insert into sync.due (person_id, urgent, since, crowd, due_at, lease)
		select p, u, now(), c, now() + case when t then $6 when f then '0' else `+held+` end, case when t then nextval('sync.lease') end
		from (select p, u, f, c, n, `+leased+` as t
			from unnest($1::bigint[], $2::boolean[], $3::boolean[], $4::smallint[], $5::boolean[]) with ordinality as d (p, u, f, c, l, n)) as d order by n
		on conflict (person_id) do update set
			urgent = due.urgent or excluded.urgent, more = true, crowd = least(due.crowd, excluded.crowd),
			due_at = case when due.lease is not null then due.due_at
				when excluded.lease is null and excluded.due_at > now() then least(due.due_at, excluded.due_at) else now() end,
			attempts = case when due.lease is null then 0 else due.attempts end
		returning person_id, case when more then null else lease end, xmin`,
		persons, urgent, free, crowds, places, l.length).Query(func(rows pgx.Rows) error {
		var person int64
		var token *int64
		var place uint32
		_, err := pgx.ForEachRow(rows, []any{&person, &token, &place}, func() error {
			if token != nil {
				l.got(person, *token, place)
			}
			return nil
		})
		return err
	})
}

// queueAsks queues persons to ask about. A question that is under way is asked again: its answer may be older than the reason.
func queueAsks(batch *pgx.Batch, persons []int64, first []bool) {
	if len(persons) == 0 {
		return
	}
	batch.Queue(`
		insert into sync.ask (person_id, first, due_at, turn)
		select p, f, now(), nextval('sync.lease') from unnest($1::bigint[], $2::boolean[]) with ordinality as d (p, f, n) order by n
		on conflict (person_id) do update set first = ask.first or excluded.first, due_at = excluded.due_at, turn = excluded.turn`,
		persons, first)
}
