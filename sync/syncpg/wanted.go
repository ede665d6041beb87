package syncpg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/contact"
	"contactsync/sync/plan"
	"contactsync/sync/reconcile"
)

var _ reconcile.Store = (*Store)(nil)

// pageSQL finds persons with a decision, those of whom some channel's want is a withdrawal ($4) or the others: exactly which, plan says; a
// scoped withdrawal or a parked share is taken for one here. It goes by the primary key alone: an index for this would make every decision
// that comes dearer.
const pageSQL = `
	select person_id from sync.channel where person_id > $1 and person_id <= $2
	group by person_id
	having bool_or(share_revision is not null or withdrawal_revision is not null or scoped <> '{}')
		and bool_or(withdrawal_revision is not null and (share_revision is null or withdrawal_revision >= share_revision)
			or scoped <> '{}' or blocked <> '') = $4
	order by person_id limit $3`

// One statement looks through few persons at first, and through more and more while hardly any are found: where few have withdrawn, none
// shall take minutes, nor keep old rows alive.
const (
	firstSpan = 2000
	mostSpan  = 100_000
)

// Page implements reconcile.Store.
func (s *Store) Page(ctx context.Context, phase reconcile.Phase, after, last int64, numbers int) (reconcile.Page, error) {
	page := reconcile.Page{Through: after}
	var ids []int64
	for span := int64(firstSpan); len(ids) < numbers && page.Through < last; span = min(2*span, mostSpan) {
		to := min(page.Through+span, last)
		more, err := s.ids(ctx, pageSQL, page.Through, to, numbers-len(ids), phase == reconcile.Withdrawals)
		if err != nil {
			return page, fmt.Errorf("find persons: %w", err)
		}
		ids, page.Through = append(ids, more...), to
	}
	if len(ids) == numbers {
		page.Through = ids[len(ids)-1]
	}
	all, err := s.Persons(ctx, ids)
	if err != nil {
		return page, err
	}
	page.Persons = all
	for i, total := 0, 0; i < len(all); i++ {
		if total += len(all[i].Numbers); total > numbers && i > 0 {
			page.Persons, page.Through = all[:i], all[i-1].ID
			break
		}
	}
	page.End = page.Through >= last
	return page, nil
}

func (s *Store) ids(ctx context.Context, sql string, args ...any) (ids []int64, err error) {
	rows, err := s.Pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// Persons implements reconcile.Store. They come in the order of their ids.
func (s *Store) Persons(ctx context.Context, ids []int64) ([]reconcile.Person, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	persons, err := s.numbersOf(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read persons: %w", err)
	}
	at, kept := map[int64]*reconcile.Person{}, make([]int64, len(persons))
	for i := range persons {
		at[persons[i].ID], kept[i] = &persons[i], persons[i].ID
	}
	rows, err := s.Pool.Query(ctx, `select `+columns+` from sync.channel where person_id = any ($1)`, kept)
	if err != nil {
		return nil, fmt.Errorf("read states: %w", err)
	}
	all, err := states(rows)
	for k, state := range all {
		at[k.person].States[k.channel] = state
	}
	return persons, err
}

// numbersOf returns the persons that the ids are numbers of, each once, with all numbers and no states.
func (s *Store) numbersOf(ctx context.Context, ids []int64) (persons []reconcile.Person, err error) {
	rows, err := s.Pool.Query(ctx, `
		with kept as (select distinct coalesce(primary_id, person_id) as id from sync.person where person_id = any ($1)),
		number as (
			select id, p.* from kept join sync.person p on p.person_id = id
			union all select id, p.* from kept join sync.person p on p.primary_id = id)
		select id, root, extension, unsure, written_version, written_at, now(), exists (select from sync.due d where d.person_id = id)
		from number order by id, primary_id nulls first, person_id`, ids)
	if err != nil {
		return nil, err
	}
	var p reconcile.Person
	var root, extension string
	var unsure bool
	var n reconcile.Number
	var written *time.Time
	_, err = pgx.ForEachRow(rows, []any{&p.ID, &root, &extension, &unsure, &n.Version, &written, &p.SeenAt, &p.Due}, func() error {
		if i := len(persons) - 1; i < 0 || persons[i].ID != p.ID {
			persons = append(persons, reconcile.Person{ID: p.ID, SeenAt: p.SeenAt, Due: p.Due, States: map[contact.Channel]plan.State{}})
		}
		n.Person, n.WrittenAt = contact.KnownPersonID(root, extension), time.Time{}
		if written != nil {
			n.WrittenAt = *written
		}
		of := &persons[len(persons)-1]
		of.Numbers, of.Unsure = append(of.Numbers, n), of.Unsure || unsure
		return nil
	})
	return persons, err
}
