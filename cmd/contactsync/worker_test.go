package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"contactsync/cmd/internal/config"
)

func TestLimitOfAWorkersFlagIsInsteadOfTheVariables(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		args []string
		want int
	}{
		"no flag":          {nil, 10},
		"another limit":    {[]string{"--register-limit", "7"}, 7},
		"no limit at all":  {[]string{"--register-limit", "0"}, 0},
		"only the latency": {[]string{"--register-latency", "1s"}, 10},
	} {
		var slow slowRegister
		var command cobra.Command
		flags := slow.workerFlags()
		command.Flags().AddFlagSet(flags)
		if err := command.ParseFlags(row.args); err != nil {
			t.Fatal(err)
		}
		w := slow.readWorker(config.NewReader([]string{"CONTACTSYNC_REGISTER_CALLS_PER_SECOND=10"}), flags)
		if w.CallsPerSecond != row.want {
			t.Errorf("%s: %d calls a second, want %d", name, w.CallsPerSecond, row.want)
		}
	}
}

// All that is wrong is told at once, of flags and variables.
func TestWorkerThatCannotBegin(t *testing.T) {
	t.Parallel()
	got := runWith(t, "", "worker", "--register-limit", "-1", "--register-latency", "4s")
	if got.code != exitUsage || strings.Count(got.err, "\n") != 1 {
		t.Errorf("code %d, told %q; want code %d and one line", got.code, got.err, exitUsage)
	}
	for _, want := range []string{"--register-limit must be from 0 to 10000", "--register-latency must be from 0s to 3s", "CONTACTSYNC_KAFKA_BROKERS is missing"} {
		if !strings.Contains(got.err, want) {
			t.Errorf("told %q, want %q in it", got.err, want)
		}
	}
}
