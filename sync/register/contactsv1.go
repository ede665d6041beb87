package register

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"contactsync/consent/reason"
	"contactsync/contracts/contactsv1"
	"contactsync/contracts/problem"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

// ContactsV1Config is what the adapter needs. All fields are required.
type ContactsV1Config struct {
	// Client may repeat a call: the register carries out each once, by its Idempotency-Key.
	Client *contactsv1.Client
	// Observe is called after each call with operation "change", an outcome and whose fault it was.
	Observe func(operation, outcome, blame string, took time.Duration)
}

// ContactsV1 is our REST contract, major 1.
type ContactsV1 struct{ ContactsV1Config }

var _ push.Changes = (*ContactsV1)(nil)

// NewContactsV1 returns the adapter.
func NewContactsV1(c ContactsV1Config) (*ContactsV1, error) {
	if c.Client == nil || c.Observe == nil {
		return nil, errors.New("contactsv1 adapter: Client and Observe are required")
	}
	return &ContactsV1{c}, nil
}

// Change implements push.Changes.
func (r *ContactsV1) Change(ctx context.Context, wanted []push.Wanted) ([]push.Changed, error) {
	changes := make([]contactsv1.Change, len(wanted))
	for i, w := range wanted {
		changes[i] = changeOf(w)
	}
	began := time.Now()
	ctx, loose := countingLoose(ctx)
	outcomes, err := r.Client.Change(ctx, uuid.NewString(), changes)
	err = classifyProblem(err)
	if e, ok := errors.AsType[*push.Error](err); ok && e.Class == push.Retry && *loose > 0 {
		e.Class = push.Unknown
	}
	observed(r.Observe, "change", err, began)
	if err != nil {
		return nil, err
	}
	changed := make([]push.Changed, len(outcomes))
	for i, o := range outcomes {
		changed[i] = changedOf(o)
	}
	return changed, nil
}

func changeOf(w push.Wanted) contactsv1.Change {
	want := w.Target.Want
	c := contactsv1.Change{Person: contactsv1.Person{Root: w.Person.Root(), Extension: w.Person.RevealExtension()},
		Channel: contactsv1.Channel(w.Target.Channel), Decision: contactsv1.Withdraw, Revision: want.Revision}
	if want.Kind == plan.Shared {
		c.Decision, c.Value, c.Notify, c.EventID = contactsv1.Share, want.Share.Value.Reveal(), want.Share.Notify, eventIDOf(want.EventID)
	}
	return c
}

// eventIDOf is an event id in the contract's form: an e-service's own may be anything of up to 255 bytes. The same id gives the same.
func eventIDOf(id string) string { return uuid.NewSHA1(uuid.NameSpaceOID, []byte(id)).String() }

func changedOf(o contactsv1.Outcome) push.Changed {
	c := push.Changed{Version: o.Version}
	switch o.Outcome {
	case contactsv1.Applied:
		c.Applied = true
	case contactsv1.Refused:
		c.Refused = refusedAs(o.Code)
	}
	for _, e := range o.Effects {
		if e == contactsv1.EffectPaperOptOutEnded {
			c.Effects = append(c.Effects, reason.PaperOptOutEnded)
		}
	}
	return c
}

func refusedAs(code string) reason.Code {
	switch code {
	case contactsv1.CodePersonUnknown:
		return reason.PersonUnknown
	case contactsv1.CodePersonDeceased:
		return reason.PersonDeceased
	case contactsv1.CodeProtectedPerson:
		return reason.ProtectedNoAuthority
	}
	return reason.RegisterRefused
}

// classifyProblem: what the contract answers with below 500, but for "in work" and "too many", has changed nothing.
func classifyProblem(err error) error {
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok {
		return classify(err, true)
	}
	e := &push.Error{Class: push.Refused, Reason: reason.RegisterRefused, RetryAfter: p.RetryAfter, Err: p,
		Busy: p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable}
	switch {
	case p.Status == http.StatusTooManyRequests:
		e.Class = push.Retry
	case p.Status >= http.StatusInternalServerError, p.Code == contactsv1.CodeInWork, p.Code == contactsv1.CodeTimeout:
		e.Class = push.Unknown
	}
	return e
}
