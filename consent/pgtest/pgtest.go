// Package pgtest gives every test a PostgreSQL database of its own.
//
// One private cluster serves a test binary. It starts with the first test that asks, and ends with the binary, even if that
// is killed. A package that uses it says so once:
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
// Then Database gives an empty database and Migrated a copy of a migrated one, in some milliseconds each, so that tests
// run in parallel. Without PostgreSQL tests skip with a message, and fail where CI=true.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/pgcluster"
	"contactsync/consent/pgschema"
)

// poolSize connections a test get it far; a hundred are all a cluster has.
const poolSize = 8

// binary is the cluster of this test binary, nil unless Main runs. A testing.TB has no room for what tests of a binary
// share, so this is the one variable of a package.
var binary atomic.Pointer[server]

// server starts PostgreSQL when the first test asks.
type server struct {
	start     func() (*pgcluster.Cluster, error) // once
	count     atomic.Int64                       // names databases
	mu        sync.Mutex
	templates map[string]func() (string, error) // by key; each migrates once
}

// Main runs the tests of a package, stops the cluster if one was started, removes its folder and ends the process.
func Main(m interface{ Run() int }) {
	os.Exit(withServer(m.Run))
}

func withServer(run func() int) int {
	dir, release, err := scratch(os.TempDir())
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return 1
	}
	defer release()
	s := &server{templates: map[string]func() (string, error){}}
	var started *pgcluster.Cluster
	s.start = sync.OnceValues(func() (_ *pgcluster.Cluster, err error) {
		started, err = pgcluster.Start(context.Background(), pgcluster.Config{
			Dir: filepath.Join(dir, "cluster"), Owner: "test", Password: "test", Database: "test",
			Binaries: os.Getenv(pgcluster.BinariesEnv),
		})
		return started, err
	})
	binary.Store(s)
	code := run()
	if started != nil {
		if err := started.Stop(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			return 1
		}
	}
	return code
}

// Database returns a pool on an empty database, which is dropped when the test ends.
func Database(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return clone(t, "template1")
}

// Migrated returns a pool on a copy of a database that migrate has prepared, which is dropped when the test ends. migrate
// runs once for each key in a test binary.
func Migrated(t testing.TB, key string, migrate func(context.Context, *pgxpool.Pool) error) *pgxpool.Pool {
	t.Helper()
	s, cluster := running(t)
	s.mu.Lock()
	prepare, known := s.templates[key]
	if !known {
		prepare = sync.OnceValues(func() (string, error) { return s.prepare(cluster, migrate) })
		s.templates[key] = prepare
	}
	s.mu.Unlock()
	template, err := prepare()
	if err != nil {
		t.Fatalf("migrate the database %q: %v", key, err)
	}
	return clone(t, template)
}

// Durable returns a pool on an empty database of a cluster of its own, for a benchmark: unlike the one that tests share it keeps what is
// committed through a crash of the machine, and caches as much as is said, such as 1GB. It ends with the test.
func Durable(t testing.TB, sharedBuffers string) *pgxpool.Pool {
	t.Helper()
	dir, release, err := scratch(os.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	cluster, err := pgcluster.Start(t.Context(), pgcluster.Config{
		Dir: filepath.Join(dir, "cluster"), Owner: "test", Password: "test", Database: "test",
		Durable: true, SharedBuffers: sharedBuffers, Binaries: os.Getenv(pgcluster.BinariesEnv),
	})
	mustStart(t, err)
	t.Cleanup(func() {
		if err := cluster.Stop(context.Background()); err != nil { // the test's own context has ended
			t.Error(err)
		}
	})
	pool, err := open(t.Context(), cluster, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// running returns the cluster, or ends the test.
func running(t testing.TB) (*server, *pgcluster.Cluster) {
	t.Helper()
	s := binary.Load()
	if s == nil {
		t.Fatal("pgtest: this package lacks func TestMain(m *testing.M) { pgtest.Main(m) }")
	}
	cluster, err := s.start()
	mustStart(t, err)
	return s, cluster
}

// mustStart ends the test if its cluster has not started.
func mustStart(t testing.TB, err error) {
	t.Helper()
	switch {
	case errors.Is(err, pgcluster.ErrNoBinaries) && os.Getenv("CI") != "true":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}

// prepare makes a template: nobody may be connected to it when it is copied, so its pool is closed.
func (s *server) prepare(cluster *pgcluster.Cluster, migrate func(context.Context, *pgxpool.Pool) error) (string, error) {
	ctx := context.Background() // outlives the test that happens to be first
	name, err := s.create(ctx, cluster, "template1")
	if err != nil {
		return "", err
	}
	pool, err := open(ctx, cluster, name)
	if err != nil {
		return "", err
	}
	defer pool.Close()
	return name, migrate(ctx, pool)
}

func clone(t testing.TB, template string) *pgxpool.Pool {
	t.Helper()
	s, cluster := running(t)
	name, err := s.create(t.Context(), cluster, template)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := open(t.Context(), cluster, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pool.Close()
		// The test's own context has ended.
		if err := execute(context.Background(), cluster, "drop database "+name+" with (force)"); err != nil {
			t.Error(err)
		}
	})
	return pool
}

func (s *server) create(ctx context.Context, cluster *pgcluster.Cluster, template string) (string, error) {
	name := fmt.Sprintf("test_%d", s.count.Add(1))
	return name, execute(ctx, cluster, fmt.Sprintf("create database %s template %s", name, template))
}

func execute(ctx context.Context, cluster *pgcluster.Cluster, statement string) error {
	conn, err := pgx.Connect(ctx, cluster.URL())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

func open(ctx context.Context, cluster *pgcluster.Cluster, database string) (*pgxpool.Pool, error) {
	config, err := pgschema.ParseConfig(cluster.URL())
	if err != nil {
		return nil, err
	}
	config.ConnConfig.Database = database
	config.MaxConns = poolSize
	config.MaxConnIdleTime = 5 * time.Second
	return pgxpool.NewWithConfig(ctx, config)
}
