package web_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"contactsync/consent/web"
	"contactsync/consent/webtest"
)

// site is a small site on the kit.
type site struct {
	*web.Kit
	now time.Time
	log bytes.Buffer
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	var err error
	if s.Kit, err = web.New(s.config()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) config() web.Config {
	texts := `{"site.name": "Site", "site.footer": "Footer"}`
	return web.Config{Name: "test", Home: "/", Key: bytes.Repeat([]byte("k"), 32),
		Templates: fstest.MapFS{"hello.html": {Data: []byte(`{{define "main"}}<h1>{{.Title}}</h1>{{.Absent}}{{end}}`)}},
		Texts:     fstest.MapFS{"sv.json": {Data: []byte(texts)}, "en.json": {Data: []byte(texts)}},
		Static:    fstest.MapFS{"site.js": {Data: []byte("// site")}},
		Now:       func() time.Time { return s.now }, Log: slog.New(slog.NewJSONHandler(&s.log, nil))}
}

func (s *site) answers(request *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	s.Handler().ServeHTTP(answer, request)
	return answer
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for about, spoil := range map[string]func(*web.Config){
		"no name":              func(c *web.Config) { c.Name = "" },
		"a short key":          func(c *web.Config) { c.Key = c.Key[:31] },
		"a broken template":    func(c *web.Config) { c.Templates = fstest.MapFS{"x.html": {Data: []byte("{{")}} },
		"a missing language":   func(c *web.Config) { c.Texts = fstest.MapFS{"sv.json": {Data: []byte("{}")}} },
		"a text of the kit's":  func(c *web.Config) { c.Texts = both(`{"page.skip": "x"}`, `{"page.skip": "x"}`) },
		"one language only":    func(c *web.Config) { c.Texts = both(`{"a": "x"}`, `{}`) },
		"the other only":       func(c *web.Config) { c.Texts = both(`{}`, `{"a": "x"}`) },
		"an empty text":        func(c *web.Config) { c.Texts = both(`{"a": "x"}`, `{"a": " "}`) },
		"another placeholder":  func(c *web.Config) { c.Texts = both(`{"a": "{x}"}`, `{"a": "{y}"}`) },
		"a placeholder lacks":  func(c *web.Config) { c.Texts = both(`{"a": "{x} {y}"}`, `{"a": "{x}"}`) },
		"texts that are none":  func(c *web.Config) { c.Texts = both(`[]`, `[]`) },
		"no clock and no logs": func(c *web.Config) { c.Now, c.Log = nil, nil },
	} {
		c := new(site).config()
		spoil(&c)
		if _, err := web.New(c); err == nil {
			t.Errorf("%s: accepted", about)
		}
	}
}

func both(sv, en string) fstest.MapFS {
	return fstest.MapFS{"sv.json": {Data: []byte(sv)}, "en.json": {Data: []byte(en)}}
}

func TestTextsAreFilled(t *testing.T) {
	t.Parallel()
	c, err := web.ReadCatalogue(both(`{"a": "{n} av {m}, {n}"}`, `{"a": "{n} of {m}"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.For(web.Swedish).T("a", "n", 1, "m", "{n}"); got != "1 av {n}, 1" {
		t.Errorf("got %q", got)
	}
	if got := c.For(web.English).T("nothing"); got != "nothing" {
		t.Errorf("an unknown key gives %q", got)
	}
}

func TestTimeIsWrittenAsInSweden(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	stockholm, err := time.LoadLocation("Europe/Stockholm")
	if err != nil {
		t.Fatal(err)
	}
	for language, want := range map[string]string{"sv": "1 juli 2026 kl. 00.05", "en": "1 July 2026 at 00:05"} {
		r := httptest.NewRequest("GET", "/?language="+language, nil)
		if got := s.NewPage(r, "/").Time(time.Date(2026, 6, 30, 22, 5, 0, 0, time.UTC), stockholm); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestEveryTextOfTheKitIsUsed: New refuses a catalogue that is not complete; here nothing is left over either.
func TestEveryTextOfTheKitIsUsed(t *testing.T) {
	t.Parallel()
	texts, err := os.ReadFile("texts/sv.json")
	if err != nil {
		t.Fatal(err)
	}
	var source []byte
	for _, file := range []string{"web.go", "catalogue.go", "layout.html"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, text...)
	}
	for _, found := range regexp.MustCompile(`"([a-z_.0-9]+)":`).FindAllStringSubmatch(string(texts), -1) {
		key := regexp.MustCompile(`\d+`).ReplaceAllString(found[1], "%d")
		if !bytes.Contains(source, []byte(`"`+key+`"`)) {
			t.Errorf("%s is not used", found[1])
		}
	}
}

func TestFormIsBoundToAllItWasGivenFor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	seal := web.Seal{Session: web.SessionID{1}, Subject: "person", Purpose: "save"}
	token := s.Token(seal)
	id, err := s.Open(token, seal)
	if err != nil {
		t.Fatal(err)
	}
	if other, _ := s.Open(s.Token(seal), seal); other == id {
		t.Error("two forms have the same id")
	}
	for about, other := range map[string]web.Seal{
		"another session": {Session: web.SessionID{2}, Subject: "person", Purpose: "save"},
		"another subject": {Session: web.SessionID{1}, Subject: "perso", Purpose: "nsave"},
		"another purpose": {Session: web.SessionID{1}, Subject: "person", Purpose: "leave"},
	} {
		if _, err := s.Open(token, other); !errors.Is(err, web.ErrForm) {
			t.Errorf("%s: %v", about, err)
		}
	}
	for i := range token {
		forged := []byte(token)
		if forged[i] = 'A'; token[i] == 'A' {
			forged[i] = 'B'
		}
		if _, err := s.Open(string(forged), seal); err == nil {
			t.Errorf("a token forged at %d is accepted", i)
		}
	}
	for _, bad := range []string{"", "A", token[:len(token)-1], token + "A", strings.Repeat("A", 1<<20)} {
		if _, err := s.Open(bad, seal); !errors.Is(err, web.ErrForm) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	s.now = s.now.Add(2*time.Hour - time.Second)
	if _, err := s.Open(token, seal); err != nil {
		t.Error("a form is over too early")
	}
	s.now = s.now.Add(time.Second)
	if _, err := s.Open(token, seal); !errors.Is(err, web.ErrForm) || !errors.Is(err, web.ErrFormOld) {
		t.Errorf("a form that is over: %v", err)
	}
	if _, err := s.Open(token, web.Seal{Session: web.SessionID{2}, Subject: "person", Purpose: "save"}); errors.Is(err, web.ErrFormOld) {
		t.Error("another session's token passes for one that is only too old")
	}
}

// FuzzOpen: whatever comes in place of a token is refused, and nothing else happens.
func FuzzOpen(f *testing.F) {
	s := &site{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	kit, err := web.New(s.config())
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "A", kit.Token(web.Seal{Purpose: "other"}), strings.Repeat("A", 75)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := kit.Open(token, web.Seal{Purpose: "save"}); !errors.Is(err, web.ErrForm) {
			t.Errorf("%v", err)
		}
	})
}

func TestSessionSecretStaysInTheBrowser(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	answer := httptest.NewRecorder()
	id := s.NewSession(answer)
	request := httptest.NewRequest("GET", "/", nil)
	for _, cookie := range answer.Result().Cookies() {
		request.AddCookie(cookie)
		if strings.Contains(cookie.Value, string(id[:])) || len(cookie.Value) < 26 {
			t.Errorf("the cookie is %q", cookie.Value)
		}
	}
	if got, known := s.Session(request); !known || got != id {
		t.Error("the session is not known again")
	}
	if _, known := s.Session(httptest.NewRequest("GET", "/", nil)); known {
		t.Error("a browser without a cookie has a session")
	}
}

func TestFormThatIsTooLargeOrBroken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Handle("POST", "/form", func(w http.ResponseWriter, r *http.Request) error {
		form, err := s.Form(w, r)
		if err == nil {
			_, err = io.WriteString(w, form.Get("a"))
		}
		return err
	})
	for body, want := range map[string]int{"a=b": 200, "a=%zz": 400, "a=" + strings.Repeat("x", 64<<10): 413} {
		request := httptest.NewRequest("POST", "/form?a=query", strings.NewReader(body))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := s.answers(request)
		if answer.Code != want || want == 200 && answer.Body.String() != "b" {
			t.Errorf("%.10q: %d", body, answer.Code)
		}
	}
}

func TestPanicAndBrokenPageAreOurFaultAndSaidSo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Handle("GET", "/panic", func(http.ResponseWriter, *http.Request) error { panic("the number +46701740605") })
	s.Handle("GET", "/broken", func(w http.ResponseWriter, r *http.Request) error {
		return s.Render(w, r, 200, "hello", s.NewPage(r, "/"))
	})
	for _, path := range []string{"/panic", "/broken"} {
		answer := s.answers(httptest.NewRequest("GET", path, nil))
		page := webtest.Parse(t, answer.Body)
		id := page.One("main code").Text()
		if answer.Code != 500 || len(id) != 10 || !strings.Contains(s.log.String(), id) || strings.Contains(page.Text(), "Absent") {
			t.Errorf("%s: %d, %q", path, answer.Code, page.Text())
		}
	}
	if strings.Contains(s.log.String(), "01740605") {
		t.Errorf("the log holds what was thrown:\n%s", s.log.String())
	}
}

func TestFilesAreAskedAfter(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, path := range []string{"/static/style.css", "/static/icon.svg", "/static/site.js"} {
		first := s.answers(httptest.NewRequest("GET", path, nil))
		again := httptest.NewRequest("GET", path, nil)
		again.Header.Set("If-None-Match", first.Header().Get("ETag"))
		if answer := s.answers(again); first.Code != 200 || answer.Code != http.StatusNotModified {
			t.Errorf("%s: %d, then %d", path, first.Code, answer.Code)
		}
	}
}
