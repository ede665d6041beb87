//go:build !linux

package pgcluster

import "syscall"

// bind adds nothing: only Linux signals the child of a dying parent. Elsewhere the next start on the folder ends a remnant.
func (who identity) bind(*syscall.SysProcAttr, syscall.Signal) {}

// isPostmaster tells whether the process lives; that it is PostgreSQL is believed.
func isPostmaster(pid int, _ string) bool { return syscall.Kill(pid, 0) == nil }

// childrenOf knows none: PostgreSQL's children end by themselves when they notice that their parent is gone.
func childrenOf(int) []int { return nil }
