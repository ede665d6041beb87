package mockregister

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// carry carries out a call, or what is left of it behind a fault.
type carry func(context.Context) answer

// answer is what becomes of a call.
type answer struct {
	record  *personv4.Record         // of a read
	persons []personprofilev5.Answer // of a bulk read
	result  personv4.Result          // of a write
	value   any                      // of a call of the REST contract
	err     error

	cut        bool          // nothing is sent, and the connection is closed
	status     int           // HTTP status that is sent instead; 0: none
	retryAfter time.Duration // sent with status; 0: not told
	instead    string        // outcome for the log, where the call was not carried out; else empty
	dialled    []string      // the faults that hit the call
}

// errDialled stands for an answer that a dialled fault has taken away.
var errDialled = errors.New("a dialled fault")

// cutOff is a connection that is cut before anything is done.
func cutOff() answer { return answer{err: errDialled, cut: true, instead: "cut"} }

// instead is an HTTP status and no SOAP.
func instead(status int, retryAfter time.Duration) answer {
	return answer{err: errDialled, status: status, retryAfter: retryAfter, instead: "http_" + strconv.Itoa(status)}
}

// act does to a call what the fault is for. Like a real server, one that takes its time does not look whether the caller
// has gone.
func (f *Faults) act(ctx context.Context, d *dialled, c call, next carry) answer {
	duration := time.Duration(d.Duration)
	switch d.Kind {
	case KindAnswerLost:
		a := next(context.WithoutCancel(ctx))
		a.cut = true
		return a
	case KindDelay:
		if !f.wait(duration) {
			return cutOff()
		}
		return next(context.WithoutCancel(ctx))
	case KindLateWrite:
		go f.later(d, c, next)
		f.wait(time.Duration(d.Hold))
		return cutOff()
	case KindDuplicate:
		a := next(ctx)
		go f.later(d, c, next)
		return a
	case KindReadLag:
		return f.lagging(ctx, d, c, next)
	case KindServerFault:
		return answer{err: &rivta.Fault{Code: rivta.FaultServer, String: errDialled.Error()}}
	case KindClientFault:
		return answer{err: &rivta.Fault{Code: rivta.FaultClient, String: errDialled.Error()}}
	case KindStale:
		return answer{result: staleVersion().result()}
	case KindTooMany:
		return instead(http.StatusTooManyRequests, max(duration, time.Second))
	case KindRate:
		return instead(http.StatusTooManyRequests, time.Second)
	case KindOutage:
		return instead(http.StatusServiceUnavailable, duration)
	default: // KindReset
		return cutOff()
	}
}

// wait lets time pass. False: the register was closed before it was over.
func (f *Faults) wait(d time.Duration) bool {
	if d == 0 {
		return true
	}
	select {
	case <-f.after(d):
		return true
	case <-f.closing:
		return false
	}
}

// later carries out a call that is pending, after the fault's duration.
func (f *Faults) later(d *dialled, c call, next carry) {
	defer f.group.Done()
	defer f.release()
	if !f.wait(time.Duration(d.Duration)) {
		return
	}
	a := next(f.life)
	a.dialled = append([]string{d.ID + ":" + string(d.Kind)}, a.dialled...)
	f.told(c, a)
}

func (f *Faults) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending--
}

// lagging shows a record as it was before.
func (f *Faults) lagging(ctx context.Context, d *dialled, c call, next carry) answer {
	if c.lagged != nil {
		return c.lagged(next(ctx), func(id personv4.ID) (person, bool) {
			return f.past.before(id, time.Duration(d.Duration), f.now())
		})
	}
	if c.persons != nil {
		return f.laggingPersons(d, next(ctx))
	}
	old, ok := f.past.before(c.person, time.Duration(d.Duration), f.now())
	if !ok { // its time ran out since it was looked for
		return next(ctx)
	}
	record, err := old.shown(c.unrestricted)
	if err == nil && f.shown != nil {
		err = f.shown(ctx, c, record)
	}
	if err != nil {
		return answer{err: err}
	}
	return answer{record: record}
}

// laggingPersons shows contact details as they were before, where the answer holds any. All else no contract can change.
func (f *Faults) laggingPersons(d *dialled, a answer) answer {
	for _, answered := range a.persons {
		if answered.Person == nil || answered.Person.Version == "" {
			continue
		}
		old, ok := f.past.before(answered.Person.ID, time.Duration(d.Duration), f.now())
		if !ok {
			continue
		}
		record, err := old.record()
		if err != nil {
			return answer{err: err}
		}
		setContacts(answered.Person, *record)
	}
	return a
}
