package support

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/google/uuid"

	"contactsync/consent/consentpg"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/syncpg"
)

// ParkedList is what is parked: all of it by reason, and the newest ones.
type ParkedList struct {
	Groups    []syncpg.ParkedGroup
	Decisions []syncpg.ParkedDecision
}

// Parked lists what is parked, the newest first; an empty reason asks for all. It is not audited: a list shows persons by
// Pseudonym, and never who they are.
func (d *Desk) Parked(ctx context.Context, why reason.Code, limit int) (ParkedList, error) {
	groups, err := d.Sync.ParkedGroups(ctx)
	if err != nil {
		return ParkedList{}, err
	}
	decisions, err := d.Sync.Parked(ctx, why, limit)
	return ParkedList{groups, decisions}, err
}

// Pseudonym stands for the person of a parked decision; empty: the person could not be told.
func (d *Desk) Pseudonym(p syncpg.ParkedDecision) string {
	return pseudonym(d.Pepper, p)
}

func pseudonym(pepper []byte, p syncpg.ParkedDecision) string {
	if p.Person.IsZero() {
		return ""
	}
	return event.Key(pepper, p.Person)
}

// EventRef names the event of a parked decision: by its id if that is a UUID, else by a code. A sender may write anything
// into an id, an identity number too.
func (d *Desk) EventRef(p syncpg.ParkedDecision) string { return eventRef(d.Pepper, p) }

func eventRef(pepper []byte, p syncpg.ParkedDecision) string {
	if len(p.EventID) == len(uuid.Nil.String()) && uuid.Validate(p.EventID) == nil {
		return p.EventID
	}
	mac := hmac.New(sha256.New, pepper)
	mac.Write([]byte("event|" + p.EventID))
	return "id-" + hex.EncodeToString(mac.Sum(nil)[:16])
}

// maxSearched bounds how many parked decisions of each kind a reference is looked for among, the newest first.
const maxSearched = 100_000

// ErrNoneParked says that nothing is parked under a reference, or for a reason (any more). Nothing is wrong: it may have been released.
var ErrNoneParked = errors.New("nothing is parked under that pseudonym or event, or for that reason")

// ShowParked tells what is parked under a pseudonym or an EventRef, and of whom. The ground goes into the audit.
func (d *Desk) ShowParked(ctx context.Context, ref, ground string, actor event.Actor) ([]syncpg.ParkedDecision, error) {
	if err := JudgeGround(ground); err != nil {
		return nil, err
	}
	found, err := d.parkedUnder(ctx, ref)
	act := consentpg.Act{Actor: actor, Action: "parked show", Ground: ground, Outcome: "nothing found"}
	if len(found) == 0 {
		if err := d.audited(ctx, act, err); err != nil {
			return nil, err
		}
		return nil, ErrNoneParked
	}
	for _, p := range found {
		act.Person, act.Channel, act.EventID, act.Outcome = p.Person, p.Channel, p.EventID, "shown: "+string(p.Reason)
		if err := d.audited(ctx, act, nil); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// parkedUnder compares with what is parked now: a pseudonym is stored nowhere, and cannot be computed back.
func (d *Desk) parkedUnder(ctx context.Context, ref string) (found []syncpg.ParkedDecision, err error) {
	all, err := d.Sync.Parked(ctx, "", maxSearched)
	for _, p := range all {
		if isUnder(d.Pepper, ref, p) {
			found = append(found, p)
		}
	}
	return found, err
}

func isUnder(pepper []byte, ref string, p syncpg.ParkedDecision) bool {
	return ref != "" && (pseudonym(pepper, p) == ref || eventRef(pepper, p) == ref)
}
