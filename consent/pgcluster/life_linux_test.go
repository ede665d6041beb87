package pgcluster

import (
	"bufio"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

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
	if err := owner.Kill(); err != nil {
		t.Fatal(err)
	}
	if !postmaster.endsWithin(t, 5*time.Second) {
		t.Fatal("PostgreSQL outlives its killed owner")
	}
}

func TestRestartAtOnceAfterAKillWaitsForTheRemnant(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	owner := startOwner(t, dir)
	if err := owner.Kill(); err != nil {
		t.Fatal(err)
	}
	execute(t, start(t, config(t, dir)), "select 1")
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
	cfg.patience = 2 * time.Second
	execute(t, start(t, cfg), "select 1")
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
func startOwner(t *testing.T, dir string) *os.Process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), ownerEnv+"="+dir)
	var fault strings.Builder
	cmd.Stderr = &fault
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		_ = cmd.Wait()
		if strings.Contains(fault.String(), ErrNoBinaries.Error()) {
			skipOrFail(t, ErrNoBinaries)
		}
		t.Fatalf("the owner did not start: %s", fault.String())
	}
	return cmd.Process
}

func postmasterOf(t *testing.T, dir string) int {
	t.Helper()
	pid, found := readPID(filepath.Join(dir, "data", "postmaster.pid"))
	if !found || !isPostmaster(pid, filepath.Join(dir, "data")) {
		t.Fatal("no PostgreSQL runs in the folder")
	}
	return pid
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
