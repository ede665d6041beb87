package e2e

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/stream"
)

var backlogDecisions = flag.Int("backlog.decisions", 10_000, "how many decisions wait")

// mostCarriedOut is how many persons are watched being carried out when the register is back: the rest is the same again.
const mostCarriedOut = 20_000

// mayLieMB is how much memory of its own a worker may take before it collects garbage, whatever waits.
const mayLieMB = 96

// TestBacklogDoesNotGrowTheWorker lets decisions wait, each about another person and channel: first in Kafka, then, as the register is
// away, in PostgreSQL. The worker's memory must not follow either.
//
//	go test ./cmd/internal/e2e -run BacklogDoesNot -v -timeout 0 -backlog.decisions 1000000
func TestBacklogDoesNotGrowTheWorker(t *testing.T) {
	f := StartFleet(t, FleetConfig{Workers: 1, Persons: 2})
	s, w := f.scene(t), f.Workers[0]
	w.Stop()
	f.Links["worker-register"].Cut()
	publisher := s.publisher()
	persons := 0
	chunk := make([]stream.Message, 0, 1000)
	for i := range *backlogDecisions / 2 {
		p := numberedPerson(i)
		persons++
		for _, channel := range contact.Channels {
			chunk = append(chunk, message(shareOf(p, channel, i), "", nil))
		}
		if len(chunk) == cap(chunk) || 2*(i+1) >= *backlogDecisions {
			f.must(publisher.Publish(t.Context(), chunk...))
			chunk = chunk[:0]
		}
	}
	began := time.Now()
	f.must(w.Start())
	total := int64(2 * persons)
	var early, most float64
	taken := func() int64 { return s.count(`select coalesce(sum(next_offset), 0) from sync.partition`) }
	for done := int64(0); done < total; done = taken() {
		now, own := residentMB(t, w.PID())
		if done >= total/10 && early == 0 {
			early = own
		}
		most = max(most, now)
		f.must(wait(t.Context(), 100*time.Millisecond))
	}
	took := time.Since(began)
	if due := s.count(`select count(*) from sync.due`); due != int64(persons) {
		t.Errorf("%d persons are due, want %d", due, persons)
	}
	_, late := residentMB(t, w.PID())
	t.Logf("%d decisions taken in %v (%.0f/s); memory of its own %.0f MB after a tenth, %.0f MB in the end; with the program %.0f MB at most",
		total, took.Round(time.Second), float64(total)/took.Seconds(), early, late, most)
	if late > 1.2*max(early, mayLieMB) || most > 150 {
		t.Error("the worker's memory follows the backlog")
	}
	f.Links["worker-register"].Mend()
	back := time.Now()
	left := int64(max(0, persons-mostCarriedOut))
	for s.count(`select count(*) from sync.due`) > left {
		now, _ := residentMB(t, w.PID())
		most = max(most, now)
		f.must(wait(t.Context(), 200*time.Millisecond))
	}
	t.Logf("%d persons carried out in %v, %.0f MB at most", int64(persons)-left, time.Since(back).Round(time.Second), most)
	if most > 150 {
		t.Error("the worker's memory follows the backlog")
	}
}

// numberedPerson has an identity with the right check digit, which the register does not know: its shares are parked.
func numberedPerson(i int) contact.PersonID {
	day := time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i/999)
	nine := fmt.Sprintf("%s%03d", day.Format("060102"), 1+i%999)
	sum := 0
	for n, digit := range nine {
		d := int(digit-'0') * (2 - n%2)
		sum += d/10 + d%10
	}
	return contact.KnownPersonID(contact.RootPersonnummer, day.Format("20060102")+nine[6:]+strconv.Itoa((10-sum%10)%10))
}

func shareOf(p contact.PersonID, channel contact.Channel, i int) event.Decision {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	d := event.Decision{EventID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Source: "urn:hsaid:SE2321000016-A1", Person: p,
		Channel: channel, Share: true, Revision: 1, DecidedAt: at, Time: at, Value: contact.KnownValue("resident@example.se")}
	if channel == contact.Mobile {
		d.Value = contact.KnownValue("+46701740605")
	}
	return d
}

// residentMB is the memory of a process as the kernel counts it, and what of it is the process's own: the rest is pages of the program,
// which come as it runs and which no collector of garbage bounds.
func residentMB(t *testing.T, pid int) (all, own float64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	field := func(name string) float64 {
		_, rest, _ := strings.Cut(string(text), "\n"+name+":")
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			t.Fatal("the worker has ended")
		}
		kB, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			t.Fatal(err)
		}
		return kB / 1024
	}
	return field("VmRSS"), field("RssAnon")
}
