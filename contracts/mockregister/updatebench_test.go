package mockregister

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/pgtest"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// BenchmarkUpdates has so many callers replace records one by one, each those of its own persons, with a durable PostgreSQL behind the
// register. CPU is of this process and of PostgreSQL's:
//
//	go test ./contracts/mockregister -run - -bench Updates -benchtime 20000x
func BenchmarkUpdates(b *testing.B) {
	for _, callers := range []int{1, 4, 32} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { benchmarkUpdates(b, callers) })
	}
}

func benchmarkUpdates(b *testing.B, callers int) {
	const each = 60 // persons of a caller
	pool := pgtest.Durable(b, "256MB")
	if err := Migrate(b.Context(), pool); err != nil {
		b.Fatal(err)
	}
	register := newRegister(b, pool, time.Now, slog.DiscardHandler)
	if err := register.Fill(b.Context(), 20_000, false); err != nil {
		b.Fatal(err)
	}
	execute(b, pool, `vacuum analyze register.persons`)
	rows := must(pool.Query(b.Context(), `select root, extension from register.persons where state = $1 order by hashtext(extension) limit $2`,
		StateGenerated, callers*each))(b)
	persons := must(pgx.CollectRows(rows, func(r pgx.CollectableRow) (id personv4.ID, err error) {
		err = r.Scan(&id.Root, &id.Extension)
		return id, err
	}))(b)
	execute(b, pool, `checkpoint`)

	caller, cluster := rivta.Caller{HSAID: worker}, postmaster(b, pool)
	work := make(chan struct{})
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			stood := make([]personv4.Record, each)
			for n := 0; ; n++ {
				if _, more := <-work; !more {
					return
				}
				own := n % each
				if n < each {
					record, err := register.Get(b.Context(), caller, persons[i*each+own], true)
					if err != nil {
						b.Error(err)
						continue
					}
					stood[own] = *record
				}
				update := contracttest.Unchanged(stood[own])
				mobile := fmt.Sprintf("+467%08d", n)
				update.Entries = []personv4.Entry{{Type: typePhone, Use: new(useMobile), Value: &mobile, DigitalNotification: new(true)}}
				result, err := register.Update(b.Context(), caller, update, true)
				if err != nil || !result.OK {
					b.Errorf("%s, error %v", result.Code, err)
					continue
				}
				stood[own] = *result.Record
			}
		})
	}
	for range callers * each { // the first of each person reads its record
		work <- struct{}{}
	}
	ours, postgres := cpuOfUs(b), cpuOf(b, cluster)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	all.Wait()
	b.StopTimer()
	per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(b.N) }
	b.ReportMetric(per(cpuOfUs(b)-ours), "go-cpu-µs/op")
	b.ReportMetric(per(cpuOf(b, cluster)-postgres), "pg-cpu-µs/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
}
