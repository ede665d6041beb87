package portal

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/web"
)

const (
	sessionLife  = 8 * time.Hour
	shownPersons = 60 // in the list: more would be no choice
	purposeLogin = "login"
	purposeLeave = "logout"
)

// visit is a request by somebody who is logged in.
type visit struct {
	session web.SessionID
	person  Person
}

// seal binds a form to the visit.
func (v visit) seal(purpose string) web.Seal {
	return web.Seal{Session: v.session, Subject: v.person.ID.Root() + "|" + v.person.ID.RevealExtension(), Purpose: purpose}
}

// visit tells who is logged in; false: nobody.
func (p *Portal) visit(r *http.Request) (visit, bool, error) {
	session, shown := p.kit.Session(r)
	if !shown {
		return visit{}, false, nil
	}
	id, err := p.Store.SessionPerson(r.Context(), session)
	if err != nil || id.IsZero() {
		return visit{}, false, err
	}
	for _, person := range p.Persons() {
		if person.ID == id {
			return visit{session, person}, true, nil
		}
	}
	return visit{}, false, nil // a test person that is no longer there
}

type choosePage struct {
	*web.Page
	Problem string
	Token   string
	Persons []listed
	More    int
}

// listed is a person in the list; the place in it is the number by which one chooses.
type listed struct{ Name, Label, Number string }

func (p *Portal) choosePerson(w http.ResponseWriter, r *http.Request) error {
	return p.showPersons(w, r, http.StatusOK, "")
}

// showPersons shows whom one may choose to be; problem is the key of a text, or empty.
func (p *Portal) showPersons(w http.ResponseWriter, r *http.Request, status int, problem string) error {
	session, known := p.kit.Session(r)
	if !known {
		session = p.kit.NewSession(w)
	}
	page := choosePage{Page: p.kit.NewPage(r, "/"), Token: p.kit.Token(web.Seal{Session: session, Purpose: purposeLogin})}
	page.Title = page.T("choose.title")
	if problem != "" {
		page.Problem, page.Failed = page.T(problem), true
	}
	persons := p.Persons()
	page.More = max(0, len(persons)-shownPersons)
	for _, person := range persons[:len(persons)-page.More] {
		page.Persons = append(page.Persons, listed{person.Name, describe(page.Texts, person.State), person.ID.RevealExtension()})
	}
	return p.kit.Render(w, r, status, "choose", page)
}

// describe says what a test person is there for; a state without a text is passed over.
func describe(texts web.Texts, state string) string {
	key := "person." + state
	if text := texts.T(key); text != key {
		return text
	}
	return ""
}

func (p *Portal) login(w http.ResponseWriter, r *http.Request) error {
	form, err := p.kit.Form(w, r)
	if err != nil {
		return err
	}
	old, known := p.kit.Session(r)
	if _, err := p.kit.Open(form.Get("form"), web.Seal{Session: old, Purpose: purposeLogin}); err != nil || !known {
		return p.showPersons(w, r, http.StatusForbidden, "choose.expired")
	}
	number, err := strconv.Atoi(form.Get("person"))
	persons := p.Persons()
	if err != nil || number < 0 || number >= len(persons) {
		return p.showPersons(w, r, http.StatusUnprocessableEntity, "choose.unknown")
	}
	return p.enter(w, r, old, persons[number].ID)
}

// enter begins a session under a new secret: one that was known before the login must not become somebody's.
func (p *Portal) enter(w http.ResponseWriter, r *http.Request, old web.SessionID, person contact.PersonID) error {
	fresh := p.kit.NewSession(w)
	if err := errors.Join(
		p.Store.CloseSession(r.Context(), old),
		p.Store.OpenSession(r.Context(), fresh, person, p.Now().Add(sessionLife)),
	); err != nil {
		return err
	}
	http.Redirect(w, r, "/settings", http.StatusSeeOther)
	return nil
}

func (p *Portal) logout(w http.ResponseWriter, r *http.Request) error {
	form, err := p.kit.Form(w, r)
	if err != nil {
		return err
	}
	v, known, err := p.visit(r)
	if err != nil {
		return err
	}
	if known {
		if _, err := p.kit.Open(form.Get("form"), v.seal(purposeLeave)); err != nil {
			return p.showSettingsWith(w, r, v, http.StatusForbidden, &problem{key: "problem.form"})
		}
		if err := p.Store.CloseSession(r.Context(), v.session); err != nil {
			return err
		}
	}
	p.kit.EndSession(w)
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}
