package portal_test

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/portal"
)

func TestARefusedFormIsKeptAndNothingIsSaved(t *testing.T) {
	t.Parallel()
	for about, tt := range map[string]struct {
		channel       contact.Channel
		choice, value string
		status        int
		at, says      string
		shown         string // in the field afterwards; empty: what was typed
	}{
		"no choice":                    {contact.Mobile, "", number, 422, "mobile-share", "Choose whether", ""},
		"an unknown choice":            {contact.Mobile, "maybe", number, 422, "mobile-share", "Choose whether", ""},
		"an empty number":              {contact.Mobile, "share", "", 422, "mobile-value", "not written anything", ""},
		"blanks":                       {contact.Email, "share", "   ", 422, "email-value", "not written anything", ""},
		"a landline":                   {contact.Mobile, "share", "08-123 456 78", 422, "mobile-value", "landline", ""},
		"markup":                       {contact.Mobile, "share", `"><script>alert(1)</script>`, 422, "mobile-value", "digits only", ""},
		"markup as an address":         {contact.Email, "share", `'"><img src=x onerror=alert(1)>@example.se`, 422, "email-value", "signs", ""},
		"a line break":                 {contact.Mobile, "share", "070-174\n0605", 422, "mobile-value", "invisible characters", ""},
		"a zero byte":                  {contact.Email, "share", "a\x00b@example.se", 422, "email-value", "invisible characters", "a\uFFFDb@example.se"},
		"a right-to-left mark":         {contact.Mobile, "share", "070-174 \u202e0605", 422, "mobile-value", "invisible", ""},
		"a right-to-left mark after @": {contact.Email, "share", "anna@exa\u200fmple.se", 422, "email-value", "cannot be used together", ""},
		"broken UTF-8":                 {contact.Email, "share", "anna\xff@example.se", 422, "email-value", "before @", "anna\uFFFD@example.se"},
		"a long number":                {contact.Mobile, "share", strings.Repeat("7", 30_000), 422, "mobile-value", "too long", ""},
		"a number of one megabyte":     {contact.Mobile, "share", strings.Repeat("7", 1<<20), 413, "mobile-value", "too long", "-"},
		"an address of one megabyte":   {contact.Email, "share", strings.Repeat("a", 1<<20), 413, "email-value", "too long", "-"},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			v := w.loggedIn("en", 0)
			v.saves(tt.channel, "choice", tt.choice, "value", tt.value, "notify", "yes")
			if v.status != tt.status || w.decisions() != 0 {
				t.Fatalf("%d with %d decisions, want %d and none", v.status, w.decisions(), tt.status)
			}
			problem := v.page.One("#" + string(tt.channel) + "-problem")
			if !strings.Contains(problem.Text(), tt.says) || v.page.One("#problems a[href=#"+tt.at+"]").Text() != problem.Text() {
				t.Errorf("beside the field: %q; above: %q; want %q", problem.Text(), v.page.One("#problems a").Text(), tt.says)
			}
			if !v.page.Has("#problems[tabindex=-1][autofocus]") || !strings.HasPrefix(v.page.One("title").Text(), "Error:") {
				t.Error("the summary does not get the focus, or the title hides that something is wrong")
			}
			field := v.page.One("#" + string(tt.channel) + "-value")
			if tt.shown == "-" {
				return
			}
			if got := field.Attr("value"); got != cmp.Or(tt.shown, tt.value) {
				t.Errorf("typed was %.60q, kept is %.60q", tt.value, got)
			}
			if strings.HasSuffix(tt.at, "-value") && !(field.Is("[aria-invalid=true]") && strings.Contains(field.Attr("aria-describedby"), "-problem")) {
				t.Error("the field is not tied to its problem")
			}
			if !v.page.Has("#" + string(tt.channel) + "-notify[checked]") {
				t.Error("the tick is not kept")
			}
			if len(v.page.All("script")) != 1 || v.page.Has("[onerror]") {
				t.Error("what was typed has become markup")
			}
		})
	}
}

func TestAFormThatDoesNotHoldSavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := func(v *visitor, channel contact.Channel) string { return v.filled(channel).Get("form") }
	tovesForm := token(w.loggedIn("en", 0), contact.Mobile)
	earlier := w.loggedIn("en", 1)
	bodilsOldForm := token(earlier, contact.Mobile)
	for about, form := range map[string]func(*visitor) string{
		"no token":                   func(*visitor) string { return "" },
		"nonsense":                   func(*visitor) string { return "abc" },
		"a forged token":             func(v *visitor) string { return flipped(token(v, contact.Mobile)) },
		"another person's token":     func(*visitor) string { return tovesForm },
		"another session's token":    func(*visitor) string { return bodilsOldForm },
		"a token of another channel": func(v *visitor) string { return token(v, contact.Email) },
		"a token to log out":         func(v *visitor) string { return v.page.One("form.who [name=form]").Attr("value") },
		"an old token": func(v *visitor) string {
			old := token(v, contact.Mobile)
			w.passes(2 * time.Hour)
			return old
		},
	} {
		v := w.loggedIn("en", 1)
		v.post("/settings/mobile", url.Values{"form": {form(v)}, "choice": {"share"}, "value": {number}, "notify": {"yes"}})
		if v.status != http.StatusForbidden || w.decisions() != 0 {
			t.Fatalf("%s: %d with %d decisions, want 403 and none", about, v.status, w.decisions())
		}
		if text := v.page.One("#problems").Text(); !strings.Contains(text, "Nothing has been saved") || !strings.Contains(text, "logged in as Bodil") {
			t.Errorf("%s: the page says %q", about, text)
		}
		kept := about == "an old token" // by no other is it known whose it is
		if (v.page.One("#mobile-value").Attr("value") == number) != kept || v.page.Has("#mobile-share[checked]") != kept ||
			v.page.Has("#mobile-notify[checked]") != kept || strings.Contains(v.body, number[1:]) != kept {
			t.Errorf("%s: what was typed is shown, want %v", about, kept)
		}
		if v.saves(contact.Mobile, "choice", "share", "value", number); v.status != http.StatusOK || w.decisions() != 1 {
			t.Errorf("%s: saving the form that came back: %d with %d decisions", about, v.status, w.decisions())
		}
		if _, err := w.pool.Exec(t.Context(), `truncate consent.decision, consent.outbox, consent.channel cascade`); err != nil {
			t.Fatal(err)
		}
	}
}

// flipped is a token with another last byte, and one that can still be decoded.
func flipped(token string) string {
	other := "A"
	if token[10] == 'A' {
		other = "B"
	}
	return token[:10] + other + token[11:]
}

func TestAFormSentAgainIsOneDecision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.loggedIn("en", 0)
	form := v.filled(contact.Mobile, "choice", "share", "value", number)
	for range 3 {
		w.passes(time.Second)
		v.post("/settings/mobile", form)
		if v.status != http.StatusOK || !strings.HasPrefix(v.news(contact.Mobile), "Saved.") || strings.Contains(v.news(contact.Mobile), "changed") {
			t.Errorf("%d, and the page says %q", v.status, v.news(contact.Mobile))
		}
	}
	if w.decisions() != 1 {
		t.Errorf("%d decisions, want 1", w.decisions())
	}
	// Back in the browser, and the same form with another content: that is another choice.
	form.Set("choice", "withdraw")
	v.post("/settings/mobile", form)
	if c, _ := w.choice(tove, contact.Mobile); c.Share || w.decisions() != 2 {
		t.Errorf("after going back and choosing otherwise: share=%v, %d decisions", c.Share, w.decisions())
	}
	// And the first one once more, such as by a reload: not undone, and told.
	form.Set("choice", "share")
	v.post("/settings/mobile", form)
	if c, _ := w.choice(tove, contact.Mobile); c.Share || w.decisions() != 2 || !strings.Contains(v.news(contact.Mobile), "has been changed") {
		t.Errorf("a replay of an older choice: share=%v, %d decisions, %q", c.Share, w.decisions(), v.news(contact.Mobile))
	}
}

// A No counts whenever it is clicked, also in a form that said so before; and it stays one as long as it holds.
func TestNoThenYesThenNoOfOneForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.loggedIn("en", 0)
	form := v.filled(contact.Mobile, "value", number)
	for i, click := range []struct {
		choice    string
		decisions int
	}{{"withdraw", 1}, {"withdraw", 1}, {"share", 2}, {"withdraw", 3}, {"withdraw", 3}} {
		w.passes(time.Second)
		form.Set("choice", click.choice)
		v.post("/settings/mobile", form)
		c, _ := w.choice(tove, contact.Mobile)
		if c.Share != (click.choice == "share") || w.decisions() != click.decisions {
			t.Errorf("click %d, %s: share=%v, %d decisions, want %d", i, click.choice, c.Share, w.decisions(), click.decisions)
		}
		if news := v.news(contact.Mobile); !strings.HasPrefix(news, "Saved.") || strings.Contains(news, "changed") {
			t.Errorf("click %d, %s: the page says %q", i, click.choice, news)
		}
	}
}

func TestRoutesAndMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		about, method, path string
		status              int
		allow               string
	}{
		{"GET of a form's address", "GET", "/settings/mobile", 405, "POST"},
		{"GET of the login", "GET", "/login", 405, "POST"},
		{"GET of the logout", "GET", "/logout", 405, "POST"},
		{"PUT of a form's address", "PUT", "/settings/email", 405, "POST"},
		{"POST of a page", "POST", "/settings", 405, "GET"},
		{"POST of the start", "POST", "/", 405, "GET"},
		{"an unknown channel", "POST", "/settings/fax", 404, ""},
		{"an unknown page", "GET", "/nowhere", 404, ""},
		{"an unknown file", "GET", "/static/nothing.css", 404, ""},
		{"a file", "GET", "/static/style.css", 200, ""},
		{"climbing out of the files", "GET", "/static/..%2flayout.html", 404, ""},
	} {
		v := w.visitor("en")
		v.send(tt.method, tt.path, strings.NewReader(""))
		if v.status != tt.status || v.header.Get("Allow") != tt.allow {
			t.Errorf("%s: %d, Allow %q; want %d, %q", tt.about, v.status, v.header.Get("Allow"), tt.status, tt.allow)
		}
		if tt.status >= 400 && (!v.page.Has("h1") || !v.page.Has("main a[href=/]")) {
			t.Errorf("%s: no page with a way back", tt.about)
		}
	}
}

func TestAnotherSiteCannotSend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.loggedIn("en", 0)
	form := v.filled(contact.Mobile, "choice", "share", "value", number).Encode()
	for about, headers := range map[string][2]string{
		"by what the browser says": {"Sec-Fetch-Site", "cross-site"}, "from a neighbour": {"Sec-Fetch-Site", "same-site"},
		"by its origin": {"Origin", "https://elsewhere.example"}, "without an origin": {"Origin", "null"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.site.URL+"/settings/mobile", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set(headers[0], headers[1])
		if v.do(request); v.status != http.StatusForbidden || w.decisions() != 0 {
			t.Errorf("%s: %d with %d decisions", about, v.status, w.decisions())
		}
	}
}

func TestUnknownPersonCannotBeChosen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, person := range []string{"", "-1", "2", "99999999999999999999", "197205179802", "0x0", "<b>"} {
		v := w.visitor("en").get("/")
		v.post("/login", url.Values{"form": {v.page.One("form [name=form]").Attr("value")}, "person": {person}})
		if v.status != http.StatusUnprocessableEntity || !v.page.Has("#problem") {
			t.Errorf("person %q: %d", person, v.status)
		}
	}
	v := w.visitor("en").get("/")
	if v.post("/login", url.Values{"person": {"0"}}); v.status != http.StatusForbidden || !v.page.Has("#problem") {
		t.Errorf("without a token: %d", v.status)
	}
	if v.get("/settings"); v.url.Path != "/" {
		t.Error("somebody is logged in")
	}
	if v.get("/settings/wait"); v.status != http.StatusForbidden {
		t.Errorf("waiting without a login: %d", v.status)
	}
}

func TestLanguageIsChosenAndKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lang := func(v *visitor, path string) string { t.Helper(); return v.get(path).page.One("html").Attr("lang") }
	for accept, want := range map[string]string{"": "sv", "en-GB,sv;q=0.5": "en", "sv-FI": "sv", "de": "sv", "de, en;q=0.1": "en", "; ;; *-": "sv",
		strings.Repeat("en-", 500): "sv"} {
		if got := lang(w.visitor(accept), "/"); got != want {
			t.Errorf("Accept-Language %.20q gives %s, want %s", accept, got, want)
		}
	}
	v := w.visitor("sv")
	if lang(v, "/") != "sv" || lang(v, "/?language=xx") != "sv" || lang(v, "/?language=en") != "en" || lang(v, "/") != "en" ||
		lang(v, "/?language=%3Cscript%3E") != "en" {
		t.Error("the choice of language is not kept, or a wrong one is not passed over")
	}
	if v.page.One("nav a").Attr("href") != "/?language=sv" || v.page.One("nav a").Attr("lang") != "sv" {
		t.Error("the switch leads elsewhere")
	}
}

func TestHeadersKeepStrangersOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.loggedIn("en", 0)
	for _, path := range []string{"/", "/settings", "/nowhere", "/static/wait.js"} {
		v.get(path)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		} {
			if !strings.Contains(v.header.Get(name), want) {
				t.Errorf("%s: %s is %q", path, name, v.header.Get(name))
			}
		}
		if policy := v.header.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
		if wantKept := path == "/static/wait.js"; (v.header.Get("Cache-Control") == "no-store") == wantKept {
			t.Errorf("%s: Cache-Control is %q", path, v.header.Get("Cache-Control"))
		}
	}
	if v.get("/settings"); v.page.Has("[style]") || v.page.Has("style") || v.page.Has("[onclick]") || len(v.page.All("script")) != len(v.page.All("script[src]")) {
		t.Error("the page has what its own policy forbids")
	}
}

func TestCookiesAreClosed(t *testing.T) {
	t.Parallel()
	for secure, name := range map[bool]string{false: "contactsync_portal_session", true: "__Host-contactsync_portal_session"} {
		w := newWorld(t, func(c *portal.Config) { c.Secure = secure })
		response, err := http.Get(w.site.URL + "/")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		cookies := response.Cookies()
		if len(cookies) != 1 || cookies[0].Name != name || !cookies[0].HttpOnly || cookies[0].Secure != secure || cookies[0].SameSite != http.SameSiteLaxMode {
			t.Errorf("https %v: cookies %v", secure, cookies)
		}
	}
}

func TestOurFaultIsShownWithANumberAndLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.loggedIn("en", 0)
	form := v.filled(contact.Mobile, "choice", "share", "value", number)
	if _, err := w.pool.Exec(t.Context(), `drop table consent.outbox`); err != nil {
		t.Fatal(err)
	}
	v.post("/settings/mobile", form)
	id := v.page.One("main code").Text()
	if v.status != 500 || id == "" || !strings.Contains(w.log.String(), `"log_id":"`+id+`"`) || strings.Contains(v.body, "outbox") {
		t.Errorf("%d, number %q; log:\n%s", v.status, id, w.log)
	}
	if w.decisions() != 0 {
		t.Error("the choice is half saved")
	}
	if strings.Contains(w.log.String(), "0174") {
		t.Error("the log holds the number")
	}
}

func TestNoticeGoesWithTheChoice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.loggedIn("en", 0).saves(contact.Mobile, "choice", "withdraw")
	var version, language string
	if err := w.pool.QueryRow(t.Context(), `select notice, language from consent.decision`).Scan(&version, &language); err != nil {
		t.Fatal(err)
	}
	if (event.Notice{Version: version, Language: language}) != (event.Notice{Version: portal.NoticeVersion, Language: "en"}) {
		t.Errorf("the notice is %s %s", version, language)
	}
}
