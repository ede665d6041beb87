// Package portal is the resident's pages: what is shared on each channel, what the register shows, and the choice to share or
// withdraw.
//
// It decides nothing by itself: a choice goes to the Store, what became of it comes back from there, and what the register holds
// is asked of the Register. Everything works without JavaScript; the script only spares the reader the reloading.
// For now one chooses to be a test person; login by a provider comes later. Start with New.
package portal

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
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
}

// New returns a portal.
func New(c Config) (*Portal, error) {
	if c.Store == nil || c.Register == nil || c.Persons == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("portal: Store, Register, Persons, Now and Log are required")
	}
	return &Portal{Config: c}, nil
}

// Handler serves the site.
func (p *Portal) Handler() http.Handler { return http.NotFoundHandler() }

// Told says that there is news of a person: pages of that person that wait are told at once.
func (p *Portal) Told(contact.PersonID) {}

// Drain ends all waits, so that a server that stops need not wait for them.
func (p *Portal) Drain() {}
