package support

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/sync/register"
)

// Corrections are the reasons for which support removes a detail. The portal has a text for each.
func Corrections() []string {
	return []string{"wrong_number", "not_theirs", "typo", "deceased", "other"}
}

// Removal asks to remove what a resident shared on one channel.
type Removal struct {
	Person  contact.PersonID
	Channel contact.Channel
	Reason  string // one of Corrections
	Ground  string // what made support do it, in own words, for the audit: 1 to 500 characters
	Actor   event.Actor
	Token   string // of the answer to the same removal without one; empty: only tell what would go
}

// Judge tells everything that is wrong with the form of a removal.
func (r Removal) Judge() error {
	var faults []error
	if r.Channel != contact.Mobile && r.Channel != contact.Email {
		faults = append(faults, errChannel)
	}
	if !slices.Contains(Corrections(), r.Reason) {
		faults = append(faults, errReason)
	}
	return errors.Join(append(faults, JudgeGround(r.Ground))...)
}

// Result is what came of a removal.
type Result string

// The results.
const (
	ToConfirm Result = "confirm"           // nothing was changed: the same removal with Token does it
	Removing  Result = "removing"          // the withdrawal is made durable and on its way
	Nothing   Result = "nothing_to_remove" // nothing of the resident's own is there, nothing was changed
	InHand    Result = "under_way"         // a withdrawal is under way already, nothing was changed
)

// RemovalAnswer tells what a removal takes away, or why it does nothing.
type RemovalAnswer struct {
	Result  Result
	Values  []contact.Value // what goes, whole or masked as in a Report
	Others  []register.Other
	State   State
	Token   string    // with ToConfirm
	Expires time.Time // of the token
	EventID string    // with Removing: the withdrawal's
}

// The refusals of a removal with a token. Nothing was changed; the same removal without a token gives a new one.
var (
	ErrTokenForeign = errors.New("the token is not for this person, channel, reason and ground")
	ErrTokenExpired = errors.New("the token has expired")
	ErrChanged      = errors.New("what would be removed has changed since the token was given")
)

// The removals that may go better later. Nothing was changed.
var (
	ErrRegisterAway = errors.New("the register cannot be asked just now, and nothing else tells of a detail to remove")
)

// Remove tells what would go; with the token of that answer it withdraws it as the actor support. A token is good for ten
// minutes, and for the very detail it was shown for.
func (d *Desk) Remove(ctx context.Context, r Removal) (RemovalAnswer, error) {
	if err := r.Judge(); err != nil {
		return RemovalAnswer{}, err
	}
	report, err := d.look(ctx, r.Person)
	var a RemovalAnswer
	if err == nil {
		a, err = d.judge(r, report)
	}
	if err == nil && a.Result == Removing {
		if a.EventID, err = d.withdraw(ctx, r, report); err == nil {
			return a, nil // audited with the decision
		}
	}
	act := consentpg.Act{Person: r.Person, Channel: r.Channel, Actor: r.Actor, Action: "support remove",
		Ground: r.Reason + ": " + r.Ground, Outcome: string(a.Result)}
	if err := d.audited(ctx, act, err); err != nil {
		return RemovalAnswer{}, err
	}
	return a, nil
}

// judge decides what may be done, and does nothing.
func (d *Desk) judge(r Removal, report Report) (RemovalAnswer, error) {
	t, err := d.readToken(r)
	if err != nil {
		return RemovalAnswer{}, err
	}
	c := report.channel(r.Channel)
	x := detailOf(c)
	a := RemovalAnswer{Values: x.values, Others: c.Others, State: c.State}
	if !report.Register.Whole() {
		a.Values, a.Others = maskAll(a.Values), maskOthers(a.Others)
	}
	switch {
	case c.beingWithdrawn():
		a.Result = InHand
	case len(x.values) == 0 && !report.Register.Answered:
		return a, ErrRegisterAway
	case len(x.values) == 0:
		a.Result = Nothing
	case r.Token == "":
		a.Result, a.Expires = ToConfirm, d.Now().Add(tokenLife).Truncate(time.Second)
		a.Token = d.newToken(r, x, a.Expires)
	case !t.shows(d.Secret, r, x):
		return a, ErrChanged
	default:
		a.Result = Removing
	}
	return a, nil
}

// withdraw makes the removal durable, with its audit entry. A token leads to one decision, however often it is used; and it is
// above what was looked at. A choice made here since then stops it. One made elsewhere that the worker has not read yet is overtaken, unless
// its revision is higher: the removal is the newer word.
func (d *Desk) withdraw(ctx context.Context, r Removal, report Report) (eventID string, err error) {
	seen := report.channel(r.Channel)
	upon := ""
	if seen.Here != nil {
		upon = seen.Here.EventID
	}
	c, err := d.Consent.Decide(ctx, consentpg.Wish{
		Above: detailOf(seen).revision, Upon: &upon,
		EventID: uuid.NewSHA1(uuid.NameSpaceOID, []byte(r.Token)).String(), Person: r.Person, Channel: r.Channel,
		Actor: r.Actor, Reason: event.ReasonCorrection, Correction: r.Reason, Ground: r.Ground,
	})
	if errors.Is(err, consentpg.ErrNewerChoice) {
		err = ErrChanged
	}
	return c.EventID, err
}

func (r Report) channel(wanted contact.Channel) Channel {
	return r.Channels[slices.IndexFunc(r.Channels, func(c Channel) bool { return c.Channel == wanted })]
}

// detail is what a removal takes away: everything of the resident's own that is wanted or in the register.
type detail struct {
	values   []contact.Value // sorted, each once
	revision int64           // of the newest share among them; 0: only the register tells of it
}

// detailOf also takes what is parked, waits for a guardian to be confirmed, or has not reached the worker.
func detailOf(c Channel) (x detail) {
	add := func(v contact.Value, revision int64) {
		x.values, x.revision = append(x.values, v), max(x.revision, revision)
	}
	for _, e := range c.Own {
		add(e.Value, 0)
	}
	if c.Share != nil && !c.Share.Value.IsZero() {
		add(c.Share.Value, c.Share.Revision)
	}
	for _, w := range c.Waiting {
		add(w.Value, w.Revision)
	}
	if c.State.Stage == Saved && c.Here.Share {
		add(c.Here.Value, c.Here.Revision)
	}
	slices.SortFunc(x.values, func(a, b contact.Value) int { return cmp.Compare(a.Reveal(), b.Reveal()) })
	x.values = slices.Compact(x.values)
	return x
}

// beingWithdrawn tells whether all there is goes already: another withdrawal would change nothing.
func (c Channel) beingWithdrawn() bool {
	if c.State.Stage == Saved {
		return !c.Here.Share
	}
	replaced := c.Share == nil || c.Share.Value.IsZero()
	return c.Due != nil && !c.Wanted.Share && replaced && len(c.Waiting) == 0
}

// outcomeOf says in an audit entry how an act ended that was not carried out.
func outcomeOf(err error) string {
	for _, refusal := range []error{ErrTokenForeign, ErrTokenExpired, ErrChanged, ErrRegisterAway} {
		if errors.Is(err, refusal) {
			return "refused: " + refusal.Error()
		}
	}
	return "failed"
}
