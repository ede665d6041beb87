package pgcluster

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestKeepsDataOverRestartOnTheSamePort(t *testing.T) {
	t.Parallel()
	cfg := config(t, t.TempDir())
	cfg.Durable = true
	first := start(t, cfg)
	execute(t, first, "create table decision (id int)")
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.ParseConfig(first.URL())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Port = int(conn.Port)
	second := start(t, cfg)
	execute(t, second, "insert into decision values (1)")
	if first.URL() != second.URL() {
		t.Error("the URL changed over a restart on the same port")
	}
}

func TestWorksInFolderClosedToOthers(t *testing.T) {
	t.Parallel()
	parent := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	execute(t, start(t, config(t, filepath.Join(parent, "made", "by us"))), "select 1")
}

func TestRefusesWrongPassword(t *testing.T) {
	t.Parallel()
	c := start(t, config(t, t.TempDir()))
	if conn, err := pgx.Connect(t.Context(), strings.Replace(c.URL(), ":secret@", ":guess@", 1)); err == nil {
		conn.Close(t.Context())
		t.Error("a wrong password was accepted")
	}
}

func TestSaysInOneLineWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(*testing.T, *Config)
		want  string
	}{
		"no binaries where the user says": {
			func(t *testing.T, c *Config) { c.Binaries = t.TempDir() }, BinariesEnv,
		},
		"binaries closed to the unprivileged user": {
			func(t *testing.T, c *Config) { c.Binaries = closedBinaries(t) }, ErrNoBinaries.Error(),
		},
		"a busy port": {
			func(t *testing.T, c *Config) { c.Port, c.patience = busyPort(t), time.Second }, "is busy",
		},
		"a folder below a file": {
			func(t *testing.T, c *Config) { c.Dir = filepath.Join(write(t, "file", ""), "cluster") }, "not a directory",
		},
		"a data folder of another version": {
			func(t *testing.T, c *Config) {
				old := filepath.Join(c.Dir, "data")
				if err := errors.Join(os.MkdirAll(old, 0o700), os.WriteFile(filepath.Join(old, "PG_VERSION"), []byte("9.1\n"), 0o600)); err != nil {
					t.Fatal(err)
				}
				giveTo(t, nobody, old)
			}, "postgres",
		},
		"a data folder of another user": {
			func(t *testing.T, c *Config) {
				if err := os.Mkdir(filepath.Join(c.Dir, "data"), 0o700); err != nil {
					t.Fatal(err)
				}
				if os.Geteuid() != 0 {
					t.Skip("only root can give a folder to another user")
				}
				giveTo(t, 64999, filepath.Join(c.Dir, "data"))
			}, "belong to the user 64999: run this as that user, or choose another folder",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, t.TempDir())
			test.spoil(t, &cfg)
			_, err := Start(t.Context(), cfg)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, want one line with %q", err, test.want)
			}
		})
	}
}

func TestBusyPortOfTheLastRunIsNotTaken(t *testing.T) {
	t.Parallel()
	cfg := config(t, t.TempDir())
	cfg.LastPort = busyPort(t)
	execute(t, start(t, cfg), "select 1")
}

// What a killed initdb has started may still write.
func TestStartsBesideARemnantThatStillWrites(t *testing.T) {
	t.Parallel()
	cfg := config(t, t.TempDir())
	old := filepath.Join(cfg.Dir, halfMade)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				_ = os.MkdirAll(old, 0o700)
				_ = os.WriteFile(filepath.Join(old, strconv.Itoa(n%1000)), nil, 0o600)
			}
		}
	}()
	first := start(t, cfg)
	execute(t, first, "select 1")
	close(stop)
	<-stopped
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	start(t, cfg)
	if left, _ := filepath.Glob(filepath.Join(cfg.Dir, halfMade+"*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestFetches runs in CI, and wherever PostgreSQL was fetched before: it loads 15 MB.
func TestFetches(t *testing.T) {
	t.Parallel()
	cache, _ := cacheDir()
	fetched, _ := filepath.Glob(filepath.Join(cache, "postgres-*"))
	if os.Getenv("CI") != "true" && len(fetched) == 0 {
		t.Skip("fetching PostgreSQL is tested where CI=true, or where it has been fetched before")
	}
	cfg := config(t, t.TempDir())
	cfg.Binaries = FetchBinaries
	execute(t, start(t, cfg), "select 1")
}

func TestFindsTheFaultInOutput(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]string{
		"LOG:  starting\nLOG:  could not bind\nFATAL:  could not create any TCP/IP sockets\nLOG:  shut down\n": "could not create any TCP/IP sockets",
		"initdb: error: cannot be run as root\ninitdb: hint: log in\n":                                         "cannot be run as root",
		"sh: 1: not found": "sh: 1: not found",
		"":                 "",
	} {
		if got := faultIn(output); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestPrefersNewerVersions(t *testing.T) {
	t.Parallel()
	if versionIn("/usr/lib/postgresql/9/bin") >= versionIn("/usr/lib/postgresql/15/bin") {
		t.Error("version 9 is preferred to 15")
	}
}

func TestPIDThatBelongsToAnotherProcessIsForgotten(t *testing.T) {
	t.Parallel()
	cfg := config(t, t.TempDir())
	c := start(t, cfg)
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Process 1 lives and is no PostgreSQL of ours.
	if err := os.WriteFile(filepath.Join(cfg.dataDir(), "postmaster.pid"), []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	execute(t, start(t, cfg), "select 1")
}

// giveTo makes root's folder and its files another user's; nobody else can give any away.
func giveTo(t *testing.T, uid int, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range append(files, dir) {
		if err := os.Chown(name, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
}

func busyPort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

// closedBinaries returns a folder with an initdb and a postgres that only its owner can reach, and that do not work.
func closedBinaries(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	if err := errors.Join(
		os.WriteFile(filepath.Join(bin, "initdb"), nil, 0o700), os.WriteFile(filepath.Join(bin, "postgres"), nil, 0o700), os.Chmod(bin, 0o700),
	); err != nil {
		t.Fatal(err)
	}
	return bin
}

func config(t *testing.T, dir string) Config {
	return Config{
		Dir: dir, Owner: "owner", Password: "secret", Database: "contactsync",
		Binaries: os.Getenv(BinariesEnv), Log: slogTo(t),
	}
}

func start(t *testing.T, cfg Config) *Cluster {
	t.Helper()
	c, err := Start(t.Context(), cfg)
	if err != nil {
		skipOrFail(t, err)
	}
	t.Cleanup(func() {
		if err := c.Stop(contextAfter(t)); err != nil {
			t.Error(err)
		}
	})
	return c
}

func skipOrFail(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, ErrNoBinaries) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	t.Fatal(err)
}

func execute(t *testing.T, c *Cluster, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Error(err)
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func slogTo(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// contextAfter is for clean-up, when the test's own context has ended.
func contextAfter(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}
