package portal

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/web"
)

// waitForNews answers with the page's sections as soon as they differ from what the page shows, and with nothing (204) when
// patience is over. A page of another visit gets 403: the browser has one cookie for all its windows, and one that still names
// somebody else must not get the forms of whoever is logged in now.
func (p *Portal) waitForNews(w http.ResponseWriter, r *http.Request) error {
	v, known, err := p.visit(r)
	if err != nil {
		return err
	}
	of, shown, _ := strings.Cut(r.URL.Query().Get("after"), ".")
	if !known || of != p.visitMark(v) {
		return web.Fault{Status: http.StatusForbidden}
	}
	shownChoices, shownHeld, _ := strings.Cut(shown, ".")
	changed, err := p.untilChanged(r, v.person.ID, shownChoices)
	if err != nil {
		return err
	}
	f, err := p.find(r.Context(), v.person.ID)
	if err != nil {
		return err
	}
	// The register has no way to tell us: it is asked when the time is over.
	if !changed && p.heldMark(v.person.ID, f) == shownHeld && p.choicesMark(v.person.ID, f.choices) == shownChoices {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return p.kit.RenderBlock(w, "settings", "sections", p.settingsPage(r, v, f))
}

// untilChanged waits until the choices are others than those shown, and returns false if patience ends first.
func (p *Portal) untilChanged(r *http.Request, person contact.PersonID, shown string) (bool, error) {
	patience := time.NewTimer(p.Patience)
	defer patience.Stop()
	for {
		woken, leave := p.waits.enter(person) // before looking: what comes in between must wake us
		choices, err := p.Store.Choices(r.Context(), person)
		if err != nil || p.choicesMark(person, choices) != shown {
			leave()
			return true, err
		}
		over := false
		select {
		case <-woken:
		case <-patience.C:
			over = true
		case <-p.draining:
			over = true
		case <-r.Context().Done():
			over = true
		}
		leave()
		if over {
			return false, r.Context().Err()
		}
	}
}

// waits are the pages that wait for news, by person.
type waits struct {
	mu   sync.Mutex
	open map[contact.PersonID]*wait
}

type wait struct {
	woken   chan struct{}
	waiting int
}

// enter gives a channel that is closed at the next wake. leave must be called after.
func (w *waits) enter(person contact.PersonID) (woken <-chan struct{}, leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open == nil {
		w.open = map[contact.PersonID]*wait{}
	}
	mine := w.open[person]
	if mine == nil {
		mine = &wait{woken: make(chan struct{})}
		w.open[person] = mine
	}
	mine.waiting++
	return mine.woken, func() { w.leave(person, mine) }
}

func (w *waits) leave(person contact.PersonID, mine *wait) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if mine.waiting--; mine.waiting == 0 && w.open[person] == mine {
		delete(w.open, person)
	}
}

func (w *waits) wake(person contact.PersonID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if mine := w.open[person]; mine != nil {
		close(mine.woken)
		delete(w.open, person)
	}
}
