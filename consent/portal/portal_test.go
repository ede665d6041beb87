package portal_test

import (
	"strings"
	"testing"
	"time"

	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/portal"
	"contactsync/consent/reason"
)

func TestSharingAndWithdrawingIsToldStepByStep(t *testing.T) {
	t.Parallel()
	for language, says := range map[string][6]string{
		"sv": {"Inget val än.", "Sparat.", "Fört vidare.", "Borttaget.", "Personuppgiftstjänsten visar", "Ingenting"},
		"en": {"No choice yet.", "Saved.", "Passed on.", "Removed.", "The national service shows", "Nothing"},
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			v := w.loggedIn(language, 0)
			if v.page.One("html").Attr("lang") != language {
				t.Error("the page is in another language")
			}
			wants := func(label, shows string) {
				t.Helper()
				if got := v.news(contact.Mobile); !strings.HasPrefix(got, label) {
					t.Errorf("the page says %q, want %q", got, label)
				}
				if got := v.fact(contact.Mobile, says[4]); got != shows {
					t.Errorf("of the register the page says %q, want %q", got, shows)
				}
			}
			wants(says[0], says[5])
			if v.page.Has("[checked]") || v.page.One("#mobile-value").Attr("value") != "" {
				t.Error("something is preselected though the person was never asked")
			}
			v.saves(contact.Mobile, "choice", "share", "value", " 070-174 06 05 ", "notify", "yes")
			wants(says[1], says[5])
			if c, _ := w.choice(tove, contact.Mobile); !c.Share || c.Value.Reveal() != number || !*c.Notify || c.Actor != event.RoleResident {
				t.Errorf("saved was %+v", c)
			}
			w.carried(tove, contact.Mobile)
			v.get("/settings")
			wants(says[2], v.fact(contact.Mobile, says[4]))
			if got := v.fact(contact.Mobile, says[4]); !strings.HasPrefix(got, listed+" (") {
				t.Errorf("of the register the page says %q", got)
			}
			v.saves(contact.Mobile, "choice", "withdraw")
			wants(says[1], v.fact(contact.Mobile, says[4]))
			w.carried(tove, contact.Mobile)
			v.get("/settings")
			wants(says[3], says[5])
			if !strings.HasPrefix(v.news(contact.Email), says[0]) {
				t.Error("the other channel was touched")
			}
		})
	}
}

func TestEveryStateIsToldInWords(t *testing.T) {
	t.Parallel()
	share := func(w *world, _ *visitor) {
		w.loggedIn("en", 0).saves(contact.Mobile, "choice", "share", "value", number)
	}
	for about, tt := range map[string]struct {
		given  func(*world, *visitor)
		want   []string
		choice string
	}{
		"refused, with the reason": {func(w *world, v *visitor) {
			share(w, v)
			w.parked(tove, contact.Mobile, reason.MobileFixedLine)
		}, []string{"Refused.", "what held before still holds", "landline"}, "Share 070-174 06 05"},
		"waiting, with the reason": {func(w *world, v *visitor) {
			share(w, v)
			w.parked(tove, contact.Mobile, reason.PersonUnknown)
		}, []string{"Waiting.", "not in the national personal-data service yet"}, "Share 070-174 06 05"},
		"waiting, for a reason of a later version": {func(w *world, v *visitor) {
			share(w, v)
			w.parked(tove, contact.Mobile, "moon_phase")
		}, []string{"Waiting.", "new to us"}, "Share 070-174 06 05"},
		"passed on, with an effect": {func(w *world, v *visitor) {
			share(w, v)
			c, _ := w.choice(tove, contact.Mobile)
			w.told(tove, event.Outcome{EventID: c.EventID, Channel: contact.Mobile, Revision: c.Revision, Outcome: event.Pushed,
				Effects: []reason.Code{reason.PaperOptOutEnded}})
		}, []string{"Passed on.", "letters on paper again"}, "Share 070-174 06 05"},
		"withdrawn, and not seen to be gone yet": {func(w *world, v *visitor) {
			share(w, v)
			w.carried(tove, contact.Mobile)
			v.get("/settings")
			v.saves(contact.Mobile, "choice", "withdraw")
			c, _ := w.choice(tove, contact.Mobile)
			w.told(tove, event.Outcome{EventID: c.EventID, Channel: contact.Mobile, Revision: c.Revision, Outcome: event.Pushed})
		}, []string{"Saved.", "We are removing the detail now"}, "Do not share"},
		"superseded": {func(w *world, v *visitor) {
			share(w, v)
			c, _ := w.choice(tove, contact.Mobile)
			w.told(tove, event.Outcome{EventID: c.EventID, Channel: contact.Mobile, Revision: c.Revision, Outcome: event.Superseded,
				Reason: reason.NewerDecision})
		}, []string{"Superseded.", "a newer choice"}, "Share 070-174 06 05"},
		"changed in another e-service": {func(w *world, v *visitor) {
			share(w, v)
			w.chosenElsewhere(tove, contact.Mobile, "+46701740609")
		}, []string{"Changed in another e-service.", "newer choice"}, "Made in another e-service"},
		"chosen in another e-service only": {func(w *world, _ *visitor) {
			w.chosenElsewhere(tove, contact.Mobile, "+46701740609")
		}, []string{"Changed in another e-service."}, "Made in another e-service"},
		"removed by support, and why": {func(w *world, v *visitor) {
			share(w, v)
			_, err := w.store.Decide(t.Context(), consentpg.Wish{Person: tove, Channel: contact.Mobile,
				Actor: event.Actor{Role: event.RoleSupport, HSAID: "SE2321000016-B2"}, Reason: event.ReasonCorrection,
				Correction: "not_theirs", Ground: "a note that is not for the resident"})
			if err != nil {
				t.Fatal(err)
			}
			w.carried(tove, contact.Mobile)
		}, []string{"Removed.", "Support removed the detail on 23 November 2026 at 13:00.", "belongs to somebody else", "make a new choice"}, "Withdrawn by support"},
		"asked away by support, and not gone yet": {func(w *world, v *visitor) {
			share(w, v)
			_, err := w.store.Decide(t.Context(), consentpg.Wish{Person: tove, Channel: contact.Mobile,
				Actor: event.Actor{Role: event.RoleSupport, HSAID: "SE2321000016-B2"}, Reason: event.ReasonCorrection, Correction: "deceased"})
			if err != nil {
				t.Fatal(err)
			}
			w.parked(tove, contact.Mobile, reason.PersonDeceased)
		}, []string{"Waiting.", "Support has asked for the detail to be removed", "cannot be removed", "takes no changes"}, "Withdrawn by support"},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			v := w.loggedIn("en", 0)
			seenBefore := "/settings?seen=" + v.page.One("#sections").Attr("data-seen")
			tt.given(w, v)
			v.get(seenBefore)
			for _, want := range tt.want {
				if !strings.Contains(v.news(contact.Mobile), want) {
					t.Errorf("the page says %q, want %q in it", v.news(contact.Mobile), want)
				}
			}
			if chosen := v.fact(contact.Mobile, "Your choice"); chosen != tt.choice {
				t.Errorf("the choice is shown as %q, want %q", chosen, tt.choice)
			}
			// What names who made the change needs no word of "another window".
			byOthers := strings.Contains(about, "another e-service") || strings.Contains(about, "support")
			if changed := strings.Contains(v.news(contact.Mobile), "has been changed since"); changed == byOthers {
				t.Errorf("the page says %q", v.news(contact.Mobile))
			}
			if strings.Contains(v.body, "not for the resident") {
				t.Error("the page shows what support wrote for itself")
			}
			chosen := v.page.All("#mobile-form [name=choice][checked]")
			if byOthers && len(chosen) > 0 {
				t.Error("a choice is preselected that the resident did not make here")
			}
		})
	}
}

func TestWhatTheRegisterShowsWithoutAChoice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register.holds(bodil, contact.Mobile, &portal.Entry{Value: contact.KnownValue("+447400123456")})
	v := w.loggedIn("en", 1)
	if got := v.fact(contact.Mobile, "The national service shows"); got != "+44 7400 123456" {
		t.Errorf("the page shows %q", got)
	}
	if v.page.Has("[checked]") || v.page.One("#mobile-value").Attr("value") != "" {
		t.Error("what the register holds is not the resident's choice, and must not be filled in")
	}
	w.register.isDown(true)
	if got := v.get("/settings").fact(contact.Mobile, "The national service shows"); !strings.HasPrefix(got, "Cannot be asked") {
		t.Errorf("while the register is down the page shows %q", got)
	}
	if v.status != 200 {
		t.Errorf("while the register is down: %d", v.status)
	}
}

func TestAChoiceIsSavedWhileTheRegisterIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register.isDown(true)
	v := w.loggedIn("en", 0).saves(contact.Email, "choice", "share", "value", " tove@example.se\u00a0")
	if !strings.HasPrefix(v.news(contact.Email), "Saved.") {
		t.Errorf("the page says %q", v.news(contact.Email))
	}
	w.register.isDown(false)
	w.carried(tove, contact.Email)
	if v.get("/settings"); !strings.HasPrefix(v.news(contact.Email), "Passed on.") {
		t.Errorf("the page says %q", v.news(contact.Email))
	}
}

func TestWithoutJavaScriptThePageReloadsWhileSomethingIsOnItsWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.loggedIn("en", 0)
	refresh := func() string {
		t.Helper()
		v.get("/settings")
		if _, text, found := strings.Cut(v.body, `<noscript><meta http-equiv="refresh" content="`); found {
			seconds, _, _ := strings.Cut(text, ";")
			return seconds
		}
		return ""
	}
	if refresh() != "" {
		t.Error("the page reloads though nothing is on its way")
	}
	v.saves(contact.Mobile, "choice", "share", "value", number)
	if got := refresh(); got != "2" {
		t.Errorf("the page reloads after %q s, want 2", got)
	}
	w.passes(2 * time.Minute)
	if got := refresh(); got != "30" {
		t.Errorf("when it takes long, the page reloads after %q s, want 30", got)
	}
	w.carried(tove, contact.Mobile)
	if refresh() != "" {
		t.Error("the page reloads though all has been passed on")
	}
}

func TestTwoWindows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.loggedIn("en", 0)
	first.saves(contact.Mobile, "choice", "share", "value", number)
	w.carried(tove, contact.Mobile)
	second := *first
	second.get("/settings").saves(contact.Mobile, "choice", "withdraw")
	if strings.Contains(second.news(contact.Mobile), "has been changed") {
		t.Error("the window that chose is told that somebody else did")
	}
	first.get(first.url.RequestURI()) // as the page without JavaScript does by itself
	if got := first.news(contact.Mobile); !strings.Contains(got, "has been changed since this page was shown") {
		t.Errorf("the first window says %q", got)
	}
	if c, _ := w.choice(tove, contact.Mobile); c.Share {
		t.Error("the later choice does not win")
	}
	// Saving the other channel from the first window does not hide it.
	first.saves(contact.Email, "choice", "withdraw")
	if got := first.news(contact.Email); strings.Contains(got, "has been changed") {
		t.Errorf("of its own choice the first window says %q", got)
	}
}

func TestAnotherChannelThatChangedMeanwhileIsToldAfterSaving(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.loggedIn("en", 0)
	second := *first
	second.get("/settings").saves(contact.Mobile, "choice", "withdraw")
	first.saves(contact.Email, "choice", "withdraw")
	if got := first.news(contact.Mobile); !strings.Contains(got, "has been changed") {
		t.Errorf("the first window says %q", got)
	}
}

func TestLaterChoiceOfTheResidentWinsOverSupport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.loggedIn("en", 0)
	_, err := w.store.Decide(t.Context(), consentpg.Wish{Person: tove, Channel: contact.Mobile, Correction: "typo",
		Actor: event.Actor{Role: event.RoleSupport, HSAID: "SE2321000016-B2"}, Reason: event.ReasonCorrection})
	if err != nil {
		t.Fatal(err)
	}
	v.saves(contact.Mobile, "choice", "share", "value", number)
	if got := v.news(contact.Mobile); !strings.HasPrefix(got, "Saved.") || strings.Contains(got, "Support") {
		t.Errorf("the page says %q", got)
	}
}

func TestLoggingOutEndsTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.loggedIn("en", 0)
	cookies := v.client.Jar.Cookies(v.url)
	v.post("/logout", map[string][]string{"form": {v.page.One("form.who [name=form]").Attr("value")}})
	if v.url.Path != "/" {
		t.Fatalf("after logging out: %d at %s", v.status, v.url.Path)
	}
	again := w.visitor("en")
	again.client.Jar.SetCookies(v.url, cookies)
	if again.get("/settings"); again.url.Path != "/" {
		t.Error("the old cookie still opens the settings")
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.loggedIn("en", 0)
	w.passes(9 * time.Hour)
	form := v.filled(contact.Mobile, "choice", "withdraw")
	if v.post("/settings/mobile", form); v.status != 403 || !strings.Contains(v.page.Text(), "You have been logged out") || w.decisions() != 0 {
		t.Errorf("a form after the session's end: %d, %d decisions", v.status, w.decisions())
	}
	if v.get("/settings"); v.url.Path != "/" {
		t.Error("the settings are open after the session's end")
	}
}

func TestNothingPersonalLeaves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.loggedIn("en", 0)
	v.saves(contact.Mobile, "choice", "share", "value", number)
	if strings.Contains(v.url.String(), "0174") || strings.Contains(v.url.String(), tove.RevealExtension()) {
		t.Errorf("the address holds a value: %s", v.url)
	}
	v.saves(contact.Mobile, "choice", "share", "value", "070-1")
	v.get("/197205179802").get("/settings?x=197205179802")
	log := w.log.String()
	for _, secret := range []string{"197205179802", "0701740605", "+4670174", "070-1"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
	if strings.Count(log, `"msg":"request"`) < 6 {
		t.Errorf("requests are not logged:\n%s", log)
	}
	if strings.Contains(v.get("/settings").body, tove.RevealExtension()) {
		t.Error("the settings page holds the identity number")
	}
}
