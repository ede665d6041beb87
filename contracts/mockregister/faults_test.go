package mockregister

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// timers stands for time.After: each wait begins when the test takes it, and ends when the test fires it.
type timers chan timer

type timer struct {
	duration time.Duration
	fire     chan time.Time
}

func (ts timers) after(d time.Duration) <-chan time.Time {
	t := timer{d, make(chan time.Time, 1)}
	ts <- t
	return t.fire
}

// awaits takes the next wait.
func (ts timers) awaits(t *testing.T, want time.Duration) (fire func()) {
	t.Helper()
	select {
	case next := <-ts:
		if next.duration != want {
			t.Fatalf("somebody waits for %v, want %v", next.duration, want)
		}
		return func() { next.fire <- time.Time{} }
	case <-time.After(10 * time.Second):
		t.Fatal("nobody waits")
		return nil
	}
}

// faulty is a served register with a fault dialled.
type faulty struct {
	served
	timers timers
	fault  string // its id
}

func serveWith(t *testing.T, fault Fault) faulty {
	t.Helper()
	f := faulty{served: serve(t), timers: make(timers, 100)}
	f.faults.after = f.timers.after
	f.fault = f.dial(t, fault)
	return f
}

func (s served) dial(t *testing.T, fault Fault) (id string) {
	t.Helper()
	return must(s.Faults().Set(fault))(t)
}

// stands reads what is stored, past all faults.
func (s served) stands(t *testing.T, state string) personv4.Record {
	t.Helper()
	return *must(s.Register.Get(t.Context(), rivta.Caller{}, s.id(t, state), true))(t)
}

// withMobile is the update that gives a person one number and nothing else.
func withMobile(record personv4.Record, number string) personv4.Update {
	update := contracttest.Unchanged(record)
	update.Entries, update.ContactPersons, update.OptoutPaper = []personv4.Entry{entry(typePhone, useMobile, number)}, nil, nil
	return update
}

// number is what withMobile gave, or "".
func number(record personv4.Record) string {
	if len(record.Entries) != 1 || record.Entries[0].Value == nil {
		return ""
	}
	return *record.Entries[0].Value
}

const (
	newNumber   = "+46701740651"
	newerNumber = "+46701740652"
)

// logs takes the next log line.
func (f faulty) logs(t *testing.T, outcome, blame, dialled string) {
	t.Helper()
	text, line := f.nextLine(t)
	if line.Outcome != outcome || line.Blame != blame || !strings.Contains(text, `"dialled":"`+dialled+`"`) || line.Caller != worker {
		t.Errorf("logged %s; want outcome %s, blame %s, dialled %q", text, outcome, blame, dialled)
	}
	if dialled != "" && !strings.Contains(text, `"level":"INFO"`) {
		t.Errorf("logged %s; want no alarm for what was dialled", text)
	}
	if instead := outcome == "cut" || strings.HasPrefix(outcome, "http_"); instead && line.LogID+line.Cause != "" {
		t.Errorf("logged %s; want no fault in it, as none was sent", text)
	}
	if strings.Contains(text, newNumber) || strings.Contains(text, f.persons["empty"].Extension) {
		t.Errorf("personal data in %s", text)
	}
}

// isCut judges what a client sees of a connection that is cut.
func isCut(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, io.EOF) {
		t.Errorf("error %v, want the connection closed without an answer", err)
	}
}

func TestAnswerIsLostAfterCommit(t *testing.T) {
	t.Parallel()
	f := serveWith(t, Fault{Kind: KindAnswerLost, Operation: classWrite, Count: 1})
	client := f.client(t)
	_, err := client.Update(t.Context(), withMobile(f.stands(t, "empty"), newNumber))
	isCut(t, err)
	f.logs(t, "ok", "none", "f1:answer_lost")
	if got := number(f.record(t, "empty")); got != newNumber {
		t.Error("the write was not carried out")
	}
	f.logs(t, "ok", "none", "")
	if result := must(client.Update(t.Context(), withMobile(f.stands(t, "empty"), newerNumber)))(t); !result.OK {
		t.Errorf("the call after the count is not answered well: %s", result.Code)
	}
}

func TestDelayedCallIsCarriedOutThoughItsCallerHasGone(t *testing.T) {
	t.Parallel()
	f := serveWith(t, Fault{Kind: KindDelay, Operation: classWrite, Duration: Duration(time.Minute)})
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	client, update := f.client(t), withMobile(f.stands(t, "empty"), newNumber)
	go func() {
		_, err := client.Update(ctx, update)
		left <- err
	}()
	fire := f.timers.awaits(t, time.Minute)
	if number(f.stands(t, "empty")) != "" {
		t.Error("the write did not wait")
	}
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Fatalf("the call was over before its time: %v", err)
	}
	fire()
	f.logs(t, "ok", "none", "f1:delay")
	if number(f.stands(t, "empty")) != newNumber {
		t.Error("the write was not carried out")
	}
}

func TestDelayedCallIsAnswered(t *testing.T) {
	t.Parallel()
	f := serveWith(t, Fault{Kind: KindDelay, Duration: Duration(time.Minute)})
	answered := make(chan *personv4.Record)
	client, person := f.client(t), f.id(t, "empty")
	go func() {
		record, _ := client.Get(t.Context(), person)
		answered <- record
	}()
	f.timers.awaits(t, time.Minute)()
	if <-answered == nil {
		t.Error("no record")
	}
}

func TestLateWriteLandsAfterItsCallerWasCutOff(t *testing.T) {
	t.Parallel()
	f := serveWith(t, Fault{Kind: KindLateWrite, Duration: Duration(time.Minute), Count: 1})
	before := f.record(t, "empty") // reads are not hit
	f.logs(t, "ok", "none", "")
	_, err := f.client(t).Update(t.Context(), withMobile(before, newNumber))
	isCut(t, err)
	f.logs(t, "cut", "us", "f1:late_write")
	fire := f.timers.awaits(t, time.Minute)
	if f.stands(t, "empty").Version != before.Version {
		t.Error("the write is not late")
	}
	if _, pending := f.Faults().List(); pending != 1 {
		t.Errorf("%d pending, want 1", pending)
	}
	fire()
	f.logs(t, "ok", "none", "f1:late_write")
	if number(f.stands(t, "empty")) != newNumber {
		t.Error("the write did not land")
	}
}

func TestLateWriteOfAnOvertakenVersionIsRefused(t *testing.T) {
	t.Parallel()
	f := serveWith(t, Fault{Kind: KindLateWrite, Duration: Duration(time.Minute), Count: 1})
	client, before := f.client(t), f.stands(t, "empty")
	_, err := client.Update(t.Context(), withMobile(before, newNumber))
	isCut(t, err)
	f.logs(t, "cut", "us", "f1:late_write")
	if result := must(client.Update(t.Context(), withMobile(before, newerNumber)))(t); !result.OK {
		t.Fatal(result.Code)
	}
	f.logs(t, "ok", "none", "")
	f.timers.awaits(t, time.Minute)()
	f.logs(t, "error:stale_version", "client", "f1:late_write")
	if number(f.stands(t, "empty")) != newerNumber {
		t.Error("the late write won")
	}
}

func TestLateWriteHoldsItsCaller(t *testing.T) {
	t.Parallel()
	f := serveWith(t, Fault{Kind: KindLateWrite, Duration: Duration(time.Minute), Hold: Duration(time.Minute), Count: 1})
	cut := make(chan error)
	client, update := f.client(t), withMobile(f.stands(t, "empty"), newNumber)
	go func() {
		_, err := client.Update(t.Context(), update)
		cut <- err
	}()
	one, other := f.timers.awaits(t, time.Minute), f.timers.awaits(t, time.Minute)
	select {
	case err := <-cut:
		t.Errorf("the caller was not held: %v", err)
	default:
	}
	one()
	other()
	isCut(t, <-cut)
}

func TestDuplicateIsCarriedOutTwice(t *testing.T) {
	t.Parallel()
	f := serveWith(t, Fault{Kind: KindDuplicate, Operation: classWrite, Duration: Duration(time.Minute)})
	result := must(f.client(t).Update(t.Context(), withMobile(f.stands(t, "empty"), newNumber)))(t)
	if !result.OK {
		t.Fatal(result.Code)
	}
	f.logs(t, "ok", "none", "f1:duplicate")
	f.timers.awaits(t, time.Minute)()
	f.logs(t, "error:stale_version", "client", "f1:duplicate") // the first one burned the version
}

func TestReadsLagBehindWrites(t *testing.T) {
	t.Parallel()
	f := serveWith(t, Fault{Kind: KindReadLag, Duration: Duration(3 * time.Second)})
	client := f.client(t)
	write := func(n string) {
		t.Helper()
		result := must(client.Update(t.Context(), withMobile(f.stands(t, "both_channels"), n)))(t)
		if !result.OK || number(*result.Record) != n {
			t.Fatalf("update: %s, and the record that was written is in the answer: %t", result.Code, number(*result.Record) == n)
		}
	}
	shows := func(want personv4.Record) {
		t.Helper()
		got := f.record(t, "both_channels")
		if got.Version != want.Version || contracttest.Rest(t, got) != contracttest.Rest(t, want) {
			t.Errorf("read shows version %s, want %s", got.Version, want.Version)
		}
	}
	first := f.stands(t, "both_channels")
	shows(first)
	write(newNumber)
	second := f.stands(t, "both_channels")
	shows(first)
	f.now.pass(2 * time.Second)
	write(newerNumber)
	shows(first)
	f.now.pass(time.Second)
	shows(second)
	f.now.pass(2*time.Second - 1)
	shows(second)
	f.now.pass(1)
	shows(f.stands(t, "both_channels"))
	if faults, _ := f.Faults().List(); faults[0].Hits != 4 {
		t.Errorf("%d hits, want the 4 reads that were shown something old", faults[0].Hits)
	}
	write(newNumber)
	f.Faults().Clear(f.fault)
	shows(f.stands(t, "both_channels"))
}

func TestReadsThatLagHideProtectedPersonsToo(t *testing.T) {
	t.Parallel()
	f := serveWith(t, Fault{Kind: KindReadLag, Duration: Duration(3 * time.Second)})
	before := f.stands(t, "secrecy")
	must(f.client(t).Update(t.Context(), withMobile(before, newNumber)))(t)
	seen := must(f.Client(t, clinic, address, true).Get(t.Context(), f.id(t, "secrecy")))(t)
	if seen.Version != before.Version || len(seen.Entries) != 0 || !seen.ProtectedPerson {
		t.Error("the restricted contract shows a record that lags otherwise than others")
	}
}

func TestRefusedWritesMakeNoReadLag(t *testing.T) {
	t.Parallel()
	f := serveWith(t, Fault{Kind: KindReadLag, Duration: Duration(3 * time.Second)})
	before := f.stands(t, "deceased")
	if result := must(f.client(t).Update(t.Context(), withMobile(before, newNumber)))(t); result.OK {
		t.Fatal("a deceased person was changed")
	}
	f.record(t, "deceased")
	if faults, _ := f.Faults().List(); faults[0].Hits != 0 {
		t.Error("a read was hit though nothing was written")
	}
}

func TestFaultsThatKeepACallFromBeingCarriedOut(t *testing.T) {
	t.Parallel()
	s := serve(t)
	f := faulty{served: s}
	before := s.stands(t, "empty")
	status := func(code int, retryAfter time.Duration) string {
		return (&rivta.StatusError{Status: code, RetryAfter: retryAfter, Reason: "the answer is not SOAP"}).Error() + " " + retryAfter.String()
	}
	for _, tt := range []struct {
		fault          Fault
		want           string // error or result code
		outcome, blame string
	}{
		{Fault{Kind: KindServerFault}, "fault Server", "fault_Server", "us"},
		{Fault{Kind: KindClientFault}, "fault Client", "fault_Client", "client"},
		{Fault{Kind: KindStale}, "stale_version", "error:stale_version", "client"},
		{Fault{Kind: KindTooMany}, status(429, time.Second), "http_429", "client"},
		{Fault{Kind: KindTooMany, Duration: Duration(6*time.Second + 1)}, status(429, 7*time.Second), "http_429", "client"},
		{Fault{Kind: KindOutage}, status(503, 0), "http_503", "us"},
		{Fault{Kind: KindOutage, Duration: Duration(time.Minute)}, status(503, time.Minute), "http_503", "us"},
		{Fault{Kind: KindReset}, "EOF", "cut", "us"},
	} {
		id := s.dial(t, tt.fault)
		result, err := s.client(t).Update(t.Context(), withMobile(before, newNumber))
		if got := told(result, err); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%v: the caller sees %q, want %q", tt.fault, got, tt.want)
		}
		f.logs(t, tt.outcome, tt.blame, id+":"+string(tt.fault.Kind))
		if s.stands(t, "empty").Version != before.Version {
			t.Fatalf("%v: the write was carried out", tt.fault)
		}
		s.Faults().Clear(id)
	}
	if result := must(s.client(t).Update(t.Context(), withMobile(before, newNumber)))(t); !result.OK {
		t.Errorf("with all faults cleared: %s", result.Code)
	}
}

// told is what a caller sees, as a text.
func told(result personv4.Result, err error) string {
	if status, ok := errors.AsType[*rivta.StatusError](err); ok {
		return status.Error() + " " + status.RetryAfter.String()
	}
	if fault, ok := errors.AsType[*rivta.Fault](err); ok {
		return fault.Error()
	}
	if errors.Is(err, io.EOF) {
		return "EOF"
	}
	return result.Code
}

func TestRateIsEachCallersOwn(t *testing.T) {
	t.Parallel()
	f := serveWith(t, Fault{Kind: KindRate, Rate: 2})
	one, other := f.client(t), f.Client(t, reader, address, false)
	let := func(client *personv4.Client, want bool) {
		t.Helper()
		_, err := client.Get(t.Context(), f.id(t, "empty"))
		status, refused := errors.AsType[*rivta.StatusError](err)
		if want && err != nil || !want && (!refused || status.Status != http.StatusTooManyRequests || status.RetryAfter != time.Second) {
			t.Errorf("error %v, want it let through: %t", err, want)
		}
	}
	let(one, true)
	f.now.pass(600 * time.Millisecond)
	let(one, true)
	let(one, false)
	let(other, true)
	f.now.pass(399 * time.Millisecond)
	let(one, false)
	f.now.pass(time.Millisecond) // one second after the first
	let(one, true)
	let(one, false)
	let(other, true)
}

func TestOnlyCallsThatAreAllowedMeetAFault(t *testing.T) {
	t.Parallel()
	f := serveWith(t, Fault{Kind: KindOutage})
	_, err := f.Client(t, "SE2321000016-CSX1", address, false).Get(t.Context(), f.id(t, "empty"))
	if fault, ok := errors.AsType[*rivta.Fault](err); !ok || fault.VP != "VP007" {
		t.Errorf("a stranger sees %v", err)
	}
	if faults, _ := f.Faults().List(); faults[0].Hits != 0 {
		t.Error("a call that was not allowed was hit")
	}
}

func TestRegisterThatConformsStillDoesBehindFaultsThatHitNobody(t *testing.T) {
	t.Parallel()
	f := serveWith(t, Fault{Kind: KindReadLag, Duration: Duration(time.Second)})
	f.dial(t, Fault{Kind: KindReset, Probability: new(0.0)})
	f.dial(t, Fault{Kind: KindOutage, Person: plantedPerson})
	before := f.record(t, "contact_persons")
	result := must(f.client(t).Update(t.Context(), contracttest.Unchanged(before)))(t)
	f.now.pass(time.Second)
	if diff := cmp.Diff(contracttest.Rest(t, before), contracttest.Rest(t, f.record(t, "contact_persons"))); diff != "" || !result.OK {
		t.Errorf("%s; record (-before +after):\n%s", result.Code, diff)
	}
}
