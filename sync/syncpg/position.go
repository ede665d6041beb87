package syncpg

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/pgschema"
	"contactsync/consent/stream"
	"contactsync/sync/intake"
)

// gateSQL tells whether every partition is read as far as it reached when it was last assigned, and that was under this run: until then a
// withdrawal may lie in Kafka that the database has forgotten.
const gateSQL = `not exists (select from sync.partition where next_offset < gate_offset or run <> ` + pgschema.RunSQL + `)`

// Assigned implements intake.Store. A partition that nobody has read yet stands at the log's start. So does one that Kafka
// knows no committed offset of, or whose log is shorter than what we read: it may be another log, and must be read whole. Only if
// that start lies after what we read, as when both offsets and records were deleted in a long outage, the place where we were
// stays: to ask for what is gone is what raises the alarm. Partitions that another topic has no more are forgotten when they are read, or lost.
func (s *Store) Assigned(ctx context.Context, topic string, assigned []stream.Assignment, ends map[int]int64) ([]int64, error) {
	next := make([]int64, len(assigned))
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		numbers := slices.Sorted(maps.Keys(ends))
		for _, number := range numbers {
			_, err := tx.Exec(ctx, `
				insert into sync.partition as p (topic, number, next_offset, gate_offset) values ($1, $2, 0, $3)
				on conflict (topic, number) do update set gate_offset = greatest(p.gate_offset, excluded.gate_offset)`, topic, number, ends[number])
			if err != nil {
				return err
			}
		}
		owned, reach := limitsOf(assigned)
		_, err := tx.Exec(ctx, `
			delete from sync.partition p where topic = $1 and number <> all ($2) and next_offset >= gate_offset and (next_offset = 0 or `+anotherSQL+`)`,
			topic, numbers, owned, reach)
		if err != nil {
			return err
		}
		for i, a := range assigned {
			err := tx.QueryRow(ctx, `
				insert into sync.partition as p (topic, number, next_offset, gate_offset, run) values ($1, $2, $3, $4, `+pgschema.RunSQL+`)
				on conflict (topic, number) do update set gate_offset = excluded.gate_offset, run = excluded.run,
					next_offset = case
						when p.next_offset > $4 or $5 and p.next_offset = 0 then $3
						when $5 then least(p.next_offset, $3)
						else p.next_offset end
				returning next_offset`,
				topic, a.Partition, a.LogStart, a.HighWatermark, a.Committed < 0).Scan(&next[i])
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("take over partitions: %w", err)
	}
	return next, nil
}

// anotherSQL tells whether topic $1 was made anew since it was read: one of the partitions $3 reaches no farther ($4) than before what was read of it.
// That a partition is missing is no sign. A broker does not know at once of those that are added, and others may read them already.
const anotherSQL = `exists (select from unnest($3::integer[], $4::bigint[]) as a (n, x)
	join sync.partition q on q.topic = $1 and q.number = a.n where q.next_offset > a.x)`

func limitsOf(assigned []stream.Assignment) (numbers []int, reach []int64) {
	for _, a := range assigned {
		numbers, reach = append(numbers, a.Partition), append(reach, a.HighWatermark)
	}
	return numbers, reach
}

// Gone implements intake.Store. Nobody will ever read these, and until they are lost they keep the gate closed.
func (s *Store) Gone(ctx context.Context, topic string, assigned []stream.Assignment, ends map[int]int64) ([]stream.Loss, error) {
	owned, reach := limitsOf(assigned)
	rows, err := s.Pool.Query(ctx, `
		select number, next_offset, gate_offset from sync.partition
		where topic = $1 and number <> all ($2) and next_offset < gate_offset and `+anotherSQL+` order by number`,
		topic, slices.Sorted(maps.Keys(ends)), owned, reach)
	if err != nil {
		return nil, fmt.Errorf("look for partitions that are gone: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (stream.Loss, error) {
		l := stream.Loss{Topic: topic}
		err := row.Scan(&l.Partition, &l.From, &l.To)
		l.HighWatermark = l.To
		return l, err
	})
}

// Lost implements intake.Store: nobody waits any more for records that are gone.
func (s *Store) Lost(ctx context.Context, l stream.Loss) error {
	_, err := s.Pool.Exec(ctx, `update sync.partition set next_offset = $3, gate_offset = $4 where topic = $1 and number = $2`,
		l.Topic, l.Partition, l.To, l.HighWatermark)
	if err != nil {
		return fmt.Errorf("move past lost records: %w", err)
	}
	return nil
}

// Holds tells whether everything before these offsets is durable, and known to be so under this run of the server. Else it is stream.ErrForgotten.
func (s *Store) Holds(ctx context.Context, topic string, next map[int]int64) error {
	numbers := slices.Sorted(maps.Keys(next))
	offsets := make([]int64, len(numbers))
	for i, number := range numbers {
		offsets[i] = next[number]
	}
	var holds bool
	err := s.Pool.QueryRow(ctx, `
		select not exists (select from unnest($2::integer[], $3::bigint[]) as d (n, x)
			left join sync.partition p on p.topic = $1 and p.number = n
			where p.number is null or p.next_offset < x or p.run <> `+pgschema.RunSQL+`)`, topic, numbers, offsets).Scan(&holds)
	switch {
	case err != nil:
		return fmt.Errorf("compare what is durable: %w", err)
	case !holds:
		return stream.ErrForgotten
	}
	return nil
}

// partition is a row of sync.partition.
type partition struct {
	topic  string
	number int
}

// queueAdvance moves partitions on and tells where they stood: records before that are durable, and told of. It never moves back, and never
// over records that were not taken: a database that has forgotten some is to be asked where to begin. The rows stay locked until the end of
// the transaction, so that a worker that has lost a partition waits, and then sees that its records were taken.
func queueAdvance(batch *pgx.Batch, batches []intake.Batch, from []int64) {
	topics, numbers, nexts := make([]string, len(batches)), make([]int, len(batches)), make([]int64, len(batches))
	for i, b := range batches {
		topics[i], numbers[i], nexts[i] = b.Topic, b.Partition, b.Next
	}
	batch.Queue(`
		with before as (
			select p.topic, p.number, p.next_offset, coalesce(p.run <> `+pgschema.RunSQL+`, false) as stale, x
			from (select t, m, max(x) as x from unnest($1::text[], $2::integer[], $3::bigint[]) as d (t, m, x) group by t, m) as d
				join sync.partition p on p.topic = t and p.number = m
			order by t collate "C", m for update of p)
		update sync.partition p set next_offset = greatest(p.next_offset, x) from before
		where p.topic = before.topic and p.number = before.number returning p.topic, p.number, before.next_offset, before.stale`, topics, numbers, nexts).Query(func(rows pgx.Rows) error {
		stood := map[partition]int64{}
		var p partition
		var offset int64
		var stale, forgotten bool
		_, err := pgx.ForEachRow(rows, []any{&p.topic, &p.number, &offset, &stale}, func() error {
			stood[p], forgotten = offset, forgotten || stale
			return nil
		})
		if err != nil {
			return err
		}
		for i, b := range batches {
			p := partition{b.Topic, b.Partition}
			offset, known := stood[p]
			if !known || forgotten || offset < b.From {
				return fmt.Errorf("partition %d: %w", b.Partition, stream.ErrForgotten)
			}
			from[i], stood[p] = offset, max(offset, b.Next)
		}
		return nil
	})
}
