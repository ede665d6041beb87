package portal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"contactsync/consent/contact"
	"contactsync/consent/portal"
	"contactsync/consent/reason"
	"contactsync/consent/webtest"
)

// TestPagesAreAccessible walks through every state of the pages, with the rules of WCAG 2.2 AA at each.
func TestPagesAreAccessible(t *testing.T) {
	t.Parallel()
	browser := webtest.Open(t)
	for _, look := range []webtest.Look{
		{Language: "sv"}, {Language: "en"}, {Language: "sv", Width: 320}, {Language: "en", Width: 320, Dark: true}, {Language: "sv", Dark: true},
	} {
		t.Run(fmt.Sprintf("%s %d dark=%v", look.Language, look.Width, look.Dark), func(t *testing.T) {
			w := newWorld(t)
			walk(t, w, browser.Window(t, look))
		})
	}
}

func walk(t *testing.T, w *world, window *webtest.Window) {
	t.Helper()
	check := func(state string) {
		t.Helper()
		for _, v := range window.Violations() {
			t.Errorf("%s: %s", state, v)
		}
	}
	window.Go(w.site.URL)
	check("choose")
	window.Go(w.site.URL + "/nowhere")
	check("no such page")
	window.Go(w.site.URL)
	window.Submit("button[value='0']")
	check("never asked")
	window.Submit("#email-form button")
	check("no choice")
	window.Click("#mobile-share")
	window.Type("#mobile-value", `08-123 456 78"><b>`)
	window.Submit("#mobile-form button")
	check("error")
	window.Type("#mobile-value", "070-174 06 05")
	window.Submit("#mobile-form button")
	check("saved")
	w.carried(tove, contact.Mobile)
	window.Until("#mobile-facts", listed)
	check("passed on")
	w.parked(tove, contact.Mobile, reason.MobileOtherType)
	window.Until("#mobile-news", map[string]string{"sv": "Nekat", "en": "Refused"}[webtest.Eval[string](window, `document.documentElement.lang`)])
	check("refused")
	w.chosenElsewhere(tove, contact.Mobile, "+46701740609")
	window.Until("#mobile-facts", "070-174 06 09")
	check("elsewhere")
}

func TestErrorGetsTheFocusAndTheFieldKeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
	browser := webtest.Open(t)
	for _, noScript := range []bool{false, true} {
		w := newWorld(t)
		window := browser.Window(t, webtest.Look{Language: "en", NoScript: noScript})
		window.Go(w.site.URL)
		window.Submit("button[value='0']")
		window.Click("#mobile-share")
		window.Type("#mobile-value", "08-123 456 78")
		window.Submit("#mobile-form button")
		window.Becomes(`document.activeElement.id`, "problems")
		kept := webtest.Eval[string](window, `document.querySelector("#mobile-value").value`)
		if kept != "08-123 456 78" {
			t.Errorf("without JavaScript %v: kept is %q", noScript, kept)
		}
		if !strings.Contains(window.Text("#mobile-problem"), "landline") || w.decisions() != 0 {
			t.Errorf("beside the field: %q, %d decisions", window.Text("#mobile-problem"), w.decisions())
		}
		if noScript {
			continue
		}
		w.chosenElsewhere(tove, contact.Mobile, number)
		window.Until("#mobile-news", "Changed in another e-service")
		if kept := webtest.Eval[string](window, `document.querySelector("#mobile-value").value`); kept != "08-123 456 78" {
			t.Errorf("after news there is kept %q", kept)
		}
	}
}

// TestMegabytesAreAnswered: the browser is still sending when it is refused, and must show the answer.
func TestMegabytesAreAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	window := webtest.Open(t).Window(t, webtest.Look{Language: "en"})
	window.Go(w.site.URL)
	window.Submit("button[value='0']")
	window.Click("#mobile-share")
	webtest.Eval[any](window, `document.querySelector("#mobile-value").value = "7".repeat(6 << 20)`)
	window.Submit("#mobile-form button")
	window.Until("#mobile-problem", "too long")
}

// TestWhatIsBeingTypedIsLeftAlone: news must not take away what somebody is writing; a form nobody has touched follows it.
func TestWhatIsBeingTypedIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	window := webtest.Open(t).Window(t, webtest.Look{Language: "en"})
	window.Go(w.site.URL)
	window.Submit("button[value='0']")
	window.Type("#mobile-value", "070-17")
	w.chosenElsewhere(tove, contact.Mobile, number)
	window.Until("#mobile-news", "Changed in another e-service")
	w.loggedIn("en", 0).saves(contact.Email, "choice", "share", "value", "new@example.se")
	window.Until("#email-news", "Saved.")
	if filled := webtest.Eval[string](window, `document.querySelector("#email-value").value`); filled != "new@example.se" {
		t.Errorf("the form that nobody touched holds %q", filled)
	}
	window.Click("#email-value")
	w.loggedIn("en", 0).saves(contact.Email, "choice", "withdraw")
	window.Until("#email-facts", "Do not share")
	if focus := webtest.Eval[string](window, `document.activeElement.id`); focus != "email-value" {
		t.Errorf("news took the focus to %q", focus)
	}
	if typed := webtest.Eval[string](window, `document.querySelector("#mobile-value").value`); typed != "070-17" {
		t.Errorf("in the field stands %q", typed)
	}
}

// TestAnOpenTabDoesNotBecomeAnotherPersons: when somebody else logs in in another tab, the whole page becomes theirs, and nothing that
// was typed stays.
func TestAnOpenTabDoesNotBecomeAnotherPersons(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	browser := webtest.Open(t)
	first := browser.Window(t, webtest.Look{Language: "en", SameVisitor: true})
	first.Go(w.site.URL)
	first.Submit("button[value='0']")
	first.Click("#mobile-share")
	first.Type("#mobile-value", "08-123 456 78")
	first.Submit("#mobile-form button") // the page is now the answer to a form
	second := browser.Window(t, webtest.Look{Language: "en", SameVisitor: true})
	second.Go(w.site.URL + "/settings")
	second.Submit("form.who button")
	second.Submit("button[value='1']")
	w.loggedIn("en", 1).saves(contact.Email, "choice", "share", "value", "bodil@example.se")
	first.Until("#email-news", "Saved.")
	first.Until("form.who", "Bodil")
	if typed := webtest.Eval[string](first, `document.querySelector("#mobile-value").value`); typed != "" {
		t.Errorf("in the field stands %q", typed)
	}
}

func TestTheRegisterGoesDownAndComesBack(t *testing.T) {
	t.Parallel()
	for language, says := range map[string][4]string{
		"sv": {"Inget val än", "Sparat", "Går inte att fråga", "Fört vidare"}, "en": {"No choice yet", "Saved", "Cannot be asked", "Passed on"},
	} {
		for _, noScript := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s without JavaScript %v", language, noScript), func(t *testing.T) {
				w := newWorld(t)
				w.register.isDown(true)
				window := webtest.Open(t).Window(t, webtest.Look{Language: language, NoScript: noScript})
				window.Go(w.site.URL)
				window.Submit("button[value='0']")
				window.Until("#email-news", says[0])
				window.Click("#email-share")
				window.Type("#email-value", "tove@example.se")
				window.Submit("#email-form button")
				window.Until("#email-news", says[1])
				window.Until("#email-facts", says[2])
				w.register.isDown(false)
				w.carried(tove, contact.Email)
				window.Until("#email-news", says[3]) // by itself
				window.Until("#email-facts", "tove@example.se")
			})
		}
	}
}

// TestScreenshots takes what the README shows, and writes it when CONTACTSYNC_SCREENSHOTS is set.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	folder := filepath.Join("..", "..", "testdata", "screenshots")
	browser := webtest.Open(t)
	for name, look := range map[string]webtest.Look{"portal-sv.png": {Language: "sv"}, "portal-en-dark.png": {Language: "en", Dark: true}} {
		w := newWorld(t)
		window := browser.Window(t, look)
		window.Go(w.site.URL)
		window.Submit("button[value='0']")
		window.Click("#mobile-share")
		window.Type("#mobile-value", "070-174 06 05")
		window.Click("#mobile-notify")
		window.Submit("#mobile-form button")
		w.register.holds(tove, contact.Mobile, &portal.Entry{Value: contact.KnownValue(number), Notify: true})
		w.carried(tove, contact.Mobile)
		window.Until("#mobile-facts", "(")
		webtest.Eval[any](window, `scrollTo(0, 0)`)
		png := window.Screenshot(760, 1000)
		if len(png) > 150_000 {
			t.Errorf("%s has %d bytes, too many for a README", name, len(png))
		}
		if os.Getenv("CONTACTSYNC_SCREENSHOTS") == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(folder, name), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
