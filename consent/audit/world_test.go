package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// diary is a log of these tests: the tables are those of consent.audit, as its migrations make them.
func diary() Log {
	return Log{Name: "diary", Schema: "consent", Table: "audit", Links: "audit_link", Heads: "audit_head",
		Columns: Columns("log_id", "at", "actor", "action", "root", "extension", "channel", "ground", "outcome", "event_id")}
}

// world is a database with a diary and its sealer.
type world struct {
	t      testing.TB
	pool   *pgxpool.Pool
	sealer *Sealer
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, pool: pgtest.Migrated(t, "diary", migrate)}
	w.sealer = w.newSealer()
	return w
}

func migrate(ctx context.Context, p *pgxpool.Pool) error {
	statements := []string{"create schema consent"}
	for _, name := range []string{"00001_choices.sql", "00003_audit_chain.sql"} {
		text, err := os.ReadFile("../consentpg/migrations/" + name)
		if err != nil {
			return err
		}
		statements = append(statements, string(text))
	}
	_, err := p.Exec(ctx, strings.Join(statements, ";\n"))
	return err
}

// chain is a log of ten links of five rows each, and three rows that no link has.
func chain(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	w.pool = pgtest.Migrated(t, "chain", func(ctx context.Context, p *pgxpool.Pool) error {
		if err := migrate(ctx, p); err != nil {
			return err
		}
		s, err := newSealer(p)
		for n := 0; n < 10 && err == nil; n++ {
			if err = write(ctx, p, "look", 5); err == nil {
				err = sealAll(ctx, s)
			}
		}
		return errors.Join(err, write(ctx, p, "look", 3))
	})
	w.sealer = w.newSealer()
	return w
}

func newSealer(pool *pgxpool.Pool) (*Sealer, error) {
	return NewSealer(SealerConfig{Pool: pool, Log: diary(), Key: DevelopmentKey(), Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
}

func (w *world) newSealer() *Sealer {
	w.t.Helper()
	s, err := newSealer(w.pool)
	w.must(err)
	return s
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// execer is a pool or a transaction.
type execer interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// write adds rows that tell of a person, in one transaction of the execer's.
func (w *world) write(to execer, what string, rows int) {
	w.t.Helper()
	w.must(write(w.t.Context(), to, what, rows))
}

func write(ctx context.Context, to execer, what string, rows int) error {
	var batch pgx.Batch
	for i := range rows {
		id, at := NewID(), time.Now()
		text := []string{"support", what, "1.2.752.129.2.1.3.1", fmt.Sprintf("1985070998%02d", i%100), "", "asked", "found", ""}
		mac := diary().MAC(DevelopmentKey(), append([]string{id.String(), Micros(at)}, text...)...)
		batch.Queue(`insert into consent.audit (log_id, at, mac, actor, action, root, extension, channel, ground, outcome, event_id)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			id, at, mac, text[0], text[1], text[2], text[3], text[4], text[5], text[6], text[7])
	}
	return to.SendBatch(ctx, &batch).Close()
}

// seal seals until nothing is left. Other tests of the cluster may have transactions open: theirs hold the sealer up.
func (w *world) seal() {
	w.t.Helper()
	w.must(sealAll(w.t.Context(), w.sealer))
}

func sealAll(ctx context.Context, s *Sealer) error {
	for {
		if _, err := s.Seal(ctx); err != nil {
			return err
		}
		var left bool
		err := s.Pool.QueryRow(ctx, `select exists (select from consent.audit where (era, tx) >= (
			coalesce((select to_era from consent.audit_link order by number desc limit 1), 0),
			coalesce((select to_tx from consent.audit_link order by number desc limit 1), '0')))`).Scan(&left)
		if err != nil || !left {
			return err
		}
	}
}

func (w *world) verify(c Check) Report {
	w.t.Helper()
	if c.Key.IsZero() {
		c.Key = DevelopmentKey()
	}
	r, err := Verify(w.t.Context(), w.pool, diary(), c)
	w.must(err)
	return r
}

// tamper does what only the owner of the database can.
func (w *world) tamper(statements ...string) {
	w.t.Helper()
	for _, s := range statements {
		if _, err := w.pool.Exec(w.t.Context(), s); err != nil {
			w.t.Fatalf("%s: %v", s, err)
		}
	}
}

func (w *world) count(query string) (n int64) {
	w.t.Helper()
	w.must(w.pool.QueryRow(w.t.Context(), query).Scan(&n))
	return n
}
