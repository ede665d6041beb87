package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/consent/stream"
)

const (
	goodLine = `{"specversion":"1.0","type":"se.contactsync.decision.v1","source":"urn:hsaid:SE2321000016-ES01","data":` +
		`{"person":{"root":"1.2.752.129.2.1.3.1","extension":"198507099805"},"channel":"mobile","decision":"share",` +
		`"value":"070-174 06 05","revision":REVISION,"decidedAt":"2026-11-21T12:00:00Z"}}`
	emptyValue = `"value":""`
)

func line(revision int) string { return strings.Replace(goodLine, "REVISION", fmt.Sprint(revision), 1) }

func lineWithoutValue(revision int) string {
	return strings.Replace(line(revision), `"value":"070-174 06 05"`, emptyValue, 1)
}

func onTheDay() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// topic keeps what was published, in order; a broken one takes nothing.
type topic struct {
	messages []stream.Message
	requests int
	broken   error
}

func (p *topic) Publish(_ context.Context, messages ...stream.Message) error {
	if p.broken != nil {
		return p.broken
	}
	p.messages = append(p.messages, messages...)
	p.requests++
	return nil
}

// revisions reads the topic as the worker would.
func (p *topic) revisions(t *testing.T) []int64 {
	t.Helper()
	var revisions []int64
	for _, m := range p.messages {
		var headers []event.Header
		for _, h := range m.Headers {
			headers = append(headers, event.Header(h))
		}
		got := event.Read(headers, m.Value, onTheDay())
		if got.Unreadable != "" {
			t.Errorf("unreadable: %s", got.Unreadable)
		}
		revisions = append(revisions, got.Decision.Revision)
	}
	return revisions
}

func newEmitter(to publisher) (*emitter, *strings.Builder) {
	var bad strings.Builder
	ids := 0
	return &emitter{
		publisher: to, pepper: []byte(event.DevelopmentPepper), now: onTheDay,
		newID: func() string { ids++; return fmt.Sprintf("00000000-0000-4000-8000-%012d", ids) },
		bad:   func(n int, f event.Finding) error { return printFinding(&bad, n, f) },
	}, &bad
}

func TestEmitCheckedSendsGoodLinesAndTellsOfBadOnes(t *testing.T) {
	t.Parallel()
	var to topic
	e, bad := newEmitter(&to)
	e.checked = true
	input := strings.Join([]string{line(1), "", lineWithoutValue(2), "{", line(3), strings.Repeat("x", event.MaxLine+1), line(4)}, "\n")
	if err := e.run(t.Context(), strings.NewReader(input)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{1, 3, 4}, to.revisions(t)); diff != "" {
		t.Error("revisions sent (-want +got)\n" + diff)
	}
	want := "3\tdata.value\tvalue_invalid:empty\n4\t-\tform_invalid:json\n6\t-\tform_invalid:line_too_long\n"
	if diff := cmp.Diff(want, bad.String()); diff != "" {
		t.Error("bad lines (-want +got)\n" + diff)
	}
	if got := e.said(); got != "3 sent, 3 not sent" {
		t.Error(got)
	}
	adult := contact.KnownPersonID(contact.RootPersonnummer, "198507099805")
	if got := string(to.messages[0].Key); got != event.Key([]byte(event.DevelopmentPepper), adult) {
		t.Errorf("key %s", got)
	}
	if to.messages[0].Topic != event.TopicDecisions {
		t.Errorf("topic %s", to.messages[0].Topic)
	}
}

func TestEmitSendsWhatItCanAndTellsOfBadLines(t *testing.T) {
	t.Parallel()
	var to topic
	e, bad := newEmitter(&to)
	input := lineWithoutValue(1) + "\n{}\n[]\n" + line(4)
	if err := e.run(t.Context(), strings.NewReader(input)); err != nil {
		t.Fatal(err)
	}
	if len(to.messages) != 3 || len(to.messages[1].Key) != 0 || e.said() != "3 sent, 1 not sent; the worker will refuse 2" ||
		bad.String() != "1\tdata.value\tvalue_invalid:empty\n2\tdata\tform_invalid:json\n3\t-\tform_invalid:json\n" {
		t.Errorf("%d sent, told of %q", len(to.messages), bad)
	}
}

func TestClockAndActorAreJudgedAsByTheWorker(t *testing.T) {
	t.Parallel()
	ahead := onTheDay().Add(time.Hour).UnixMicro()
	support := strings.Replace(line(2), `"revision"`, `"actor":{"role":"support","id":{"root":"1.2.752.129.2.1.4.1","extension":"SE2321000016-S1"}},"revision"`, 1)
	var out strings.Builder
	err := checkLines(strings.NewReader(line(int(ahead))+"\n"+support), onTheDay, func(n int, f event.Finding) error { return printFinding(&out, n, f) })
	want := "1\tdata.revision\tclock_ahead\n2\tdata.actor.role\tactor_not_allowed\n"
	if out.String() != want || err == nil {
		t.Errorf("told %q, want %q; error %v", out.String(), want, err)
	}
}

func TestEmitGathersRecords(t *testing.T) {
	t.Parallel()
	var to topic
	e, _ := newEmitter(&to)
	var input strings.Builder
	for i := range 2*emitRecords + 1 {
		input.WriteString(line(i+1) + "\n")
	}
	if err := e.run(t.Context(), strings.NewReader(input.String())); err != nil {
		t.Fatal(err)
	}
	if len(to.messages) != 2*emitRecords+1 || to.requests != 3 {
		t.Errorf("%d records in %d requests", len(to.messages), to.requests)
	}
}

func TestEmitSendsAtOnceWhenNothingMoreIsAtHand(t *testing.T) {
	t.Parallel()
	in, keyboard := io.Pipe()
	arrived := make(chan int64, 2)
	e, _ := newEmitter(announcing{arrived})
	done := make(chan error, 1)
	go func() { done <- e.run(t.Context(), in) }()
	for revision := range 2 {
		fmt.Fprintln(keyboard, line(revision+1))
		select { // the input is still open
		case <-arrived:
		case <-time.After(30 * time.Second):
			t.Fatalf("line %d waits for more", revision+1)
		}
	}
	_ = keyboard.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// announcing says how many records came.
type announcing struct{ arrived chan int64 }

func (p announcing) Publish(_ context.Context, messages ...stream.Message) error {
	p.arrived <- int64(len(messages))
	return nil
}

func TestEmitRefusesWhatNoRecordHolds(t *testing.T) {
	t.Parallel()
	var to topic
	e, bad := newEmitter(&to)
	big := strings.Replace(line(1), `"channel"`, `"padding":"`+strings.Repeat("x", 1<<20)+`","channel"`, 1)
	if err := e.run(t.Context(), strings.NewReader(big+"\n"+line(2))); err != nil {
		t.Fatal(err)
	}
	if len(to.messages) != 1 || bad.String() != "1\t-\tform_invalid:line_too_long\n" {
		t.Errorf("%d sent, told of %q", len(to.messages), bad)
	}
}

func TestEmitWithoutKafka(t *testing.T) {
	t.Parallel()
	down := errors.New("connection refused")
	e, _ := newEmitter(&topic{broken: down})
	err := e.run(t.Context(), strings.NewReader(line(1)))
	if !errors.Is(err, down) || exitCode(err) != exitTryAgain || e.sent != 0 {
		t.Errorf("%v, exit code %d, %d sent", err, exitCode(err), e.sent)
	}
}

func TestEmitAsksWhereKafkaIs(t *testing.T) {
	t.Parallel()
	if _, err := (emitFlags{}).where(); exitCode(err) != exitUsage {
		t.Errorf("%v, exit code %d", err, exitCode(err))
	}
	got, err := emitFlags{kafka: "a:1,b:2", prefix: "north-"}.where()
	if diff := cmp.Diff(stream.Config{Brokers: []string{"a:1", "b:2"}, Prefix: "north-"}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if _, err := (emitFlags{data: t.TempDir()}).where(); err == nil {
		t.Error("a folder without endpoints.json is no fault")
	}
}

func TestCheckLines(t *testing.T) {
	t.Parallel()
	input := line(1) + "\r\n\n" + lineWithoutValue(2) + "\nx\n" + line(0)
	for name, row := range map[string]struct {
		show func(out *strings.Builder) func(int, event.Finding) error
		want string
	}{
		"text": {
			func(out *strings.Builder) func(int, event.Finding) error {
				return func(n int, f event.Finding) error { return printFinding(out, n, f) }
			},
			"3\tdata.value\tvalue_invalid:empty\n4\t-\tform_invalid:json\n5\tdata.revision\tform_invalid:revision\n",
		},
		"json": {
			func(out *strings.Builder) func(int, event.Finding) error {
				return func(n int, f event.Finding) error { return printFindingJSON(out, n, f) }
			},
			`{"line":3,"field":"data.value","code":"value_invalid:empty"}` + "\n" +
				`{"line":4,"field":"","code":"form_invalid:json"}` + "\n" +
				`{"line":5,"field":"data.revision","code":"form_invalid:revision"}` + "\n",
		},
	} {
		var out strings.Builder
		err := checkLines(strings.NewReader(input), onTheDay, row.show(&out))
		if !errors.Is(err, exitError{exitFailure}) {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(row.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	none := func(n int, f event.Finding) error { return fmt.Errorf("line %d: %s", n, f.Code) }
	if err := checkLines(strings.NewReader(line(1)+"\n\n"+line(2)), onTheDay, none); err != nil {
		t.Error(err)
	}
	found := judgeLine(event.FileLine{TooLong: true}, onTheDay())
	if diff := cmp.Diff([]event.Finding{{Code: reason.FormLineTooLong}}, found); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
}
