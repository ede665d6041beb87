package run

import (
	"os"
	"runtime/debug"
)

// garbage is how much may lie beside what is in use before it is collected, in percent of that: Go's own 100 takes a third of the CPU of a
// service that holds little and throws much away.
const garbage = 400

// BoundMemory has garbage collected seldom, but rather than let memory grow beyond so many bytes. Go's own GOGC and GOMEMLIMIT say otherwise.
func BoundMemory(soft int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(soft)
	}
}
