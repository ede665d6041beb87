package mockregister

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/pgschema"
)

const (
	sequenceBatch = 1000
	sequencePoll  = 100 * time.Millisecond // how late a write of another process is noticed
	housekeeping  = 10 * time.Minute

	feedWindow = 30 * 24 * time.Hour // how long signals are kept, as openapi.yaml promises
	answerKept = 25 * time.Hour      // of a bulk change: a little more than openapi.yaml promises
)

// Signal is what the feed says of one change.
type Signal struct {
	Seq                               int64 // of the feed; grows
	Root, Extension, Channel, Version string
	At                                time.Time
}

// Message is a signal as the outbox keeps it for its relay.
type Message struct {
	Topic, Key string
	Headers    []string // name, value, name, value
	Value      []byte
}

// Run keeps the feed: it numbers signals and prunes what is too old, until ctx ends, through outages of the database. As many
// processes as there are may do so; one at a time numbers.
func (r *Register) Run(ctx context.Context) {
	tick := time.NewTicker(sequencePoll)
	defer tick.Stop()
	var pruned time.Time
	for known, trouble := int64(-1), false; ctx.Err() == nil; {
		n, last, err := r.sequence(ctx)
		if err == nil && last != known {
			known = last
			r.feed.tell()
		}
		if err == nil && r.clock.now().Sub(pruned) > housekeeping {
			pruned = r.clock.now()
			err = r.prune(ctx)
		}
		trouble = r.tellTrouble(ctx, err, trouble)
		if n == sequenceBatch {
			continue
		}
		select {
		case <-r.feed.written:
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// tellTrouble logs when trouble begins and when it is over.
func (r *Register) tellTrouble(ctx context.Context, err error, before bool) (now bool) {
	now = err != nil && ctx.Err() == nil
	switch {
	case now && !before:
		r.log.WarnContext(ctx, "feed interrupted", "cause", causeText(err))
	case before && err == nil:
		r.log.InfoContext(ctx, "feed goes on")
	}
	return now
}

// sequence moves signals into the feed, in the order of their ids, and returns how many and the feed's last number. They leave
// where they were and come into feed and outbox in one transaction, which only one process has at a time: so numbers become
// visible in their order, and a reader that has seen one has seen all before it.
func (r *Register) sequence(ctx context.Context) (n int, last int64, err error) {
	var waiting bool
	err = r.pool.QueryRow(ctx, `select exists (select from register.change), last from register.feed_head`).Scan(&waiting, &last)
	if err != nil || !waiting {
		return 0, last, err
	}
	err = pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		var mine bool
		if err := tx.QueryRow(ctx, `select pg_try_advisory_xact_lock(hashtext('register feed'))`).Scan(&mine); err != nil || !mine {
			return err
		}
		signals, err := takeSignals(ctx, tx)
		if err != nil || len(signals) == 0 {
			return err
		}
		n = len(signals)
		if last, err = numberSignals(ctx, tx, n); err != nil {
			return err
		}
		for i := range signals {
			signals[i].Seq = last - int64(n-1-i)
		}
		if err := putIntoFeed(ctx, tx, signals); err != nil {
			return err
		}
		return r.putIntoOutbox(ctx, tx, signals)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("number signals: %w", err)
	}
	return n, last, nil
}

func takeSignals(ctx context.Context, tx pgx.Tx) ([]Signal, error) {
	rows, err := tx.Query(ctx, `
		delete from register.change where id in (select id from register.change order by id limit $1)
		returning id, root, extension, channel, version, at`, sequenceBatch)
	if err != nil {
		return nil, err
	}
	signals, s := make([]Signal, 0, sequenceBatch), Signal{}
	_, err = pgx.ForEachRow(rows, []any{&s.Seq, &s.Root, &s.Extension, &s.Channel, &s.Version, &s.At}, func() error {
		signals = append(signals, s)
		return nil
	})
	slices.SortFunc(signals, func(a, b Signal) int { return cmp.Compare(a.Seq, b.Seq) }) // the id, until it is numbered
	return signals, err
}

// numberSignals draws n numbers and returns the last. The database may be an older one since the server was started again, which gives numbers of
// before once more: so each run has an epoch of its own, and of those before it is known where they ended.
func numberSignals(ctx context.Context, tx pgx.Tx, n int) (last int64, err error) {
	err = tx.QueryRow(ctx, `
		with ended as (
			insert into register.feed_epoch (epoch, last) select epoch, last from register.feed_head where run <> `+pgschema.RunSQL+`
		)
		update register.feed_head set last = last + $1, run = `+pgschema.RunSQL+`,
			epoch = case when run = `+pgschema.RunSQL+` then epoch else gen_random_uuid() end
		returning last`, n).Scan(&last)
	return last, err
}

func putIntoFeed(ctx context.Context, tx pgx.Tx, signals []Signal) error {
	const each = 128 // about what a row takes
	c := newCopying(each * len(signals))
	for _, s := range signals {
		c.row(6)
		c.bigint(s.Seq)
		c.text(s.Root)
		c.text(s.Extension)
		c.text(s.Channel)
		c.text(s.Version)
		c.timestamp(s.At)
	}
	return c.into(ctx, tx, "register.feed (seq, root, extension, channel, version, at)")
}

// putIntoOutbox does nothing where nobody publishes.
func (r *Register) putIntoOutbox(ctx context.Context, tx pgx.Tx, signals []Signal) error {
	if r.message == nil {
		return nil
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"register", "outbox"}, []string{"id", "topic", "key", "headers", "value", "created_at"},
		pgx.CopyFromSlice(len(signals), func(i int) ([]any, error) {
			m := r.message(signals[i])
			return []any{signals[i].Seq, m.Topic, m.Key, m.Headers, m.Value, signals[i].At}, nil
		}))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `select pg_notify('register_outbox', '')`)
	return err
}

// prune forgets signals and answers that are kept long enough.
func (r *Register) prune(ctx context.Context) error {
	now := r.clock.now()
	for {
		done, err := r.pool.Exec(ctx, `
			with gone as (
				delete from register.feed where seq <= (
					select max(seq) from (select seq, at from register.feed order by seq limit 5000) oldest where at < $1)
				returning seq)
			update register.feed_head set pruned = greatest(pruned, (select max(seq) from gone)) where exists (select from gone)`,
			now.Add(-feedWindow))
		if err != nil {
			return fmt.Errorf("prune the feed: %w", err)
		}
		if done.RowsAffected() == 0 {
			break
		}
	}
	if _, err := r.pool.Exec(ctx, `delete from register.feed_epoch e using register.feed_head h where e.last < h.pruned`); err != nil {
		return fmt.Errorf("prune epochs of the feed: %w", err)
	}
	if _, err := r.pool.Exec(ctx, `delete from register.idempotency where at < $1`, now.Add(-answerKept)); err != nil {
		return fmt.Errorf("prune answers: %w", err)
	}
	return nil
}

// FeedLag is the age of the oldest change that is not in the feed yet, and how many wait to be published.
func (r *Register) FeedLag(ctx context.Context) (lag time.Duration, unpublished int, err error) {
	var seconds float64
	err = r.pool.QueryRow(ctx, `
		select coalesce(extract(epoch from clock_timestamp() - (select at from register.change order by id limit 1)), 0)::float8,
			(select count(*) from register.outbox)`).Scan(&seconds, &unpublished)
	return time.Duration(max(seconds, 0) * float64(time.Second)), unpublished, err
}
