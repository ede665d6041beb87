package syncpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"contactsync/consent/contact"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

// seen is what there was of a claimed person: the place in the queue and the channel rows, each with the transaction that wrote it so
// (xmin). Every change of a row changes that, whichever version of this program makes it.
type seen struct {
	place uint32
	rows  []seenRow
}

type seenRow struct {
	channel contact.Channel
	version uint32
	state   plan.State
}

type versionedRow struct {
	row
	Version uint32
}

// errChanged says that something was decided about a person since the claim, or that the lease is gone.
var errChanged = errors.New("changed since the claim")

// plainOf divides results: of plain ones everything that was due is settled, so that, if nothing has been decided since, nothing is left
// to do.
func plainOf(ended []push.Ended) (plain, rest []push.Ended) {
	for _, e := range ended {
		if isPlain(e) {
			plain = append(plain, e)
		} else {
			rest = append(rest, e)
		}
	}
	return plain, rest
}

func isPlain(e push.Ended) bool {
	saw, _ := e.Claim.Seen.(seen)
	rows, r := saw.rows, e.Result
	if len(r.Settled) == 0 || len(r.Parked) > 0 || len(r.Linked) > 0 || r.Unsure {
		return false
	}
	for _, row := range rows {
		if row.state.Due() && !slices.ContainsFunc(r.Settled, func(s push.Settled) bool { return s.Target.Channel == row.channel }) {
			return false
		}
	}
	return !slices.ContainsFunc(r.Settled, func(s push.Settled) bool {
		at := slices.IndexFunc(rows, func(row seenRow) bool { return row.channel == s.Target.Channel })
		return at < 0 || rows[at].state.Want().Mark() != s.Target.Want.Mark()
	})
}

// finishPlain records plain results without reading the rows again: they are written if they are as they were seen. It records all of
// them or returns errChanged.
func (s *Store) finishPlain(ctx context.Context, ended []push.Ended) error {
	return s.begin(ctx, func(tx *transaction) error {
		f := &finish{Store: s, tx: tx, changed: map[key]plan.State{}, states: map[key]plan.State{}}
		slices.SortFunc(ended, func(a, b push.Ended) int { return cmp.Compare(a.Claim.ID, b.Claim.ID) }) // as everybody locks them
		versions := map[key]uint32{}
		for _, e := range ended {
			for _, row := range e.Claim.Seen.(seen).rows {
				k := key{e.Claim.ID, row.channel}
				f.states[k], versions[k] = row.state, row.version
			}
			f.all = append(f.all, &finishing{finish: f, claim: e.Claim, result: e.Result})
		}
		for _, one := range f.all {
			one.settle()
		}
		var batch pgx.Batch
		var d drawn
		f.saveSettled(&batch, versions)
		f.leave(&batch)
		d.queue(&batch, len(f.outcomes)) // under the rows' locks
		if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
			return fmt.Errorf("store what is settled: %w", err)
		}
		return f.record(ctx, d)
	})
}

// saveSettled writes what State.Settle changes where the want is what it was. The rows are locked in the order of their keys, as the one
// plan for this finds them one by one (pgschema.ParseConfig).
func (f *finish) saveSettled(batch *pgx.Batch, seen map[key]uint32) {
	keys := sortedKeys(f.changed)
	persons, channels := split(keys)
	versions, revisions := make([]uint32, len(keys)), make([]int64, len(keys))
	sources, settled := make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		state := f.changed[k]
		versions[i], revisions[i], sources[i], settled[i] = seen[k], state.Registered.Revision, state.Registered.Source, string(state.Settled)
	}
	batch.Queue(`
		update sync.channel c set settled = m, registered_revision = r, registered_source = s, parked = '', changed_at = now()
		from unnest($1::bigint[], $2::text[], $3::xid[], $4::bigint[], $5::text[], $6::text[]) as n (p, h, x, r, s, m)
		where c.person_id = p and c.channel = h and c.xmin = x`, persons, channels, versions, revisions, sources, settled).Exec(func(done pgconn.CommandTag) error {
		if done.RowsAffected() != int64(len(keys)) {
			return errChanged
		}
		return nil
	})
}

// leave takes the persons out of the queue, if the lease is still ours and nothing was decided since.
func (f *finish) leave(batch *pgx.Batch) {
	ids, tokens, places := make([]int64, len(f.all)), make([]int64, len(f.all)), make([]uint32, len(f.all))
	for i, one := range f.all {
		ids[i], tokens[i], places[i] = one.claim.ID, one.claim.Token, one.claim.Seen.(seen).place
	}
	batch.Queue(`
		delete from sync.due d using unnest($1::bigint[], $2::bigint[], $3::xid[]) as n (p, t, x)
		where d.person_id = p and d.lease = t and d.xmin = x returning now()`, ids, tokens, places).Query(func(rows pgx.Rows) error {
		left := 0
		_, err := pgx.ForEachRow(rows, []any{&f.at}, func() error { left++; return nil })
		if err == nil && left != len(f.all) {
			err = errChanged
		}
		return err
	})
}
