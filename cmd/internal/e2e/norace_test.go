//go:build !race

package e2e

const raceSlows = 1
