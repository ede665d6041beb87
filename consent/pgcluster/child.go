package pgcluster

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// child is a process that we started and that does not outlive us.
type child struct {
	process *os.Process
	exited  chan struct{}
	err     error // how it ended; read after exited is closed
}

// spawn starts a command from an OS thread that stays until the command ends: the signal of a dying parent is sent when the
// *thread* that started the child ends, and Go ends threads as it likes.
func spawn(cmd *exec.Cmd) (*child, error) {
	c := &child{exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		c.process = cmd.Process
		started <- err
		if err == nil {
			c.err = cmd.Wait()
			close(c.exited)
		}
	}()
	return c, <-started
}

// signal asks the child to end; one that has ended already is fine.
func (c *child) signal(s os.Signal) { _ = c.process.Signal(s) }

// kill ends the child and what it has started, frozen or not: its process group, and its own children, as those of PostgreSQL
// have groups of their own. Stopped before, it can neither start new ones nor give the numbers of ended ones back.
func (c *child) kill() {
	select {
	case <-c.exited:
		return
	default:
	}
	c.signal(syscall.SIGSTOP)
	for _, pid := range childrenOf(c.process.Pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = syscall.Kill(-c.process.Pid, syscall.SIGKILL)
}
