package audit

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/trouble"
)

const (
	sealEvery = 200 * time.Millisecond // while there is something to seal
	tellEvery = time.Minute            // how often the head is logged at the most
	// sealTimeout bounds one link: the first one after a migration has all rows that were there before.
	sealTimeout = 5 * time.Minute
)

// SealerConfig is what a sealer needs; all fields are required.
type SealerConfig struct {
	Pool *pgxpool.Pool // of a role that may read the rows' places and MACs, and write links and head
	Log  Log
	Key  Key
	Now  func() time.Time
	// Logger also is told the head, so that whoever keeps the log of the process can prove where the chain stood.
	Logger *slog.Logger
}

// Sealer chains the rows of one log. Any number may run: one at a time seals. Writers never wait for it.
type Sealer struct {
	SealerConfig
	trouble *trouble.Log

	sealing sync.Mutex // guards what follows
	known   Head       // the furthest that this sealer has seen
	to      Place      // what that link reaches
	told    time.Time  // when the head was logged

	// For State, which does not wait for a seal.
	links    atomic.Int64
	tampered atomic.Bool // the chain was found changed
	stuck    atomic.Bool // it cannot go on
}

// NewSealer returns a sealer that is not running yet.
func NewSealer(c SealerConfig) (*Sealer, error) {
	if c.Pool == nil || c.Log.Name == "" || c.Key.IsZero() || c.Now == nil || c.Logger == nil {
		return nil, errors.New("audit: Pool, Log, Key, Now and Logger are required")
	}
	return &Sealer{SealerConfig: c, trouble: trouble.New(c.Logger)}, nil
}

// ErrRestarted says that the database numbers its transactions lower than the chain has come: it is another cluster than before,
// restored from a dump. Nothing is sealed until `contactsync migrate` has begun a new era.
var ErrRestarted = errors.New("transactions are numbered anew, as after a restore from a dump: run contactsync migrate, until then nothing is sealed")

// Run seals until ctx ends. What was written since is sealed by Last, once the writers have ended, or else by the next sealer.
func (s *Sealer) Run(ctx context.Context) {
	tick := time.NewTicker(sealEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.attempt(ctx)
		}
	}
}

// Last seals once more, and logs where the chain stands.
func (s *Sealer) Last(ctx context.Context) {
	s.attempt(ctx)
	s.sealing.Lock()
	defer s.sealing.Unlock()
	s.told = time.Time{}
	s.tell()
}

func (s *Sealer) attempt(ctx context.Context) {
	if _, err := s.Seal(ctx); err != nil {
		if ctx.Err() == nil {
			s.trouble.Warn("sealer", "audit log is not sealed", err, "log", s.Log.Name)
		}
		return
	}
	s.trouble.Over("sealer", "audit log is sealed again", "log", s.Log.Name)
}

// Seal adds a link for all rows whose transactions are over, unless there are none or another sealer is at it. It returns how many
// rows it has sealed.
func (s *Sealer) Seal(ctx context.Context) (entries int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, sealTimeout)
	defer cancel()
	s.sealing.Lock()
	defer s.sealing.Unlock()
	if something, err := s.look(ctx); err != nil || !something {
		return 0, err
	}
	var last Link
	err = pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		var ours bool
		if err := tx.QueryRow(ctx, `select pg_try_advisory_xact_lock(hashtext($1))`, "audit "+s.Log.Name).Scan(&ours); err != nil || !ours {
			return err
		}
		last, entries, err = s.seal(ctx, tx)
		return err
	})
	s.stuck.Store(errors.Is(err, ErrRestarted))
	if err != nil {
		return 0, fmt.Errorf("seal: %w", err)
	}
	if last.Number > s.known.Number {
		s.known, s.to = Head{last.Number, last.Hash}, last.To
		s.links.Store(last.Number)
		s.tell()
	}
	return entries, nil
}

// look asks cheaply whether there may be something to seal, or something to be wrong.
func (s *Sealer) look(ctx context.Context) (something bool, err error) {
	var xmin uint64
	var era int16
	err = s.Pool.QueryRow(ctx, `
		select exists (select from `+s.Log.table()+` where (era, tx) >= ($1, $2)), pg_snapshot_xmin(pg_current_snapshot()),
			coalesce((select era from `+s.Log.heads()+` where chain = $3), 1)`,
		s.to.Era, s.to.Tx, s.Log.Name).Scan(&something, &xmin, &era)
	if err != nil {
		return false, fmt.Errorf("look for what to seal: %w", err)
	}
	return something || Place{era, xmin}.compare(s.to) < 0, nil
}

// standing is what the database says of the chain.
type standing struct {
	last Link // as far as the next link needs it
	head Head
	now  Place // every transaction before it is over
}

// seal returns the last link there is now, and how many rows it has sealed.
func (s *Sealer) seal(ctx context.Context, tx pgx.Tx) (Link, int64, error) {
	at, err := s.standing(ctx, tx)
	if err != nil || at.now == at.last.To {
		return at.last, 0, err
	}
	if at.now.compare(at.last.To) < 0 {
		return at.last, 0, ErrRestarted
	}
	link := Link{From: at.last.To, To: at.now, SealedAt: s.Now().Truncate(time.Microsecond)}
	g, err := s.gather(ctx, tx, link)
	if err != nil || g.entries == 0 {
		return at.last, 0, err
	}
	before := s.before(at)
	link.Number, link.Entries, link.First, link.Last = before.Number+1, g.entries, g.first, g.last
	link.Hash = g.hash(s.Key, s.Log.Name, before.Hash, link)
	return link, g.entries, s.write(ctx, tx, link)
}

// standing is read after the lock is held: a snapshot of before might miss the link of the sealer that held it.
func (s *Sealer) standing(ctx context.Context, tx pgx.Tx) (at standing, err error) {
	err = tx.QueryRow(ctx, `
		select coalesce(l.number, 0), coalesce(l.to_era, 0), coalesce(l.to_tx, '0'), l.hash, coalesce(h.number, 0), h.hash,
			coalesce(h.era, 1), pg_snapshot_xmin(pg_current_snapshot())
		from (values (1)) as one
		left join (select number, to_era, to_tx, hash from `+s.Log.links()+` order by number desc limit 1) l on true
		left join `+s.Log.heads()+` h on h.chain = $1`, s.Log.Name).Scan(
		&at.last.Number, &at.last.To.Era, &at.last.To.Tx, &at.last.Hash, &at.head.Number, &at.head.Hash, &at.now.Era, &at.now.Tx)
	if err != nil {
		return at, fmt.Errorf("read the chain: %w", err)
	}
	return at, nil
}

// before is what the next link follows: the furthest of the last link, the head kept apart, and what this sealer has seen. If they
// disagree somebody has been at them. Then the number that is skipped, or the hash that fits nothing, stays as the proof.
func (s *Sealer) before(at standing) Head {
	furthest := Head{at.last.Number, at.last.Hash}
	if at.head.Number > furthest.Number {
		furthest = at.head
	}
	if s.known.Number > furthest.Number {
		furthest = s.known
	}
	headFits := at.head.Number == at.last.Number && bytes.Equal(at.head.Hash, at.last.Hash)
	knownFits := s.known.Number < at.last.Number || s.known.Number == at.last.Number && bytes.Equal(s.known.Hash, at.last.Hash)
	if !headFits || !knownFits {
		s.tampered.Store(true)
		s.Logger.Error("an audit chain was changed behind its back: run contactsync audit verify", "log", s.Log.Name,
			"last_link", at.last.Number, "head", at.head.Number, "seen", s.known.Number)
	}
	return furthest
}

// gather streams the rows, however many they are.
func (s *Sealer) gather(ctx context.Context, tx pgx.Tx, l Link) (*gathering, error) {
	rows, err := tx.Query(ctx, `
		select era, tx, id, mac from `+s.Log.table()+`
		where (era, tx) >= ($1, $2) and (era, tx) < ($3, $4) order by era, tx, id`, l.From.Era, l.From.Tx, l.To.Era, l.To.Tx)
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	g := gather()
	var at Place
	var id int64
	var mac []byte
	_, err = pgx.ForEachRow(rows, []any{&at.Era, &at.Tx, &id, &mac}, func() error {
		g.add(at, id, mac)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	return g, nil
}

func (s *Sealer) write(ctx context.Context, tx pgx.Tx, l Link) error {
	var batch pgx.Batch
	batch.Queue(`
		insert into `+s.Log.links()+` (number, from_era, from_tx, to_era, to_tx, entries, first_id, last_id, sealed_at, hash)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		l.Number, l.From.Era, l.From.Tx, l.To.Era, l.To.Tx, l.Entries, l.First, l.Last, l.SealedAt, l.Hash)
	batch.Queue(`
		insert into `+s.Log.heads()+` as h (chain, number, hash) values ($1, $2, $3)
		on conflict (chain) do update set number = excluded.number, hash = excluded.hash`, s.Log.Name, l.Number, l.Hash)
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("write link: %w", err)
	}
	return nil
}

// tell logs the head, at most once a minute.
func (s *Sealer) tell() {
	now := time.Now()
	if s.known.Number == 0 || now.Sub(s.told) < tellEvery {
		return
	}
	s.told = now
	s.Logger.Info("audit chain", "log", s.Log.Name, "link", s.known.Number, "head", hex.EncodeToString(s.known.Hash))
}

// State is how sealing goes.
type State struct {
	Links  int64 // the furthest that was seen
	Broken bool  // the chain does not go on where it stood, or cannot
	// Unsealed is the age of the oldest row that no link has; 0: all are sealed. It grows while a transaction anywhere in the cluster
	// stays open that has written.
	Unsealed time.Duration
}

// State asks how sealing goes, for metrics.
func (s *Sealer) State(ctx context.Context) (State, error) {
	var unsealed float64
	err := s.Pool.QueryRow(ctx, `
		select coalesce(extract(epoch from now() - (
			select at from `+s.Log.table()+` where (era, tx) >= (
				coalesce((select to_era from `+s.Log.links()+` order by number desc limit 1), 0),
				coalesce((select to_tx from `+s.Log.links()+` order by number desc limit 1), '0'))
			order by era, tx, id limit 1)), 0)::float8`).Scan(&unsealed)
	if err != nil {
		return State{}, fmt.Errorf("ask how much is sealed: %w", err)
	}
	return State{s.links.Load(), s.tampered.Load() || s.stuck.Load(), time.Duration(max(unsealed, 0) * float64(time.Second))}, nil
}
