package register_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/sync/plan"
	"contactsync/sync/push"
	"contactsync/sync/register"
)

const (
	address = "SE165565594230-1000"
	caller  = "SE2321000016-CSW1"
)

var (
	tove   = contact.KnownPersonID(contact.RootPersonnummer, "197205179802")
	toveID = personv4.ID{Root: tove.Root(), Extension: tove.RevealExtension()}
)

func entry(kind, use, value string) personv4.Entry {
	return personv4.Entry{Type: kind, Use: &use, Value: &value}
}

// adapted is an adapter over mutual TLS in front of a register with Tove's record, and what a care system then reads.
func adapted(t *testing.T, record personv4.Record) (push.Register, func() personv4.Record) {
	t.Helper()
	record.Person = toveID
	memory := contracttest.NewMemory([]string{caller}, record)
	served := contracttest.Serve(t, personv4.NewHandler(memory, personv4.HandlerConfig{LogicalAddress: address, Authorizer: memory}))
	client := served.Client(t, caller, address, false)
	return adapter(t, client), func() personv4.Record {
		got, err := client.Get(t.Context(), toveID)
		if err != nil {
			t.Fatal(err)
		}
		got.Version, got.Person, got.Actor = "", personv4.ID{}, nil
		return *got
	}
}

func adapter(t *testing.T, client *personv4.Client) *register.PersonV4 {
	t.Helper()
	a, err := register.NewPersonV4(register.PersonV4Config{Reads: client, Writes: client, Codes: register.DefaultCodes(),
		Observe: func(string, string, string, time.Duration) {}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func write(t *testing.T, a push.Register, w plan.Write) {
	t.Helper()
	reading, err := a.Read(t.Context(), tove)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reading.Write(t.Context(), w); err != nil {
		t.Fatal(err)
	}
}

func shares(value string, notify bool) plan.Write {
	return plan.Write{Changes: []plan.Change{{Channel: contact.Mobile, Entry: &plan.Entry{Value: contact.KnownValue(value), Notify: notify}}}}
}

func TestWriteChangesTheResidentsOwnEntriesOnly(t *testing.T) {
	t.Parallel()
	unknown := []rivta.Element{{Name: xml.Name{Space: "urn:example:later:1", Local: "later"}, Text: "x"}}
	staff, own, second := entry("tel", "work", "+46317650000"), entry("tel", "mobile", "+46701740605"), entry("tel", "mobile", "+46701740606")
	own.Rank, own.Comment, own.Unknown = new(2), new("call in the evening"), unknown
	own.Period = &personv4.Period{End: new("2026-12-31")}
	before := personv4.Record{Entries: []personv4.Entry{staff, own, second}, OptoutPaper: new(false), Unknown: unknown,
		ContactPersons: []personv4.ContactPerson{{Relationship: "child", GivenName: new("Barn")}}}

	fresh := own
	fresh.Value, fresh.DigitalNotification, fresh.Comment, fresh.Period = new("+46701740607"), new(true), nil, nil
	kept := own
	kept.DigitalNotification = new(true)
	for _, tt := range []struct {
		name  string
		write plan.Write
		want  []personv4.Entry
	}{
		{"a new value takes the first one's place, without what was said of the old", shares("+46701740607", true), []personv4.Entry{staff, fresh}},
		{"the same value keeps what was said of it", shares("+46701740605", true), []personv4.Entry{staff, kept}},
		{"a withdrawal takes all of them away", plan.Write{Changes: []plan.Change{{Channel: contact.Mobile}}}, []personv4.Entry{staff}},
		{"burning the version changes nothing", plan.Write{}, []personv4.Entry{staff, own, second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, read := adapted(t, before)
			write(t, a, tt.write)
			want := before
			want.Entries, want.ProtectedPopulation = tt.want, read().ProtectedPopulation
			if diff := cmp.Diff(wire(t, want), wire(t, read())); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
		})
	}
}

// wire is the record as it is sent: the types themselves print redacted.
func wire(t *testing.T, r personv4.Record) string {
	t.Helper()
	r.Version, r.Person = "20261123120000", toveID
	text, err := personv4.MarshalRecord(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPaperOptOutEndsInTheSameWrite(t *testing.T) {
	t.Parallel()
	own := entry("tel", "mobile", "+46701740605")
	own.DigitalNotification = new(true)
	a, read := adapted(t, personv4.Record{Entries: []personv4.Entry{own}, OptoutPaper: new(true)})
	write(t, a, plan.Write{Changes: []plan.Change{{Channel: contact.Mobile}}, EndPaperOut: true})
	if got := read(); len(got.Entries) != 0 || *got.OptoutPaper {
		t.Error("the opt-out from paper stands without a notification")
	}
}

func TestRecordIsSeenByTheResidentsOwnEntries(t *testing.T) {
	t.Parallel()
	staff, own := entry("tel", "work", "+46317650000"), entry("tel", "mobile", "+46701740605")
	staff.DigitalNotification = new(true)
	a, _ := adapted(t, personv4.Record{Entries: []personv4.Entry{staff, own, {Type: "tel"}}, OptoutPaper: new(true)})
	reading, err := a.Read(t.Context(), tove)
	if err != nil {
		t.Fatal(err)
	}
	got := reading.Record()
	if len(got.Own[contact.Mobile]) != 1 || got.Own[contact.Mobile][0].Value.Reveal() != "+46701740605" || len(got.Own[contact.Email]) != 0 ||
		!got.OthersNotify || !got.PaperOptOut || got.Version == "" {
		t.Errorf("record %+v", got)
	}
}

// swap makes every request one about Tove.
type swap struct{ next http.RoundTripper }

func (s swap) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	text := strings.Replace(string(body), "195805179800", tove.RevealExtension(), 1)
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	return s.next.RoundTrip(r)
}

func TestRecordOfAnotherPersonIsRefused(t *testing.T) {
	t.Parallel()
	memory := contracttest.NewMemory([]string{caller}, personv4.Record{Person: toveID})
	served := contracttest.Serve(t, personv4.NewHandler(memory, personv4.HandlerConfig{LogicalAddress: address, Authorizer: memory}))
	h := served.HTTP(t, caller)
	h.Transport = swap{h.Transport}
	client, err := personv4.NewClient(personv4.ClientConfig{ClientConfig: rivta.ClientConfig{BaseURL: served.URL, LogicalAddress: address, HTTP: h}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = adapter(t, client).Read(t.Context(), contact.KnownPersonID(contact.RootPersonnummer, "195805179800"))
	e, ok := errors.AsType[*push.Error](err)
	if !ok || e.Class != push.Refused || e.Reason != reason.RegisterRefused {
		t.Errorf("error %v", err)
	}
}
