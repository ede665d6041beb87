// Package support holds the use cases of the support desk: find a person and explain every state, remove a wrong detail, and
// tell who is behind a parked decision.
//
// Each one is audited, whatever comes of it: what cannot be audited is not answered and not done. A removal is a withdrawal by
// the actor support that travels like any other, so that no replay can bring the detail back. Nobody is shown a whole value
// unless the register says that the person is not protected. Start with Desk.Find.
package support

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/sync/register"
	"contactsync/sync/syncpg"
)

// Register tells what the register holds about a person; nil for one it does not know.
type Register interface {
	Hold(ctx context.Context, p contact.PersonID) (*register.Holding, error)
}

// Config of a desk; all fields are required.
type Config struct {
	Consent  *consentpg.Store // where decisions and the audit are made durable
	Sync     *syncpg.Store    // what the worker knows
	Register Register         // must be allowed to read protected persons
	// Secret keys the confirmation tokens. Whoever knows it can remove without having looked first.
	Secret []byte
	// Pepper of the pseudonyms, the same as of the events' Kafka keys.
	Pepper []byte
	Now    func() time.Time
}

// Desk is the support desk.
type Desk struct{ Config }

// New returns a desk.
func New(c Config) (*Desk, error) {
	if c.Consent == nil || c.Sync == nil || c.Register == nil || len(c.Secret) == 0 || len(c.Pepper) == 0 || c.Now == nil {
		return nil, errors.New("support: Consent, Sync, Register, Secret, Pepper and Now are required")
	}
	return &Desk{c}, nil
}

// What a person at the desk may have got wrong. The texts are for them.
var (
	errStaff   = errors.New("the HSA-id of staff is written as SE2321000016-1A2B")
	errChannel = errors.New("the channel is mobile or email")
	errReason  = errors.New("the reason is one of " + strings.Join(Corrections(), ", "))
	errGround  = errors.New("the ground is 1 to 500 characters that can be seen")
)

// hsaID is the form that event demands of an actor: SE, an organisation number of ten or twelve digits, a unit.
var hsaID = regexp.MustCompile(`^SE([0-9]{10}|[0-9]{12})-[0-9A-Z]+$`)

const maxHSAID = 31

// Staff is the actor with an HSA-id: somebody who works at the desk.
func Staff(id string) (event.Actor, error) {
	id = strings.ToUpper(id)
	if len(id) > maxHSAID || !hsaID.MatchString(id) {
		return event.Actor{}, errStaff
	}
	return event.Actor{Role: event.RoleSupport, HSAID: id}, nil
}

const maxGround = 500

// JudgeGround takes a text for the audit: what an entry can hold and a reader can see.
func JudgeGround(text string) error {
	unseen := func(r rune) bool { return !unicode.IsGraphic(r) }
	if strings.TrimSpace(text) == "" || !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxGround || strings.ContainsFunc(text, unseen) {
		return errGround
	}
	return nil
}

// audited records an act whatever came of it. Its error joins the act's own: what cannot be audited is not answered.
func (d *Desk) audited(ctx context.Context, a consentpg.Act, err error) error {
	if err != nil {
		a.Outcome = outcomeOf(err)
	}
	// An act that was given up half way has happened all the same.
	return errors.Join(err, d.Consent.Audit(context.WithoutCancel(ctx), a))
}
