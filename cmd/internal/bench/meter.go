package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"contactsync/consent/contact"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/sync/register"
)

// meter stands before the register's records and sees each change the moment it is committed.
type meter struct {
	personv4.Service
	profiles personprofilev5.Service // nothing is changed through it
	load     load
	persons  map[digits]int
	slots    []slot
	thinks   time.Duration
	codes    map[contact.Channel]register.Code
	leavers  *leavers     // nil where nobody withdraws
	backlog  atomic.Int64 // calls about those who decide, not about leavers alone
	rhythm   *rhythm      // nil where nobody asks
	// shownAt is when each decision, or a newer one on the same pair, was committed; nil where nobody asks.
	shownAt []time.Time

	pushes, outOfOrder, duplicates, strange atomic.Int64

	left       atomic.Int64 // pairs that do not show the newest decision yet
	first, all *signal      // something is shown; everything is
	warmed     signalAt     // so many pushes were made
	// others: everything that is not by floodService was shown.
	others      signalAt
	othersShown atomic.Int64
}

// slot is what a person's record shows: by channel the step, -1 for nothing. The lock makes us see two changes of one
// record in the order in which they were committed.
type slot struct {
	mu    sync.Mutex
	shows [channelsEach]int
}

func newMeter(s personv4.Service, l load, thinks time.Duration) *meter {
	m := &meter{Service: s, load: l, thinks: thinks, codes: register.DefaultCodes(),
		persons: make(map[digits]int, len(l.persons)), slots: make([]slot, len(l.persons)),
		first: newSignal(), all: newSignal(), warmed: newSignalAt(), others: newSignalAt()}
	for i, p := range l.persons {
		m.persons[p] = i
		m.slots[i].shows = [channelsEach]int{-1, -1}
	}
	m.left.Store(int64(l.keys()))
	return m
}

// Get implements personv4.Service.
func (m *meter) Get(ctx context.Context, caller rivta.Caller, person personv4.ID, unrestricted bool) (*personv4.Record, error) {
	m.count(person.Extension)
	if err := pause(ctx, m.thinks); err != nil {
		return nil, err
	}
	return m.Service.Get(ctx, caller, person, unrestricted)
}

// Persons implements personprofilev5.Service.
func (m *meter) Persons(ctx context.Context, caller rivta.Caller, query personprofilev5.Query) ([]personprofilev5.Answer, error) {
	asked := make([]string, len(query.Persons))
	for i, p := range query.Persons {
		asked[i] = p.Extension
	}
	m.count(asked...)
	if err := pause(ctx, m.thinks); err != nil {
		return nil, err
	}
	return m.profiles.Persons(ctx, caller, query)
}

// Update implements personv4.Service.
func (m *meter) Update(ctx context.Context, caller rivta.Caller, update personv4.Update, unrestricted bool) (personv4.Result, error) {
	m.count(update.Person.Extension)
	if err := pause(ctx, m.thinks); err != nil {
		return personv4.Result{}, err
	}
	if m.leavers.knows(update.Person.Extension) {
		return m.leavers.update(ctx, m.Service, caller, update, unrestricted)
	}
	person, known := m.persons[digitsOf(update.Person.Extension)]
	if !known {
		m.strange.Add(1)
		return m.Service.Update(ctx, caller, update, unrestricted)
	}
	s := &m.slots[person]
	s.mu.Lock()
	defer s.mu.Unlock()
	result, err := m.Service.Update(ctx, caller, update, unrestricted)
	if err == nil && result.OK {
		m.committed(person, s, update.Entries, time.Now())
	}
	return result, err
}

// count counts a call about somebody who decides.
func (m *meter) count(extensions ...string) {
	if slices.ContainsFunc(extensions, func(e string) bool { _, decides := m.persons[digitsOf(e)]; return decides }) {
		m.backlog.Add(1)
	}
}

// committed compares what the record shows with what it showed before.
func (m *meter) committed(person int, s *slot, entries []personv4.Entry, now time.Time) {
	m.warmed.count(m.pushes.Add(1), now)
	m.rhythm.add(now)
	changed := false
	for lane, key := range m.load.keysOf(person) {
		step, ok := m.shown(key, entries)
		if !ok {
			m.strange.Add(1)
			continue
		}
		before := s.shows[lane]
		s.shows[lane] = step
		changed = changed || step != before
		if step < before {
			m.outOfOrder.Add(1)
		}
		m.mark(key, before, step, now)
	}
	if !changed {
		m.duplicates.Add(1)
	}
	m.first.give(now)
}

// shown is the step that the pair's own entry shows, -1 if there is none; false for what nobody has decided.
func (m *meter) shown(key int, entries []personv4.Entry) (step int, ok bool) {
	_, channel := m.load.place(key)
	code := m.codes[channel]
	step = -1
	for _, e := range entries {
		if e.Type != code.Type || e.Use == nil || *e.Use != code.Use {
			continue
		}
		if step >= 0 || e.Value == nil {
			return 0, false
		}
		if step, ok = stepOf(channel, *e.Value); !ok {
			return 0, false
		}
	}
	return step, true
}

// mark notes the time of what is shown for the first time, and whether that is all.
func (m *meter) mark(key, before, step int, now time.Time) {
	if m.shownAt != nil {
		for newer := before + 1; newer <= step; newer++ {
			number := m.load.number(key, newer)
			if at := &m.shownAt[number]; at.IsZero() {
				*at = now
				if number < m.load.flood {
					m.others.count(m.othersShown.Add(1), now)
				}
			}
		}
	}
	last := m.load.lastStep(key)
	switch {
	case before != last && step == last:
		if m.left.Add(-1) == 0 {
			m.all.give(now)
		}
	case before == last && step != last:
		m.left.Add(1)
	}
}

// verify asks the register for each person's record, many at a time, and compares it with the decisions.
//
// Where a backlog is left, a record may also show an older decision, or none.
func (m *meter) verify(ctx context.Context, backlog bool) error {
	if n := m.strange.Load(); n > 0 {
		return fmt.Errorf("the register took %d writes that nobody decided", n)
	}
	wrong := 0
	for from := 0; from < len(m.load.persons); from += personprofilev5.MaxPersons {
		some := m.load.persons[from:min(from+personprofilev5.MaxPersons, len(m.load.persons))]
		query := personprofilev5.Query{Profile: personprofilev5.P3, IgnoreReferred: true, Unrestricted: true}
		for _, p := range some {
			query.Persons = append(query.Persons, p.asked())
		}
		answers, err := m.profiles.Persons(ctx, rivta.Caller{}, query)
		if err != nil {
			return fmt.Errorf("ask the register: %w", err)
		}
		for i, a := range answers {
			if a.Person == nil || !m.right(from+i, a.Person.Entries, backlog) {
				wrong++
			}
		}
	}
	if wrong > 0 {
		return fmt.Errorf("the register ends with a wrong value for %d of %d persons", wrong, len(m.load.persons))
	}
	return nil
}

func (m *meter) right(person int, entries []personv4.Entry, backlog bool) bool {
	shown := 0
	for _, key := range m.load.keysOf(person) {
		step, ok := m.shown(key, entries)
		if !ok || step > m.load.lastStep(key) || !backlog && step != m.load.lastStep(key) {
			return false
		}
		if step >= 0 {
			shown++
		}
	}
	return len(entries) == shown
}
