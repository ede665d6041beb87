package main

import (
	"net"
	"strings"
	"testing"
)

func TestBenchThatCannotBegin(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
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
		{"a Kafka that is not there", []string{"--kafka", l.Addr().String()}, exitTryAgain, "no answer from Kafka at " + l.Addr().String()},
	} {
		var out, err strings.Builder
		code := execute(t.Context(), streams{strings.NewReader(""), &out, &err}, append([]string{"bench"}, row.args...))
		if code != row.code || !strings.Contains(err.String(), row.says) || strings.Count(err.String(), "\n") != 1 || out.Len() > 0 {
			t.Errorf("%s: code %d, output %q, error %q; want code %d and one line with %q", row.name, code, out.String(), err.String(), row.code, row.says)
		}
	}
}
