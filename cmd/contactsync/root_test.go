package main

import (
	"io"
	"log"
	"testing"
)

// The library that we call the register with quotes there what it did not expect, whoever it is about.
func TestNobodyReadsTheStandardLog(t *testing.T) {
	t.Parallel()
	if got := runWith(t, "", "version"); got.code != 0 {
		t.Fatalf("exit code %d, told %q", got.code, got.err)
	}
	if log.Writer() != io.Discard {
		t.Error("it is written to")
	}
}
