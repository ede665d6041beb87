package portal

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/web"
)

const (
	defaultPatience  = 20 * time.Second
	registerPatience = time.Second

	// Without JavaScript a page that waits is loaded again: often at first, and seldom when something is slow, since every
	// time takes a screen reader back to the start.
	refreshSoon, refreshLater = 2, 30 // seconds
	soon                      = time.Minute
)

// found is what is known of a person at a moment.
type found struct {
	choices     map[contact.Channel]consentpg.Choice
	held        map[contact.Channel][]Entry
	unreachable bool // the register could not be asked
}

// find reads what was chosen and, at the same time, what the register shows.
func (p *Portal) find(ctx context.Context, person contact.PersonID) (found, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // a failure to read choices needs no answer from the register
	var f found
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		f.held, f.unreachable = p.ask(ctx, person)
	}()
	choices, err := p.Store.Choices(ctx, person)
	if err != nil {
		cancel()
	}
	<-asked
	f.choices = choices
	return f, err
}

func (p *Portal) ask(ctx context.Context, person contact.PersonID) (held map[contact.Channel][]Entry, unreachable bool) {
	ctx, cancel := context.WithTimeout(ctx, registerPatience)
	defer cancel()
	held, err := p.Register.Held(ctx, person)
	if err != nil && ctx.Err() != context.Canceled {
		p.Log.Warn("register cannot be asked", "err", err)
	}
	return held, err != nil
}

// settingsPage is the data of the page, and of its sections alone.
type settingsPage struct {
	*web.Page
	Name, LogoutToken string
	Problem           *shownProblem // of the whole page; nil: none
	Pending           bool
	State, Seen       string
	Sections          []section
}

// shownProblem is what is wrong, and the element where it can be mended.
type shownProblem struct{ At, Text string }

func (p *Portal) showSettings(w http.ResponseWriter, r *http.Request) error {
	v, known, err := p.visit(r)
	if err != nil {
		return err
	}
	if !known {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return nil
	}
	return p.showSettingsWith(w, r, v, http.StatusOK, nil)
}

// showSettingsWith shows the page, with a problem unless that is nil.
func (p *Portal) showSettingsWith(w http.ResponseWriter, r *http.Request, v visit, status int, wrong *problem) error {
	f, err := p.find(r.Context(), v.person.ID)
	if err != nil {
		return err
	}
	page := p.settingsPage(r, v, f)
	page.Scripts = []string{"wait.js"}
	if wrong != nil {
		page.fail(*wrong)
	}
	return p.kit.Render(w, r, status, "settings", page)
}

func (p *Portal) settingsPage(r *http.Request, v visit, f found) *settingsPage {
	page := &settingsPage{Page: p.kit.NewPage(r, "/settings"), Name: v.person.Name, LogoutToken: p.kit.Token(v.seal(purposeLeave))}
	page.Title = page.T("settings.title")
	page.State = p.visitMark(v) + "." + p.choicesMark(v.person.ID, f.choices) + "." + p.heldMark(v.person.ID, f)
	before := seenBefore(fields(r).Get("seen"))
	var marks []string
	for i, channel := range contact.Channels {
		c, known := f.choices[channel]
		mark := p.choiceMark(v.person.ID, channel, c)
		marks = append(marks, mark)
		s := section{Page: page.Page, Channel: channel, state: stateOf(c, known), choice: c, place: p.place,
			Token: p.kit.Token(v.seal("settings/" + string(channel)))}
		s.Changed = before[i] != "" && before[i] != mark && s.state != elsewhere && !s.bySupport()
		s.fill(f)
		page.Sections = append(page.Sections, s)
		page.await(s, p.Now())
	}
	page.Seen = strings.Join(marks, ".")
	if page.Pending {
		page.Next = nextLook(r, page.Next)
	}
	for i := range page.Sections {
		page.Sections[i].Seen = page.Seen
	}
	return page
}

// await has a page without JavaScript loaded again while something is on its way.
func (page *settingsPage) await(s section, now time.Time) {
	if s.state != saved {
		return
	}
	page.Pending, page.Next = true, string(s.Channel)
	if now.Sub(s.choice.DecidedAt) < soon {
		page.Refresh = refreshSoon
	} else if page.Refresh == 0 {
		page.Refresh = refreshLater
	}
}

// nextLook is the address under which a page is loaded again, at the section that waits. Every other time it differs by a
// parameter, for a browser does not load the address again that it shows.
func nextLook(r *http.Request, channel string) string {
	query := url.Values{"seen": {fields(r).Get("seen")}, "look": {"1"}}
	if r.URL.Query().Get("look") == "1" {
		query.Set("look", "2")
	}
	return "/settings?" + query.Encode() + "#" + channel
}

// fail puts a problem and what was typed into the page.
func (page *settingsPage) fail(wrong problem) {
	text := wrong.text(page)
	page.Failed, page.Refresh = true, 0
	page.Problem = &shownProblem{At: "main", Text: text}
	for i := range page.Sections {
		s := &page.Sections[i]
		if s.Channel != wrong.channel {
			continue
		}
		page.Problem.At = string(s.Channel) + "-" + wrong.at
		s.problem, s.problemAt, s.Kept = text, wrong.at, true
		if wrong.entered != nil {
			s.Entered = *wrong.entered
		}
	}
}

// fields are those of a form that was sent, else those of the address.
func fields(r *http.Request) url.Values {
	if r.PostForm != nil {
		return r.PostForm
	}
	return r.URL.Query()
}

// seenBefore reads the marks of the choices that a window showed before; empty where there is none.
func seenBefore(marks string) [len(contact.Channels)]string {
	var seen [len(contact.Channels)]string
	parts := strings.Split(marks, ".")
	if len(parts) == len(seen) {
		copy(seen[:], parts)
	}
	return seen
}

// visitMark tells one visit from another, and neither who it is nor the session.
func (p *Portal) visitMark(v visit) string { return p.mark(v.person.ID, "visit", string(v.session[:])) }

// choiceMark tells one choice from another, and nothing else.
func (p *Portal) choiceMark(person contact.PersonID, channel contact.Channel, c consentpg.Choice) string {
	newer := int64(0)
	if c.Elsewhere != nil {
		newer = c.Elsewhere.Revision
	}
	return p.mark(person, "choice", string(channel), c.EventID, fmt.Sprint(newer))
}

// choicesMark tells whether anything that was chosen, or heard of it, has changed.
func (p *Portal) choicesMark(person contact.PersonID, choices map[contact.Channel]consentpg.Choice) string {
	parts := []string{"choices"}
	for _, channel := range contact.Channels {
		c, known := choices[channel]
		parts = append(parts, p.choiceMark(person, channel, c), string(stateOf(c, known)))
		for _, o := range []*consentpg.Outcome{c.Outcome, c.Elsewhere} {
			if o != nil {
				parts = append(parts, string(o.Kind), string(o.Reason), fmt.Sprint(o.Effects), o.At.UTC().String())
			}
		}
	}
	return p.mark(person, parts...)
}

// heldMark tells whether what the register shows has changed.
func (p *Portal) heldMark(person contact.PersonID, f found) string {
	parts := []string{"held", fmt.Sprint(f.unreachable)}
	for _, channel := range contact.Channels {
		parts = append(parts, string(channel))
		for _, e := range f.held[channel] {
			parts = append(parts, e.Value.Reveal(), fmt.Sprint(e.Notify))
		}
	}
	return p.mark(person, parts...)
}

func (p *Portal) mark(person contact.PersonID, parts ...string) string {
	digest := p.kit.Digest(append([]string{"mark", person.Root(), person.RevealExtension()}, parts...)...)
	return base64.RawURLEncoding.EncodeToString(digest[:12])
}
