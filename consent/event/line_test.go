package event_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"contactsync/consent/event"
	"contactsync/consent/reason"
)

func TestMissingIDAndTimeAreFilledIn(t *testing.T) {
	t.Parallel()
	line, err := event.ReadLine(structured(t, "share", func(e map[string]any) {
		e["id"] = nil
		delete(e, "time")
		e["traceparent"], e["Not an attribute"], e["hops"], e["nested"] = "00-0af7", "x", 3, []int{1}
	}), now, func() string { return "7d3c2a52-7f64-4c5e-9a65-0d7f7e0b7f01" })
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"ce_specversion": "1.0", "ce_id": "7d3c2a52-7f64-4c5e-9a65-0d7f7e0b7f01", "ce_type": event.TypeDecision,
		"ce_source": shared().Source, "ce_time": now.Format(time.RFC3339), "ce_traceparent": "00-0af7", "ce_hops": "3",
		"content-type": "application/json",
	}
	if diff := cmp.Diff(want, headerMap(line.Headers)); diff != "" {
		t.Error("headers (-want +got)\n" + diff)
	}
	d := shared()
	d.EventID, d.Time = "7d3c2a52-7f64-4c5e-9a65-0d7f7e0b7f01", now
	wantRead(t, line.Received, d)
}

func TestALineIsSentAsItWasWritten(t *testing.T) {
	t.Parallel()
	text := structured(t, "withdraw", func(e map[string]any) { put(e, "data.unknown", "kept") })
	line, err := event.ReadLine(text, now, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), string(line.Value)) || !strings.Contains(string(line.Value), `"unknown":"kept"`) {
		t.Errorf("value %s", line.Value)
	}
}

func TestWhatIsNoLine(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "[]", "null", `"x"`, "person;channel"} {
		want := []event.Finding{{Code: reason.FormJSON}}
		if diff := cmp.Diff(want, check([]byte(text), now)); diff != "" {
			t.Errorf("%q (-want +got)\n%s", text, diff)
		}
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", event.MaxLine+1)
	fits := strings.Repeat("y", event.MaxLine-2)
	input := "a\n\n \t\r\nb\r\n" + long + "\n" + fits + "\n" + long + long + "\nlast"
	type seen struct {
		Number  int
		Text    string
		TooLong bool
	}
	var got []seen
	for line, err := range event.Lines(strings.NewReader(input)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, seen{line.Number, string(line.Text), line.TooLong})
	}
	want := []seen{{1, "a", false}, {4, "b", false}, {5, "", true}, {6, fits, false}, {7, "", true}, {8, "last", false}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("lines (-want +got)\n" + diff)
	}
}

func TestLinesSayWhenNothingMoreIsAtHand(t *testing.T) {
	t.Parallel()
	in, out := io.Pipe()
	go func() {
		_, _ = out.Write([]byte("a\nb\n"))
		_, _ = out.Write([]byte("c\n"))
		_ = out.Close()
	}()
	var more []bool
	for line, err := range event.Lines(in) {
		if err != nil {
			t.Fatal(err)
		}
		more = append(more, line.More)
	}
	if diff := cmp.Diff([]bool{true, false, false}, more); diff != "" {
		t.Error("more at hand (-want +got)\n" + diff)
	}
}

func TestLinesEndWithAReadError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	var last error
	lines := 0
	for _, err := range event.Lines(io.MultiReader(strings.NewReader("a\nb\n"), iotest.ErrReader(broken))) {
		lines, last = lines+1, err
	}
	if lines != 3 || !errors.Is(last, broken) {
		t.Errorf("%d lines, then %v", lines, last)
	}
}
