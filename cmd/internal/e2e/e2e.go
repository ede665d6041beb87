// Package e2e runs the built binary as a user does: its own process, flags, signals and files, and nothing of its insides.
//
// A package that uses it says so once:
//
//	func TestMain(m *testing.M) { e2e.Main(m) }
//
// Then Start runs `contactsync dev` until it is ready, and Run any other command to its end.
package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"contactsync/cmd/internal/devstack"
	"contactsync/consent/pgcluster"
)

const (
	readyTimeout = 4 * time.Minute // far above the promised 15 s: a busy machine is no failure here
	stopTimeout  = 15 * time.Second
)

// build returns the path of the binary, building it once; nil unless Main runs. Tests of a package share it, and a
// testing.TB has no room for that.
var build atomic.Pointer[func() (string, error)]

// Main runs the tests of a package, removes the binary if one was built and ends the process.
func Main(m interface{ Run() int }) {
	dir, err := os.MkdirTemp("", "contactsync-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	once := sync.OnceValues(func() (string, error) { return buildInto(dir) })
	build.Store(&once)
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func buildInto(dir string) (string, error) {
	binary := filepath.Join(dir, "contactsync")
	output, err := exec.Command("go", "build", "-o", binary, "contactsync/cmd/contactsync").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build contactsync: %w: %s", err, output)
	}
	return binary, os.Chmod(dir, 0o755) // another user may have to run it
}

// Binary returns the path of the built binary.
func Binary(t testing.TB) string {
	t.Helper()
	once := build.Load()
	if once == nil {
		t.Fatal("e2e: this package lacks func TestMain(m *testing.M) { e2e.Main(m) }")
	}
	path, err := (*once)()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Result is how a command ended.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Run runs a command to its end, with the text as its standard input.
func Run(t testing.TB, stdin string, args ...string) Result {
	t.Helper()
	cmd := exec.Command(Binary(t), args...)
	var out, err bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &err
	if fault := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(fault)
	}
	return Result{cmd.ProcessState.ExitCode(), out.String(), err.String()}
}

// Dev is a running `contactsync dev`.
type Dev struct {
	// Endpoints are what the data folder says; empty for a Dev without --data.
	Endpoints devstack.Endpoints
	// Announced is what it printed up to and with the line that begins with "ready".
	Announced string
	// ReadyAfter is the time from the start of the process to that line.
	ReadyAfter time.Duration

	t       testing.TB
	log     string // file with its standard error
	process *os.Process
	ended   chan struct{}
	code    int // read after ended is closed
}

// Start runs dev with the arguments until it is ready. It is killed when the test ends. Where PostgreSQL is missing the test
// is skipped, or fails if CI=true.
func Start(t testing.TB, args ...string) *Dev {
	t.Helper()
	return StartCommand(t, exec.Command(Binary(t), append([]string{"dev"}, args...)...))
}

// StartCommand is Start for a command made by the caller, such as one for another user.
func StartCommand(t testing.TB, cmd *exec.Cmd) *Dev {
	t.Helper()
	d := &Dev{t: t, log: filepath.Join(t.TempDir(), "stderr"), ended: make(chan struct{})}
	began := time.Now()
	announced := d.launch(cmd)
	select {
	case d.Announced = <-announced:
	case <-time.After(readyTimeout):
		t.Fatalf("dev is not ready after %v: %s", readyTimeout, d.Log())
	}
	d.ReadyAfter = time.Since(began)
	if !strings.Contains(d.Announced, "\nready") {
		<-d.ended
		if strings.Contains(d.Log(), pgcluster.ErrNoBinaries.Error()) && os.Getenv("CI") != "true" {
			t.Skip(d.Log())
		}
		t.Fatalf("dev ended with code %d: %s", d.code, d.Log())
	}
	d.Endpoints = endpointsOf(t, cmd.Args)
	return d
}

// launch starts the process; the channel gets what it prints until it is ready or ends.
func (d *Dev) launch(cmd *exec.Cmd) <-chan string {
	d.t.Helper()
	stderr, err := os.Create(d.log)
	if err != nil {
		d.t.Fatal(err)
	}
	defer stderr.Close()
	cmd.Stderr = stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	announced := make(chan string, 1)
	err = startLocked(cmd, func() { announced <- readUntilReady(bufio.NewReader(stdout)) }, func() {
		d.code = cmd.ProcessState.ExitCode()
		close(d.ended)
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.process = cmd.Process
	d.t.Cleanup(d.Kill9)
	return announced
}

func readUntilReady(r *bufio.Reader) string {
	var text strings.Builder
	for {
		line, err := r.ReadString('\n')
		text.WriteString(line)
		if err != nil || strings.HasPrefix(line, "ready") {
			return text.String()
		}
	}
}

// Kill9 kills the process without a warning and waits for its end. Killing it again does nothing.
func (d *Dev) Kill9() {
	d.t.Helper()
	if err := d.process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		d.t.Error(err)
	}
	<-d.ended
}

// Interrupt does what Ctrl-C does, and returns the exit code and how long the end took.
func (d *Dev) Interrupt() (code int, took time.Duration) {
	d.t.Helper()
	return d.End(syscall.SIGINT)
}

// End is Interrupt by any signal that asks to end.
func (d *Dev) End(by os.Signal) (code int, took time.Duration) {
	d.t.Helper()
	began := time.Now()
	if err := d.process.Signal(by); err != nil {
		d.t.Fatal(err)
	}
	select {
	case <-d.ended:
	case <-time.After(stopTimeout):
		d.t.Fatalf("dev does not end: %s", d.Log())
	}
	return d.code, time.Since(began)
}

// PID is the process' number.
func (d *Dev) PID() int { return d.process.Pid }

// Log returns what the process has written to standard error so far.
func (d *Dev) Log() string {
	text, _ := os.ReadFile(d.log)
	return string(text)
}

// endpointsOf reads the endpoints of the folder named by --data.
func endpointsOf(t testing.TB, args []string) devstack.Endpoints {
	t.Helper()
	for i, arg := range args[:len(args)-1] {
		if arg == "--data" {
			e, err := devstack.ReadEndpoints(args[i+1])
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
	}
	return devstack.Endpoints{}
}
