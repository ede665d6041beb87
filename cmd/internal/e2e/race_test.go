//go:build race

package e2e

// raceSlows is how many times longer everything takes under the race detector.
const raceSlows = 2
