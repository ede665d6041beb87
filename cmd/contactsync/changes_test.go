package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
	"contactsync/contracts/problem"
	"contactsync/contracts/rivta"
)

// restRegister is a register with a few contacts and a feed, of which a cursor is the number of what was read.
type restRegister struct {
	contactsv1.Service // what is not asked for here
	contacts           map[string]contactsv1.Contact
	signals            []contactsv1.Signal
	asked              chan contactsv1.From
}

func (r *restRegister) Lookup(_ context.Context, _ contactsv1.Call, persons []contactsv1.Person) ([]contactsv1.Contact, error) {
	out := make([]contactsv1.Contact, len(persons))
	for i, p := range persons {
		out[i] = r.contacts[p.Extension]
		out[i].Person = p
	}
	return out, nil
}

func (r *restRegister) Changes(ctx context.Context, _ contactsv1.Call, from contactsv1.From) (contactsv1.Page, error) {
	r.asked <- from
	at := 0
	switch from.Cursor {
	case "", contactsv1.CursorNow:
	case "old":
		return contactsv1.Page{}, contactsv1.CursorExpired()
	default:
		_, _ = fmt.Sscan(from.Cursor, &at)
	}
	if at == len(r.signals) && from.Wait > 0 {
		<-ctx.Done() // the reader leaves
		return contactsv1.Page{}, ctx.Err()
	}
	end := min(at+2, len(r.signals))
	return contactsv1.Page{Signals: r.signals[at:end], Cursor: fmt.Sprint(end), More: end < len(r.signals)}, nil
}

func someRESTRegister(t *testing.T) (*restRegister, []string) {
	t.Helper()
	r := &restRegister{asked: make(chan contactsv1.From, 100), contacts: map[string]contactsv1.Contact{
		bodil: {Found: true, Version: "20261123120001", Mobile: &contactsv1.Detail{Value: "+46701740605"}, Email: &contactsv1.Detail{Value: "bodil@example.se"}},
		dold:  {Found: true, Version: "20261123120002", ProtectedPopulation: true, Mobile: &contactsv1.Detail{Value: "+46701740606"}},
		tove:  {Found: true, Version: "20261123120003"},
	}}
	at := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
	for i, channel := range []contactsv1.Channel{contactsv1.Mobile, contactsv1.Email, contactsv1.Mobile} {
		r.signals = append(r.signals, contactsv1.Signal{Person: contactsv1.Person{Root: personv4.RootPersonnummer, Extension: bodil},
			Channel: channel, Version: fmt.Sprint(20261123120001 + i), Time: at.Add(time.Duration(i) * time.Second)})
	}
	served := contracttest.Serve(t, contactsv1.NewHandler(r, contactsv1.HandlerConfig{
		Rights: func(_ context.Context, caller rivta.Caller, _ string) (contactsv1.Rights, error) {
			return contactsv1.Rights{Read: caller.HSAID == journal}, nil
		}}))
	cert, key, err := served.CA.Issue("system", journal)
	if err != nil {
		t.Fatal(err)
	}
	return r, []string{"--register", served.URL, "--ca", fileWith(t, served.CA.CertPEM()), "--cert", fileWith(t, cert), "--key", fileWith(t, key)}
}

func TestLookupInBulkPrintsTheSame(t *testing.T) {
	t.Parallel()
	_, flags := someRESTRegister(t)
	args := append([]string{"lookup", "--contract", "contactsv1", bodil, ghost, dold, tove}, flags...)
	want := `person        found  protected  mobile        email             version
195805179800  yes    no         +46701740605  bodil@example.se  20261123120001
199005179800  no     no         -             -                 -
197605179816  yes    yes        +46701740606  -                 20261123120002
197205179802  yes    no         -             -                 20261123120003
`
	if diff := cmp.Diff(ran{0, want, ""}, runWith(t, "", args...), cmp.AllowUnexported(ran{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got := runWith(t, "", append([]string{"lookup", "--contract", "contactsv2", bodil}, flags...)...)
	if got.code != exitUsage {
		t.Errorf("an unknown contract: %+v", got)
	}
}

func TestChangesArePrintedUntilThereAreNoMore(t *testing.T) {
	t.Parallel()
	_, flags := someRESTRegister(t)
	got := runWith(t, "", append([]string{"changes"}, flags...)...)
	want := `2026-11-23T11:00:00Z  195805179800  mobile  20261123120001
2026-11-23T11:00:01Z  195805179800  email   20261123120002
2026-11-23T11:00:02Z  195805179800  mobile  20261123120003
`
	if diff := cmp.Diff(ran{0, want, "cursor 3\n"}, got, cmp.AllowUnexported(ran{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got = runWith(t, "", append([]string{"changes", "--cursor", "2", "--json"}, flags...)...)
	want = `{"person":{"root":"1.2.752.129.2.1.3.1","extension":"195805179800"},"channel":"mobile","version":"20261123120003","time":"2026-11-23T11:00:02Z"}
`
	if diff := cmp.Diff(ran{0, want, "cursor 3\n"}, got, cmp.AllowUnexported(ran{})); diff != "" {
		t.Errorf("from a cursor: (-want +got):\n%s", diff)
	}
}

func TestChangesFollowUntilToldToEnd(t *testing.T) {
	t.Parallel()
	r, flags := someRESTRegister(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for from := range r.asked {
			if from.Cursor == "3" { // it waits for more
				cancel()
			}
		}
	}()
	var out, told strings.Builder
	code := execute(ctx, streams{strings.NewReader(""), &out, &told}, append([]string{"changes", "--follow"}, flags...))
	if code != 0 || strings.Count(out.String(), "\n") != 3 || told.String() != "cursor 3\n" {
		t.Errorf("code %d, told %q, printed:\n%s", code, told.String(), out.String())
	}
}

func TestWhyChangesCannotBeRead(t *testing.T) {
	t.Parallel()
	_, flags := someRESTRegister(t)
	got := runWith(t, "", append([]string{"changes", "--cursor", "old"}, flags...)...)
	if got.code != exitFailure || !strings.Contains(got.err, "begin anew with --cursor now (log id ") {
		t.Errorf("%+v", got)
	}
	for status, want := range map[int]int{429: exitTryAgain, 500: exitTryAgain, 503: exitTryAgain, 400: exitFailure, 403: exitFailure, 410: exitFailure} {
		if code := exitCode(lookupError(problem.New(status, "some", http.StatusText(status)))); code != want {
			t.Errorf("status %d: exit code %d, want %d", status, code, want)
		}
	}
}
