package syncpg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/sync/plan"
	"contactsync/sync/reconcile"
)

// ErrReconciling says that another process compares just now. It is to be waited for.
var ErrReconciling = errors.New("another run compares just now")

// OtherRunError says that a run was begun with other options, and not ended. Whoever asks goes on with those, or begins anew.
type OtherRunError struct{ Run reconcile.Run }

func (e *OtherRunError) Error() string { return "a run with other options was begun and has not ended" }

// Reconciliation is a run of the comparison. It holds a session of PostgreSQL, and its lock: what the run records goes through that
// session, so that a run whose lock is gone records nothing any more.
type Reconciliation struct {
	*Store
	conn *pgxpool.Conn
}

var _ reconcile.Journal = (*Reconciliation)(nil)

// reconcileLock is held by the session that compares.
const reconcileLock = `hashtext('contactsync sync.reconcile')`

// Reconcile takes the lock, or fails with ErrReconciling. Close gives it back.
func (s *Store) Reconcile(ctx context.Context) (*Reconciliation, error) {
	conn, err := s.Pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin to compare: %w", err)
	}
	var free bool
	err = conn.QueryRow(ctx, `select pg_try_advisory_lock(`+reconcileLock+`)`).Scan(&free)
	if err == nil && !free {
		err = ErrReconciling
	}
	if err != nil {
		conn.Release()
		return nil, fmt.Errorf("begin to compare: %w", err)
	}
	return &Reconciliation{s, conn}, nil
}

// Close gives the lock back. Where that fails the session ends, and the lock with it.
func (r *Reconciliation) Close(ctx context.Context) {
	if _, err := r.conn.Exec(ctx, `select pg_advisory_unlock(`+reconcileLock+`)`); err != nil {
		_ = r.conn.Conn().Close(ctx)
	}
	r.conn.Release()
}

// Begin goes on with the run that has not ended, or begins one: anew, if that is asked for. It fails with an OtherRunError if the one
// to go on with has other options. What the run before has found is forgotten.
func (r *Reconciliation) Begin(ctx context.Context, o reconcile.Options, anew bool) (run reconcile.Run, err error) {
	err = pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error {
		run, err = lastRun(ctx, tx)
		switch {
		case err != nil:
			return err
		case run.ID != 0 && run.Phase != reconcile.Ended && !anew && run.Options != o:
			return &OtherRunError{run}
		case run.ID != 0 && run.Phase != reconcile.Ended && !anew:
			run.Resumed = true
			return nil
		}
		run, err = beginRun(ctx, tx, o)
		return err
	})
	if err != nil {
		return run, fmt.Errorf("begin to compare: %w", err)
	}
	return run, nil
}

const runColumns = `run_id, fix, restore_shares, phase, position, last, persons, calls, unsettled, changes, begun_at`

// lastRun is zero if there was none.
func lastRun(ctx context.Context, tx pgx.Tx) (run reconcile.Run, err error) {
	rows, err := tx.Query(ctx, `select `+runColumns+` from sync.reconcile_run order by run_id desc limit 1`)
	if err != nil {
		return run, err
	}
	run, err = pgx.CollectOneRow(rows, scanRun)
	if errors.Is(err, pgx.ErrNoRows) {
		return reconcile.Run{}, nil
	}
	return run, err
}

func beginRun(ctx context.Context, tx pgx.Tx, o reconcile.Options) (run reconcile.Run, err error) {
	for _, statement := range []string{`delete from sync.reconcile_case`, `delete from sync.reconcile_run`} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return run, err
		}
	}
	rows, err := tx.Query(ctx, `
		insert into sync.reconcile_run (fix, restore_shares, phase, last, begun_at)
		select $1, $2, $3, coalesce(max(person_id), 0), now() from sync.person returning `+runColumns, o.Fix, o.RestoreShares, string(reconcile.Withdrawals))
	if err != nil {
		return run, err
	}
	return pgx.CollectOneRow(rows, scanRun)
}

func scanRun(row pgx.CollectableRow) (r reconcile.Run, err error) {
	err = row.Scan(&r.ID, &r.Fix, &r.RestoreShares, &r.Phase, &r.Position, &r.Last, &r.Persons, &r.Calls, &r.Unsettled, &r.Changes, &r.Begun)
	return r, err
}

// Record implements reconcile.Journal.
func (r *Reconciliation) Record(ctx context.Context, run *reconcile.Run, s reconcile.Step) error {
	next := *run
	err := pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error {
		findings := slices.Clone(s.Findings)
		if err := r.heal(ctx, tx, findings); err != nil {
			return err
		}
		if err := recordCases(ctx, tx, s.Over, findings); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			update sync.reconcile_run set phase = $2, position = $3, persons = persons + $4, calls = calls + $5, unsettled = unsettled + $6,
				changes = changes + $7, ended_at = case when $2 = $8 then now() end
			where run_id = $1 returning `+runColumns, run.ID, string(s.Phase), s.Position, s.Persons, s.Calls, s.Unsettled, s.Changes, string(reconcile.Ended))
		if err != nil {
			return err
		}
		next, err = pgx.CollectOneRow(rows, scanRun)
		return err
	})
	if err != nil {
		return fmt.Errorf("record differences: %w", err)
	}
	next.Resumed = run.Resumed
	*run = next
	return nil
}

// recordCases lets the newest finding about a person's channel count.
func recordCases(ctx context.Context, tx pgx.Tx, over []int64, findings []reconcile.Finding) error {
	if len(over) > 0 {
		if _, err := tx.Exec(ctx, `delete from sync.reconcile_case where person_id = any ($1) and status = $2`, over, string(reconcile.Again)); err != nil {
			return err
		}
	}
	var batch pgx.Batch
	for _, f := range findings {
		batch.Queue(`
			insert into sync.reconcile_case (person_id, channel, kind, status, mark, found_at) values ($1, $2, $3, $4, $5, now())
			on conflict (person_id, channel) do update set kind = excluded.kind, status = excluded.status, mark = excluded.mark`,
			f.Person, string(f.Channel), string(f.Kind), string(f.Status), string(f.Mark))
	}
	return tx.SendBatch(ctx, &batch).Close()
}

// heal makes persons due again, under the locks of their rows. A finding whose want has moved on gets the status Again.
func (r *Reconciliation) heal(ctx context.Context, tx pgx.Tx, findings []reconcile.Finding) error {
	states, err := lockFound(ctx, tx, findings)
	if err != nil {
		return err
	}
	changed, q := map[key]plan.State{}, queue{}
	var audited []reconcile.Finding
	for i, f := range findings {
		k := key{f.Person, f.Channel}
		state := states[k]
		switch {
		case f.Status != reconcile.Healing || f.Kind == reconcile.NumberUnknown:
		case !state.Reopen(f.Mark):
			findings[i].Status = reconcile.Again
			continue
		default:
			changed[k] = state
			q.add(f.Person, f.Number, state)
		}
		if f.Status == reconcile.Healing {
			audited = append(audited, f)
		}
	}
	if len(audited) == 0 {
		return nil
	}
	if err := save(ctx, tx, changed); err != nil {
		return err
	}
	return r.makeDue(ctx, tx, q, audited, changed)
}

// lockFound locks the rows of the channels that are to be healed. One that has moved to another number is empty, and wants nothing.
func lockFound(ctx context.Context, tx pgx.Tx, findings []reconcile.Finding) (map[key]plan.State, error) {
	var keys []key
	for _, f := range findings {
		if f.Status == reconcile.Healing && f.Channel != "" {
			keys = append(keys, key{f.Person, f.Channel})
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	sortKeys(keys)
	rows, err := lockedRows(ctx, tx, keys)
	if err != nil {
		return nil, err
	}
	return statesOf(rows)
}

// makeDue puts the persons into the queue. About those with a number that we do not know the register is asked who they are, as ever.
func (r *Reconciliation) makeDue(ctx context.Context, tx pgx.Tx, q queue, healed []reconcile.Finding, states map[key]plan.State) error {
	var at time.Time
	if err := tx.QueryRow(ctx, `select now()`).Scan(&at); err != nil {
		return err
	}
	var batch pgx.Batch
	for _, f := range healed {
		if f.Kind == reconcile.NumberUnknown {
			p := q[f.Person]
			p.ask = true
			q[f.Person] = p
		}
		ground := states[key{f.Person, f.Channel}].Want().EventID
		r.queueEntries(&batch, entry{at: at, action: "reconcile.heal", person: f.Person, channel: string(f.Channel), ground: ground,
			outcome: string(f.Kind), version: f.Version})
	}
	r.crowd(q, "reconcile")
	if err := q.put(ctx, tx); err != nil {
		return err
	}
	return tx.SendBatch(ctx, &batch).Close()
}

// openSQL finds persons with cases of a status ($1). Of those that are Healing ($5) only whose push has ended, who have been asked about
// where that was the point ($6), and whose last write is old enough to show ($4). A No that the register refuses stays due: its push has ended too.
const openSQL = `
	with open as (
		select distinct c.person_id, kept
		from sync.reconcile_case c join sync.person p using (person_id), coalesce(p.primary_id, p.person_id) as kept
		where c.status = $1 and c.person_id > $2 and ($1 <> $5 or not (
			exists (select from sync.due d where d.person_id = kept) and not exists (
				select from sync.channel h where h.person_id = kept and h.channel = c.channel and h.parked <> '')
			or exists (select from sync.ask a join sync.reconcile_case u on u.person_id = c.person_id and u.kind = $6 where a.person_id = kept)
			or exists (select from sync.person n where n.person_id = kept and n.written_at > now() - $4::interval)
			or exists (select from sync.person n where n.primary_id = kept and n.written_at > now() - $4::interval)))
		order by c.person_id limit $3)
	select person_id, kept, channel, kind, mark from open join sync.reconcile_case using (person_id) where status = $1 order by person_id, channel`

// Open implements reconcile.Journal.
func (r *Reconciliation) Open(ctx context.Context, status reconcile.Status, after int64, limit int, lag time.Duration) ([]reconcile.Case, error) {
	rows, err := r.Pool.Query(ctx, openSQL, string(status), after, limit, lag, string(reconcile.Healing), string(reconcile.NumberUnknown))
	if err != nil {
		return nil, fmt.Errorf("read differences: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[reconcile.Case])
}

// Waiting implements reconcile.Journal.
func (r *Reconciliation) Waiting(ctx context.Context) (n int64, err error) {
	err = r.Pool.QueryRow(ctx, `select count(*) from sync.reconcile_case where status = $1`, string(reconcile.Healing)).Scan(&n)
	return n, err
}

// Report implements reconcile.Journal. The first cases are those that are left, of the gravest kinds.
func (r *Reconciliation) Report(ctx context.Context, run *reconcile.Run, cases int) (reconcile.Report, error) {
	report := reconcile.Report{Run: *run}
	err := r.Pool.QueryRow(ctx, `select ended_at from sync.reconcile_run where run_id = $1`, run.ID).Scan(&report.Ended)
	if err != nil {
		return report, fmt.Errorf("report: %w", err)
	}
	if report.Kinds, err = r.counts(ctx); err != nil {
		return report, fmt.Errorf("report: %w", err)
	}
	if report.Cases, err = r.named(ctx, cases); err != nil {
		return report, fmt.Errorf("report: %w", err)
	}
	for _, c := range report.Kinds {
		report.More += c.Found()
	}
	report.More -= int64(len(report.Cases))
	return report, nil
}

func (r *Reconciliation) counts(ctx context.Context) ([]reconcile.Count, error) {
	rows, err := r.Pool.Query(ctx, `select kind, status, count(*) from sync.reconcile_case group by 1, 2`)
	if err != nil {
		return nil, err
	}
	by := map[reconcile.Kind]map[reconcile.Status]int64{}
	var kind reconcile.Kind
	var status reconcile.Status
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&kind, &status, &n}, func() error {
		if by[kind] == nil {
			by[kind] = map[reconcile.Status]int64{}
		}
		by[kind][status] = n
		return nil
	})
	var out []reconcile.Count
	for _, k := range reconcile.Kinds() {
		if by[k] != nil {
			out = append(out, reconcile.Count{Kind: k, By: by[k]})
		}
	}
	return out, err
}

func (r *Reconciliation) named(ctx context.Context, limit int) ([]reconcile.Named, error) {
	order := make([]string, len(reconcile.Kinds()))
	for i, k := range reconcile.Kinds() {
		order[i] = string(k)
	}
	rows, err := r.Pool.Query(ctx, `
		select root, extension, channel, kind, status from sync.reconcile_case join sync.person using (person_id)
		order by status = $2, array_position($3::text[], kind), person_id, channel limit $1`, limit, string(reconcile.Healed), order)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (n reconcile.Named, err error) {
		var root, extension string
		err = row.Scan(&root, &extension, &n.Channel, &n.Kind, &n.Status)
		n.Pseudonym = event.Key(r.Pepper, contact.KnownPersonID(root, extension))
		return n, err
	})
}
