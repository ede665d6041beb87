package syncpg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/contact"
	"contactsync/sync/plan"
)

// Explanation is what the worker knows of one person, for people to look at.
type Explanation struct {
	Others []contact.PersonID             // the person's other numbers
	States map[contact.Channel]plan.State // a channel that nobody ever decided on has none
	Due    *Due                           // nil: nothing is left to do
	// Unproved are the channels where a removal has not been seen in the register yet.
	Unproved map[contact.Channel]bool
}

// Due tells since when a person waits for the register, and when it is tried next.
type Due struct {
	Since, Next time.Time
	Attempts    int // since the last success
}

// Explain reads what is known of a person at one moment, under whichever of the person's numbers. For a person that no decision came for it is empty.
func (s *Store) Explain(ctx context.Context, p contact.PersonID) (Explanation, error) {
	e := Explanation{States: map[contact.Channel]plan.State{}, Unproved: map[contact.Channel]bool{}}
	oneMoment := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.Pool, oneMoment, func(tx pgx.Tx) error {
		var id int64
		err := tx.QueryRow(ctx, `select coalesce(primary_id, person_id) from sync.person where root = $1 and extension = $2`,
			p.Root(), p.RevealExtension()).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if e.Others, err = explainOthers(ctx, tx, id, p); err != nil {
			return err
		}
		if err := explainStates(ctx, tx, id, e.States); err != nil {
			return err
		}
		if err := explainProofs(ctx, tx, id, e.Unproved); err != nil {
			return err
		}
		e.Due, err = explainDue(ctx, tx, id)
		return err
	})
	if err != nil {
		return Explanation{}, fmt.Errorf("explain a person: %w", err)
	}
	return e, nil
}

func explainOthers(ctx context.Context, tx pgx.Tx, id int64, asked contact.PersonID) ([]contact.PersonID, error) {
	rows, err := tx.Query(ctx, `
		select root, extension from sync.person where person_id = $1 and (root, extension) <> ($2, $3)
		union all select root, extension from sync.person where primary_id = $1 and (root, extension) <> ($2, $3)`,
		id, asked.Root(), asked.RevealExtension())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (contact.PersonID, error) {
		var root, extension string
		err := r.Scan(&root, &extension)
		return contact.KnownPersonID(root, extension), err
	})
}

func explainStates(ctx context.Context, tx pgx.Tx, id int64, into map[contact.Channel]plan.State) error {
	rows, err := tx.Query(ctx, `select `+columns+` from sync.channel where person_id = $1`, id)
	if err != nil {
		return err
	}
	known, err := states(rows)
	for k, state := range known {
		into[k.channel] = state
	}
	return err
}

func explainProofs(ctx context.Context, tx pgx.Tx, id int64, into map[contact.Channel]bool) error {
	rows, err := tx.Query(ctx, `select channel from sync.proof where person_id = $1`, id)
	if err != nil {
		return err
	}
	var channel contact.Channel
	_, err = pgx.ForEachRow(rows, []any{&channel}, func() error { into[channel] = true; return nil })
	return err
}

func explainDue(ctx context.Context, tx pgx.Tx, id int64) (*Due, error) {
	var d Due
	err := tx.QueryRow(ctx, `select since, due_at, attempts from sync.due where person_id = $1`, id).Scan(&d.Since, &d.Next, &d.Attempts)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &d, err
}
