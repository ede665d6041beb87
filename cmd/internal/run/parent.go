package run

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrParentGone is the cause of a context from UntilParentDies whose parent has died.
var ErrParentGone = errors.New("the go command that started this process is gone")

const parentPoll = 200 * time.Millisecond

// UntilParentDies returns a context that also ends when the process was started by `go run` and that is killed: `go run` can
// not pass a kill -9 on. Any other parent may go: a process started in the background is meant to stay.
func UntilParentDies(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	parent := os.Getppid()
	if program(parent) == "go" {
		go func() {
			for os.Getppid() == parent {
				select {
				case <-ctx.Done():
					return
				case <-time.After(parentPoll):
				}
			}
			cancel(ErrParentGone)
		}()
	}
	return ctx, func() { cancel(nil) }
}

// program returns the name of a process' program, "" if it cannot be had.
func program(pid int) string {
	if exe, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe")); err == nil {
		return filepath.Base(exe)
	}
	name, _ := exec.Command("ps", "-o", "comm=", "-p", strconv.Itoa(pid)).Output() // macOS has no /proc
	return filepath.Base(strings.TrimSpace(string(name)))
}
