package portal_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"contactsync/consent/audit"
	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/pgtest"
	"contactsync/consent/portal"
	"contactsync/consent/reason"
	"contactsync/consent/webtest"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var (
	tove  = contact.KnownPersonID(contact.RootPersonnummer, "197205179802")
	bodil = contact.KnownPersonID(contact.RootPersonnummer, "195805179809")
)

const (
	number = "+46701740605"
	listed = "070-174 06 05" // the number as people write it
)

// world is a portal with a real store, a register that keeps what it is given, and a worker played by the test.
type world struct {
	t        testing.TB
	pool     *pgxpool.Pool
	store    *consentpg.Store
	portal   *portal.Portal
	register *register
	site     *httptest.Server
	log      *syncBuffer
	looked   chan struct{}
	clock    atomic.Int64 // microseconds
	sequence int64
}

func newWorld(t testing.TB, change ...func(*portal.Config)) *world {
	t.Helper()
	w := &world{t: t, pool: pgtest.Migrated(t, "consent", consentpg.Migrate), log: &syncBuffer{},
		register: &register{held: map[string]portal.Entry{}}, looked: make(chan struct{}, 100)}
	w.clock.Store(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).UnixMicro())
	var err error
	w.store, err = consentpg.New(consentpg.Config{Pool: w.pool, Source: "urn:hsaid:SE2321000016-A1", Pepper: []byte("test"), AuditKey: audit.DevelopmentKey(), Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	config := portal.Config{Store: watched{w.store, w.looked}, Register: w.register, Persons: persons, Key: bytes.Repeat([]byte("k"), 32),
		Patience: 100 * time.Millisecond, Now: w.now, Log: slog.New(slog.NewJSONHandler(w.log, nil))}
	for _, c := range change {
		c(&config)
	}
	if w.portal, err = portal.New(config); err != nil {
		t.Fatal(err)
	}
	w.site = httptest.NewServer(w.portal.Handler())
	t.Cleanup(w.site.Close)
	t.Cleanup(w.portal.Drain)
	return w
}

func persons() []portal.Person {
	return []portal.Person{{Name: "Tove Testsson", State: "empty", ID: tove}, {Name: "Bodil Tvåvägs", State: "both_channels", ID: bodil}}
}

func (w *world) now() time.Time { return time.UnixMicro(w.clock.Load()) }

func (w *world) passes(d time.Duration) { w.clock.Add(d.Microseconds()) }

// register is the national register as the portal sees it.
type register struct {
	mu   sync.Mutex
	held map[string]portal.Entry // by person and channel
	down bool
}

func (r *register) Held(_ context.Context, p contact.PersonID) (map[contact.Channel][]portal.Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		return nil, errors.New("register is down")
	}
	held := map[contact.Channel][]portal.Entry{}
	for _, channel := range contact.Channels {
		if e, there := r.held[p.RevealExtension()+string(channel)]; there {
			held[channel] = append(held[channel], e)
		}
	}
	return held, nil
}

func (r *register) isDown(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

func (r *register) holds(p contact.PersonID, channel contact.Channel, e *portal.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.held, p.RevealExtension()+string(channel))
	if e != nil {
		r.held[p.RevealExtension()+string(channel)] = *e
	}
}

// choice is the newest of a person.
func (w *world) choice(p contact.PersonID, channel contact.Channel) (consentpg.Choice, bool) {
	w.t.Helper()
	all, err := w.store.Choices(w.t.Context(), p)
	if err != nil {
		w.t.Fatal(err)
	}
	c, known := all[channel]
	return c, known
}

func (w *world) decisions() int {
	w.t.Helper()
	var n int
	if err := w.pool.QueryRow(w.t.Context(), `select count(*) from consent.decision`).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// carried does to the newest choice what the worker would, and tells the portal.
func (w *world) carried(p contact.PersonID, channel contact.Channel) {
	w.t.Helper()
	c, _ := w.choice(p, channel)
	w.register.holds(p, channel, nil)
	if c.Share {
		w.register.holds(p, channel, &portal.Entry{Value: c.Value, Notify: c.Notify != nil && *c.Notify})
	}
	o := event.Outcome{EventID: c.EventID, Channel: channel, Revision: c.Revision, Outcome: event.Pushed}
	w.told(p, o)
	if !c.Share {
		o.ProvedAt = new(w.now())
		w.told(p, o)
	}
}

// parked says of the newest choice that it is refused, or waits.
func (w *world) parked(p contact.PersonID, channel contact.Channel, why reason.Code) {
	w.t.Helper()
	c, _ := w.choice(p, channel)
	w.told(p, event.Outcome{EventID: c.EventID, Channel: channel, Revision: c.Revision, Outcome: event.Parked, Reason: why})
}

// chosenElsewhere is a choice that another e-service made and that has been carried to the register.
func (w *world) chosenElsewhere(p contact.PersonID, channel contact.Channel, value string) {
	w.t.Helper()
	w.register.holds(p, channel, &portal.Entry{Value: contact.KnownValue(value)})
	w.told(p, event.Outcome{EventID: uuid.NewString(), Channel: channel, Revision: w.now().Add(time.Second).UnixMicro(), Outcome: event.Pushed})
}

func (w *world) told(p contact.PersonID, o event.Outcome) {
	w.t.Helper()
	w.sequence++
	o.Person, o.Sequence, o.Time = event.AsSent(p.Root(), p.RevealExtension()), w.sequence, w.now()
	news, err := w.store.Fold(w.t.Context(), []event.Outcome{o})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, person := range news {
		w.portal.Told(person)
	}
}

// visitor is a browser without JavaScript.
type visitor struct {
	w        *world
	client   *http.Client
	language string
	status   int
	url      *url.URL
	header   http.Header
	page     webtest.Element
	body     string
}

func (w *world) visitor(language string) *visitor {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &visitor{w: w, client: &http.Client{Jar: jar}, language: language}
}

// loggedIn is a visitor on the settings page, as one of persons.
func (w *world) loggedIn(language string, person int) *visitor {
	w.t.Helper()
	return w.visitor(language).logsIn(person)
}

func (v *visitor) logsIn(person int) *visitor {
	v.w.t.Helper()
	v.get("/")
	v.post("/login", url.Values{"form": {v.page.One("form [name=form]").Attr("value")}, "person": {string(rune('0' + person))}})
	if v.url.Path != "/settings" {
		v.w.t.Fatalf("after the login: %d at %s", v.status, v.url.Path)
	}
	return v
}

func (v *visitor) logsOut() *visitor {
	v.w.t.Helper()
	v.get("/settings")
	return v.post("/logout", url.Values{"form": {v.page.One("form.who [name=form]").Attr("value")}})
}

func (v *visitor) get(path string) *visitor {
	v.w.t.Helper()
	return v.send(http.MethodGet, path, nil)
}

func (v *visitor) post(path string, form url.Values) *visitor {
	v.w.t.Helper()
	return v.send(http.MethodPost, path, strings.NewReader(form.Encode()))
}

func (v *visitor) send(method, path string, body io.Reader) *visitor {
	v.w.t.Helper()
	request, err := http.NewRequestWithContext(v.w.t.Context(), method, v.w.site.URL+path, body)
	if err != nil {
		v.w.t.Fatal(err)
	}
	request.Header.Set("Accept-Language", v.language)
	if body != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Origin", v.w.site.URL)
	}
	v.do(request)
	return v
}

func (v *visitor) do(request *http.Request) {
	v.w.t.Helper()
	if err := v.try(request); err != nil {
		v.w.t.Fatal(err)
	}
}

func (v *visitor) try(request *http.Request) error {
	response, err := v.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	v.status, v.url, v.header, v.body = response.StatusCode, response.Request.URL, response.Header, string(text)
	v.page = webtest.Parse(v.w.t, bytes.NewReader(text))
	return err
}

// filled is the form of a channel as the page shows it, changed by pairs of name and value; an empty value takes a field out.
func (v *visitor) filled(channel contact.Channel, pairs ...string) url.Values {
	v.w.t.Helper()
	form := url.Values{}
	for _, input := range v.page.One("form#" + string(channel) + "-form").All("input") {
		kind := input.Attr("type")
		if kind != "radio" && kind != "checkbox" || input.Is("[checked]") {
			form.Set(input.Attr("name"), input.Attr("value"))
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			form.Del(pairs[i])
		}
	}
	return form
}

func (v *visitor) saves(channel contact.Channel, pairs ...string) *visitor {
	v.w.t.Helper()
	return v.post("/settings/"+string(channel), v.filled(channel, pairs...))
}

func (v *visitor) news(channel contact.Channel) string {
	v.w.t.Helper()
	return v.page.One("#" + string(channel) + "-news[role=status]").Text()
}

// fact is what stands beside a name in a channel's list of facts.
func (v *visitor) fact(channel contact.Channel, name string) string {
	v.w.t.Helper()
	var values []string
	inside := false
	for _, e := range v.page.All("dl#" + string(channel) + "-facts *") {
		if e.Is("dt") {
			inside = e.Text() == name
		} else if inside {
			values = append(values, e.Text())
		}
	}
	return strings.Join(values, ", ")
}

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
