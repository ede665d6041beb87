package syncpg_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/audit"
	"contactsync/sync/syncpg"
)

// A database that had the proofs before they told all that was told gets the columns that others were made with.
func TestProofsOfAnOlderDatabase(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.sql(`alter table sync.proof drop column reason, drop column effects; delete from sync.schema_version where version_id >= 10;
		alter table sync.partition drop column run; drop table sync.server`)
	if err := syncpg.Migrate(t.Context(), d.pool); err != nil {
		t.Fatal(err)
	}
	d.receives(share(1), withdraw(2))
	claim := d.claims(true)[0]
	d.finishes(claim, pushed(claim))
	if got := d.one(`select outcome || reason || array_to_string(effects, '') from sync.proof`); got != "pushed" {
		t.Errorf("the proof says %q", got)
	}
}

// stopping ends a context when a statement has been carried out.
type stopping struct {
	statement string
	stop      context.CancelFunc
}

type traced struct{}

func (s *stopping) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, traced{}, q.SQL)
}

func (s *stopping) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if sql, _ := ctx.Value(traced{}).(string); strings.Contains(sql, s.statement) {
		s.stop()
	}
}

// Between the two statements of a claim there are leases. A worker that is told to stop then must still learn whom it has claimed: nobody
// else works on them until the leases run out.
func TestAClaimIsNotCutInTwo(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1))
	ctx, stop := context.WithCancel(t.Context())
	config := d.pool.Config()
	config.ConnConfig.Tracer = &stopping{"nextval('sync.lease')", stop}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	store, err := syncpg.New(syncpg.Config{Pool: pool, Source: "urn:hsaid:SE2321000016-CSW1", Pepper: []byte("test"), AuditKey: audit.DevelopmentKey()})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := store.Claim(ctx, 1, false, true)
	if err != nil || len(claims) != 1 || len(claims[0].Targets) != 1 || ctx.Err() == nil {
		t.Errorf("claims %v, %v; stopped: %v", claims, err, ctx.Err())
	}
}
