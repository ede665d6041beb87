package mockregister

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/personv3"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// someFaults belong to no register; what is carried out later is told to nobody.
func someFaults(now func() time.Time, dialled ...Fault) *Faults {
	f := newFaults(now, func(caller string) bool { return caller == worker || caller == reader }, func(call, answer) {})
	for _, fault := range dialled {
		if _, err := f.Set(fault); err != nil {
			panic(err)
		}
	}
	return f
}

func someCall(operation rivta.Operation, caller, extension string) call {
	return call{operation: operation, class: classOf(operation.Name), caller: rivta.Caller{HSAID: caller},
		person: personv4.ID{Root: personv4.RootPersonnummer, Extension: extension}, unrestricted: true}
}

func someWrite() call { return someCall(personv4.UpdateOperation(true), worker, plantedPerson) }

// do is a call, and what hit it.
func (f *Faults) do(t testing.TB, c call) []string {
	t.Helper()
	return f.around(c, func(context.Context) answer { return answer{} })(t.Context()).dialled
}

func TestAllFiltersMustFit(t *testing.T) {
	t.Parallel()
	get, getRestricted, update := personv4.GetOperation(true), personv4.GetOperation(false), personv4.UpdateOperation(true)
	for _, tt := range []struct {
		fault Fault
		call  call
		want  bool
	}{
		{Fault{}, someCall(get, reader, plantedPerson), true},
		{Fault{Contract: get.Name}, someCall(get, reader, plantedPerson), true},
		{Fault{Contract: get.Name}, someCall(getRestricted, reader, plantedPerson), false},
		{Fault{Contract: get.Name}, someCall(update, reader, plantedPerson), false},
		{Fault{Contract: get.Name + "/4"}, someCall(get, reader, plantedPerson), true},
		{Fault{Contract: get.Name + "/3"}, someCall(get, reader, plantedPerson), false},
		{Fault{Contract: get.Name + "/3"}, someCall(personv3.GetOperation(true), reader, plantedPerson), true},
		{Fault{Contract: contactsv1.OperationLookup + "/1"}, someCall(contactsOperation(contactsv1.OperationLookup), reader, plantedPerson), true},
		{Fault{Operation: classWrite}, someCall(update, reader, plantedPerson), true},
		{Fault{Operation: classWrite}, someCall(get, reader, plantedPerson), false},
		{Fault{Operation: classRead}, someCall(getRestricted, reader, plantedPerson), true},
		{Fault{Operation: classRead}, someCall(update, reader, plantedPerson), false},
		{Fault{Person: plantedPerson}, someCall(get, reader, plantedPerson), true},
		{Fault{Person: plantedPerson}, someCall(get, reader, "195805179800"), false},
		{Fault{Caller: reader}, someCall(get, reader, plantedPerson), true},
		{Fault{Caller: reader}, someCall(get, worker, plantedPerson), false},
		{Fault{Contract: get.Name, Operation: classRead, Person: plantedPerson, Caller: reader}, someCall(get, reader, plantedPerson), true},
		{Fault{Contract: get.Name, Operation: classRead, Person: plantedPerson, Caller: reader}, someCall(get, worker, plantedPerson), false},
	} {
		tt.fault.Kind = KindOutage
		if got := len(someFaults(noon, tt.fault).do(t, tt.call)) > 0; got != tt.want {
			t.Errorf("%+v: hit %t, want %t", tt, got, tt.want)
		}
	}
}

func TestFaultsApplyByTheirStageAndThenByAge(t *testing.T) {
	t.Parallel()
	f := someFaults(noon, Fault{Kind: KindServerFault, Count: 1}, Fault{Kind: KindAnswerLost}, Fault{Kind: KindStale},
		Fault{Kind: KindReset, Count: 1}, Fault{Kind: KindOutage, Count: 1})
	for i, want := range []string{"f4:reset", "f5:outage", "f2:answer_lost f1:server_fault", "f2:answer_lost f3:stale"} {
		if got := strings.Join(f.do(t, someWrite()), " "); got != want {
			t.Errorf("call %d is hit by %q, want %q", i, got, want)
		}
	}
	hits := []int{}
	faults, _ := f.List()
	for _, d := range faults {
		hits = append(hits, d.Hits)
	}
	if diff := cmp.Diff([]int{1, 2, 1, 1, 1}, hits); diff != "" {
		t.Error("hits (-want +got)\n" + diff)
	}
}

func TestRateCountsCallsThatOtherFaultsHit(t *testing.T) {
	t.Parallel()
	read := someCall(personv4.GetOperation(true), worker, plantedPerson)
	f := someFaults(noon, Fault{Kind: KindReadLag, Duration: Duration(time.Minute)}, Fault{Kind: KindRate, Rate: 1})
	f.past.keep(person{id: read.person})(true, noon())
	for i, want := range []string{"f1:read_lag", "f2:rate"} {
		if got := strings.Join(f.do(t, read), " "); got != want {
			t.Errorf("call %d is hit by %q, want %q", i, got, want)
		}
	}
}

// pattern tells which of many calls a fault hits, a letter each.
func pattern(t *testing.T, seed uint64) string {
	t.Helper()
	f := someFaults(noon, Fault{Kind: KindReset, Probability: new(0.3), Seed: seed})
	var text strings.Builder
	for range 1000 {
		fmt.Fprint(&text, len(f.do(t, someWrite())))
	}
	return text.String()
}

func TestDrawsOfASeedAreAlwaysTheSame(t *testing.T) {
	t.Parallel()
	first := pattern(t, 7)
	if pattern(t, 7) != first || pattern(t, 8) == first {
		t.Error("the draws do not depend on the seed alone")
	}
	if !strings.HasPrefix(pattern(t, 0), "0000000000000010") {
		t.Errorf("the draws are others than they were: %.16s", pattern(t, 0))
	}
	if hits := strings.Count(first, "1"); hits < 250 || hits > 350 {
		t.Errorf("%d of 1000 calls are hit by a probability of 0.3", hits)
	}
}

func TestProbabilityOfNoneAndOfAll(t *testing.T) {
	t.Parallel()
	for probability, want := range map[*float64]int{nil: 1, new(1.0): 1, new(0.0): 0} {
		f := someFaults(noon, Fault{Kind: KindReset, Probability: probability})
		for range 100 {
			if got := len(f.do(t, someWrite())); got != want {
				t.Fatalf("hit by %d faults, want %d", got, want)
			}
		}
	}
}

func TestCountIsKeptByCallsAtOnce(t *testing.T) {
	t.Parallel()
	f := someFaults(noon, Fault{Kind: KindReset, Count: 7})
	var hits atomic.Int32
	atOnce(50, func() { hits.Add(int32(len(f.do(t, someWrite())))) })
	if hits.Load() != 7 {
		t.Errorf("%d hits, want 7", hits.Load())
	}
}

func TestClearedFaultHitsNoCallNotEvenOneUnderWay(t *testing.T) {
	t.Parallel()
	f := someFaults(noon, Fault{Kind: KindReset})
	underWay := f.around(someWrite(), func(context.Context) answer { return answer{} })
	if !f.Clear("f1") || f.Clear("f1") {
		t.Error("a fault is not cleared once")
	}
	if a := underWay(t.Context()); a.cut {
		t.Error("the call is hit")
	}
	f = someFaults(noon, Fault{Kind: KindReset}, Fault{Kind: KindOutage})
	f.ClearAll()
	if faults, _ := f.List(); len(faults) != 0 || f.do(t, someWrite()) != nil {
		t.Error("faults are left")
	}
}

func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	f := someFaults(noon)
	for range maxFaults {
		must(f.Set(Fault{Kind: KindReset, Count: 1}))(t)
	}
	if _, err := f.Set(Fault{Kind: KindOutage}); !errors.Is(err, ErrTooManyFaults) {
		t.Errorf("error %v", err)
	}
	f.do(t, someWrite())
	if id := must(f.Set(Fault{Kind: KindOutage}))(t); id != "f101" {
		t.Errorf("id %s", id)
	}
	if faults, _ := f.List(); len(faults) != maxFaults || faults[0].ID != "f2" {
		t.Errorf("%d faults, the first is %s; want the used up one to have made room", len(faults), faults[0].ID)
	}
}

func TestPendingCallsAreBoundedAndDroppedAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := someFaults(time.Now, Fault{Kind: KindLateWrite, Duration: Duration(time.Minute)})
		carried := 0 // by the call itself, beyond the bound
		for range maxPending + 3 {
			f.around(someWrite(), func(context.Context) answer { carried++; return answer{} })(t.Context())
		}
		if _, pending := f.List(); pending != maxPending || carried != 3 {
			t.Errorf("%d pending, %d carried out at once; want %d and 3", pending, carried, maxPending)
		}
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if _, pending := f.List(); pending != 0 || carried != 3 {
			t.Errorf("after the end %d are pending and %d carried out", pending, carried)
		}
		if f.do(t, someWrite()) != nil || f.Close(t.Context()) != nil {
			t.Error("a closed one hits a call, or cannot be closed again")
		}
	})
}

func TestCloseWaitsForWhatIsBeingCarriedOutAndThenInterruptsIt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		takes time.Duration
		want  error // of Close, and what the work sees
	}{"short": {time.Second, nil}, "long": {time.Hour, context.DeadlineExceeded}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := someFaults(time.Now, Fault{Kind: KindLateWrite, Duration: Duration(time.Minute)})
				var interrupted atomic.Bool
				f.around(someWrite(), func(ctx context.Context) answer {
					select {
					case <-time.After(tt.takes):
					case <-ctx.Done():
						interrupted.Store(true)
					}
					return answer{}
				})(t.Context())
				<-time.After(time.Minute) // of synctest's time
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if err := f.Close(ctx); !errors.Is(err, tt.want) || interrupted.Load() != (tt.want != nil) {
					t.Errorf("error %v, interrupted %t", err, interrupted.Load())
				}
			})
		})
	}
}

func TestDelayIsOverWhenTheRegisterCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := someFaults(time.Now, Fault{Kind: KindDelay, Duration: Duration(time.Minute)})
		var call sync.WaitGroup
		call.Go(func() {
			a := f.around(someWrite(), func(context.Context) answer {
				t.Error("it is carried out all the same")
				return answer{}
			})(t.Context())
			if !a.cut {
				t.Error("the call is answered")
			}
		})
		synctest.Wait()
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
		call.Wait()
	})
}

func TestPastIsBounded(t *testing.T) {
	t.Parallel()
	var p past
	p.keepFor(time.Minute)
	content := strings.Repeat("x", maxContent)
	ids := []personv4.ID{}
	for i := range 2 * maxPast / maxContent {
		id := personv4.ID{Root: personv4.RootPersonnummer, Extension: fmt.Sprint(i)}
		ids = append(ids, id)
		p.keep(person{id: id, content: content})(true, noon())
	}
	_, first := p.before(ids[0], time.Minute, noon())
	_, last := p.before(ids[len(ids)-1], time.Minute, noon())
	if first || !last || p.bytes > maxPast || len(p.of) != len(p.replaced) {
		t.Errorf("%d bytes of %d records are kept; the first is %t, the last %t", p.bytes, len(p.replaced), first, last)
	}
	p.before(ids[0], time.Minute, noon().Add(time.Minute))
	if p.bytes != 0 || len(p.of) != 0 || len(p.replaced) != 0 {
		t.Errorf("%d bytes are kept beyond their time", p.bytes)
	}
}

func TestPastShowsWhatAWriteUnderWayIsAboutToReplace(t *testing.T) {
	t.Parallel()
	var p past
	p.keepFor(time.Minute)
	id := personv4.ID{Root: personv4.RootPersonnummer, Extension: plantedPerson}
	settle := p.keep(person{id: id, version: "1"})
	if old, ok := p.before(id, time.Minute, noon()); !ok || old.version != "1" {
		t.Error("a read beside the write may see the new record and later ones the old")
	}
	settle(false, noon())
	if _, ok := p.before(id, time.Minute, noon()); ok {
		t.Error("a refused write is taken for one that was carried out")
	}
}

func TestFaultsThatCannotBeDialled(t *testing.T) {
	t.Parallel()
	minute, get := Duration(time.Minute), personv4.GetOperation(true).Name
	for _, tt := range []struct {
		fault       Fault
		code, field string
	}{
		{Fault{}, CodeMissing, "kind"},
		{Fault{Kind: "flood"}, CodeInvalid, "kind"},
		{Fault{Kind: KindReset, Contract: "GetPersonContactInformationX"}, CodeInvalid, "contract"},
		{Fault{Kind: KindReset, Contract: get + "/5"}, CodeInvalid, "contract"},
		{Fault{Kind: KindReset, Contract: get + "/"}, CodeInvalid, "contract"},
		{Fault{Kind: KindReset, Contract: "contactsv1/1"}, CodeInvalid, "contract"},
		{Fault{Kind: KindReset, Contract: contactsv1.OperationLookup + "/2"}, CodeInvalid, "contract"},
		{Fault{Kind: KindStale, Contract: get}, CodeInvalid, "contract"},
		{Fault{Kind: KindStale, Contract: get + "/3"}, CodeInvalid, "contract"},
		{Fault{Kind: KindStale, Contract: contactsv1.OperationChange + "/1"}, CodeInvalid, "contract"},
		{Fault{Kind: KindReset, Operation: "delete"}, CodeInvalid, "operation"},
		{Fault{Kind: KindLateWrite, Duration: minute, Operation: classRead}, CodeInvalid, "operation"},
		{Fault{Kind: KindReadLag, Duration: minute, Operation: classWrite}, CodeInvalid, "operation"},
		{Fault{Kind: KindReset, Contract: get, Operation: classWrite}, CodeInvalid, "operation"},
		{Fault{Kind: KindReset, Person: plantedMail}, CodeInvalid, "person"},
		{Fault{Kind: KindReset, Caller: clinic}, CodeInvalid, "caller"},
		{Fault{Kind: KindReset, Count: -1}, CodeInvalid, "count"},
		{Fault{Kind: KindReset, Probability: new(-0.1)}, CodeInvalid, "probability"},
		{Fault{Kind: KindReset, Probability: new(1.1)}, CodeInvalid, "probability"},
		{Fault{Kind: KindRate, Rate: 1, Probability: new(0.5)}, CodeNotForKind, "probability"},
		{Fault{Kind: KindRate, Rate: 1, Seed: 1}, CodeNotForKind, "seed"},
		{Fault{Kind: KindReset, Duration: minute}, CodeNotForKind, "duration"},
		{Fault{Kind: KindDelay}, CodeMissing, "duration"},
		{Fault{Kind: KindLateWrite}, CodeMissing, "duration"},
		{Fault{Kind: KindDuplicate}, CodeMissing, "duration"},
		{Fault{Kind: KindReadLag}, CodeMissing, "duration"},
		{Fault{Kind: KindDelay, Duration: -1}, CodeInvalid, "duration"},
		{Fault{Kind: KindDelay, Duration: 61 * minute}, CodeInvalid, "duration"},
		{Fault{Kind: KindDelay, Duration: minute, Hold: minute}, CodeNotForKind, "hold"},
		{Fault{Kind: KindLateWrite, Duration: minute, Hold: -1}, CodeInvalid, "hold"},
		{Fault{Kind: KindRate}, CodeMissing, "rate"},
		{Fault{Kind: KindRate, Rate: -1}, CodeInvalid, "rate"},
		{Fault{Kind: KindReset, Rate: 1}, CodeNotForKind, "rate"},
	} {
		_, err := someFaults(noon).Set(tt.fault)
		wrong, ok := errors.AsType[*FieldError](err)
		if !ok || *wrong != (FieldError{tt.code, tt.field}) {
			t.Errorf("%s for the fault with %s %s: error %v", tt.fault.Kind, tt.field, tt.code, err)
		}
	}
}

func TestFaultPrintsNobody(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	fault := DialledFault{ID: "f1", Fault: Fault{Kind: KindReset, Person: plantedPerson}}
	slog.New(slog.NewTextHandler(&log, nil)).Info("dialled", "fault", fault)
	fmt.Fprintf(&log, "%v %+v %#v %s", fault, fault, fault, fault.Fault)
	checkNoPersonalData(t, log.String())
	text := must(json.Marshal(fault))(t)
	var back DialledFault
	if err := json.Unmarshal(text, &back); err != nil || back.Person != plantedPerson || back.ID != "f1" {
		t.Errorf("as JSON it does not come back: %v", err)
	}
}
