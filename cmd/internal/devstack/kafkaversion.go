package devstack

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kversion"
)

// GuessKafkaVersion tells which Kafka a broker is, from the newest version of each API that it knows: such as "v3.9", or
// "at least v4.1". It is empty for what looks like no release of Apache Kafka.
func GuessKafkaVersion(newest map[int16]int16) string {
	var versions kversion.Versions
	for key, version := range newest {
		versions.SetMaxKeyVersion(key, version)
	}
	guess := versions.VersionGuess()
	if !strings.HasPrefix(strings.TrimPrefix(guess, "at least "), "v") {
		return ""
	}
	return guess
}
