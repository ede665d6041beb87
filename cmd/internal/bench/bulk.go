package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// bulk: everything lies in Kafka when the clock starts, together with the worker, which pushes by contactsv1. It stops when each
// decision has an outcome, which is told when the register has taken it. The baseline is the bare guarded upsert of the same rows: no
// validation, no register, no outcome, no audit.
func bulk(ctx context.Context, r *rig, sc scenario) (figures, error) {
	f, err := r.drain(ctx, sc, oursInBulk())
	if err != nil {
		return nil, err
	}
	f[baselinePerS], err = r.upsert(ctx, sc)
	f[baselineDecisions] = float64(sc.decisions)
	return f, err
}

const (
	upsertRows        = 500 // in one statement
	upsertConnections = 2
)

// upsert measures how many rows a second PostgreSQL takes in, where each is kept only if it is newer than what is there.
func (r *rig) upsert(ctx context.Context, sc scenario) (perS float64, err error) {
	s := r.named()
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.newDatabase(ctx); err != nil {
		return 0, err
	}
	if s.load, err = s.newLoad(ctx, sc); err != nil {
		return 0, err
	}
	_, err = s.pool.Exec(ctx, `create table bare (root text, extension text, channel text, revision bigint not null, event_id text not null, source text not null,
		value text, primary key (root, extension, channel))`)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	var group errgroup.Group
	group.SetLimit(upsertConnections)
	for from := 0; from < sc.decisions; from += upsertRows {
		group.Go(func() error { return s.upsertSome(ctx, from, min(from+upsertRows, sc.decisions)) })
	}
	if err := group.Wait(); err != nil {
		return 0, fmt.Errorf("upsert: %w", err)
	}
	return float64(sc.decisions) / time.Since(began).Seconds(), nil
}

func (s *stage) upsertSome(ctx context.Context, from, to int) error {
	var columns [6][]string
	var revisions []int64
	for i := from; i < to; i++ {
		d := s.load.decision(i)
		for c, text := range []string{d.Person.Root(), d.Person.RevealExtension(), string(d.Channel), d.EventID, d.Source, d.Value.Reveal()} {
			columns[c] = append(columns[c], text)
		}
		revisions = append(revisions, d.Revision)
	}
	_, err := s.pool.Exec(ctx, `
		insert into bare as b (root, extension, channel, event_id, source, value, revision)
		select distinct on (r, e, c) r, e, c, i, s, v, n from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
			as d (r, e, c, i, s, v, n) order by r, e, c, n desc
		on conflict (root, extension, channel) do update set event_id = excluded.event_id, source = excluded.source, value = excluded.value,
			revision = excluded.revision where b.revision < excluded.revision`,
		columns[0], columns[1], columns[2], columns[3], columns[4], columns[5], revisions)
	return err
}
