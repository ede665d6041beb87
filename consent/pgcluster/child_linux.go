package pgcluster

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// bind adds what only Linux has: the signal of a dying parent, and the capability to search folders.
//
// A folder made by `mktemp -d` as root is closed to others, and what lies in it is out of reach for nobody. The ambient
// capability lets PostgreSQL walk through; it may read, and write no more than before.
func (who identity) bind(attr *syscall.SysProcAttr, onDeath syscall.Signal) {
	attr.Pdeathsig = onDeath
	if !who.search {
		return
	}
	// Containers often withhold the first and grant the second, which is wider but serves.
	for _, capability := range []uintptr{unix.CAP_DAC_READ_SEARCH, unix.CAP_DAC_OVERRIDE} {
		if permitted(capability) {
			attr.AmbientCaps = []uintptr{capability}
			return
		}
	}
}

// permitted tells whether this process holds the capability.
func permitted(capability uintptr) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[capability/32].Permitted&(1<<(capability%32)) != 0
}

// isPostmaster tells whether the process is a live PostgreSQL on the data folder: it always works in that folder.
func isPostmaster(pid int, data string) bool {
	cwd, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "cwd"))
	if err != nil {
		return false // gone, a zombie, or somebody else's
	}
	here, err := filepath.EvalSymlinks(data)
	return err == nil && cwd == here
}

// childrenOf lists the processes that a process has started and that live or wait to be reaped.
func childrenOf(parent int) (children []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range all {
		text, _ := os.ReadFile(file)
		// The name of the program stands in parentheses and may hold any character; behind it come state and parent.
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) > 1 && string(fields[1]) == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			children = append(children, pid)
		}
	}
	return children
}
