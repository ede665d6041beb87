package mockregister

import (
	"flag"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"contactsync/contracts/contracttest"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

var storedPersons = flag.Int("stored", 10_000, "persons in the register of BenchmarkProfiles")

// BenchmarkProfiles asks for 500 persons out of all, each time others, each with both contact details.
func BenchmarkProfiles(b *testing.B) {
	register := newRegister(b, migrated(b), noon, slog.DiscardHandler)
	if _, err := register.Seed(b.Context(), *storedPersons); err != nil {
		b.Fatal(err)
	}
	content := must(stored(seedPerson{content: bothChannels()}.record(register.clock.wall())))(b)
	if _, err := register.pool.Exec(b.Context(), `update register.persons set content = $1`, content); err != nil {
		b.Fatal(err)
	}
	if _, err := register.pool.Exec(b.Context(), `vacuum analyze register.persons`); err != nil {
		b.Fatal(err)
	}
	all := make([]string, 0, *storedPersons)
	for number := range adultNumbers() {
		if all = append(all, number); len(all) == *storedPersons {
			break
		}
	}
	for _, profile := range []personprofilev5.Profile{personprofilev5.P1, personprofilev5.P3, personprofilev5.P4} {
		b.Run(string(profile)+"/register", func(b *testing.B) {
			query := personprofilev5.Query{Profile: profile, Unrestricted: true}
			measure(b, all, func(ids []personv4.ID) {
				query.Persons = ids
				must(register.Persons(b.Context(), rivta.Caller{}, query))(b)
			})
		})
	}
	client := contracttest.Serve(b, register.Handler()).Profiles(b, worker, address, false)
	b.Run("P3/client", func(b *testing.B) {
		measure(b, all, func(ids []personv4.ID) {
			must(client.Persons(b.Context(), ids, personprofilev5.P3, false))(b)
		})
	})
}

// measure reports the 99th percentile beside the mean.
func measure(b *testing.B, numbers []string, call func([]personv4.ID)) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		b.StopTimer()
		ids := somePersons(numbers)
		b.StartTimer()
		begun := time.Now()
		call(ids)
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
}

// somePersons draws 500 of all.
func somePersons(numbers []string) []personv4.ID {
	ids := make([]personv4.ID, personprofilev5.MaxPersons)
	for i := range ids {
		ids[i] = personv4.ID{Root: personv4.RootPersonnummer, Extension: numbers[rand.IntN(len(numbers))]}
	}
	return ids
}
