package mockregister

import (
	"flag"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/contracttest"
)

var (
	lookupPersons = flag.Int("lookup-persons", 10_000, "persons in the register of BenchmarkLookup, up to 27 million")
	lookupIDs     = flag.Int("lookup-ids", contactsv1.MaxItems, "persons in one lookup of BenchmarkLookup")
)

// BenchmarkLookup looks persons up in bulk, drawn from a register of so many, over mutual TLS:
//
//	go test ./contracts/mockregister -run - -bench Lookup -benchtime 200x -lookup-persons 10000000
func BenchmarkLookup(b *testing.B) {
	register := newRegister(b, migrated(b), noon, slog.DiscardHandler)
	if _, err := register.Seed(b.Context(), *lookupPersons); err != nil {
		b.Fatal(err)
	}
	if _, err := register.pool.Exec(b.Context(), `vacuum analyze register.persons`); err != nil {
		b.Fatal(err)
	}
	client := served{Served: contracttest.Serve(b, register.Handler())}.contacts(b, worker)
	next := drawnPersons(*lookupPersons)
	var mu sync.Mutex
	var took []time.Duration
	b.ResetTimer()
	begun := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mu.Lock()
			asked := next(*lookupIDs)
			mu.Unlock()
			at := time.Now()
			contacts, err := client.Lookup(b.Context(), asked)
			if err != nil || !contacts[0].Found {
				b.Errorf("found %v, error %v", err == nil && contacts[0].Found, err)
				return
			}
			mu.Lock()
			took = append(took, time.Since(at))
			mu.Unlock()
		}
	})
	elapsed := time.Since(begun)
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(len(took)**lookupIDs)/elapsed.Seconds(), "persons/s")
}

// drawnPersons draws from the generated persons.
func drawnPersons(generated int) func(n int) []contactsv1.Person {
	all := make([]string, 0, generated)
	for number := range adultNumbers() {
		if len(all) == generated {
			break
		}
		all = append(all, number)
	}
	random := rand.New(rand.NewPCG(1, 2))
	return func(n int) []contactsv1.Person {
		persons := make([]contactsv1.Person, n)
		for i := range persons {
			persons[i] = contactsv1.Person{Root: "1.2.752.129.2.1.3.1", Extension: all[random.IntN(len(all))]}
		}
		return persons
	}
}
