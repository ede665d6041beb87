package reconcile

import (
	"context"
	"slices"
	"time"

	"contactsync/sync/push"
)

// looks bounds how often a person is looked at again that changes all the time.
const looks = 3

// margin is added to ReadLag before records are read again.
const margin = 100 * time.Millisecond

// lookAgain compares those anew of whom it was not sure that they differ. Who still changes at the last look is left to the push.
func (r *Reconciler) lookAgain(ctx context.Context) error {
	for look := range looks {
		first, err := r.cfg.Journal.Open(ctx, Again, 0, 1, 0)
		if err != nil || len(first) == 0 {
			return err
		}
		if err := pause(ctx, r.cfg.ReadLag+margin); err != nil {
			return err
		}
		err = r.open(ctx, Again, 0, func(cases []Case) error { return r.second(ctx, cases, look == looks-1) })
		if err != nil {
			return err
		}
	}
	return nil
}

// open goes through the cases of a status, a page of persons at a time.
func (r *Reconciler) open(ctx context.Context, status Status, lag time.Duration, do func([]Case) error) error {
	after := int64(0)
	for {
		cases, err := r.cfg.Journal.Open(ctx, status, after, push.MostProfiles, lag)
		if err != nil || len(cases) == 0 {
			return err
		}
		if err := do(cases); err != nil {
			return err
		}
		after = cases[len(cases)-1].Person
	}
}

// second looks at persons once more.
func (r *Reconciler) second(ctx context.Context, cases []Case, last bool) error {
	persons, a, err := r.readCases(ctx, cases)
	if err != nil {
		return err
	}
	v, err := r.judge(ctx, persons, a)
	if err != nil {
		return err
	}
	s := Step{Phase: r.run.Phase, Position: r.run.Position, Calls: a.calls, Changes: v.changes, Findings: v.findings}
	for _, c := range cases {
		s.Over = append(s.Over, c.Person)
	}
	if last {
		s.Findings = slices.DeleteFunc(v.findings, func(f Finding) bool { return f.Status == Again })
		s.Unsettled = int64(len(v.findings) - len(s.Findings))
	}
	return r.record(ctx, s)
}

func (r *Reconciler) readCases(ctx context.Context, cases []Case) ([]Person, answers, error) {
	var ids []int64
	for _, c := range cases {
		if !slices.Contains(ids, c.Kept) {
			ids = append(ids, c.Kept)
		}
	}
	persons, err := r.cfg.Store.Persons(ctx, ids)
	if err != nil {
		return nil, answers{}, err
	}
	a, err := r.read(ctx, persons)
	return persons, a, err
}

// pollProof is how often to look whose push has ended.
const pollProof = 500 * time.Millisecond

// prove looks at those that were made due, each when its push has ended, until Wait is over.
func (r *Reconciler) prove(ctx context.Context) error {
	for deadline := time.Now().Add(r.cfg.Wait); ; {
		err := r.open(ctx, Healing, r.cfg.ReadLag+margin, func(cases []Case) error { return r.proveSome(ctx, cases) })
		if err != nil {
			return err
		}
		waiting, err := r.cfg.Journal.Waiting(ctx)
		if err != nil || waiting == 0 || time.Now().After(deadline) {
			return err
		}
		if err := pause(ctx, pollProof); err != nil {
			return err
		}
	}
}

func (r *Reconciler) proveSome(ctx context.Context, cases []Case) error {
	persons, a, err := r.readCases(ctx, cases)
	if err != nil {
		return err
	}
	found, _, err := r.differences(ctx, persons, a)
	if err != nil {
		return err
	}
	s := Step{Phase: r.run.Phase, Position: r.run.Position, Calls: a.calls}
	for _, c := range cases {
		i := slices.IndexFunc(persons, func(p Person) bool { return p.ID == c.Kept })
		if i < 0 {
			continue
		}
		if status := ended(c, persons[i], found); status != Healing {
			s.Findings = append(s.Findings, Finding{Person: c.Person, Channel: c.Channel, Kind: c.Kind, Mark: c.Mark, Status: status})
		}
	}
	r.proved += int64(len(s.Findings))
	return r.record(ctx, s)
}

// ended says what became of a case whose push has ended: Healing if that is not to be told yet.
func ended(c Case, p Person, found []Finding) Status {
	for _, f := range found {
		switch {
		case f.Person != c.Kept || f.Channel != c.Channel && f.Kind != ReadFailed:
		case f.Kind == ReadFailed || f.Status == Again:
			return Healing
		case f.Parked:
			return Refused
		default:
			return Persists
		}
	}
	state := p.States[c.Channel]
	switch {
	case c.Channel != "" && state.Due():
		return Healing // a newer decision, or it is tried again
	case c.Channel != "" && state.Blocked != "" && state.Want().Mark() != c.Mark:
		return Refused
	default:
		return Healed
	}
}
