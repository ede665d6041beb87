package e2e

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"contactsync/cmd/internal/devstack"
	"contactsync/cmd/internal/worker"
	"contactsync/consent/audit"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/consent/stream"
	"contactsync/sync/register"
)

// TestWorkersSideBySide lets a second worker come and go beside dev's own while decisions arrive: what both did together is
// what one would have done.
func TestWorkersSideBySide(t *testing.T) {
	c := startCrash(t, "98")
	h := drawHistory(7, 1500, c.persons("generated", "staff_entries", "contact_persons"))
	publisher := c.publisher()
	stop := func() {}
	for i, chunk := range slices.Collect(slices.Chunk(h.sent(), 100)) {
		if i%6 == 0 {
			stop()
			stop = c.secondWorker()
		}
		if err := publisher.Publish(t.Context(), chunk...); err != nil {
			t.Fatal(err)
		}
	}
	c.settle()
	stop()
	c.judgeRegister(h)
	c.judgeOutcomes(h)
}

// secondWorker runs in this process, on the stack of dev.
func (c *crash) secondWorker() (stop func()) {
	c.t.Helper()
	pool, err := pgxpool.New(c.t.Context(), c.at.Postgres)
	if err != nil {
		c.t.Fatal(err)
	}
	certificate := clientOf(c.t, c.dir, devstack.WorkerCertificate).Transport
	w, err := worker.New(worker.Config{
		AuditKey: audit.DevelopmentKey(),
		Kafka:    stream.Config{Brokers: []string{c.at.Kafka}}, Pool: pool, Pepper: []byte(event.DevelopmentPepper), Source: "urn:hsaid:SE2321000016-CSW2",
		RegisterURL: c.at.Register, LogicalAddress: "SE165565594230-1000", TLS: certificate.(*http.Transport).TLSClientConfig,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Metrics: prometheus.NewRegistry(), Codes: register.DefaultCodes(), Now: time.Now,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(c.t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx); err != nil {
			c.t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		pool.Close()
	})
	c.t.Cleanup(stop)
	return stop
}

// TestEachTestPerson shares a number for the person of each state, withdraws it again, and looks at what came of both.
func TestEachTestPerson(t *testing.T) {
	t.Parallel()
	c := startCrash(t, "0")
	tests := []struct{ state, shared, withdrawn string }{
		{"empty", "pushed", "pushed"},
		{"both_channels", "pushed", "pushed"},
		{"staff_entries", "pushed", "pushed"},
		{"contact_persons", "pushed", "pushed"},
		{"paper_opt_out", "pushed", "pushed paper_opt_out_ended"},
		{"secrecy", "pushed", "pushed"},
		{"protected_registration", "pushed", "pushed"},
		{"deceased", "parked person_deceased", "parked person_deceased"},
		{"child_under_13", "pushed", "pushed"},
		{"child_13", "pushed", "pushed"},
		{"coordination_number", "pushed", "pushed"},
		{"", "parked person_unknown", "unchanged person_unknown"},
	}
	publisher := c.publisher()
	for _, tt := range tests {
		t.Run(tt.state, func(t *testing.T) {
			person := contact.KnownPersonID(contact.RootPersonnummer, "198507099805") // not in the register
			if tt.state != "" {
				p := c.persons(tt.state)[0]
				person = contact.KnownPersonID(p.Root, p.Extension)
			}
			for i, want := range []string{tt.shared, tt.withdrawn} {
				d := event.Decision{EventID: uuid.NewString(), Source: "urn:hsaid:SE2321000016-A1", Person: person, Channel: contact.Mobile,
					Share: i == 0, Revision: int64(i + 1), DecidedAt: time.Now(), Time: time.Now(), Reason: event.ReasonResident}
				if d.Share {
					d.Value = contact.KnownValue("+46701740699")
				}
				if err := publisher.Publish(t.Context(), message(d, "", nil)); err != nil {
					t.Fatal(err)
				}
				eventually(t, "an outcome", func() bool { return c.outcomes()[d.EventID].EventID != "" })
				if got := inWords(c.outcomes()[d.EventID]); got != want {
					t.Errorf("share %t: outcome %q, want %q", d.Share, got, want)
				}
			}
		})
	}
}

func inWords(o event.Outcome) string {
	words := string(o.Outcome)
	for _, code := range append([]reason.Code{o.Reason}, o.Effects...) {
		if code != "" {
			words += " " + string(code)
		}
	}
	return words
}
