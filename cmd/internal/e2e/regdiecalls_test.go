package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv3"
	"contactsync/contracts/personv4"
	"contactsync/contracts/problem"
	"contactsync/contracts/rivta"
)

// told is what the caller of a write knows afterwards.
type told int

const (
	unknown told = iota // no answer, or one that leaves it open
	done
	refused
)

// reading is a read that was answered.
type reading struct {
	correlation string
	persons     []string
}

// writing is a call that replaces one record.
type writing struct {
	correlation, person, from string // from: the version to be replaced
	channel                   contactsv1.Channel
	value                     string // no other write has it; empty: it is taken away
	told                      told
	version, code             string // of the record that was written; of a refusal
}

// sending is one attempt to have a bulk carried out.
type sending struct {
	correlation string
	told        told
	outcomes    []contactsv1.Outcome
	code        string
}

// bulk is a request under one Idempotency-Key, sent until it is answered.
type bulk struct {
	items []contactsv1.Change
	sent  []sending
}

// notes are what the systems know of their calls.
type notes struct {
	mu       sync.Mutex
	readings []reading
	writings []writing
	bulks    []bulk
	signals  []contactsv1.Signal // as one reader of the feed has seen them
	values   atomic.Int64
}

func (n *notes) read(r reading) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.readings = append(n.readings, r)
}

func (n *notes) wrote(w writing) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.writings = append(n.writings, w)
}

// system does one thing over and over, over connections of its own.
type system struct {
	*dying
	ctx     context.Context
	random  *rand.Rand
	turn    func() error // its error is an answer that should not be
	v3      *personv3.Client
	v4      *personv4.Client
	profile *personprofilev5.Client
	rest    *contactsv1.Client
	cursor  string
	last    []contactsv1.Change // of bulks
}

// newSystems returns two writers of each kind, and readers; the last one follows the feed.
func newSystems(d *dying, seed uint64) []*system {
	kinds := []func(*system) func() error{
		func(s *system) func() error { return s.write4 }, func(s *system) func() error { return s.write3 },
		func(s *system) func() error { return s.writeREST }, func(s *system) func() error { return s.bulk },
	}
	kinds = append(kinds, kinds...)
	kinds = append(kinds, func(s *system) func() error { return s.read }, func(s *system) func() error { return s.read },
		func(s *system) func() error { return s.follow })
	var all []*system
	for i, kind := range kinds {
		s := newSystem(d, rand.New(rand.NewPCG(seed, uint64(100+i))))
		s.turn = kind(s)
		all = append(all, s)
	}
	return all
}

func newSystem(d *dying, random *rand.Rand) *system {
	d.t.Helper()
	client := clientOf(d.t, d.Dir, "journal")
	client.Timeout = 10 * time.Second
	soap := personv4.ClientConfig{ClientConfig: rivta.ClientConfig{
		BaseURL: d.At.Register, LogicalAddress: "SE165565594230-1000", HTTP: client}}
	s := &system{dying: d, random: random}
	var faults [4]error
	s.v3, faults[0] = personv3.NewClient(soap)
	s.v4, faults[1] = personv4.NewClient(soap)
	s.profile, faults[2] = personprofilev5.NewClient(soap)
	s.rest, faults[3] = contactsv1.NewClient(contactsv1.ClientConfig{BaseURL: d.At.Register, HTTP: client})
	d.must(errors.Join(faults[:]...))
	return s
}

// call gives a context for one call, and the id by which the access log tells it from all others.
func (s *system) call() (context.Context, string) {
	correlation := uuid.NewString()
	return rivta.WithCorrelationID(s.ctx, correlation), correlation
}

// verdict judges the error of a call. One that says that the request itself is wrong is none of the answers that should be.
func verdict(err error) (t told, code string, unexpected error) {
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Status < http.StatusInternalServerError {
		if p.Status != http.StatusConflict && p.Status != http.StatusPreconditionFailed {
			return refused, p.Code, err
		}
		return refused, p.Code, nil
	}
	if fault, ok := errors.AsType[*rivta.Fault](err); ok && (fault.Code != rivta.FaultServer || fault.VP != "") {
		return refused, "", err
	}
	if err != nil {
		return unknown, "", nil
	}
	return done, "", nil
}

// answered notes a read if it was answered, and else waits a moment.
func (s *system) answered(correlation string, persons []string, err error) (bool, error) {
	t, _, unexpected := verdict(err)
	if t == done {
		s.noted.read(reading{correlation, persons})
		return true, nil
	}
	return false, errors.Join(unexpected, s.breathe())
}

func (s *system) breathe() error {
	_ = wait(s.ctx, 10*time.Millisecond)
	return context.Cause(s.ctx)
}

func idOf(extension string) personv4.ID {
	return personv4.ID{Root: personv4.RootPersonnummer, Extension: extension}
}

func (s *system) somebody() string { return s.persons[s.random.IntN(len(s.persons))] }

// wish draws what to write.
func (s *system) wish() writing {
	w := writing{person: s.somebody(), channel: contactsv1.Mobile}
	if s.random.IntN(2) == 0 {
		w.channel = contactsv1.Email
	}
	if s.random.IntN(5) > 0 {
		w.value = s.freshValue(w.channel)
	}
	return w
}

func (s *system) freshValue(channel contactsv1.Channel) string {
	n := s.noted.values.Add(1)
	if channel == contactsv1.Mobile {
		return fmt.Sprintf("+4670%07d", n)
	}
	return fmt.Sprintf("resident%d@example.se", n)
}

func ownCode(channel contactsv1.Channel) (kind, use string) {
	if channel == contactsv1.Mobile {
		return "tel", "mobile"
	}
	return "mail", "personal"
}

func (s *system) write4() error {
	w := s.wish()
	ctx, correlation := s.call()
	record, err := s.v4.Get(ctx, idOf(w.person))
	if ok, err := s.answered(correlation, []string{w.person}, err); !ok {
		return err
	}
	kind, use := ownCode(w.channel)
	entries := slices.DeleteFunc(record.Entries, func(e personv4.Entry) bool { return e.Type == kind })
	if w.value != "" {
		entries = append(entries, personv4.Entry{Type: kind, Use: &use, Value: &w.value})
	}
	ctx, w.correlation = s.call()
	w.from = record.Version
	result, err := s.v4.Update(ctx, personv4.Update{Actor: personv4.Actor{ID: record.Person}, Person: record.Person,
		VersionToUpdate: record.Version, Entries: entries, OptoutPaper: record.OptoutPaper})
	if result.Record != nil {
		w.version = result.Record.Version
	}
	return s.ended(w, result.OK, result.Code, err)
}

func (s *system) write3() error {
	w := s.wish()
	ctx, correlation := s.call()
	record, err := s.v3.Get(ctx, idOf(w.person))
	if ok, err := s.answered(correlation, []string{w.person}, err); !ok {
		return err
	}
	kind, use := ownCode(w.channel)
	entries := slices.DeleteFunc(record.Entries, func(e personv3.Entry) bool { return e.Type == kind })
	if w.value != "" {
		entries = append(entries, personv3.Entry{Type: kind, Use: &use, Value: &w.value})
	}
	ctx, w.correlation = s.call()
	w.from = record.Version
	result, err := s.v3.Update(ctx, personv3.Update{Actor: personv3.Actor{ID: record.Person}, Person: record.Person,
		VersionToUpdate: record.Version, Entries: entries})
	if result.Record != nil {
		w.version = result.Record.Version
	}
	return s.ended(w, result.OK, result.Code, err)
}

// ended notes what came of a SOAP update.
func (s *system) ended(w writing, ok bool, code string, err error) error {
	t, _, unexpected := verdict(err)
	if w.told = t; t == done && !ok {
		w.told, w.code = refused, code
	}
	s.noted.wrote(w)
	return unexpected
}

func (s *system) writeREST() error {
	w := s.wish()
	ctx, correlation := s.call()
	contacts, err := s.rest.Lookup(ctx, []contactsv1.Person{contactsv1.PersonOf(idOf(w.person))})
	if ok, err := s.answered(correlation, []string{w.person}, err); !ok {
		return err
	}
	setting := contactsv1.Setting{Given: true}
	if w.value != "" {
		setting.Detail = &contactsv1.NewDetail{Value: w.value}
	}
	change := contactsv1.Write{Version: contacts[0].Version}
	if w.channel == contactsv1.Mobile {
		change.Mobile = setting
	} else {
		change.Email = setting
	}
	ctx, w.correlation = s.call()
	w.from = contacts[0].Version
	written, err := s.rest.Write(ctx, contacts[0].Ref, change)
	w.version = written.Version
	var unexpected error
	w.told, w.code, unexpected = verdict(err)
	s.noted.wrote(w)
	return unexpected
}

// bulk sends decisions until it is told what became of them, now and then twice at once.
func (s *system) bulk() error {
	b, key := bulk{items: s.decisions()}, uuid.NewString()
	for {
		sent := make([]sending, 1+s.random.IntN(8)/7)
		var group errgroup.Group
		for i := range sent {
			group.Go(func() (unexpected error) {
				sent[i], unexpected = s.send(key, b.items)
				return unexpected
			})
		}
		err := group.Wait()
		b.sent = append(b.sent, sent...)
		if err != nil || slices.ContainsFunc(sent, func(x sending) bool { return x.told == done }) {
			s.noted.mu.Lock()
			defer s.noted.mu.Unlock()
			s.noted.bulks = append(s.noted.bulks, b)
			return err
		}
		if err := s.breathe(); err != nil {
			return err
		}
	}
}

func (s *system) send(key string, items []contactsv1.Change) (x sending, unexpected error) {
	ctx, correlation := s.call()
	outcomes, err := s.rest.Change(ctx, key, items)
	x = sending{correlation: correlation, outcomes: outcomes}
	x.told, x.code, unexpected = verdict(err)
	return x, unexpected
}

// decisions draws a bulk: some persons come twice, some decisions are older than others that were sent before, some the same.
func (s *system) decisions() []contactsv1.Change {
	items := make([]contactsv1.Change, 1+s.random.IntN(12))
	for i := range items {
		if len(s.last) > 0 && s.random.IntN(8) == 0 {
			items[i] = s.last[s.random.IntN(len(s.last))]
			continue
		}
		w := s.wish()
		items[i] = contactsv1.Change{Person: contactsv1.PersonOf(idOf(w.person)), Channel: w.channel, Decision: contactsv1.Withdraw,
			Revision: time.Now().UnixMicro() - s.random.Int64N(500_000)}
		if w.value != "" {
			items[i].Decision, items[i].Value, items[i].EventID = contactsv1.Share, w.value, uuid.NewString()
		}
	}
	s.last = items
	return items
}

// read reads in one of the ways there are.
func (s *system) read() error {
	persons := make([]string, 1+s.random.IntN(20))
	for i := range persons {
		persons[i] = s.somebody()
	}
	ctx, correlation := s.call()
	var err error
	switch s.random.IntN(5) {
	case 0:
		persons = persons[:1]
		_, err = s.v4.Get(ctx, idOf(persons[0]))
	case 1:
		persons = persons[:1]
		_, err = s.v3.Get(ctx, idOf(persons[0]))
	case 2:
		ids := make([]personv4.ID, len(persons))
		for i, p := range persons {
			ids[i] = idOf(p)
		}
		_, err = s.profile.Persons(ctx, ids, personprofilev5.P3, true)
	case 3:
		asked := make([]contactsv1.Person, len(persons))
		for i, p := range persons {
			asked[i] = contactsv1.PersonOf(idOf(p))
		}
		_, err = s.rest.Lookup(ctx, asked)
	default:
		held := make([]contactsv1.Held, len(persons))
		for i, p := range persons {
			held[i] = contactsv1.Held{Person: contactsv1.PersonOf(idOf(p)), Version: "20260101000000"}
		}
		_, err = s.rest.ChangedSince(ctx, held)
	}
	_, err = s.answered(correlation, persons, err)
	return err
}

// follow reads a page of the feed.
func (s *system) follow() error {
	ctx, correlation := s.call()
	page, err := s.rest.Changes(ctx, contactsv1.From{Cursor: s.cursor, Limit: 50, Wait: time.Duration(s.random.IntN(2)) * time.Second})
	var persons []string
	for _, signal := range page.Signals {
		persons = append(persons, signal.Person.Extension)
	}
	if ok, err := s.answered(correlation, persons, err); !ok {
		return err
	}
	s.noted.signals, s.cursor = append(s.noted.signals, page.Signals...), page.Cursor
	return nil
}
