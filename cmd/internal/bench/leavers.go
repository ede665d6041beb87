package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/stream"
	"contactsync/contracts/mockregister"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/sync/register"
)

// leavers are persons whose detail stands in the register and who withdraw it.
type leavers struct {
	persons []digits
	number  map[digits]int
	all     *signal // nobody's detail is there any more

	mu     sync.Mutex
	goneAt []time.Time
	back   int // details that stood there again
}

const (
	leaves       = contact.Mobile // the channel that is withdrawn
	leavesPrefix = "leaves-"      // of the event ids
)

func newLeavers(persons []digits) *leavers {
	l := &leavers{persons: persons, number: map[digits]int{}, all: newSignal(), goneAt: make([]time.Time, len(persons))}
	for i, p := range persons {
		l.number[p] = i
	}
	return l
}

func (l *leavers) knows(extension string) bool {
	if l == nil {
		return false
	}
	_, ok := l.number[digitsOf(extension)]
	return ok
}

// share puts the details into the register, as another system would have done long ago.
func (l *leavers) share(ctx context.Context, records *mockregister.Register) error {
	code, value := register.DefaultCodes()[leaves], value(leaves, 0)
	caller := rivta.Caller{HSAID: workerHSAID}
	for _, p := range l.persons {
		id := p.asked()
		record, err := records.Get(ctx, caller, id, true)
		if err != nil {
			return fmt.Errorf("share: %w", err)
		}
		result, err := records.Update(ctx, caller, personv4.Update{Actor: personv4.Actor{ID: id}, Person: id, VersionToUpdate: record.Version,
			Entries: []personv4.Entry{{Type: code.Type, Use: &code.Use, Value: &value}}}, true)
		if err != nil || !result.OK {
			return errors.Join(fmt.Errorf("share: %s", result.Code), err)
		}
	}
	return nil
}

// update is a write to a leaver's record.
func (l *leavers) update(ctx context.Context, s personv4.Service, caller rivta.Caller, u personv4.Update, unrestricted bool) (personv4.Result, error) {
	result, err := s.Update(ctx, caller, u, unrestricted)
	if err == nil && result.OK {
		l.committed(l.number[digitsOf(u.Person.Extension)], u.Entries, time.Now())
	}
	return result, err
}

func (l *leavers) committed(i int, entries []personv4.Entry, now time.Time) {
	code := register.DefaultCodes()[leaves]
	there := slices.ContainsFunc(entries, func(e personv4.Entry) bool { return e.Type == code.Type && e.Use != nil && *e.Use == code.Use })
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case there:
		l.back++
	case l.goneAt[i].IsZero():
		l.goneAt[i] = now
		if !slices.ContainsFunc(l.goneAt, time.Time.IsZero) {
			l.all.give(now)
		}
	}
}

// withdrawal is the message of leaver i.
func (l *leavers) withdrawal(i int, now time.Time) stream.Message {
	d := event.Decision{
		EventID: leavesPrefix + strconv.Itoa(i), Source: eService, Time: now, Person: l.persons[i].id(), Channel: leaves,
		Revision: now.UnixMicro(), DecidedAt: now, Actor: event.Actor{Role: event.RoleResident}, Reason: event.ReasonResident,
	}
	headers, body := d.Binary()
	return stream.Message{Topic: event.TopicDecisions, Key: []byte(event.Key([]byte(event.DevelopmentPepper), d.Person)), Headers: headers, Value: body}
}

// verify reads each leaver's record.
func (l *leavers) verify(ctx context.Context, s personv4.Service) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back > 0 {
		return fmt.Errorf("%d writes put back what was withdrawn", l.back)
	}
	for _, p := range l.persons {
		record, err := s.Get(ctx, rivta.Caller{}, p.asked(), true)
		if err != nil {
			return fmt.Errorf("ask the register: %w", err)
		}
		if len(record.Entries) > 0 {
			return errors.New("the register still shows a detail that was withdrawn")
		}
	}
	return nil
}
