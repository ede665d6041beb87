package pgcluster

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"
)

// ownerEnv makes the test binary start a cluster in the named folder, say so and wait to be killed.
const ownerEnv = "CONTACTSYNC_PGCLUSTER_TEST_OWNER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerEnv); dir != "" {
		ownUntilKilled(dir)
	}
	os.Exit(m.Run())
}

func ownUntilKilled(dir string) {
	cfg := Config{Dir: dir, Owner: "owner", Password: "secret", Database: "contactsync", Durable: true, Binaries: os.Getenv(BinariesEnv)}
	c, err := Start(context.Background(), cfg)
	if err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
	os.Stdout.WriteString("ready\n")
	<-c.Exited()
	os.Exit(0)
}

func TestNothingOutlivesAKilledOwner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	owner := startOwner(t, dir)
	postmaster := watch(t, postmasterOf(t, dir))
	owner.kill9()
	if !postmaster.endsWithin(t, 5*time.Second) {
		t.Fatal("PostgreSQL outlives its killed owner")
	}
}

func TestRestartAtOnceAfterAKillWaitsForTheRemnant(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	owner := startOwner(t, dir)
	owner.kill9()
	execute(t, start(t, config(t, dir)), "select 1")
}

func TestRestartAtOnceAfterAKillInTheMiddleOfInitdb(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for round := range 3 {
		owner, _ := launchOwner(t, dir)
		for deadline := time.After(30 * time.Second); begunIn(dir) == round; {
			select {
			case <-owner.exited:
				skipOrFail(t, ErrNoBinaries)
			case <-deadline:
				t.Fatal("initdb does not begin")
			case <-time.After(pollInterval):
			}
		}
		owner.kill9()
	}
	execute(t, start(t, config(t, dir)), "select 1")
}

func TestStopEndsAFrozenCluster(t *testing.T) {
	t.Parallel()
	cfg := config(t, t.TempDir())
	c := start(t, cfg)
	conn, err := pgx.Connect(t.Context(), c.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(contextAfter(t)) })
	postmaster := postmasterOf(t, cfg.Dir)
	frozen := []watched{watch(t, postmaster)}
	for _, child := range childrenOf(postmaster) {
		frozen = append(frozen, watch(t, child))
	}
	if len(frozen) < 3 {
		t.Fatalf("PostgreSQL with a session has %d processes", len(frozen))
	}
	for _, process := range frozen {
		if err := syscall.Kill(process.pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	impatient, cancel := context.WithTimeout(t.Context(), pollInterval)
	defer cancel()
	if err := c.Stop(impatient); err != nil {
		t.Error(err)
	}
	for _, process := range frozen {
		if !process.endsWithin(t, time.Second) {
			t.Errorf("process %d still lives", process.pid)
		}
	}
	execute(t, start(t, cfg), "select 1")
}

func TestEndsARemnantThatStays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	startOwner(t, dir)
	postmaster := watch(t, postmasterOf(t, dir))
	if gone(t.Context(), postmaster.pid, filepath.Join(dir, "data"), time.Millisecond) {
		t.Fatal("a living PostgreSQL counts as gone")
	}
	cfg := config(t, dir)
	cfg.LastPort, cfg.patience = portOfPostmaster(t, dir), 2*time.Second
	c := start(t, cfg)
	execute(t, c, "select 1")
	if now := portOfPostmaster(t, dir); now != cfg.LastPort {
		t.Errorf("the port that the remnant held was not taken again: %d, then %d", cfg.LastPort, now)
	}
	if !postmaster.endsWithin(t, time.Second) {
		t.Error("the remnant still lives")
	}
}

func TestStartsAfterThePostmasterItselfWasKilled(t *testing.T) {
	t.Parallel()
	cfg := config(t, t.TempDir())
	c := start(t, cfg)
	execute(t, c, "select 1")
	if err := syscall.Kill(postmasterOf(t, cfg.Dir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-c.Exited()
	execute(t, start(t, cfg), "select 1")
}

// startOwner starts a process that owns a cluster, and returns when it is ready.
func startOwner(t *testing.T, dir string) *owner {
	t.Helper()
	o, out := launchOwner(t, dir)
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		<-o.exited
		if strings.Contains(o.fault.String(), ErrNoBinaries.Error()) {
			skipOrFail(t, ErrNoBinaries)
		}
		t.Fatalf("the owner did not start: %s", o.fault.String())
	}
	return o
}

// owner is a process that owns a cluster.
type owner struct {
	process *os.Process
	exited  chan struct{}
	fault   strings.Builder // read after exited is closed
}

func launchOwner(t *testing.T, dir string) (*owner, io.Reader) {
	t.Helper()
	o := &owner{exited: make(chan struct{})}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), ownerEnv+"="+dir)
	cmd.Stderr = &o.fault
	out, in, err := os.Pipe() // not StdoutPipe: Wait would close it under the reader
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	o.process = cmd.Process
	go func() {
		_ = cmd.Wait()
		close(o.exited)
	}()
	t.Cleanup(func() {
		o.kill9()
		_ = out.Close()
	})
	return o, out
}

// kill9 returns when the process is gone.
func (o *owner) kill9() {
	_ = o.process.Kill()
	<-o.exited
}

// begunIn counts the folders in which initdb has come so far that a process of its own writes.
func begunIn(dir string) int {
	found, _ := filepath.Glob(filepath.Join(dir, halfMade+"*", "base", "1", "PG_VERSION"))
	return len(found)
}

func postmasterOf(t *testing.T, dir string) int {
	t.Helper()
	pid, found := readPID(filepath.Join(dir, "data", "postmaster.pid"))
	if !found || !isPostmaster(pid, filepath.Join(dir, "data")) {
		t.Fatal("no PostgreSQL runs in the folder")
	}
	return pid
}

// portOfPostmaster reads the fourth line of postmaster.pid.
func portOfPostmaster(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	lines := strings.Split(string(text), "\n")
	if err != nil || len(lines) < 4 {
		t.Fatalf("postmaster.pid has %d lines: %v", len(lines), err)
	}
	port, err := strconv.Atoi(lines[3])
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// watched is a process whose end is noticed without asking again and again.
type watched struct{ pid, fd int }

func watch(t *testing.T, pid int) watched {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return watched{pid, fd}
}

func (w watched) endsWithin(t *testing.T, patience time.Duration) bool {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}, int(time.Until(deadline).Milliseconds()))
		if err != unix.EINTR {
			return n == 1
		}
	}
}
