package devstack

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kversion"
)

func TestGuessKafkaVersion(t *testing.T) {
	t.Parallel()
	release := map[int16]int16{}
	kversion.V3_9_0().EachMaxKeyVersion(func(key, version int16) { release[key] = version })
	for _, row := range []struct {
		name   string
		newest map[int16]int16
		want   string
	}{
		{"a release", release, "v3.9"},
		{"something else", map[int16]int16{0: 3, 1: 40}, ""},
	} {
		if got := GuessKafkaVersion(row.newest); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}
