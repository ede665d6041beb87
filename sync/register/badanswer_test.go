package register_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"contactsync/consent/contact"
	"contactsync/contracts/contactsv1"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/sync/plan"
	"contactsync/sync/push"
	"contactsync/sync/register"
)

// badAnswers are what a register, or whatever stands in front of it, may answer instead.
func badAnswers(written *atomic.Int64) map[string]http.HandlerFunc {
	saying := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	huge := func(value string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
	return map[string]http.HandlerFunc{
		"nonsense":          saying(200, "text/xml", "\x00\xff{<"),
		"nothing":           saying(200, "application/json", ""),
		"null":              saying(200, "application/json", "null"),
		"another's list":    saying(200, "application/json", `{"outcomes":[]}`),
		"no version":        saying(200, "application/json", `{"outcomes":[{"outcome":"applied","version":"\u0000"}]}`),
		"a telling problem": saying(400, "application/problem+json", `{"code":"nobody_is_`+tove.RevealExtension()+`"}`),
		"a page":            saying(200, "text/html", "<!DOCTYPE html><html><body>Welcome "+tove.RevealExtension()+"</body></html>"),
		"a page of a proxy": saying(502, "text/html", "<html><h1>502 Bad Gateway</h1></html>"),
		"a page of nothing": saying(404, "text/html", "<html><h1>404</h1></html>"),
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.invalid/", http.StatusFound)
		},
		"a permanent one": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusPermanentRedirect)
		},
		"half a body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4096")
			_, _ = w.Write([]byte("<a>"))
		},
		"half an envelope":    saying(200, "text/xml", `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>`),
		"an endless body":     endless(written, "<a>"),
		"endless spaces":      endless(written, " "),
		"a body that drips":   drips,
		"a huge Retry-After":  huge("2147483647"),
		"a larger one":        huge("99999999999999999999"),
		"one of a far future": huge("Fri, 31 Dec 9999 23:59:59 GMT"),
	}
}

func endless(written *atomic.Int64, of string) http.HandlerFunc {
	chunk := []byte(strings.Repeat(of, 64<<10/len(of)))
	return func(w http.ResponseWriter, _ *http.Request) {
		for {
			n, err := w.Write(chunk)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
}

// drips sends a byte and then no more until the caller has had enough.
func drips(w http.ResponseWriter, r *http.Request) {
	_, _ = w.Write([]byte("<"))
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// mostRead is more than any contract's client reads of an answer, with what lies in buffers on the way.
const mostRead = 64 << 20

// TestBadAnswers: none of them ends a worker, fills its memory, makes it believe anything, or is taken for the end of a write; and the
// next call is as if nothing had been.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	for name := range badAnswers(new(atomic.Int64)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var written atomic.Int64
			b := newBadRegister(t, badAnswers(&written)[name])
			for call, do := range map[string]func(context.Context) error{"read": b.read, "write": b.write, "profiles": b.profiles, "bulk": b.change} {
				written.Store(0)
				b.judge(name, call, do)
				if n := written.Load(); n > mostRead {
					t.Errorf("%s: %d bytes were read", call, n)
				}
			}
			b.answers(nil)
			if err := errors.Join(b.read(t.Context()), b.write(t.Context())); err != nil {
				t.Errorf("and then: %v", err)
			}
		})
	}
}

// badRegister answers as it is told, and behind that is a good one.
type badRegister struct {
	t        *testing.T
	bad      atomic.Pointer[http.HandlerFunc]
	v4       push.Register
	profile  *register.ProfileV5
	contacts *register.ContactsV1
	reading  push.Reading
}

func newBadRegister(t *testing.T, bad http.HandlerFunc) *badRegister {
	t.Helper()
	b := &badRegister{t: t}
	memory := contracttest.NewMemory([]string{caller}, personv4.Record{Person: toveID})
	good := personv4.NewHandler(memory, personv4.HandlerConfig{LogicalAddress: address, Authorizer: memory})
	served := contracttest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if bad := b.bad.Load(); bad != nil {
			(*bad)(w, r)
			return
		}
		good.ServeHTTP(w, r)
	}))
	observe := func(string, string, string, time.Duration) {}
	reads, writes := ourClients(t, served)
	soap := func(c *http.Client) personv4.ClientConfig {
		return personv4.ClientConfig{ClientConfig: rivta.ClientConfig{BaseURL: served.URL, LogicalAddress: address, HTTP: c}}
	}
	reading, err1 := personv4.NewClient(soap(reads))
	writing, err2 := personv4.NewClient(soap(writes))
	listing, err3 := personprofilev5.NewClient(soap(reads))
	changing, err4 := contactsv1.NewClient(contactsv1.ClientConfig{BaseURL: served.URL, HTTP: writes})
	v4, err5 := register.NewPersonV4(register.PersonV4Config{Reads: reading, Writes: writing, Codes: register.DefaultCodes(), Observe: observe})
	profile, err6 := register.NewProfileV5(register.ProfileV5Config{Client: listing, Observe: observe})
	contacts, err7 := register.NewContactsV1(register.ContactsV1Config{Client: changing, Observe: observe})
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
		t.Fatal(err)
	}
	b.v4, b.profile, b.contacts = v4, profile, contacts
	var err error
	if b.reading, err = b.v4.Read(t.Context(), tove); err != nil {
		t.Fatal(err)
	}
	b.answers(bad)
	return b
}

// ourClients are the HTTP clients that a worker uses.
func ourClients(t *testing.T, served contracttest.Served) (reads, writes *http.Client) {
	t.Helper()
	certPEM, keyPEM, err := served.CA.Issue("worker", caller)
	if err != nil {
		t.Fatal(err)
	}
	config, err := served.CA.ClientTLS(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return register.HTTPClients(config, 4, nil)
}

func (b *badRegister) answers(bad http.HandlerFunc) {
	b.bad.Store(nil)
	if bad != nil {
		b.bad.Store(&bad)
	}
}

func (b *badRegister) read(ctx context.Context) error { _, err := b.v4.Read(ctx, tove); return err }

func (b *badRegister) write(ctx context.Context) error {
	_, err := b.reading.Write(ctx, plan.Write{})
	return err
}

func (b *badRegister) profiles(ctx context.Context) error {
	_, err := b.profile.Profiles(ctx, []contact.PersonID{tove}, false)
	return err
}

func (b *badRegister) change(ctx context.Context) error {
	_, err := b.contacts.Change(ctx, []push.Wanted{{Person: tove, Target: plan.Target{Channel: contact.Mobile, Want: plan.Want{Kind: plan.Withdrawn, Revision: 1}}}})
	return err
}

func (b *badRegister) judge(name, call string, do func(context.Context) error) {
	b.t.Helper()
	timeout := 5 * time.Second
	if strings.HasSuffix(name, "drips") {
		timeout = 50 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), timeout)
	defer cancel()
	err := do(ctx)
	e, ok := errors.AsType[*push.Error](err)
	if !ok {
		b.t.Errorf("%s: %v, which is not classified", call, err)
		return
	}
	want := push.Retry
	if call == "write" || call == "bulk" {
		want = push.Unknown // it may have been carried out, whatever came back
	}
	if e.Class != want {
		b.t.Errorf("%s: class %d, want %d: %v", call, e.Class, want, err)
	}
	if e.RetryAfter < 0 {
		b.t.Errorf("%s: retry after %v", call, e.RetryAfter)
	}
	if text := fmt.Sprint(err); strings.Contains(text, tove.RevealExtension()) || len(text) > 500 || text == "" {
		b.t.Errorf("%s: says %q", call, text)
	}
}
