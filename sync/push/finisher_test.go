package push_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"contactsync/sync/plan"
	"contactsync/sync/push"

	"contactsync/consent/contact"
)

// slow is a store whose transactions take a second, and which cannot record what came of one person.
type slow struct {
	mu       sync.Mutex
	left     []int64
	poison   int64
	groups   []int
	recorded []int64
}

func (s *slow) Claim(_ context.Context, limit int, urgent, _ bool) (out []push.Claim, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for urgent && len(out) < limit && len(s.left) > 0 {
		out = append(out, push.Claim{ID: s.left[0], Expires: time.Now().Add(time.Hour), Targets: []plan.Target{target(contact.Mobile, plan.Withdrawn)}})
		s.left = s.left[1:]
	}
	return out, nil
}

func (*slow) Hasten(context.Context) error { return nil }

func (s *slow) Finish(_ context.Context, ended []push.Ended) ([]push.Claim, error) {
	<-time.After(time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups = append(s.groups, len(ended))
	if slices.ContainsFunc(ended, func(e push.Ended) bool { return e.Claim.ID == s.poison }) {
		return nil, errors.New("cannot be written")
	}
	for _, e := range ended {
		s.recorded = append(s.recorded, e.Claim.ID)
	}
	return nil, nil
}

func TestResultsAreRecordedTogether(t *testing.T) {
	t.Parallel()
	for about, tt := range map[string]struct {
		poison           int64
		recorded, groups int // groups at most
	}{
		"all can be": {-1, 16, 4},
		"one cannot": {7, 15, 20},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &slow{poison: tt.poison}
				for id := range int64(16) {
					store.left = append(store.left, id)
				}
				p, err := push.New(push.Config{Store: store, Register: &scripted{}, Log: slog.New(slog.DiscardHandler),
					SharesAllowed: func() bool { return true }, Concurrency: 16, CallTimeout: time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				p.Round(t.Context())
				if len(store.recorded) != tt.recorded || slices.Contains(store.recorded, tt.poison) || len(store.groups) > tt.groups {
					t.Errorf("recorded %v in groups of %v", store.recorded, store.groups)
				}
			})
		})
	}
}

func (*slow) Waiting(context.Context, int) ([]contact.PersonID, error) { return nil, nil }

func (*slow) UnderWay(context.Context, int) (int, error) { return 0, nil }
