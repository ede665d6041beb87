package event_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"contactsync/consent/event"
	"contactsync/consent/reason"
)

func FuzzRead(f *testing.F) {
	for _, r := range rows(f) {
		line, err := event.ReadLine(r.lineOf(f, r.Of), now, func() string { return "" })
		if err != nil {
			f.Fatal(err)
		}
		headers := headerMap(line.Headers)
		id, _ := headers["ce_id"].(string)
		source, _ := headers["ce_source"].(string)
		f.Add(id, source, "application/json", []byte(line.Value))
		f.Add("", "", "application/cloudevents+json", r.lineOf(f, r.Of))
	}
	f.Fuzz(func(t *testing.T, id, source, contentType string, value []byte) {
		headers := []event.Header{
			{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_type", Value: []byte(event.TypeDecision)},
			{Key: "ce_source", Value: []byte(source)}, {Key: "content-type", Value: []byte(contentType)},
		}
		if id != "" {
			headers = append(headers, event.Header{Key: "ce_id", Value: []byte(id)})
		}
		judged(t, event.Read(headers, value, now))
		_, _ = event.ReadOutcome(headers, value)
		_, _ = event.ReadChanged(headers, value)
	})
}

func FuzzReadLine(f *testing.F) {
	for _, r := range rows(f) {
		f.Add(r.lineOf(f, r.Of))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		line, err := event.ReadLine(text, now, func() string { return shared().EventID })
		if err != nil {
			if reason.Of(err) != reason.FormJSON {
				t.Errorf("refused for %q", reason.Of(err))
			}
			return
		}
		judged(t, line.Received)
	})
}

// judged holds what must be true of every record, whatever it is.
func judged(t *testing.T, got event.Received) {
	t.Helper()
	if got.Unreadable != "" {
		if diff := cmp.Diff(event.Received{Unreadable: got.Unreadable}, got, redacted); diff != "" {
			t.Error("unreadable, and yet read\n" + diff)
		}
		return
	}
	d := got.Decision
	for _, f := range got.Findings() {
		if strings.Trim(f.Field, "abcdefghijklmnopqrstuvwxyzA.") != "" || strings.Trim(string(f.Code), "abcdefghijklmnopqrstuvwxyz_:0123456789") != "" {
			t.Errorf("finding %q %q holds more than names", f.Field, f.Code)
		}
	}
	if d.EventID == "" || (!d.Share && (!d.Value.IsZero() || d.Notify != nil)) {
		t.Error("no event id, or a withdrawal with a value")
	}
	if len(got.Refusals) > 0 {
		return
	}
	if d.Person.IsZero() || d.Channel == "" || d.Revision < 1 || (d.Share && d.Value.IsZero()) {
		t.Error("a decision in order lacks what it needs")
	}
	if d.Share {
		again(t, d)
	}
}

// again writes what was read, and reads it: it must be the same.
func again(t *testing.T, d event.Decision) {
	t.Helper()
	headers, value := d.Binary()
	wantRead(t, event.Read(headers, value, now), d)
}
