package syncpg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/reason"
)

// Backlog is how far the register is behind.
type Backlog struct {
	Withdrawals, Shares Waiting
	Parked              map[reason.Code]int64 // decisions that cannot be carried out for now, waiting guardians' shares included
	Outbox              int64                 // messages that wait to be published
	Questions           int64                 // persons about whom the register is to be asked who they are
	Unproved            Waiting               // removals that the register has not been seen to show
}

// Waiting is what is due of one kind.
type Waiting struct {
	Persons int64
	Oldest  time.Duration // since when; 0 if nobody waits. A withdrawal that the register has refused does not count
}

// refusedSoFar: the register has refused the withdrawal, and is asked again now and then. That is no delay, and is told as parked.
const refusedSoFar = `(due_at > now() and lease is null
	and exists (select from sync.channel c where c.person_id = due.person_id and c.parked <> ''))`

// Backlog counts what waits. Counting what is parked reads every channel row.
func (s *Store) Backlog(ctx context.Context) (b Backlog, err error) {
	err = s.Pool.QueryRow(ctx, `
		select count(*) filter (where urgent), coalesce(max(now() - since) filter (where urgent and not `+refusedSoFar+`), '0'),
			count(*) filter (where not urgent), coalesce(max(now() - since) filter (where not urgent), '0'),
			(select count(*) from sync.outbox), (select count(*) from sync.ask),
			(select count(*) from sync.proof), coalesce((select max(now() - since) from sync.proof), '0')
		from sync.due`).Scan(&b.Withdrawals.Persons, &b.Withdrawals.Oldest, &b.Shares.Persons, &b.Shares.Oldest, &b.Outbox, &b.Questions,
		&b.Unproved.Persons, &b.Unproved.Oldest)
	if err != nil {
		return b, fmt.Errorf("count what is due: %w", err)
	}
	rows, err := s.Pool.Query(ctx, `
		select reason, count(*) from (
			select blocked from sync.channel where blocked not in ('', '`+string(reason.Dropped)+`')
			union all select parked from sync.channel where parked <> ''
			union all select $1 from sync.channel where waiting <> '[]') as p (reason) group by reason`, string(reason.GuardianUnconfirmed))
	if err != nil {
		return b, fmt.Errorf("count what is parked: %w", err)
	}
	b.Parked = map[reason.Code]int64{}
	var why reason.Code
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&why, &n}, func() error { b.Parked[why] = n; return nil })
	return b, err
}
