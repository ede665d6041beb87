package support

import (
	"context"
	"errors"

	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/syncpg"
)

// Parking is where an operator lets parked decisions be tried at once, or gives shares up. It needs a worker's rights: the desk changes nothing
// of what the worker keeps.
type Parking struct {
	Sync *syncpg.Store
	// Pepper of the pseudonyms.
	Pepper []byte
}

// Order is what is to be done, and to which of the parked decisions: those under a pseudonym or event, or else all of a reason.
type Order struct {
	Drop   bool
	Ref    string
	Reason reason.Code
	Actor  event.Actor
	Ground string
	DryRun bool // only tell what would be done
}

// Handled is what came of an order.
type Handled struct {
	Done        int64
	Withdrawals int64 // that were not dropped, since nobody can
}

// What an operator may have got wrong.
var (
	ErrWithdrawal = errors.New("that is a No, and a No is never dropped: it is tried again until the register takes it")
	ErrForGood    = errors.New("that is refused for good: the e-service has to send a new decision")
)

// parkedPage is how many places one transaction handles.
const parkedPage = 500

// Do carries an order out, a page at a time. What was done before an error, or before it was interrupted, stays done and is told of: the same
// order goes on with the rest. Where there was nothing to do the error is ErrWithdrawal, ErrForGood or ErrNoneParked.
func (p Parking) Do(ctx context.Context, o Order, told func(Handled)) (h Handled, err error) {
	if o.Ref == "" && o.Reason == "" {
		return h, errors.New("an order names decisions, or their reason")
	}
	if err := JudgeGround(o.Ground); err != nil && !o.DryRun {
		return h, err
	}
	var after syncpg.ParkedPlace
	for {
		page, last, err := p.Sync.ParkedAfter(ctx, o.Reason, after, parkedPage)
		if err != nil {
			return h, err
		}
		if last == after {
			break
		}
		if err := p.page(ctx, o, page, &h); err != nil {
			return h, err
		}
		after = last
		told(h)
	}
	if h.Done == 0 {
		return h, p.whyNothing(ctx, o, h)
	}
	return h, nil
}

func (p Parking) page(ctx context.Context, o Order, page []syncpg.ParkedDecision, h *Handled) error {
	var chosen []syncpg.ParkedDecision
	for _, d := range page {
		switch {
		case o.Ref != "" && !isUnder(p.Pepper, o.Ref, d):
		case o.Drop && d.Withdrawal:
			h.Withdrawals++
		default:
			chosen = append(chosen, d)
		}
	}
	if o.DryRun || len(chosen) == 0 {
		h.Done += int64(len(chosen))
		return nil
	}
	done, err := p.Sync.Handle(ctx, chosen, syncpg.Handling{Drop: o.Drop, Actor: o.Actor, Ground: o.Ground})
	h.Done += int64(len(done))
	return err
}

// whyNothing tells why nothing was done under a reference, or of a reason: whoever mends things by a script must not take it for done.
func (p Parking) whyNothing(ctx context.Context, o Order, h Handled) error {
	if h.Withdrawals > 0 {
		return ErrWithdrawal
	}
	all, err := p.Sync.Parked(ctx, o.Reason, maxSearched)
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.Refused && (o.Ref == "" || isUnder(p.Pepper, o.Ref, d)) {
			return ErrForGood
		}
	}
	return ErrNoneParked
}
