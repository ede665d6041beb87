package audit

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// RenewEra begins a new era if the database numbers its transactions lower than the chain has come: it is another cluster than
// before, restored from a dump. The pool is the owner's. Rows that were written there meanwhile move into the new era: no link has
// them yet.
func (l Log) RenewEra(ctx context.Context, pool *pgxpool.Pool) (renewed bool, err error) {
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		var reached Place
		var last int64
		var xmin uint64
		err := tx.QueryRow(ctx, `
			select coalesce(h.era, 1), coalesce(l.to_tx, '0'), coalesce((select max(last_id) from `+l.links()+`), 0), pg_snapshot_xmin(pg_current_snapshot())
			from (values ($1)) as one (chain)
			left join `+l.heads()+` h on h.chain = one.chain
			left join lateral (
				select to_tx from `+l.links()+` where to_era = coalesce(h.era, 1) order by number desc limit 1) l on true`, l.Name).Scan(
			&reached.Era, &reached.Tx, &last, &xmin)
		if renewed = err == nil && xmin < reached.Tx; !renewed {
			return err
		}
		return l.beginEra(ctx, tx, reached, last)
	})
	if err != nil {
		return false, fmt.Errorf("look whether the audit log %s needs a new era: %w", l.Name, err)
	}
	return renewed, nil
}

func (l Log) beginEra(ctx context.Context, tx pgx.Tx, reached Place, last int64) error {
	next := reached.Era + 1
	// Its lock keeps writers out until the end.
	if _, err := tx.Exec(ctx, `alter table `+l.table()+` alter column era set default `+strconv.Itoa(int(next))); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `update `+l.table()+` set era = $1 where era = $2 and id > $3 and tx < $4`, next, reached.Era, last, reached.Tx)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `update `+l.heads()+` set era = $2 where chain = $1`, l.Name, next)
	return err
}
