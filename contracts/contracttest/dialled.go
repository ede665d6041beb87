package contracttest

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

// FaultRegister is a register under test that can be made to go wrong.
type FaultRegister struct {
	Register
	Kinds []string // of all the faults that there are
	// Dial has all calls of a class, read or write, go wrong until it is taken back. Times are such that they pass by Elapse only; of
	// rate, one call a second is let through, and no second passes.
	Dial func(t *testing.T, kind, class string) (takeBack func())
	// Elapse waits until a fault makes somebody or something wait, calls meanwhile, lets the time pass, and waits for what was
	// carried out without anybody waiting for it.
	Elapse func(t *testing.T, meanwhile func())
}

// symptom is what a client sees of a fault, and when the call is carried out.
type symptom struct {
	soap, rest string   // see said; rest is empty where it is the same
	done       carrying // of a write
	elapses    bool     // something waits
	unguarded  *symptom // of writes that are of no version; nil: the same
	first      string   // what the first call is told, where only the second is hit
	only       string   // the class that the kind is about; empty: both
}

// carrying is when a call is carried out.
type carrying string

const (
	never carrying = "never"
	once  carrying = "at once"
	later carrying = "later"
)

// symptoms are those of each kind, as contracts/README.md tells.
func symptoms() map[string]symptom {
	return map[string]symptom{
		"answer_lost":  {soap: "cut", done: once},
		"delay":        {soap: "ok", done: later, elapses: true},
		"late_write":   {soap: "cut", done: later, elapses: true, only: "write"},
		"duplicate":    {soap: "ok", done: once, elapses: true},
		"read_lag":     {soap: "ok", only: "read"},
		"server_fault": {soap: "fault Server", rest: "internal", done: never},
		"client_fault": {soap: "fault Client", rest: "refused", done: never},
		"stale":        {soap: "stale_version", done: never, only: "write", unguarded: &symptom{soap: "ok", done: once}},
		"too_many":     {soap: "429, wait 1s", rest: "too_many_requests, wait 1s", done: never},
		"outage":       {soap: "503, wait 0s", rest: "unavailable", done: never},
		"reset":        {soap: "cut", done: never},
		"rate":         {soap: "429, wait 1s", rest: "too_many_requests, wait 1s", done: never, first: "ok"},
	}
}

// FaultConformance dials every kind of fault, and looks at it through the client of every contract. Each kind gets a register of
// its own.
func FaultConformance(t *testing.T, newRegister func(t *testing.T) FaultRegister) {
	t.Helper()
	for _, kind := range slices.Sorted(maps.Keys(symptoms())) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			register := newRegister(t)
			if kinds := slices.Sorted(slices.Values(register.Kinds)); !slices.Equal(kinds, slices.Sorted(maps.Keys(symptoms()))) {
				t.Fatalf("the register has the kinds %q, and the suite does not know the same", kinds)
			}
			served := Serve(t, register.Handler)
			served.Fresh = true
			plain := run{Register: register.Register, served: served, contract: newest()}
			plain.client = newest().client(t, served, register.System, register.LogicalAddress, false)
			r := faultRun{plain, register, kind, symptoms()[kind], plain.ways(t), new(int)}
			for _, w := range r.ways {
				r.read(t, w)
				r.write(t, w)
			}
		})
	}
}

// faultRun is one kind of fault on one register.
type faultRun struct {
	run
	register FaultRegister
	kind     string
	symptom  symptom
	ways     []way
	written  *int // how many changes were made up
}

func (r faultRun) next() details {
	*r.written++
	return numbered(*r.written)
}

// want is what a client should see.
func (s symptom) want(w way) string {
	if strings.HasPrefix(w.name, "REST") {
		return cmp.Or(s.rest, s.soap)
	}
	return s.soap
}

// end carries out a call and lets the time pass, if something has to wait: meanwhile is called before that.
func (r faultRun) end(t *testing.T, s symptom, call func() error, meanwhile func()) string {
	ended := make(chan string, 1)
	go func() { ended <- said(call()) }()
	if s.done == once { // what waits is not the caller
		told := <-ended
		ended <- told
	}
	if s.elapses {
		r.register.Elapse(t, meanwhile)
	}
	return <-ended
}

func (r faultRun) read(t *testing.T, w way) {
	switch {
	case r.symptom.only == "write":
		return
	case r.kind == "read_lag":
		r.lag(t, w)
		return
	}
	before := r.sees(t, w, r.Person)
	defer r.register.Dial(t, r.kind, "read")()
	read := func() error {
		f, err := w.read(t.Context(), r.Person)
		if err == nil && (f == nil || f.own != before.own || f.version != before.version) {
			return errors.New("something else is shown")
		}
		return err
	}
	wants := []string{r.symptom.want(w)}
	if r.symptom.first != "" {
		wants = append([]string{r.symptom.first}, wants...)
	}
	for _, want := range wants {
		if got := r.end(t, r.symptom, read, func() {}); got != want {
			t.Errorf("read by %s: %s, want %s", w.name, got, want)
		}
	}
}

// lag: what was written a moment ago does not show, through whatever contract it was written.
func (r faultRun) lag(t *testing.T, w way) {
	for _, other := range r.ways {
		if other.readsOnly {
			continue
		}
		before, held, to := r.sees(t, w, r.Person), r.sees(t, other, r.Person), r.next()
		takeBack := r.register.Dial(t, r.kind, "read")
		if got := said(held.replace(t.Context(), to)); got != r.symptom.want(other) {
			t.Errorf("written by %s: %s", other.name, got)
		}
		if got := r.sees(t, w, r.Person); got.own != before.own || got.version != before.version {
			t.Errorf("read by %s: what %s just wrote shows", w.name, other.name)
		}
		takeBack()
		if got := r.sees(t, w, r.Person); got.own != to {
			t.Errorf("read by %s: what %s wrote does not show", w.name, other.name)
		}
	}
}

func (r faultRun) write(t *testing.T, w way) {
	if r.symptom.only == "read" || w.readsOnly {
		return
	}
	s := r.symptom
	if w.unguarded && s.unguarded != nil {
		s = *s.unguarded
	}
	before, to := r.sees(t, w, r.Person), r.next()
	defer r.register.Dial(t, r.kind, "write")()
	if s.first != "" {
		if got := said(before.replace(t.Context(), r.next())); got != s.first {
			t.Errorf("the first time written by %s: %s, want %s", w.name, got, s.first)
		}
		before = r.sees(t, w, r.Person)
	}
	var midway found
	got := r.end(t, s, func() error { return before.replace(t.Context(), to) }, func() { midway = r.sees(t, w, r.Person) })
	if got != s.want(w) {
		t.Errorf("written by %s: %s, want %s", w.name, got, s.want(w))
	}
	after := r.sees(t, w, r.Person)
	if carriedOut := after.own == to; carriedOut != (s.done != never) || !carriedOut && after.version != before.version {
		t.Errorf("written by %s: carried out %v, want %s", w.name, carriedOut, s.done)
	}
	if !s.elapses {
		return
	}
	if want := map[carrying]string{later: before.version, once: after.version}[s.done]; midway.version != want {
		t.Errorf("written by %s: version %s before the time has passed, want %s", w.name, midway.version, want)
	}
}
