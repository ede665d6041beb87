package consentpg

import (
	"context"
	"time"
)

// ComeFast tells whether a decision waits for others.
func (s *Store) ComeFast(now time.Time) bool { return s.comeFast(now) }

// Together decides wishes in one transaction. The last error is of the transaction.
func (s *Store) Together(ctx context.Context, wishes ...Wish) (choices []Choice, errs []error, err error) {
	all := make([]*deciding, len(wishes))
	for i, w := range wishes {
		all[i] = &deciding{wish: w}
	}
	err = s.decide(ctx, all, ``)
	for _, d := range all {
		choices, errs = append(choices, d.choice), append(errs, d.err)
	}
	return choices, errs, err
}

// Retried decides a wish in two transactions, as if nobody knew how the first had ended, with something done between.
func (s *Store) Retried(ctx context.Context, w Wish, between func()) (Choice, error) {
	d := &deciding{wish: w}
	if err := s.decide(ctx, []*deciding{d}, ``); err != nil {
		return Choice{}, err
	}
	between()
	err := s.decideAlone(ctx, d)
	return d.choice, err
}

// Alone decides a wish in a transaction of its own, as one whose head was held.
func (s *Store) Alone(ctx context.Context, w Wish) error {
	return s.decideAlone(ctx, &deciding{wish: w})
}
