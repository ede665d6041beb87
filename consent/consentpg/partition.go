package consentpg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/pgschema"
)

// Run returns the server's run: under another one the database may have forgotten outcomes that were folded.
func (s *Store) Run(ctx context.Context) (run string, err error) {
	if err := s.Pool.QueryRow(ctx, `select `+pgschema.RunSQL).Scan(&run); err != nil {
		return "", fmt.Errorf("ask for the server's run: %w", err)
	}
	return run, nil
}

// Partitions returns the server's run, and the partitions of a topic whose outcomes are known under it to be here, as far as Kafka's committed
// offset says that they were folded.
func (s *Store) Partitions(ctx context.Context, topic string) (run string, known map[int]bool, err error) {
	known = map[int]bool{}
	rows, err := s.Pool.Query(ctx, `
		select r.run, p.number from (select `+pgschema.RunSQL+` as run) as r left join consent.partition p on p.topic = $1 and p.run = r.run`, topic)
	if err != nil {
		return "", nil, fmt.Errorf("read partitions: %w", err)
	}
	var number *int
	_, err = pgx.ForEachRow(rows, []any{&run, &number}, func() error {
		if number != nil {
			known[*number] = true
		}
		return nil
	})
	if err != nil {
		return "", nil, fmt.Errorf("read partitions: %w", err)
	}
	return run, known, nil
}

// Known notes that the outcomes of these partitions are here, and that this was found under a run: the one that reading them began in, whatever the
// server's is by now.
func (s *Store) Known(ctx context.Context, topic string, numbers []int, run string) error {
	_, err := s.Pool.Exec(ctx, `
		insert into consent.partition (topic, number, run) select $1, n, $3 from unnest($2::integer[]) as d (n) order by n
		on conflict (topic, number) do update set run = excluded.run`, topic, numbers, run)
	if err != nil {
		return fmt.Errorf("note partitions: %w", err)
	}
	return nil
}
