package pgtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

func TestMain(m *testing.M) { Main(m) }

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			if _, err := Database(t).Exec(t.Context(), "create table decision (id int)"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestMigratesOnceAndGivesCopies(t *testing.T) {
	t.Parallel()
	var runs atomic.Int32
	migrate := func(ctx context.Context, pool *pgxpool.Pool) error {
		runs.Add(1)
		_, err := pool.Exec(ctx, "create table decision (id int)")
		return err
	}
	for range 3 {
		pool := Migrated(t, "decisions", migrate)
		var rows int
		if err := pool.QueryRow(t.Context(), "select count(*) from decision").Scan(&rows); err != nil || rows != 0 {
			t.Errorf("a copy holds %d rows (%v), want an empty table", rows, err)
		}
		if _, err := pool.Exec(t.Context(), "insert into decision values (1)"); err != nil {
			t.Error(err)
		}
	}
	if runs.Load() != 1 {
		t.Errorf("migrated %d times, want once", runs.Load())
	}
}

func TestDatabaseIsDroppedAfterTheTest(t *testing.T) {
	t.Parallel()
	outer := Database(t)
	var name string
	t.Run("inner", func(t *testing.T) {
		if err := Database(t).QueryRow(t.Context(), "select current_database()").Scan(&name); err != nil {
			t.Fatal(err)
		}
	})
	var left bool
	err := outer.QueryRow(t.Context(), "select exists (select from pg_database where datname = $1)", name).Scan(&left)
	if err != nil || left {
		t.Errorf("database %s is left: %t, %v", name, left, err)
	}
}

func TestScratchOfKilledProcessIsRemoved(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	killed := filepath.Join(parent, scratchPrefix+"killed")
	if err := errors.Join(os.MkdirAll(killed, 0o700), os.WriteFile(filepath.Join(killed, lockName), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	alive, release, err := scratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(killed); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of a killed process is left: %v", err)
	}
	_, releaseSecond, err := scratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(alive); err != nil {
		t.Errorf("the folder of a living process is gone: %v", err)
	}
	release()
	releaseSecond()
	if left, _ := os.ReadDir(parent); len(left) != 0 {
		t.Errorf("left after release: %v", left)
	}
}

func TestADurableClusterKeepsWhatIsCommitted(t *testing.T) {
	t.Parallel()
	var fsync, commit, pages string
	err := Durable(t, "16MB").QueryRow(t.Context(),
		`select current_setting('fsync'), current_setting('synchronous_commit'), current_setting('full_page_writes')`).Scan(&fsync, &commit, &pages)
	if err != nil || fsync != "on" || commit != "on" || pages != "on" {
		t.Errorf("fsync %s, synchronous_commit %s, full_page_writes %s, error %v", fsync, commit, pages, err)
	}
}
