package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/contact"
)

// fewStored is what growth compares with.
const fewStored = 20_000

// growth: the same as throughput, where the worker's tables already hold a decision for both channels of so many persons, among whom
// those who decide are scattered. The register holds only these: how it bears many is register's to tell. The broker is another
// process, so that the memory is the worker's, the register's and the meter's. To store many takes minutes, in which the machine may change:
// so few come right before and right after them, and what counts is the mean of both.
func growth(ctx context.Context, r *rig, sc scenario) (_ figures, err error) {
	many, err := r.grow(ctx, sc, r.cfg.Stored)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, many.close()) }()
	before, err := r.few(ctx, sc)
	if err != nil {
		return nil, err
	}
	f, err := many.measure(ctx)
	if err != nil {
		return nil, err
	}
	after, err := r.few(ctx, sc)
	if err != nil {
		return nil, err
	}
	f[baselinePerS], f[baselineDecisions] = (before[ratePerS]+after[ratePerS])/2, before[decisions]
	f[baselineStored], f[baselineRSS] = before[stored], before[rssMB]
	f[ratio] = f[ratePerS] / f[baselinePerS]
	return f, nil
}

func (r *rig) few(ctx context.Context, sc scenario) (figures, error) {
	g, err := r.grow(ctx, sc, min(fewStored, r.cfg.Stored))
	if err != nil {
		return nil, err
	}
	f, err := g.measure(ctx)
	return f, errors.Join(err, g.close())
}

// grown is a stage whose tables hold so many rows.
type grown struct {
	*stage
	rows       int
	stopBroker func()
}

func (r *rig) grow(ctx context.Context, sc scenario, rows int) (_ *grown, err error) {
	brokers, stop, err := r.brokerApart(ctx)
	if err != nil {
		return nil, err
	}
	g := &grown{stopBroker: stop}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close())
		}
	}()
	if g.stage, err = r.newStage(ctx, sc, brokers...); err != nil {
		g.stage = nil // it is closed
		return nil, err
	}
	r.cfg.Progress(fmt.Sprintf("storing %d rows", rows))
	if g.rows, err = g.store(ctx, rows); err != nil {
		return nil, fmt.Errorf("store rows: %w", err)
	}
	return g, nil
}

func (g *grown) close() error {
	defer g.stopBroker()
	if g.stage == nil {
		return nil
	}
	return g.stage.close()
}

// measure has the worker carry the load.
func (g *grown) measure(ctx context.Context) (figures, error) {
	if err := g.fill(ctx); err != nil {
		return nil, err
	}
	debug.FreeOSMemory() // what producing took
	f, err := g.sampled(ctx)
	if err != nil {
		return nil, err
	}
	for _, point := range []name{rssMB10, rssMB50, rssMB100, heapMB10, heapMB50, heapMB100} {
		delete(f, point)
	}
	f[stored] = float64(g.rows)
	return f, g.verify(ctx)
}

// store fills the tables as if so many decisions had been carried out long ago: two for each person, those who will decide among them.
// What the register showed then does not matter, since a decision that is carried out is left alone. The numbers of the others belong to
// nobody, and lie evenly between 1900 and 2026, as their rows do in the tables. It returns how many rows there are.
func (s *stage) store(ctx context.Context, rows int) (int, error) {
	var extensions []string
	for _, p := range s.load.persons {
		extensions = append(extensions, string(p[:]))
	}
	others := max(0, rows/channelsEach-len(extensions))
	var there int
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `set local session_replication_role = replica`); err != nil { // no look at what each row refers to
			return err
		}
		_, err := tx.Exec(ctx, `
			insert into sync.person (root, extension)
			select * from (
				select $1::text as root, (190000000000 + n * (126000000000 / ($2::bigint + 1)))::text as extension from generate_series(1, $2::bigint) as n
				union select $1, unnest($3::text[])) as p
			order by extension`, contact.RootPersonnummer, others, extensions)
		if err != nil {
			return err
		}
		done, err := tx.Exec(ctx, `
			insert into sync.channel (person_id, channel, share_revision, share_event, share_source, share_value, share_decided_at, registered_revision,
				registered_source, settled, changed_at)
			select person_id, c, 1, '5eed0000-0000-4000-9000-' || lpad(person_id::text, 12, '0'), $1, 'resident@example.se', now(), 1,
				$1, '1 1 ' || $1 || ' 5eed0000-0000-4000-9000-' || lpad(person_id::text, 12, '0'), now()
			from sync.person cross join unnest($2::text[]) as c`, eService, channelNames())
		there = int(done.RowsAffected())
		return err
	})
	if err != nil {
		return 0, err
	}
	if _, err := s.pool.Exec(ctx, `vacuum (analyze, freeze) sync.person, sync.channel`); err != nil {
		return 0, err
	}
	return there, s.execute(ctx, "checkpoint")
}

func channelNames() []string {
	var names []string
	for _, c := range contact.Channels {
		names = append(names, string(c))
	}
	return names
}
