package pgtest

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	scratchPrefix = "contactsync-pgtest-"
	lockName      = "lock"
)

// scratch makes a folder for this process under parent, and removes those of processes that were killed. Each holds a file
// that is locked for as long as its process lives; the folder gets the name that sweep looks for only when it is.
func scratch(parent string) (dir string, release func(), err error) {
	sweep(parent)
	fresh, err := os.MkdirTemp(parent, "."+scratchPrefix)
	if err != nil {
		return "", nil, fmt.Errorf("make a folder for the test cluster: %w", err)
	}
	lock, err := os.Create(filepath.Join(fresh, lockName))
	if err != nil {
		return "", nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return "", nil, fmt.Errorf("lock the test cluster's folder: %w", err)
	}
	dir = filepath.Join(parent, filepath.Base(fresh)[1:])
	if err := os.Rename(fresh, dir); err != nil {
		return "", nil, err
	}
	return dir, func() {
		_ = os.RemoveAll(dir)
		_ = lock.Close()
	}, nil
}

// sweep removes folders without a living owner; what it cannot remove (another user's) it leaves.
func sweep(parent string) {
	left, _ := filepath.Glob(filepath.Join(parent, scratchPrefix+"*"))
	for _, dir := range left {
		lock, err := os.Open(filepath.Join(dir, lockName))
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(dir)
		}
		_ = lock.Close()
	}
}
