package push

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"contactsync/consent/contact"
)

// Records reads many records in one call, so that a backlog costs a write a person and little more.
type Records interface {
	// Records reads up to MostProfiles records. One that is not to be had so is missing; it is read by itself then.
	Records(ctx context.Context, ids []contact.PersonID) (map[contact.PersonID]Reading, error)
}

const (
	// worthIt is how many must wait for their records to be read together.
	worthIt = 20
	// firstAhead is how many records the first call reads. Each one after it reads twice as many, up to MostProfiles: of a worker that has just
	// begun nobody is worked on meanwhile.
	firstAhead = 64
	// together is how many must have been claimed at once for that: one call takes less than two.
	together = 2
	// keptFor is how long a record is good for that was read ahead. An older one would only be refused more often.
	keptFor = 2 * time.Minute
	// aheadPause is how long records are read one by one after they could not be read together, fewPause after there were too few.
	aheadPause = 15 * time.Second
	fewPause   = 250 * time.Millisecond
)

// ahead holds the records of those whose turn comes next, read before their claims. What fences a write is the version in it: if
// anybody has written since, it is refused, and the record is read again under the claim. So such a record may be written on, but
// never proves that there is nothing to write.
type ahead struct {
	mu      sync.Mutex
	records map[contact.PersonID]early
	reading bool      // more are on their way
	behind  bool      // the last claims found more than there were places for
	size    int       // how many are read by the next call; 0: firstAhead
	few     time.Time // until then too few wait
	failed  time.Time // until then records are read one by one
}

// early is a record and when it was begun to be read, by the register's clock and by ours.
type early struct {
	Reading
	began, at time.Time
}

// take gives away the record that was read ahead, if there is one.
func (a *ahead) take(p contact.PersonID, now time.Time) (early, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e, ok := a.records[p]
	delete(a.records, p)
	return e, ok && now.Sub(e.at) < keptFor
}

// forget drops the records of persons who have not been claimed after all.
func (a *ahead) forget(persons []contact.PersonID, claims []Claim) {
	claimed := map[contact.PersonID]bool{}
	for _, c := range claims {
		claimed[c.Person] = true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range persons {
		if !claimed[p] {
			delete(a.records, p)
		}
	}
}

// begin tells whether it is time to read ahead, and that nobody else does.
func (a *ahead) begin(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.reading || !a.behind || len(a.records) >= MostProfiles || now.Before(a.few) || now.Before(a.failed) {
		return false
	}
	a.reading = true
	return true
}

// room is how many of n persons may be claimed now: while records are on their way, only as many as there are records for. Who is claimed
// beyond that would be read alone.
func (a *ahead) room(n int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.reading {
		return min(n, len(a.records))
	}
	return n
}

// most is how many records are to be read by one call.
func (a *ahead) most() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return cmp.Or(a.size, firstAhead)
}

func (a *ahead) isBehind() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.behind
}

func (a *ahead) noteBehind(behind bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.behind = behind
}

// missing are those of the persons whose records are not here.
func (a *ahead) missing(persons []contact.PersonID) []contact.PersonID {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []contact.PersonID
	for _, p := range persons {
		if _, there := a.records[p]; !there {
			out = append(out, p)
		}
	}
	return out
}

// paused tells whether records are to be read one by one, as they could not be read together.
func (a *ahead) paused(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return now.Before(a.failed)
}

// end is add for those who wait.
func (a *ahead) end(got map[contact.PersonID]Reading, began, now time.Time, err error) {
	a.mu.Lock()
	a.reading = false
	switch {
	case errors.Is(err, errFew):
		a.few = now.Add(fewPause)
	case err == nil:
		a.size = min(2*cmp.Or(a.size, firstAhead), MostProfiles)
	}
	a.mu.Unlock()
	a.add(got, began, now, !errors.Is(err, errFew) && (err != nil || len(got) == 0))
}

// add takes in what was read, or that it failed. Records of persons whom somebody else has pushed go when they are too old.
func (a *ahead) add(got map[contact.PersonID]Reading, began, now time.Time, failed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if failed {
		a.failed = now.Add(aheadPause)
	}
	if a.records == nil {
		a.records = map[contact.PersonID]early{}
	}
	for p, e := range a.records {
		if now.Sub(e.at) >= keptFor {
			delete(a.records, p)
		}
	}
	for p, r := range got {
		a.records[p] = early{r, began, now}
	}
}

var errFew = errors.New("too few wait for a call of their own")

// readAhead reads the records of those who wait, beside the work on others.
func (p *Pusher) readAhead(ctx context.Context) {
	if p.cfg.Records == nil || !p.ahead.begin(p.now()) {
		return
	}
	p.working.Go(func() {
		began := p.cfg.RegisterNow()
		got, err := p.recordsOf(ctx)
		if err != nil && !errors.Is(err, errFew) && ctx.Err() == nil {
			p.troubles.Warn("ahead", "records cannot be read together", err)
		}
		p.ahead.end(got, began, p.now(), err)
		p.Wake()
	})
}

func (p *Pusher) recordsOf(ctx context.Context) (map[contact.PersonID]Reading, error) {
	ctx, cancel := context.WithTimeout(ranked(ctx, rankQuestion), p.cfg.CallTimeout)
	defer cancel()
	waiting, err := p.cfg.Store.Waiting(ctx, 2*MostProfiles) // some have been read
	if err != nil {
		return nil, err
	}
	waiting = p.ahead.missing(waiting)
	if len(waiting) < worthIt {
		return nil, errFew
	}
	return p.cfg.Records.Records(ctx, waiting[:min(len(waiting), p.ahead.most())])
}

// readClaimed has the records read of those whose are not here. What it returns is closed in the end; nil: each is read by itself.
func (p *Pusher) readClaimed(ctx context.Context, claims []Claim) <-chan struct{} {
	if len(claims) < together {
		return nil
	}
	var persons []contact.PersonID
	for _, c := range claims {
		if len(c.Targets) > 0 && len(c.Linked) == 0 {
			persons = append(persons, c.Person)
		}
	}
	if persons = p.ahead.missing(persons); len(persons) < together {
		return nil
	}
	return p.foresee(ctx, persons)
}

// foresee has records read that will soon be written on.
func (p *Pusher) foresee(ctx context.Context, persons []contact.PersonID) <-chan struct{} {
	if p.cfg.Records == nil {
		return nil
	}
	read := make(chan struct{})
	p.working.Go(func() {
		defer close(read)
		p.readEarly(ctx, persons[:min(len(persons), MostProfiles)])
	})
	return read
}

// readEarly reads the records of persons who are claimed, or about to be: of one by itself, of more in one call. It has half the time of a call: they
// may have to be read one by one after it, under the same lease.
func (p *Pusher) readEarly(ctx context.Context, persons []contact.PersonID) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.CallTimeout/2)
	defer cancel()
	began := p.cfg.RegisterNow()
	if len(persons) < together {
		if r, err := p.register.Read(ctx, persons[0]); err == nil && r != nil && r.Record().Version != "" { // else it is read again under the claim, which tells
			p.ahead.add(map[contact.PersonID]Reading{persons[0]: r}, began, p.now(), false)
		}
		return
	}
	if p.ahead.paused(p.now()) {
		return
	}
	got, err := p.cfg.Records.Records(ctx, persons)
	if err != nil {
		p.troubles.Warn("ahead", "records cannot be read together", err)
	}
	p.ahead.add(got, began, p.now(), err != nil) // of so few it says nothing that none can be had so
}
