package mockregister

import (
	"errors"
	"time"
	_ "time/tzdata" // the binary runs on an image without zone files
)

// timestamp is the contract's form of a time: Swedish local time, whole seconds, no zone (core type Timestamp).
const timestamp = "20060102150405"

// errNoVersion is returned by nextVersion for a text that no record can have as its version.
var errNoVersion = errors.New("not a version")

// clock tells Swedish time.
type clock struct {
	now          func() time.Time
	zone         *time.Location
	wholeSeconds bool // a version may be given twice
}

// today is the time now, in Sweden.
func (c clock) today() time.Time { return c.now().In(c.zone) }

// wall is what a clock on a Swedish wall shows now.
func (c clock) wall() string { return c.today().Format(timestamp) }

// nextVersion is the version that follows previous: the time now, or one second after previous where the time has not
// come that far. Versions grow as texts, so the calculation stays with what the wall shows: in the hour that comes twice
// in October the clock falls behind and the second decides, and the hour that March leaves out is left out here too.
func (c clock) nextVersion(previous string) (string, error) { return c.versionAt(c.wall(), previous) }

// versionAt is nextVersion when a clock on the wall shows a time.
func (c clock) versionAt(wall, previous string) (string, error) {
	shown, err := time.Parse(timestamp, previous) // as if in UTC, where every hour comes once
	if err != nil {
		return "", errNoVersion
	}
	if c.wholeSeconds {
		return max(previous, wall), nil
	}
	next := shown.Add(time.Second)
	if c.leftOut(next) {
		next = next.Add(time.Hour)
	}
	return max(next.Format(timestamp), wall), nil
}

// leftOut tells whether no Swedish clock ever shows this time.
func (c clock) leftOut(shown time.Time) bool {
	text := shown.Format(timestamp)
	local, err := time.ParseInLocation(timestamp, text, c.zone)
	return err != nil || local.Format(timestamp) != text
}
