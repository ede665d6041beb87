package reconcile

import (
	"context"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"contactsync/sync/push"
)

// asked is a page on its way: done is closed when the register has answered, or will not.
type asked struct {
	page    Page
	answers answers
	err     error
	done    chan struct{}
}

// pass compares all persons of the phase that are left. Many calls are under way at once, and what came of them is recorded in order.
func (r *Reconciler) pass(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	pages := make(chan *asked, r.cfg.InFlight)
	group.Go(func() error {
		defer close(pages)
		return r.ask(ctx, group, pages)
	})
	group.Go(func() error {
		for a := range pages {
			<-a.done
			if a.err != nil {
				return a.err
			}
			if err := r.conclude(ctx, a); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

// ask reads pages and has the register asked about each.
func (r *Reconciler) ask(ctx context.Context, group *errgroup.Group, pages chan<- *asked) error {
	phase, after, last := r.run.Phase, r.run.Position, r.run.Last
	for {
		page, err := r.cfg.Store.Page(ctx, phase, after, last, push.MostProfiles)
		if err != nil {
			return err
		}
		a := &asked{page: page, done: make(chan struct{})}
		select {
		case pages <- a:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		group.Go(func() error {
			defer close(a.done)
			a.answers, a.err = r.read(ctx, page.Persons)
			return nil // whoever takes the page returns it
		})
		if page.End {
			return nil
		}
		after = page.Through
	}
}

// conclude records what a page came to.
func (r *Reconciler) conclude(ctx context.Context, a *asked) error {
	v, err := r.judge(ctx, a.page.Persons, a.answers)
	if err != nil {
		return err
	}
	return r.record(ctx, Step{Phase: r.run.Phase, Position: a.page.Through, Persons: int64(len(a.page.Persons)), Calls: a.answers.calls,
		Unsettled: v.unsettled, Changes: v.changes, Findings: v.findings})
}

// verdict is what comparing some persons came to.
type verdict struct {
	findings  []Finding
	unsettled int64
	changes   int64 // those of the findings that are to be healed and count
}

// judge compares and says what is to become of each difference.
func (r *Reconciler) judge(ctx context.Context, persons []Person, a answers) (v verdict, err error) {
	v.findings, v.unsettled, err = r.differences(ctx, persons, a)
	for i := range v.findings {
		if f := &v.findings[i]; f.Status == Reported {
			f.Status = r.remedy(*f, &v.changes)
		}
	}
	return v, err
}

// differences compares. What does not stand is of status Again, all else of status Reported.
func (r *Reconciler) differences(ctx context.Context, persons []Person, a answers) (found []Finding, unsettled int64, err error) {
	suspects := map[int64]Person{}
	for _, p := range persons {
		of, waiting := compare(p, a)
		unsettled += waiting
		if len(of) > 0 {
			found, suspects[p.ID] = append(found, of...), p
		}
	}
	if len(found) == 0 {
		return nil, unsettled, nil
	}
	now, err := r.cfg.Store.Persons(ctx, slices.Collect(maps.Keys(suspects)))
	if err != nil {
		return nil, 0, err
	}
	took, sure := time.Since(a.began), map[int64]bool{}
	for _, p := range now {
		sure[p.ID] = suspects[p.ID].stands(p, took, r.cfg.ReadLag)
	}
	for i := range found {
		found[i].Status = Again
		if sure[found[i].Person] {
			found[i].Status = Reported
		}
	}
	return found, unsettled, nil
}

// remedy says what is to become of a difference, and counts those of the changes that the safety stop bounds.
func (r *Reconciler) remedy(f Finding, changes *int64) Status {
	switch {
	case f.Parked:
		return Refused
	case !r.run.Fix || f.Kind == ReadFailed:
		return Reported
	case f.No:
		return Healing
	case !f.Own && f.Kind != NumberUnknown && !r.run.RestoreShares:
		return Foreign
	case r.run.Changes+*changes >= r.cfg.MaxChanges:
		return Held
	}
	*changes++
	return Healing
}
