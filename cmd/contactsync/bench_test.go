package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"contactsync/cmd/internal/bench"
)

func TestBenchThatCannotBegin(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	dir := t.TempDir()
	for _, row := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"an unknown scenario", []string{"fast"}, exitUsage, `no scenario "fast"`},
		{"a number that is none", []string{"--runs", "x"}, exitUsage, "--runs"},
		{"too few decisions", []string{"--decisions", "1"}, exitUsage, "--decisions"},
		{"too few persons", []string{"--persons", "1", "latency"}, exitUsage, "--persons"},
		{"a picture that nobody can write", []string{"--kafka", l.Addr().String(), "--plot", filepath.Join(dir, "none", "x.svg")}, exitUsage, "--plot: open"},
		{"a picture that is a folder", []string{"--kafka", l.Addr().String(), "--plot", dir}, exitUsage, "--plot: open"},
		{"a Kafka that is not there", []string{"--kafka", l.Addr().String()}, exitTryAgain, "no answer from Kafka at " + l.Addr().String()},
	} {
		var out, err strings.Builder
		code := execute(t.Context(), streams{strings.NewReader(""), &out, &err}, append([]string{"bench"}, row.args...))
		if code != row.code || !strings.Contains(err.String(), row.says) || strings.Count(err.String(), "\n") != 1 || out.Len() > 0 {
			t.Errorf("%s: code %d, output %q, error %q; want code %d and one line with %q", row.name, code, out.String(), err.String(), row.code, row.says)
		}
	}
}

func TestBenchThatMeasuredNothingDrawsNothing(t *testing.T) {
	t.Parallel()
	made, kept := filepath.Join(t.TempDir(), "new.svg"), filepath.Join(t.TempDir(), "old.svg")
	if err := os.WriteFile(kept, []byte("of last week"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{made, kept} {
		if got := runWith(t, "", "bench", "--kafka", closedPort(t), "--plot", file); got.code != exitTryAgain {
			t.Fatalf("%+v", got)
		}
	}
	if _, err := os.Stat(made); err == nil {
		t.Error("an empty picture is left behind")
	}
	if text, err := os.ReadFile(kept); err != nil || string(text) != "of last week" {
		t.Errorf("the picture of last week is %q, %v", text, err)
	}
	draw, err := benchFlags{plot: kept}.picture()
	if err != nil {
		t.Fatal(err)
	}
	if err := draw([]bench.Report{{Scenario: "latency"}}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(kept); err != nil || !strings.HasPrefix(string(text), "<svg") || !strings.HasSuffix(string(text), "</svg>\n") {
		t.Errorf("the new picture is %q, %v", text, err)
	}
}
