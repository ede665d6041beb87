package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"contactsync/consent/webtest"

	"github.com/google/uuid"
)

// says is what the portal says in a language.
type says struct{ passedOn, removed, elsewhere, changed, landline string }

func languages() map[string]says {
	return map[string]says{
		"sv": {"Fört vidare.", "Borttaget.", "Ändrat i en annan e-tjänst.", "Valet har ändrats", "fast telefon"},
		"en": {"Passed on.", "Removed.", "Changed in another e-service.", "choice has been changed", "landline"},
	}
}

// resident is a test person at the portal of a running dev.
type resident struct {
	*webtest.Window
	t         testing.TB
	data      string
	extension string
}

// logsIn opens the portal and chooses the test person that is there for a state.
func logsIn(t testing.TB, window *webtest.Window, dev *Dev, data, state string) resident {
	t.Helper()
	persons := personsIn(t, data)
	i := slices.IndexFunc(persons, func(p map[string]string) bool { return p["state"] == state })
	window.Go(dev.Endpoints.Portal)
	window.Submit(fmt.Sprintf("button[name=person][value='%d']", i))
	window.Until("header + main", persons[i]["name"])
	return resident{window, t, data, persons[i]["extension"]}
}

// looksUp is what a care system sees as the resident's mobile number; empty if nothing.
func (r resident) looksUp() string {
	r.t.Helper()
	got := Run(r.t, "", "lookup", "--data", r.data, "--json", r.extension)
	var found []struct{ Mobile *string }
	if err := json.Unmarshal([]byte(got.Stdout), &found); err != nil || len(found) != 1 {
		r.t.Fatalf("lookup: %v, %d, %s", err, got.Code, got.Stderr)
	}
	if found[0].Mobile == nil {
		return ""
	}
	return *found[0].Mobile
}

func (r resident) shares(number string) {
	r.t.Helper()
	r.Click("#mobile-share")
	r.Type("#mobile-value", number)
	r.Submit("#mobile-form button")
}

func (r resident) withdraws() {
	r.t.Helper()
	r.Click("#mobile-withdraw")
	r.Submit("#mobile-form button")
}

// TestAResidentsJourney goes from a choice in the browser to what a care system sees, and back.
func TestAResidentsJourney(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	dev := Start(t, "--data", data)
	browser := webtest.Open(t)
	for language, portal := range languages() {
		for _, noScript := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s without JavaScript %v", language, noScript), func(t *testing.T) {
				r := logsIn(t, browser.Window(t, webtest.Look{Language: language, NoScript: noScript}), dev, data, "empty")
				r.shares("08-123 456 78")
				if !strings.Contains(r.Text("#mobile-problem"), portal.landline) || r.looksUp() != "" {
					t.Errorf("of a landline the page says %q, the register has %q", r.Text("#mobile-problem"), r.looksUp())
				}
				if kept := webtest.Eval[string](r.Window, `document.querySelector("#mobile-value").value`); kept != "08-123 456 78" {
					t.Errorf("kept is %q", kept)
				}
				r.shares("070-174 06 05")
				r.Until("#mobile-news", portal.passedOn)
				r.Until("#mobile-facts", "070-174 06 05")
				if got := r.looksUp(); got != "+46701740605" {
					t.Errorf("after sharing the register has %q", got)
				}
				r.withdraws()
				r.Until("#mobile-news", portal.removed)
				if got := r.looksUp(); got != "" {
					t.Errorf("after withdrawing the register has %q", got)
				}
			})
		}
	}
}

// TestTwoWindowsAndAnotherEService: the open page learns of what was chosen elsewhere, and the later choice holds.
func TestTwoWindowsAndAnotherEService(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	dev := Start(t, "--data", data)
	browser, portal := webtest.Open(t), languages()["en"]
	first := logsIn(t, browser.Window(t, webtest.Look{Language: "en", SameVisitor: true}), dev, data, "empty")
	first.shares("070-174 06 05")
	first.Until("#mobile-news", portal.passedOn)

	second := first
	second.Window = browser.Window(t, webtest.Look{Language: "en", SameVisitor: true})
	second.Go(dev.Endpoints.Portal + "/settings")
	second.withdraws()
	second.Until("#mobile-news", portal.removed)
	first.Until("#mobile-news", portal.changed)
	first.Until("#mobile-news", portal.removed)
	if strings.Contains(second.Text("#mobile-news"), portal.changed) || first.looksUp() != "" {
		t.Errorf("the second window says %q, the register has %q", second.Text("#mobile-news"), first.looksUp())
	}

	now := time.Now()
	event := fmt.Sprintf(`{"specversion":"1.0","id":%q,"type":"se.contactsync.decision.v1","source":"urn:hsaid:SE2321000016-ES01","time":%q,`+
		`"datacontenttype":"application/json","data":{"person":{"root":"1.2.752.129.2.1.3.1","extension":%q},"channel":"mobile","decision":"share",`+
		`"value":"070-174 06 09","revision":%d,"decidedAt":%q}}`,
		uuid.NewString(), now.Format(time.RFC3339), first.extension, now.UnixMicro(), now.Format(time.RFC3339))
	if got := Run(t, event, "emit", "--data", data, "-"); got.Code != 0 {
		t.Fatalf("emit: %s", got.Stderr)
	}
	for _, window := range []resident{first, second} {
		window.Until("#mobile-news", portal.elsewhere)
		window.Until("#mobile-facts", "070-174 06 09")
	}
}

// BenchmarkFromClickToPassedOn measures what the resident waits for, as the browser sees it: the click, the page that says
// "saved", and the words "passed on" in it.
func BenchmarkFromClickToPassedOn(b *testing.B) {
	data := b.TempDir()
	dev := Start(b, "--data", data)
	r := logsIn(b, webtest.Open(b).Window(b, webtest.Look{Language: "en"}), dev, data, "empty")
	r.EveryPage(`new MutationObserver(() => {
		if (document.querySelector("#mobile-news .good") && !sessionStorage.end) sessionStorage.end = Date.now();
	}).observe(document, {childList: true, subtree: true})`)
	var took []int64
	for b.Loop() {
		number := fmt.Sprintf("070-174 06 %02d", 5+len(took)%90)
		r.Click("#mobile-share")
		r.Type("#mobile-value", number)
		webtest.Eval[any](r.Window, `sessionStorage.removeItem("end"); sessionStorage.begin = Date.now(); document.querySelector("#mobile-form button").click()`)
		r.Until("#mobile-facts", "Share "+number)
		r.Until("#mobile-news", "Passed on.")
		took = append(took, webtest.Eval[int64](r.Window, `sessionStorage.end - sessionStorage.begin`))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2]), "ms-median")
	b.ReportMetric(float64(took[len(took)-1]), "ms-slowest")
}

// TestRegisterIsDownAndComesBack takes the register's own table away, so that it answers every call with a server fault: the
// choice waits, and is passed on by itself when the register is back.
func TestRegisterIsDownAndComesBack(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	dev := Start(t, "--data", data)
	browser := webtest.Open(t)
	for language, portal := range languages() {
		r := logsIn(t, browser.Window(t, webtest.Look{Language: language}), dev, data, "empty")
		query(t, dev.Endpoints.Postgres, `alter table register.persons rename to away`)
		r.shares("070-174 06 05")
		failed := strings.Count(dev.Log(), `"blame":"us"`)
		eventually(t, "a call fails", func() bool { return strings.Count(dev.Log(), `"blame":"us"`) > failed })
		if strings.Contains(r.Text("#mobile-news"), portal.passedOn) {
			t.Errorf("while the register is down the page says %q", r.Text("#mobile-news"))
		}
		query(t, dev.Endpoints.Postgres, `alter table register.away rename to persons`)
		r.Until("#mobile-news", portal.passedOn)
		r.withdraws()
		r.Until("#mobile-news", portal.removed)
		if r.looksUp() != "" {
			t.Errorf("after withdrawing the register has %q", r.looksUp())
		}
	}
}
