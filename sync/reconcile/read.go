package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"contactsync/consent/contact"
	"contactsync/sync/push"
	"contactsync/sync/register"
)

// read asks the register about all numbers of the persons: one call, unless one person has very many or the register refuses it.
func (r *Reconciler) read(ctx context.Context, persons []Person) (answers, error) {
	q := &questions{Reconciler: r, answers: answers{listed: map[contact.PersonID]register.Listed{}, refused: map[contact.PersonID]bool{}, began: time.Now()}}
	var numbers []contact.PersonID
	for _, p := range persons {
		for _, n := range p.Numbers {
			numbers = append(numbers, n.Person)
		}
	}
	for some := range slices.Chunk(numbers, push.MostProfiles) {
		if err := q.ask(ctx, some); err != nil {
			return q.answers, err
		}
	}
	return q.answers, nil
}

// questions are the calls about one page.
type questions struct {
	*Reconciler
	answers answers
}

// mostRefused bounds how many calls are spent on finding out whom the register will not have.
const mostRefused = 10

// ask asks about all at once. If the register will not have one of them, halves are asked about: one person must not keep the others
// from being compared.
func (q *questions) ask(ctx context.Context, numbers []contact.PersonID) error {
	listed, err := q.patiently(ctx, numbers)
	e, _ := errors.AsType[*push.Error](err)
	switch {
	case err == nil:
		maps.Copy(q.answers.listed, listed)
		return nil
	case e == nil || e.Class != push.Refused || !e.Unnamed:
		return err
	case len(numbers) > 1 && len(q.answers.refused) < mostRefused:
		half := len(numbers) / 2
		return errors.Join(q.ask(ctx, numbers[:half]), q.ask(ctx, numbers[half:]))
	}
	for _, n := range numbers {
		q.answers.refused[n] = true
	}
	return nil
}

const (
	firstPause = 200 * time.Millisecond
	mostPause  = 10 * time.Second
)

// patiently makes one call, and makes it again while the register is away or busy.
func (q *questions) patiently(ctx context.Context, numbers []contact.PersonID) (map[contact.PersonID]register.Listed, error) {
	began := time.Now()
	for attempt := 0; ; attempt++ {
		listed, err := q.once(ctx, numbers)
		e, known := errors.AsType[*push.Error](err)
		switch {
		case err == nil, ctx.Err() != nil, !known, e.Class == push.Refused:
			return listed, err
		case time.Since(began) >= q.cfg.Patience:
			return nil, fmt.Errorf("%w: %w", ErrAway, err)
		}
		wait := min(mostPause, firstPause<<min(attempt, 10))
		wait = max(wait/2+rand.N(wait/2), min(e.RetryAfter, q.cfg.Patience))
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// once makes a call. How long it waits for its turn is not part of its timeout.
func (q *questions) once(ctx context.Context, numbers []contact.PersonID) (map[contact.PersonID]register.Listed, error) {
	over, err := q.cfg.Limiter.Take(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, q.cfg.CallTimeout)
	defer cancel()
	q.answers.calls++
	listed, err := q.cfg.Register.List(ctx, numbers)
	if err == nil || ctx.Err() == nil { // else the request may still be on its way
		over()
	}
	return listed, err
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
