// Package portal is the resident's pages: what is shared on each channel, what the register shows, and the choice to share or
// withdraw.
//
// It decides nothing by itself: a choice goes to the Store, what became of it comes back from there, and what the register holds
// is asked of the Register. Everything works without JavaScript; the script only spares the reader the reloading.
// For now one chooses to be a test person; login by a provider comes later. Start with New.
package portal

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"time"
	_ "time/tzdata" // the pages show Swedish time also where the machine has no time zones

	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/web"
)

// Store keeps choices and sessions; it is a *consentpg.Store.
type Store interface {
	Decide(ctx context.Context, w consentpg.Wish) (consentpg.Choice, error)
	Choices(ctx context.Context, p contact.PersonID) (map[contact.Channel]consentpg.Choice, error)
	Sessions
}

// Sessions tells whose a session is. A session is known by the hash of its secret.
type Sessions interface {
	OpenSession(ctx context.Context, hash [32]byte, p contact.PersonID, until time.Time) error
	// SessionPerson returns the zero PersonID for a session that is unknown or over.
	SessionPerson(ctx context.Context, hash [32]byte) (contact.PersonID, error)
	CloseSession(ctx context.Context, hash [32]byte) error
}

// Register tells what the national register shows now.
type Register interface {
	// Held returns the resident's own entries, none for a person that the register does not know. The portal gives up after
	// a second and says that the register cannot be asked.
	Held(ctx context.Context, p contact.PersonID) (map[contact.Channel][]Entry, error)
}

// Entry is one of the resident's own entries in the register.
type Entry struct {
	Value  contact.Value
	Notify bool // the person is notified there (digitalNotification)
}

// Person is a test person whom one may choose to be.
type Person struct {
	Name  string
	State string // what the person is there for, such as "paper_opt_out"
	ID    contact.PersonID
}

// Config of a portal. All fields but Secure and Patience are required.
type Config struct {
	Store    Store
	Register Register
	Persons  func() []Person // in an order that does not change
	Key      []byte          // of form tokens and page states: at least 32 bytes, the same over restarts and instances
	Secure   bool            // the portal is reached by https: cookies travel over nothing else
	Patience time.Duration   // how long a page waits for news at a time; 0 is 20 s
	Now      func() time.Time
	Log      *slog.Logger
}

// Portal is the resident's site.
type Portal struct {
	Config
	kit      *web.Kit
	place    *time.Location // whose clock the pages show
	waits    waits
	draining chan struct{}
	drain    func() // once
}

//go:embed pages/*.html texts/*.json static/*
var siteFiles embed.FS

// New returns a portal.
func New(c Config) (*Portal, error) {
	if c.Store == nil || c.Register == nil || c.Persons == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("portal: Store, Register, Persons, Now and Log are required")
	}
	c.Patience = cmp.Or(c.Patience, defaultPatience)
	p := &Portal{Config: c, draining: make(chan struct{})}
	p.drain = sync.OnceFunc(func() { close(p.draining) })
	var err error
	if p.place, err = time.LoadLocation("Europe/Stockholm"); err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	pages, pagesFault := fs.Sub(siteFiles, "pages")
	texts, textsFault := fs.Sub(siteFiles, "texts")
	static, staticFault := fs.Sub(siteFiles, "static")
	if err := errors.Join(pagesFault, textsFault, staticFault); err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	p.kit, err = web.New(web.Config{Name: "contactsync_portal", Home: "/", Key: c.Key, Secure: c.Secure,
		Templates: pages, Texts: texts, Static: static, Now: c.Now, Log: c.Log})
	if err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	p.routes()
	return p, nil
}

func (p *Portal) routes() {
	p.kit.Handle("GET", "/{$}", p.choosePerson)
	p.kit.Handle("POST", "/login", p.login)
	p.kit.Handle("POST", "/logout", p.logout)
	p.kit.Handle("GET", "/settings", p.showSettings)
	p.kit.Handle("GET", "/settings/wait", p.waitForNews)
	for _, channel := range contact.Channels {
		p.kit.Handle("POST", "/settings/"+string(channel), func(w http.ResponseWriter, r *http.Request) error {
			return p.save(w, r, channel)
		})
	}
}

// Handler serves the site.
func (p *Portal) Handler() http.Handler { return p.kit.Handler() }

// Told says that there is news of a person: pages of that person that wait are told at once.
func (p *Portal) Told(person contact.PersonID) { p.waits.wake(person) }

// Drain ends all waits, now and later, so that a server that stops need not wait for them.
func (p *Portal) Drain() { p.drain() }
