package syncpg

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/contact"
	"contactsync/sync/plan"
)

// number is a number of a person as we have it.
type number struct {
	id      int64
	person  contact.PersonID
	primary *int64 // where it is kept; nil: under itself
}

// link makes one person of all numbers that the answer names: what was decided under any of them is kept under the primary one from
// now on. It waits until nobody writes to one of their records, or fails with errBusy: a claim knows only the numbers that it was
// made for.
func (l *learning) link(ctx context.Context) error {
	// One at a time, so that two answers cannot join overlapping numbers in different ways. It is rare.
	if _, err := l.tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext('contactsync sync.link'))`); err != nil {
		return err
	}
	numbers, err := l.numbers(ctx)
	if err != nil {
		return fmt.Errorf("find numbers: %w", err)
	}
	i := slices.IndexFunc(numbers, func(n number) bool { return n.person == l.answer.Person.Primary })
	head := numbers[i] // numbers has made it
	var others []number
	for _, n := range numbers {
		if n.id != head.id && (n.primary == nil || *n.primary != head.id) {
			others = append(others, n)
		}
	}
	l.id, l.kept = head.id, head.person
	if len(others) == 0 {
		return nil
	}
	return l.join(ctx, head, others)
}

// numbers returns every number that the answer names, made where it was unknown, and those that they were joined with before.
func (l *learning) numbers(ctx context.Context) ([]number, error) {
	p := l.answer.Person
	var roots, extensions []string
	for _, id := range append([]contact.PersonID{l.question.Person, p.Primary}, p.Others...) {
		roots, extensions = append(roots, id.Root()), append(extensions, id.RevealExtension())
	}
	_, err := l.tx.Exec(ctx, `
		insert into sync.person (root, extension) select distinct r collate "C", e collate "C" from unnest($1::text[], $2::text[]) as p (r, e)
		order by 1, 2 on conflict (root, extension) do nothing`, roots, extensions)
	if err != nil {
		return nil, err
	}
	rows, err := l.tx.Query(ctx, `
		with named as (
			select coalesce(primary_id, person_id) as kept from sync.person
			where (root, extension) in (select r, e from unnest($1::text[], $2::text[]) as p (r, e)))
		select person_id, root, extension, primary_id from sync.person
		where person_id in (select kept from named) or primary_id in (select kept from named) order by person_id`, roots, extensions)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (n number, err error) {
		var root, extension string
		err = r.Scan(&n.id, &root, &extension, &n.primary)
		n.person = contact.KnownPersonID(root, extension)
		return n, err
	})
}

func (l *learning) join(ctx context.Context, head number, others []number) error {
	keys, ids := keysOf(head.id), make([]int64, len(others))
	for i, n := range others {
		keys, ids[i] = append(keys, keysOf(n.id)...), n.id
	}
	sortKeys(keys)
	rows, err := lockedRows(ctx, l.tx, keys)
	if err != nil {
		return err
	}
	states, err := statesOf(rows)
	if err != nil {
		return err
	}
	if l.since, err = l.idle(ctx, append(ids, head.id)); err != nil {
		return err
	}
	for _, k := range keysOf(head.id) {
		state := states[k]
		for _, n := range others {
			from := key{n.id, k.channel}
			for _, v := range state.Join(states[from], n.person) {
				l.outcomes = append(l.outcomes, l.about(head.person, k.channel, v))
			}
			states[from] = plan.State{}
		}
		states[k] = state
	}
	if err := save(ctx, l.tx, states); err != nil {
		return err
	}
	return l.move(ctx, head, ids)
}

// idle locks the due rows of all numbers, and tells since when the first of them waits.
func (l *learning) idle(ctx context.Context, ids []int64) (since *time.Time, err error) {
	rows, err := l.tx.Query(ctx, `select since, lease from sync.due where person_id = any ($1) order by person_id for update`, ids)
	if err != nil {
		return nil, err
	}
	var waits time.Time
	var lease *int64
	_, err = pgx.ForEachRow(rows, []any{&waits, &lease}, func() error {
		if lease != nil {
			return errBusy
		}
		if since == nil || waits.Before(*since) {
			first := waits
			since = &first
		}
		return nil
	})
	return since, err
}

// move leads whoever comes with one of the other numbers to the primary one.
func (l *learning) move(ctx context.Context, head number, ids []int64) error {
	for _, statement := range []string{
		`update sync.channel set moved_to = $1 where person_id = any ($2)`,
		`update sync.channel set moved_to = null where person_id = $1 and $2::bigint[] is not null`,
		`update sync.person set primary_id = $1 where person_id = any ($2)`,
		`update sync.person set primary_id = null where person_id = $1 and $2::bigint[] is not null`,
		`delete from sync.due where person_id = any ($2) and person_id <> $1`,
	} {
		if _, err := l.tx.Exec(ctx, statement, head.id, ids); err != nil {
			return fmt.Errorf("join numbers: %w", err)
		}
	}
	return l.audit(ctx, "identity.link", "", "", "joined", "")
}
