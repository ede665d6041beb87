package push_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

// modelRegister holds records with versions. A write takes the record back as it was read, as the national service does: who writes on an
// old record that has the right version undoes what others changed in it.
type modelRegister struct {
	*model
	records map[contact.PersonID][]modelRecord // all that a record has been, the last is what it is
	writes  int                                // by workers
}

type modelRecord struct {
	at      time.Time // since when
	version string
	own     map[contact.Channel]string
	clinic  string // what somebody else keeps in the record
}

const modelVersion = "20060102150405"

var (
	errStale   = errors.New("the record has another version")
	errRefused = errors.New("the register does not take it")
)

func (r *modelRegister) now(p contact.PersonID) modelRecord {
	past := r.records[p]
	if len(past) == 0 {
		return modelRecord{}
	}
	return past[len(past)-1]
}

func (m *model) unknown(p contact.PersonID) bool { return len(m.register.records[p]) == 0 }

// read shows a record as it stood at a moment not longer ago than the lag.
func (r *modelRegister) read(p contact.PersonID, lag time.Duration) modelRecord {
	past := r.records[p]
	stood := time.Now().Add(-lag)
	for i := len(past) - 1; i > 0; i-- {
		if !past[i].at.After(stood) {
			return past[i]
		}
	}
	return past[0]
}

// lag is drawn for each read: none as a rule, now and then all that there can be.
func (r *modelRegister) lag() time.Duration {
	if r.readLag == 0 || r.draw(2) == 0 {
		return 0
	}
	return r.readLag * time.Duration(1+r.draw(4)) / 4
}

func (r *modelRegister) next(version string) string {
	now := time.Now().UTC()
	if r.wholeSeconds {
		return max(version, now.Format(modelVersion))
	}
	last, _ := time.Parse(modelVersion, version)
	return max(last.Add(time.Second).Format(modelVersion), now.Format(modelVersion))
}

// write puts a record back as it was read, with changes.
func (r *modelRegister) write(p contact.PersonID, read modelRecord, w plan.Write) (string, error) {
	if read.version != r.now(p).version {
		if r.unnamedStale {
			return "", &push.Error{Class: push.Refused, Reason: reason.RegisterRefused, Unnamed: true, Err: errStale}
		}
		return "", &push.Error{Class: push.Stale, Err: errStale}
	}
	next := read
	next.own = maps.Clone(read.own)
	for _, c := range w.Changes {
		delete(next.own, c.Channel)
		if c.Entry != nil {
			next.own[c.Channel] = c.Entry.Value.Reveal()
			if strings.HasPrefix(c.Entry.Value.Reveal(), modelBad) {
				return "", &push.Error{Class: push.Refused, Reason: reason.RegisterRefused, Unnamed: r.unnamedStale, Err: errRefused}
			}
		}
	}
	r.writes++
	return r.put(p, next), nil
}

// put is the only way in which a record changes, and where every change is judged.
func (r *modelRegister) put(p contact.PersonID, next modelRecord) string {
	next.at, next.version = time.Now(), r.next(r.now(p).version)
	r.records[p] = append(r.records[p], next)
	r.note("the record of %s is now %s: %v %s", p.RevealExtension(), next.version, next.own, next.clinic)
	r.holds(next.clinic == r.clinicLast[p], "an entry that is not the resident's own has changed")
	for _, no := range r.removed {
		if no.person == p {
			r.holds(!no.covers(r.byValue[next.own[no.channel]]), "a detail is back that was removed")
		}
	}
	return next.version
}

// clinicWrites changes what is not the resident's, at once: nobody comes between its read and its write.
func (r *modelRegister) clinicWrites(p contact.PersonID) {
	if r.unknown(p) {
		return
	}
	r.clinicLast[p] = fmt.Sprintf("clinic %d", len(r.records[p]))
	next := r.now(p)
	next.clinic = r.clinicLast[p]
	r.put(p, next)
}

// modelReading is a record as a worker read it.
type modelReading struct {
	worker *modelWorker
	person contact.PersonID
	record modelRecord
}

func (r *modelReading) Record() plan.Record {
	rec := plan.Record{Version: r.record.version, Own: map[contact.Channel][]plan.Entry{}}
	for channel, value := range r.record.own {
		rec.Own[channel] = []plan.Entry{{Value: contact.KnownValue(value)}}
	}
	return rec
}
