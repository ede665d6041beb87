package mockregister

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/pgtest"
	"contactsync/contracts/contactsv1"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
)

var (
	changePersons = flag.Int("change-persons", 120_000, "persons in the register of BenchmarkChange, of whom each is changed once")
	changeFeed    = flag.Bool("change-feed", false, "have the feed numbered in BenchmarkChange too")
)

// BenchmarkChange shares a detail of a thousand persons in a call, each time others, over mutual TLS on loopback, with a durable
// PostgreSQL behind it. An operation is one call; cpu metrics are user and system time of this process, in which both
// ends of the call run, and of PostgreSQL's:
//
//	go test ./contracts/mockregister -run - -bench Change -benchtime 100x
func BenchmarkChange(b *testing.B) {
	pool := pgtest.Durable(b, "1GB")
	if err := Migrate(b.Context(), pool); err != nil {
		b.Fatal(err)
	}
	register := newRegister(b, pool, time.Now, slog.DiscardHandler)
	if err := register.Fill(b.Context(), *changePersons, false); err != nil {
		b.Fatal(err)
	}
	execute(b, pool, `vacuum analyze register.persons`)
	rows := must(pool.Query(b.Context(), `select extension from register.persons where state = $1 order by position`, StateGenerated))(b)
	fresh := must(pgx.CollectRows(rows, func(r pgx.CollectableRow) (p [12]byte, err error) { // without pointers: the collector is not to look at them
		var extension string
		err = r.Scan(&extension)
		return [12]byte([]byte(extension)), err
	}))(b)
	client := served{Served: contracttest.Serve(b, register.Handler())}.contacts(b, worker)
	if *changeFeed {
		running, stop := context.WithCancel(b.Context())
		var feed sync.WaitGroup
		feed.Go(func() { register.Run(running) })
		defer feed.Wait()
		defer stop()
	}

	execute(b, pool, `checkpoint`)
	cluster := postmaster(b, pool)
	changes := make([]contactsv1.Change, contactsv1.MaxItems)
	ours, postgres, calls := cpuOfUs(b), cpuOf(b, cluster), 0
	b.ReportAllocs()
	for b.Loop() {
		if len(fresh) < len(changes) {
			b.Fatal("not enough persons: give -change-persons")
		}
		for i := range changes {
			person := contactsv1.Person{Root: personv4.RootPersonnummer, Extension: string(fresh[i][:])}
			changes[i] = share(person, contactsv1.Mobile, fmt.Sprintf("+467%08d", calls*len(changes)+i), time.Now().UnixMicro())
			changes[i].EventID, changes[i].Notify = uuid.NewString(), new(true)
		}
		fresh = fresh[len(changes):]
		outcomes, err := client.Change(b.Context(), uuid.NewString(), changes)
		if err != nil || outcomes[len(outcomes)-1].Outcome != contactsv1.Applied {
			b.Fatalf("%v, error %v", outcomes, err)
		}
		calls++
	}
	for n := 1; n > 0 && *changeFeed; { // what is not numbered yet
		n, _, _ = register.sequence(b.Context())
	}
	per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(calls*len(changes)) }
	b.ReportMetric(per(b.Elapsed()), "µs/change")
	b.ReportMetric(per(cpuOfUs(b)-ours), "go-cpu-µs/change")
	b.ReportMetric(per(cpuOf(b, cluster)-postgres), "pg-cpu-µs/change")
}

func execute(b *testing.B, pool *pgxpool.Pool, statement string) {
	b.Helper()
	if _, err := pool.Exec(b.Context(), statement); err != nil {
		b.Fatal(err)
	}
}

func cpuOfUs(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// postmaster is the process that all of a cluster's are children of.
func postmaster(b *testing.B, pool *pgxpool.Pool) int {
	b.Helper()
	var backend int
	if err := pool.QueryRow(b.Context(), `select pg_backend_pid()`).Scan(&backend); err != nil {
		b.Fatal(err)
	}
	parent, _ := processTimes(strconv.Itoa(backend), 0)
	return parent
}

// cpuOf is the time of a cluster's processes, those that have ended too. Where there is no /proc it is 0.
func cpuOf(b *testing.B, cluster int) time.Duration {
	b.Helper()
	files := must(filepath.Glob("/proc/[0-9]*"))(b)
	_, sum := processTimes(strconv.Itoa(cluster), 4)
	for _, file := range files {
		if parent, spent := processTimes(filepath.Base(file), 2); parent == cluster {
			sum += spent
		}
	}
	return sum
}

// processTimes reads a process's parent and the sum of its first times: user, system, and those of children that have ended.
func processTimes(pid string, times int) (parent int, sum time.Duration) {
	const tick = 10 * time.Millisecond
	text, _ := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 15 {
		return 0, 0
	}
	parent, _ = strconv.Atoi(fields[1])
	for _, field := range fields[11 : 11+times] {
		n, _ := strconv.Atoi(field)
		sum += time.Duration(n) * tick
	}
	return parent, sum
}
