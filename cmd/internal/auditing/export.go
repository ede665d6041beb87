package auditing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"contactsync/consent/audit"
	"contactsync/consent/consentpg"
	"contactsync/consent/event"
)

// Export says what is exported, and what the logs do not know about it.
type Export struct {
	Logs     []string
	From, To time.Time // entries from From up to but not including To; zero: from the first, to the last
	// System is the HSA-id of the system that makes the records, and of who did what no person of staff did.
	System       string
	CareProvider audit.Organisation
	CareUnit     audit.Organisation
	Purpose      string
	By           event.Actor
	Ground       string
}

// Export gives the logs' entries as StoreLog records, in batches of at most 500, each of one log and the oldest first. write gets each
// batch with its log and its number, which begins at 1 in each log.
func (r Reader) Export(ctx context.Context, x Export, write func(log string, number int, records []audit.Record) error) (records int, err error) {
	act := consentpg.Act{Actor: x.By, Action: "audit export", Ground: x.Ground, Outcome: "begun: " + strings.Join(x.Logs, ", ")}
	if err := r.audited(ctx, act); err != nil {
		return 0, err
	}
	for _, log := range x.Logs {
		n, err := r.exportLog(ctx, x, log, write)
		records += n
		if err != nil {
			return records, fmt.Errorf("export the log %s: %w", log, err)
		}
	}
	return records, nil
}

// exportLog streams: a log may be larger than memory.
func (r Reader) exportLog(ctx context.Context, x Export, log string, write func(string, int, []audit.Record) error) (records int, err error) {
	var from, to *time.Time
	if !x.From.IsZero() {
		from = &x.From
	}
	if !x.To.IsZero() {
		to = &x.To
	}
	rows, err := r.Pool.Query(ctx, logQueries()[log]+` where ($1::timestamptz is null or a.at >= $1) and ($2::timestamptz is null or a.at < $2) order by a.id`, from, to)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var batch []audit.Record
	number := 0
	flush := func() error {
		number++
		records += len(batch)
		err := write(log, number, batch)
		batch = batch[:0]
		return err
	}
	for rows.Next() {
		entry, err := scanEntry(log)(rows)
		if err != nil {
			return records, err
		}
		if batch = append(batch, x.record(entry)); len(batch) == audit.MaxStoreLog {
			if err := flush(); err != nil {
				return records, err
			}
		}
	}
	if err := rows.Err(); err != nil || len(batch) == 0 {
		return records, err
	}
	return records, flush()
}

// hsaID is the HSA-id in an actor such as "support SE2321000016-1A2B".
var hsaID = regexp.MustCompile(`[A-Z]{2,8}[0-9]{10,12}-[A-Za-z0-9]{1,20}$`)

func (x Export) record(e Entry) audit.Record {
	r := audit.Record{ID: e.ID, SystemID: x.System, Activity: activityOf(e), Level: e.Contract, Args: argsOf(e), Start: e.At, Purpose: x.Purpose,
		UserID: x.System, CareProvider: x.CareProvider, CareUnit: x.CareUnit, ResourceType: "Kontaktuppgifter"}
	for _, who := range []string{e.Actor, e.System} {
		if id := hsaID.FindString(who); audit.IsHSAID(id) { // one that is too long for StoreLog stands among the args
			r.UserID = id
			break
		}
	}
	if !e.Person.IsZero() {
		r.Patient = &audit.Identity{Root: e.Person.Root(), Extension: e.Person.RevealExtension()}
	}
	if e.Actor == string(event.RoleResident) {
		r.UserPerson = r.Patient
	}
	return r
}

// activityOf takes what only looks for a reading, what takes a detail away for a removal, and the rest for a writing. An entry of "support remove"
// tells of a look: what was carried out has an entry of its own, as a decision.
func activityOf(e Entry) audit.ActivityType {
	switch {
	case slices.Contains([]string{"read", "support find", "support remove", "parked show", "audit who", "audit export", "register.prove"}, e.Action):
		return audit.ActivityRead
	case slices.Contains([]string{"withdraw", "decide withdraw", "register.withdraw", "parked.drop"}, e.Action):
		return audit.ActivityDelete
	}
	return audit.ActivityWrite
}

// argsOf tells the rest, in the words of the log.
func argsOf(e Entry) string {
	var parts []string
	for _, p := range [][2]string{{"log", e.Log}, {"action", e.Action}, {"channel", e.Channel}, {"outcome", e.Outcome}, {"ground", e.Ground},
		{"actor", e.Actor}, {"system", e.System}, {"original", e.Original}, {"unit", e.Unit}, {"correlation", e.Correlation}, {"event", e.EventID}, {"version", e.Version}} {
		if p[1] != "" {
			parts = append(parts, p[0]+"="+p[1])
		}
	}
	return strings.Join(parts, "; ")
}

// Verify verifies one log.
func (r Reader) Verify(ctx context.Context, log audit.Log, noted *audit.Head, unsignedUntil int64) (audit.Report, error) {
	return audit.Verify(ctx, r.Pool, log, audit.Check{Key: r.Key, Noted: noted, UnsignedUntil: unsignedUntil})
}

// Batches writes each batch to where open says: a file for each, or all to one stream.
func Batches(open func(log string, number int) (io.WriteCloser, error)) func(log string, number int, records []audit.Record) error {
	return func(log string, number int, records []audit.Record) error {
		to, err := open(log, number)
		if err != nil {
			return err
		}
		return errors.Join(audit.WriteStoreLog(to, records), to.Close())
	}
}
