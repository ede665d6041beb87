package syncpg

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// querier is a transaction.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// transaction is one whose BEGIN goes with its first statements, and whose COMMIT with the last ones where these are known: on a machine
// that is busy each way to PostgreSQL and back takes longer than what is done there.
type transaction struct {
	conn         *pgxpool.Conn
	begun, ended bool
}

// begin runs a transaction that may put something into the outbox, and tells of it when that is durable.
func (s *Store) begin(ctx context.Context, do func(*transaction) error) error {
	conn, err := s.Pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release() // which closes the connection if the transaction is not over
	t := &transaction{conn: conn}
	if err = do(t); err == nil && t.begun && !t.ended {
		err = t.last(ctx, &pgx.Batch{})
	}
	if err != nil {
		_, _ = conn.Exec(ctx, `rollback`)
		return err
	}
	if s.Written != nil {
		s.Written(ctx)
	}
	return nil
}

// SendBatch implements querier.
func (t *transaction) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if !t.begun {
		t.begun = true
		b.QueuedQueries = slices.Insert(b.QueuedQueries, 0, &pgx.QueuedQuery{SQL: `begin`})
	}
	return t.conn.SendBatch(ctx, b)
}

// types is what the connection knows of PostgreSQL's types.
func (t *transaction) types() *pgtype.Map { return t.conn.Conn().TypeMap() }

// last sends a batch and ends the transaction with it. What a statement of the batch returns cannot undo it any more, unless it is an error of
// PostgreSQL's.
func (t *transaction) last(ctx context.Context, b *pgx.Batch) error {
	b.Queue(`commit`).Exec(func(done pgconn.CommandTag) error {
		if done.String() != "COMMIT" {
			return pgx.ErrTxCommitRollback
		}
		return nil
	})
	t.ended = true
	return t.SendBatch(ctx, b).Close()
}

func (t *transaction) start(ctx context.Context) error {
	if t.begun {
		return nil
	}
	t.begun = true
	_, err := t.conn.Exec(ctx, `begin`)
	return err
}

// Exec implements querier.
func (t *transaction) Exec(ctx context.Context, sql string, args ...any) (done pgconn.CommandTag, err error) {
	if err := t.start(ctx); err != nil {
		return done, err
	}
	return t.conn.Exec(ctx, sql, args...)
}

// Query implements querier.
func (t *transaction) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := t.start(ctx); err != nil {
		return nil, err
	}
	return t.conn.Query(ctx, sql, args...)
}

// QueryRow implements querier.
func (t *transaction) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if err := t.start(ctx); err != nil {
		return noRow{err}
	}
	return t.conn.QueryRow(ctx, sql, args...)
}

type noRow struct{ err error }

func (n noRow) Scan(...any) error { return n.err }
