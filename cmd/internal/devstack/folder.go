package devstack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	remnantPatience = 5 * time.Second // for a predecessor to give up folder and ports
	pollInterval    = 50 * time.Millisecond
	temporaryPrefix = "contactsync-dev-"
)

// Folder is a data folder that this process alone uses.
type Folder struct {
	// Dir is its absolute path.
	Dir       string
	temporary bool
	lock      *os.File
}

// OpenFolder takes a data folder, making it when absent. A predecessor that is about to end is waited for. An empty name
// takes a temporary folder.
func OpenFolder(ctx context.Context, name string) (*Folder, error) {
	if name == "" {
		return temporaryFolder(ctx)
	}
	dir, err := filepath.Abs(name)
	if err != nil {
		return nil, folderFault(name, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, folderFault(dir, err)
	}
	return takeFolder(ctx, dir)
}

// temporaryFolder also removes those of processes that were killed: nobody holds their lock.
func temporaryFolder(ctx context.Context) (*Folder, error) {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), temporaryPrefix+"*"))
	for _, dir := range left {
		// A folder without a lock is a young one whose owner is about to lock it.
		if lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0); err == nil {
			if locked(lock) {
				_ = os.RemoveAll(dir)
			}
			_ = lock.Close()
		}
	}
	dir, err := os.MkdirTemp("", temporaryPrefix)
	if err != nil {
		return nil, fmt.Errorf("make a temporary folder: %w", err)
	}
	f, err := takeFolder(ctx, dir)
	if err != nil {
		return nil, err
	}
	f.temporary = true
	return f, nil
}

// takeFolder locks the folder. The lock goes with the process, however it ends.
func takeFolder(ctx context.Context, dir string) (*Folder, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, folderFault(dir, err)
	}
	ctx, cancel := context.WithTimeout(ctx, remnantPatience)
	defer cancel()
	for !locked(lock) {
		select {
		case <-ctx.Done():
			defer lock.Close()
			return nil, fmt.Errorf("the folder %s is in use by process %s: stop it, or name another folder with --data", dir, ownerIn(lock))
		case <-time.After(pollInterval):
		}
	}
	f := &Folder{Dir: dir, lock: lock}
	if err := errors.Join(lock.Truncate(0), f.noteOwner()); err != nil {
		return nil, errors.Join(folderFault(dir, err), lock.Close())
	}
	return f, nil
}

// Close gives the folder up, and removes it if it is a temporary one.
func (f *Folder) Close() error {
	var err error
	if f.temporary {
		err = os.RemoveAll(f.Dir)
	}
	return errors.Join(err, f.lock.Close())
}

// Temporary tells whether the folder goes when it is closed.
func (f *Folder) Temporary() bool { return f.temporary }

// WriteJSON writes a file of the folder in one step. Only the owner may read it: it may hold a password, or identities.
func (f *Folder) WriteJSON(name string, v any) error {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := writeFile(f.join(name), append(text, '\n'), 0o600); err != nil {
		return folderFault(f.Dir, err)
	}
	return nil
}

func (f *Folder) join(name string) string { return filepath.Join(f.Dir, name) }

// secret returns a random text that stays the same over restarts.
func (f *Folder) secret(name string) (string, error) {
	text, err := os.ReadFile(f.join(name))
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte(rand.Text())
		err = writeFile(f.join(name), text, 0o600)
	}
	if err != nil {
		return "", folderFault(f.Dir, err)
	}
	return string(text), nil
}

func (f *Folder) noteOwner() error {
	_, err := f.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func ownerIn(lock *os.File) string {
	text := make([]byte, 16)
	n, _ := lock.ReadAt(text, 0)
	return strings.TrimSpace(string(text[:n]))
}

// locked tries to take the lock.
func locked(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
