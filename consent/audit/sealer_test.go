package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func sprint(format string, v any) string { return fmt.Sprintf(format, v) }

// TestChainOfManyWriters: transactions of all lengths, some of which are rolled back, and two sealers. In the end every row that was
// committed is sealed once, and nothing else is.
func TestChainOfManyWriters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rolledBack := errors.New("rolled back")
	writing, done := context.WithCancel(t.Context())
	var sealers, writers sync.WaitGroup
	for _, s := range []*Sealer{w.newSealer(), w.newSealer()} {
		sealers.Go(func() {
			for writing.Err() == nil {
				if _, err := s.Seal(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for n := range 5 {
		writers.Go(func() {
			draw := rand.New(rand.NewPCG(1, uint64(n)))
			for range 40 {
				err := pgx.BeginFunc(t.Context(), w.pool, func(tx pgx.Tx) error {
					for range 1 + draw.IntN(4) {
						if err := write(t.Context(), tx, "look", 1+draw.IntN(3)); err != nil {
							return err
						}
						// A slow transaction: the others, and the sealers, overtake it.
						if _, err := tx.Exec(t.Context(), `select pg_sleep($1)`, draw.Float64()/200); err != nil {
							return err
						}
					}
					if draw.IntN(4) == 0 {
						return rolledBack
					}
					return nil
				})
				if err != nil && !errors.Is(err, rolledBack) {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	done()
	sealers.Wait()
	w.seal()
	r := w.verify(Check{})
	if rows := w.count(`select count(*) from consent.audit`); r.Fault != nil || r.Rows != rows || r.Links < 2 {
		t.Errorf("%d rows, %d of them sealed in %d links, %v", rows, r.Rows, r.Links, r.Fault)
	}
	t.Logf("%d rows in %d links", r.Rows, r.Links)
}

// TestOpenTransactionIsWaitedFor: what is not over is not sealed, and neither is what began after it.
func TestOpenTransactionIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tx, err := w.pool.Begin(t.Context())
	w.must(err)
	w.write(tx, "slow", 1)
	w.write(w.pool, "fast", 1)
	if n, err := w.sealer.Seal(t.Context()); n != 0 || err != nil {
		t.Errorf("%d rows sealed while the first transaction is open, %v", n, err)
	}
	state, err := w.sealer.State(t.Context())
	w.must(err)
	if state.Unsealed <= 0 || state.Links != 0 {
		t.Errorf("state %+v", state)
	}
	w.must(tx.Commit(t.Context()))
	w.seal()
	if r := w.verify(Check{}); r.Rows != 2 || r.Fault != nil {
		t.Errorf("%d rows, %v", r.Rows, r.Fault)
	}
	if state, err = w.sealer.State(t.Context()); err != nil || state.Unsealed != 0 || state.Links == 0 || state.Broken {
		t.Errorf("state %+v, %v", state, err)
	}
}

// TestCutTailStaysCut: sealing goes on, and what it adds does not cover up what was cut.
func TestCutTailStaysCut(t *testing.T) {
	t.Parallel()
	const rollBack = `update consent.audit_head set (number, hash) = (select number, hash from consent.audit_link where number = 8)`
	for _, tt := range []struct {
		name       string
		statements []string
		fresh      bool // the sealer was not there before
	}{
		{"the head tells", []string{`delete from consent.audit_link where number > 8`, `delete from consent.audit where id > 40`}, true},
		{"the sealer remembers", []string{`delete from consent.audit_link where number > 8`, `delete from consent.audit where id > 40`, rollBack}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := chain(t)
			if !tt.fresh {
				w.sealer.known, w.sealer.to = w.stands()
			}
			w.tamper(tt.statements...)
			var told bytes.Buffer
			w.sealer.Logger = slog.New(slog.NewJSONHandler(&told, nil))
			w.write(w.pool, "look", 2)
			w.seal()
			r := w.verify(Check{})
			if r.Fault == nil || r.Fault.Link != 9 || !strings.Contains(r.Fault.What, "links 9 to 10 were removed") {
				t.Errorf("fault %v", r.Fault)
			}
			state, err := w.sealer.State(t.Context())
			w.must(err)
			if !state.Broken || !strings.Contains(told.String(), "changed behind its back") {
				t.Errorf("broken %t, told %s", state.Broken, &told)
			}
		})
	}
}

// TestRestoreFromDump: in another cluster transactions are numbered anew. Nothing is sealed before a new era begins; then the chain
// goes on, with what was written meanwhile.
func TestRestoreFromDump(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(w.pool, "look", 5)
	w.seal()
	w.restore()
	w.sealer = w.newSealer()
	w.write(w.pool, "look after the restore", 2)
	for i, s := range []*Sealer{w.sealer, w.newSealer()} { // one that was there before
		if i == 0 {
			s.known, s.to = w.stands()
		}
		if _, err := s.Seal(t.Context()); !errors.Is(err, ErrRestarted) {
			t.Fatalf("error %v, want ErrRestarted", err)
		}
	}
	if r := w.verify(Check{}); r.Fault == nil || r.Fault.What != ErrRestarted.Error() {
		t.Errorf("fault %v", r.Fault)
	}
	if state, err := w.sealer.State(t.Context()); err != nil || !state.Broken {
		t.Errorf("state %+v, %v", state, err)
	}
	for i, want := range []bool{true, false} {
		if renewed, err := diary().RenewEra(t.Context(), w.pool); renewed != want || err != nil {
			t.Fatalf("renewal %d: %t, %v", i, renewed, err)
		}
	}
	w.write(w.pool, "look in the new era", 3)
	w.seal()
	w.write(w.pool, "look in the new era", 3)
	w.seal()
	if state, err := w.sealer.State(t.Context()); err != nil || state.Broken {
		t.Errorf("state %+v, %v", state, err)
	}
	if r := w.verify(Check{}); r.Fault != nil || r.Rows != 13 || r.Unsealed != 0 {
		t.Errorf("%d rows, %d unsealed, %v", r.Rows, r.Unsealed, r.Fault)
	}
}

// restore makes the chain look as if it came from a cluster that had counted a million transactions more.
func (w *world) restore() {
	w.t.Helper()
	w.tamper(`update consent.audit set tx = (tx::text::bigint + 1000000)::text::xid8`)
	rows, err := w.pool.Query(w.t.Context(), `select number, from_era, from_tx, to_era, to_tx, entries, first_id, last_id, sealed_at, hash
		from consent.audit_link order by number`)
	w.must(err)
	links, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (Link, error) { return scanLink(rows) })
	w.must(err)
	var before []byte
	for _, l := range links {
		if l.Number > 1 {
			l.From.Tx += 1_000_000
		}
		l.To.Tx += 1_000_000
		w.must(pgx.BeginFunc(w.t.Context(), w.pool, func(tx pgx.Tx) error {
			g, err := w.sealer.gather(w.t.Context(), tx, l)
			if err != nil {
				return err
			}
			l.Hash = g.hash(DevelopmentKey(), "diary", before, l)
			before = l.Hash
			if _, err := tx.Exec(w.t.Context(), `delete from consent.audit_link where number = $1`, l.Number); err != nil {
				return err
			}
			return w.sealer.write(w.t.Context(), tx, l)
		}))
	}
}

// stands is where the chain stands, as a sealer knows it that was there before.
func (w *world) stands() (h Head, to Place) {
	w.t.Helper()
	w.must(w.pool.QueryRow(w.t.Context(), `select number, hash, to_era, to_tx from consent.audit_link order by number desc limit 1`).
		Scan(&h.Number, &h.Hash, &to.Era, &to.Tx))
	return h, to
}

// TestRunSealsAndEnds lets a sealer run as a service does.
func TestRunSealsAndEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.sealer.Run(ctx) })
	w.write(w.pool, "look", 4)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for w.verify(Check{}).Unsealed > 0 {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("not sealed")
		}
	}
	stop()
	running.Wait()
	w.write(w.pool, "look", 1)
	w.sealer.Last(t.Context())
	if r := w.verify(Check{}); r.Fault != nil {
		t.Error(r.Fault)
	}
}

// BenchmarkSeal tells how many rows a second one sealer seals, and one verification verifies.
func BenchmarkSeal(b *testing.B) {
	w := newWorld(b)
	const rows = 40_000
	b.ReportAllocs()
	var sealing, verifying time.Duration
	for range b.N {
		b.StopTimer()
		for range rows / 4000 {
			w.write(w.pool, "look", 4000)
		}
		b.StartTimer()
		began := time.Now()
		n, err := w.sealer.Seal(b.Context())
		w.must(err)
		if n != rows {
			b.Fatalf("%d rows sealed", n)
		}
		sealing += time.Since(began)
	}
	b.StopTimer()
	began := time.Now()
	r := w.verify(Check{})
	verifying = time.Since(began)
	b.ReportMetric(float64(rows*b.N)/sealing.Seconds(), "sealed/s")
	b.ReportMetric(float64(r.Rows)/verifying.Seconds(), "verified/s")
}
