package pgcluster

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// awaitRemnant waits for a PostgreSQL that still runs on the data folder. Nobody else uses the folder, so it is a remnant of
// a predecessor and about to end; one that does not is made to.
func awaitRemnant(ctx context.Context, cfg Config) error {
	data, log := cfg.dataDir(), cfg.Log
	pidFile := filepath.Join(data, "postmaster.pid")
	pid, found := readPID(pidFile)
	if !found {
		return nil
	}
	if !isPostmaster(pid, data) {
		return forgetReusedPID(pid, pidFile)
	}
	log.Info("waiting for the PostgreSQL of an earlier run to end", "pid", pid)
	if gone(ctx, pid, data, cfg.patience) {
		return nil
	}
	log.Warn("ending the PostgreSQL of an earlier run", "pid", pid)
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
		return fmt.Errorf("end the PostgreSQL of an earlier run, pid %d: %w", pid, err)
	}
	if !gone(ctx, pid, data, cfg.patience) {
		return fmt.Errorf("the PostgreSQL of an earlier run does not end: kill process %d", pid)
	}
	return nil
}

func readPID(file string) (pid int, found bool) {
	f, err := os.Open(file)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	line, _ := bufio.NewReader(f).ReadString('\n')
	pid, err = strconv.Atoi(strings.TrimSpace(line))
	return pid, err == nil && pid > 0
}

// forgetReusedPID removes the file where its number now belongs to another process (or to a zombie nobody reaps): PostgreSQL
// would believe itself running. A dead number's file stays: PostgreSQL reads in it whether orphaned sessions are left.
func forgetReusedPID(pid int, file string) error {
	if syscall.Kill(pid, 0) == syscall.ESRCH {
		return nil
	}
	return os.Remove(file)
}

// gone waits until the postmaster has ended, at most for the time given.
func gone(ctx context.Context, pid int, data string, patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for isPostmaster(pid, data) {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pollInterval):
		}
	}
	return true
}
