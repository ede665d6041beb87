package e2e

import (
	"bytes"
	"errors"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"contactsync/consent/kafkatest"
)

// Service is a process that is killed and started again. It never outlives the test.
type Service struct {
	Name string
	t    testing.TB
	make func() *exec.Cmd
	log  *os.File // standard output and error of all its lives

	mu      sync.Mutex
	process *os.Process
	ended   chan struct{}
}

// NewService returns a service that is not running yet; command makes the command of each of its lives.
func NewService(t testing.TB, name string, command func() *exec.Cmd) *Service {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(t.TempDir(), name+".log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{Name: name, t: t, make: command, log: log}
	t.Cleanup(func() {
		s.Kill9()
		if t.Failed() {
			t.Logf("the last lines of %s:\n%s", name, tail(s.Log(), 4000))
			keep(t, name, s.Log())
		}
		_ = log.Close()
	})
	return s
}

// keepLogs names a folder for the logs of tests that fail.
var keepLogs = flag.String("fleet.logs", "", "folder that keeps the whole logs of all processes when a test fails")

func keep(t testing.TB, name, text string) {
	if *keepLogs == "" {
		return
	}
	file := filepath.Join(*keepLogs, strings.ReplaceAll(t.Name(), "/", "-")+"-"+name+".log")
	if err := errors.Join(os.MkdirAll(*keepLogs, 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Error(err)
	}
}

func tail(text string, most int) string { return text[max(0, len(text)-most):] }

// Start begins a life.
func (s *Service) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	cmd := s.make()
	cmd.Stdout, cmd.Stderr = s.log, s.log
	ended := make(chan struct{})
	err := startLocked(cmd, func() {}, func() { close(ended) })
	if err == nil {
		s.process, s.ended = cmd.Process, ended
	}
	return err
}

// startLocked starts a command from a thread that stays until the command ends, since dieWithUs is about the thread. meanwhile
// is called when it runs, ended when it has ended.
func startLocked(cmd *exec.Cmd, meanwhile, ended func()) error {
	dieWithUs(cmd)
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			meanwhile()
			_ = cmd.Wait()
			ended()
		}
	}()
	return <-started
}

// Kill9 ends a life without a warning and waits for its end.
func (s *Service) Kill9() { s.end(syscall.SIGKILL) }

// Stop asks the process to end in good order and waits for it, for some seconds at most.
func (s *Service) Stop() (took time.Duration) { return s.end(syscall.SIGTERM) }

func (s *Service) end(by os.Signal) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	began := time.Now()
	if err := s.process.Signal(by); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Error(err)
	}
	select {
	case <-s.ended:
	case <-time.After(stopTimeout):
		s.t.Errorf("%s does not end", s.Name)
	}
	return time.Since(began)
}

// Ended tells whether the process has ended, by itself or not.
func (s *Service) Ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// Pause stops the process where it is, as a long garbage collection or a suspended machine would; Resume lets it go on.
func (s *Service) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Service) Resume() { s.signal(syscall.SIGCONT) }

func (s *Service) signal(by os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.process.Signal(by); err != nil {
		s.t.Error(err)
	}
}

// PID is the number of the process that lives now.
func (s *Service) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.Pid
}

// Log is what the process has said in all its lives.
func (s *Service) Log() string {
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		s.t.Error(err)
	}
	return string(bytes.ToValidUTF8(text, []byte("?")))
}

func freePort(t testing.TB) int {
	t.Helper()
	return kafkatest.FreePorts(t, 1)[0]
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
