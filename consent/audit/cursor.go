package audit

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// cursor reads the rows of a query some at a time, so that several queries can be read side by side in one snapshot.
type cursor[T any] struct {
	tx    pgx.Tx
	name  string
	fetch string
	scan  func(pgx.Rows) (T, error)
	some  []T
	ended bool
}

// newCursor names are words of the program.
func newCursor[T any](tx pgx.Tx, name string, count int, scan func(pgx.Rows) (T, error)) *cursor[T] {
	name = pgx.Identifier{name}.Sanitize()
	return &cursor[T]{tx: tx, name: name, fetch: "fetch forward " + strconv.Itoa(count) + " from " + name, scan: scan}
}

func (c *cursor[T]) open(ctx context.Context, query string) error {
	_, err := c.tx.Exec(ctx, "declare "+c.name+" no scroll cursor for "+query)
	return err
}

// peek returns the next row, nil at the end.
func (c *cursor[T]) peek(ctx context.Context) (*T, error) {
	if len(c.some) == 0 && !c.ended {
		rows, err := c.tx.Query(ctx, c.fetch)
		if err != nil {
			return nil, err
		}
		c.some, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (T, error) { return c.scan(rows) })
		if err != nil {
			return nil, err
		}
		c.ended = len(c.some) == 0
	}
	if c.ended {
		return nil, nil
	}
	return &c.some[0], nil
}

// take removes the row that was peeked at.
func (c *cursor[T]) take() { c.some = c.some[1:] }

func (c *cursor[T]) next(ctx context.Context) (*T, error) {
	row, err := c.peek(ctx)
	if row != nil {
		c.take()
	}
	return row, err
}
