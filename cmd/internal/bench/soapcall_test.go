package bench

import (
	"context"
	"log/slog"
	"net"
	"syscall"
	"testing"
	"time"

	"contactsync/cmd/internal/run"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/contracts/testca"
	"contactsync/sync/register"
)

// answering is a register that changes nothing and answers with the new record.
type answering struct{}

func (answering) Authorize(context.Context, rivta.Caller, rivta.Operation, string) error { return nil }

func (answering) Get(context.Context, rivta.Caller, personv4.ID, bool) (*personv4.Record, error) {
	return nil, nil
}

func (answering) Update(_ context.Context, _ rivta.Caller, u personv4.Update, _ bool) (personv4.Result, error) {
	u.Actor.UpdateTime = "20261123120001"
	return personv4.Result{OK: true, Record: &personv4.Record{Version: u.Actor.UpdateTime, Person: u.Person, Entries: u.Entries,
		ProtectedPopulation: new(false), Actor: &u.Actor}}, nil
}

// BenchmarkSOAPCall updates a record over mutual TLS, from a worker's client to a register's server that keeps nothing, each time by
// both ends of this process. The metric is all processor time of both ends:
//
//	go test ./cmd/internal/bench -run - -bench SOAPCall
func BenchmarkSOAPCall(b *testing.B) {
	client := answeringClient(b)
	person := personv4.ID{Root: personv4.RootPersonnummer, Extension: "201701012393"}
	update := personv4.Update{Actor: personv4.Actor{ID: person}, Person: person, VersionToUpdate: "20261123120000", Entries: []personv4.Entry{
		{Type: "tel", Use: new("mobile"), Value: new("+46701740605"), DigitalNotification: new(true)},
		{Type: "mail", Use: new("personal"), Value: new("tove.testsson@example.se"), DigitalNotification: new(true)}}}
	before := cpuTime(b)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if result, err := client.Update(b.Context(), update); err != nil || !result.OK {
				b.Errorf("%v, error %v", result.OK, err)
				return
			}
		}
	})
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(b.N)/1000, "cpu-µs/op")
}

func answeringClient(b *testing.B) *personv4.Client {
	b.Helper()
	ca := given(testca.New(time.Now()))(b)
	certPEM, keyPEM, err := ca.Issue("register", "", "127.0.0.1")
	if err != nil {
		b.Fatal(err)
	}
	serverTLS := given(ca.ServerTLS(certPEM, keyPEM))(b)
	if certPEM, keyPEM, err = ca.Issue("worker", "SE2321000016-SYS1"); err != nil {
		b.Fatal(err)
	}
	clientTLS := given(ca.ClientTLS(certPEM, keyPEM))(b)
	const address = "SE165565594230-1000"
	handler := personv4.NewHandler(answering{}, personv4.HandlerConfig{LogicalAddress: address, Authorizer: answering{}})
	listener := given(net.Listen("tcp", "127.0.0.1:0"))(b)
	serving, stop := context.WithCancel(b.Context())
	stopped := make(chan error, 1)
	go func() {
		stopped <- run.Serve(serving, run.Server{Name: "register", Listener: listener, Handler: handler, TLS: serverTLS, Log: slog.New(slog.DiscardHandler)})
	}()
	b.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			b.Error(err)
		}
	})
	_, writes := register.HTTPClients(clientTLS, 64, nil)
	return given(personv4.NewClient(personv4.ClientConfig{ClientConfig: rivta.ClientConfig{
		BaseURL: "https://" + listener.Addr().String(), LogicalAddress: address, HTTP: writes}}))(b)
}

// given makes given(f())(b) end the benchmark when f returned an error.
func given[T any](value T, err error) func(testing.TB) T {
	return func(b testing.TB) T {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
		return value
	}
}

// cpuTime is what this process has used so far.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
