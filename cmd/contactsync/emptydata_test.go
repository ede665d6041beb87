package main

import (
	"strings"
	"testing"
)

func TestEmptyDataIsAUsageError(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"dev", "--data", ""}, {"dev", "--data="}, {"emit", "--data", "", "-"}, {"lookup", "--data", "", bodil}} {
		got := runWith(t, "", args...)
		if got.code != exitUsage || got.out != "" || !strings.HasPrefix(got.err, "contactsync: --data is empty") {
			t.Errorf("%v: code %d, told %q", args, got.code, got.err)
		}
	}
}

func TestEmitToAKafkaNeedsItsPepper(t *testing.T) {
	t.Setenv("CONTACTSYNC_PEPPER_FILE", "")
	got := runWith(t, "", "emit", "--kafka", "127.0.0.1:1", "-")
	if got.code != exitUsage || got.out != "" || !strings.HasPrefix(got.err, "contactsync: --kafka needs --pepper-file") {
		t.Errorf("code %d, told %q", got.code, got.err)
	}
}
