package portal_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/portal"
)

// watched tells whenever somebody looks at choices: a page that waits does so when it has begun to listen.
type watched struct {
	*consentpg.Store
	looked chan struct{}
}

func (s watched) Choices(ctx context.Context, p contact.PersonID) (map[contact.Channel]consentpg.Choice, error) {
	choices, err := s.Store.Choices(ctx, p)
	select {
	case s.looked <- struct{}{}:
	default: // nobody counts
	}
	return choices, err
}

// waitingFor returns when each of the visitors waits for news of what its page shows; the channels get the answers.
func (w *world) waitingFor(visitors ...*visitor) []<-chan *visitor {
	w.t.Helper()
	var answers []<-chan *visitor
	for _, v := range visitors {
		sections := v.page.One("#sections")
		query := url.Values{"language": {"en"}, "seen": {sections.Attr("data-seen")}, "after": {sections.Attr("data-state")}}
		request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.site.URL+"/settings/wait?"+query.Encode(), nil)
		if err != nil {
			w.t.Fatal(err)
		}
		waiting, client, answer := *v, *v.client, make(chan *visitor, 1)
		waiting.client, client.Timeout = &client, tooLong
		for len(w.looked) > 0 {
			<-w.looked
		}
		go func() {
			if err := waiting.try(request); err != nil {
				w.t.Error(err)
			}
			answer <- &waiting
		}()
		<-w.looked
		answers = append(answers, answer)
	}
	return answers
}

// tooLong is how long no news is waited for that must have come at once.
const tooLong = 15 * time.Second

func patient(c *portal.Config) { c.Patience = time.Hour }

func TestNewsWakesThePagesOfThePersonAndNoOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, patient)
	v := w.loggedIn("en", 0)
	v.saves(contact.Mobile, "choice", "share", "value", number)
	answers := w.waitingFor(v, v, w.loggedIn("sv", 1))
	w.carried(tove, contact.Mobile)
	for _, answer := range answers[:2] {
		told := <-answer
		if told.status != http.StatusOK || !strings.HasPrefix(told.news(contact.Mobile), "Passed on.") || told.page.Has("header") {
			t.Errorf("%d: %q", told.status, told.body)
		}
	}
	if n := w.portal.Waiting(); n != 1 {
		t.Errorf("%d pages wait, want the other person's", n)
	}
	w.portal.Drain()
	if told := <-answers[2]; told.status != http.StatusNoContent {
		t.Errorf("another person's page was told: %d", told.status)
	}
	if n := w.portal.Waiting(); n != 0 {
		t.Errorf("%d pages wait after the end", n)
	}
}

func TestNewsThatCameBeforeThePageWaitsIsToldAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, patient)
	v := w.loggedIn("en", 0)
	v.saves(contact.Mobile, "choice", "share", "value", number)
	w.carried(tove, contact.Mobile)
	if told := <-w.waitingFor(v)[0]; !strings.HasPrefix(told.news(contact.Mobile), "Passed on.") {
		t.Errorf("%d: %q", told.status, told.body)
	}
}

func TestAnotherWindowsChoiceIsToldInTheOpenPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, patient)
	first := w.loggedIn("en", 0)
	answer := w.waitingFor(first)[0]
	second := *first
	second.saves(contact.Mobile, "choice", "withdraw")
	told := <-answer
	if got := told.news(contact.Mobile); !strings.Contains(got, "has been changed since this page was shown") || !strings.Contains(got, "Saved.") {
		t.Errorf("the first window says %q", got)
	}
	if got := told.news(contact.Email); strings.Contains(got, "changed") {
		t.Errorf("of the other channel it says %q", got)
	}
}

func TestAChoiceInAnotherEServiceIsToldInTheOpenPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, patient)
	answer := w.waitingFor(w.loggedIn("en", 0))[0]
	w.chosenElsewhere(tove, contact.Mobile, number)
	told := <-answer
	if got := told.news(contact.Mobile); !strings.HasPrefix(got, "Changed in another e-service.") {
		t.Errorf("the page says %q", got)
	}
	if got := told.fact(contact.Mobile, "The national service shows"); got != listed {
		t.Errorf("the page shows %q", got)
	}
}

func TestWhatTheRegisterShowsIsAskedWhenPatienceEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.loggedIn("en", 0)
	if told := <-w.waitingFor(v)[0]; told.status != http.StatusNoContent || told.body != "" {
		t.Errorf("without news: %d %q", told.status, told.body)
	}
	w.register.holds(tove, contact.Email, &portal.Entry{Value: contact.KnownValue("new@example.se")})
	if told := <-w.waitingFor(v)[0]; told.fact(contact.Email, "The national service shows") != "new@example.se" {
		t.Errorf("the page shows %q", told.body)
	}
	w.register.isDown(true)
	if told := <-w.waitingFor(v)[0]; !strings.HasPrefix(told.fact(contact.Email, "The national service shows"), "Cannot be asked") {
		t.Errorf("the page shows %q", told.body)
	}
}

func TestAPageThatLeavesIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, patient)
	v := w.loggedIn("en", 0)
	v.client.Timeout = 50 * time.Millisecond
	if _, err := v.client.Get(w.site.URL + "/settings/wait?after=" + url.QueryEscape(v.page.One("#sections").Attr("data-state"))); err == nil {
		t.Error("the page did not wait")
	}
	w.site.Close() // waits for the handlers
	if n := w.portal.Waiting(); n != 0 {
		t.Errorf("%d pages still wait", n)
	}
	if strings.Contains(w.log.String(), "page failed") {
		t.Errorf("a reader who leaves is no fault:\n%s", w.log)
	}
}

// The cookie is one for all windows: a page that is still open when somebody else logs in must not become that person's.
func TestAnOpenPageDoesNotBecomeAnotherPersons(t *testing.T) {
	t.Parallel()
	w := newWorld(t, patient)
	w.loggedIn("en", 1).saves(contact.Email, "choice", "share", "value", "bodil@example.se")
	first := w.loggedIn("en", 0)
	state := first.page.One("#sections").Attr("data-state")
	form := first.filled(contact.Mobile, "choice", "share", "value", number, "notify", "yes")
	second := *first
	second.logsOut().logsIn(1)
	_, unmarked, _ := strings.Cut(state, ".")
	for _, after := range []string{state, unmarked, "", "." + unmarked} {
		told := second
		told.get("/settings/wait?after=" + url.QueryEscape(after))
		if told.status != http.StatusForbidden || told.page.Has("#sections") || strings.Contains(told.body, "bodil") {
			t.Errorf("the first window's page, which shows %q, is told %d: %s", after, told.status, told.body)
		}
	}
	first.post("/settings/mobile", form)
	if first.status != http.StatusForbidden || w.decisions() != 1 {
		t.Errorf("the first window's form: %d with %d decisions", first.status, w.decisions())
	}
	if first.page.One("#mobile-value").Attr("value") != "" || first.page.Has("#mobile-form [checked]") || strings.Contains(first.body, number[1:]) {
		t.Errorf("Bodil's page holds what Tove typed: %s", first.body)
	}
	second.logsOut().logsIn(0)
	if second.get("/settings/wait?after=" + url.QueryEscape(state)); second.status != http.StatusForbidden {
		t.Errorf("a page of the same person's earlier visit is told %d", second.status)
	}
}

func TestTheSameNewsHasTheSameMark(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.loggedIn("en", 0)
	mark := v.page.One("#sections").Attr("data-state")
	w.passes(time.Minute)
	if again := v.get("/settings").page.One("#sections").Attr("data-state"); again != mark {
		t.Error("the mark changes by itself")
	}
	if other := w.loggedIn("en", 1).page.One("#sections").Attr("data-state"); other == mark {
		t.Error("two persons have the same mark")
	}
}
