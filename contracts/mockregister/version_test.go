package mockregister

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// failer is what *testing.T and *rapid.T have in common.
type failer interface {
	Helper()
	Fatal(args ...any)
}

func clockAt(t failer, now time.Time) clock {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Stockholm")
	if err != nil {
		t.Fatal(err)
	}
	return clock{now: func() time.Time { return now }, zone: zone}
}

func TestNextVersion(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, nowUTC, previous, want string
	}{
		{"time has passed", "2026-11-23T12:00:00Z", "20261122080000", "20261123130000"},
		{"within the same second", "2026-11-23T12:00:00.9Z", "20261123130000", "20261123130001"},
		{"the clock was turned back", "2026-11-23T11:00:00Z", "20261123130000", "20261123130001"},
		{"a minute, an hour, a day and a year end", "2026-12-31T22:59:59Z", "20261231235959", "20270101000000"},
		{"last second before the hour comes twice", "2026-10-25T00:59:59Z", "20261025025959", "20261025030000"},
		{"the second time of the hour lies behind", "2026-10-25T01:00:00Z", "20261025025959", "20261025030000"},
		{"the second time of the hour, quiet since before", "2026-10-25T01:30:00Z", "20261025015959", "20261025023000"},
		{"the hour that March leaves out", "2026-03-29T00:59:59Z", "20260329015959", "20260329030000"},
		{"after the hour that March left out", "2026-03-29T01:00:00Z", "20260329015959", "20260329030000"},
		{"winter", "2026-01-15T12:00:00Z", "20260115120000", "20260115130000"},
		{"summer", "2026-07-15T12:00:00Z", "20260715120000", "20260715140000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now, err := time.Parse(time.RFC3339Nano, tt.nowUTC)
			if err != nil {
				t.Fatal(err)
			}
			got, err := clockAt(t, now).nextVersion(tt.previous)
			if err != nil || got != tt.want {
				t.Errorf("nextVersion(%s) = %s, %v; want %s", tt.previous, got, err, tt.want)
			}
		})
	}
}

func TestVersionsOfWholeSecondsMayBeGivenTwice(t *testing.T) {
	t.Parallel()
	c := clockAt(t, time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	c.wholeSeconds = true
	for previous, want := range map[string]string{
		"20261123125959": "20261123130000", "20261123130000": "20261123130000", "20261123130001": "20261123130001",
	} {
		if got, err := c.nextVersion(previous); err != nil || got != want {
			t.Errorf("nextVersion(%s) = %s, %v; want %s", previous, got, err, want)
		}
	}
}

func TestNextVersionOfWhatIsNoVersion(t *testing.T) {
	t.Parallel()
	for _, previous := range []string{"", "abcdefghijklmn", "20261399000000", "2026-11-23 120", "+0261123120000"} {
		if got, err := clockAt(t, time.Now()).nextVersion(previous); err == nil {
			t.Errorf("nextVersion(%q) = %s, want an error", previous, got)
		}
	}
}

// Whatever the clock does, each version is later than the one before, and a time that a Swedish clock shows.
func TestVersionsGrow(t *testing.T) {
	t.Parallel()
	changes := []time.Time{ // when Swedish clocks change
		time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC),
		time.Date(2027, 3, 28, 1, 0, 0, 0, time.UTC), time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC),
	}
	rapid.Check(t, func(t *rapid.T) {
		now := rapid.SampledFrom(changes).Draw(t, "around")
		clock := clockAt(t, now)
		version := clock.wall()
		for _, step := range rapid.SliceOfN(rapid.Int64Range(-4_000_000, 4_000_000), 1, 50).Draw(t, "milliseconds") {
			now = now.Add(time.Duration(step) * time.Millisecond)
			clock := clockAt(t, now)
			next, err := clock.nextVersion(version)
			if err != nil {
				t.Fatal(err)
			}
			shown, err := time.Parse(timestamp, next)
			if err != nil || len(next) != 14 || next <= version || next < clock.wall() || clock.leftOut(shown) {
				t.Fatalf("at %s: %s follows %s", clock.wall(), next, version)
			}
			version = next
		}
	})
}
