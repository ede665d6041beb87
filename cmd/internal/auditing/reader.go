package auditing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/audit"
	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
)

// Reader answers what stands in the logs. It is itself audited: what cannot be audited is not told. All fields are required.
type Reader struct {
	Pool *pgxpool.Pool // of the role contactsync_auditor
	Key  audit.Key
	Now  func() time.Time
}

// Entry is one row of a log, as people and exports see it. What a log does not know is empty. It prints as "[log entry]".
type Entry struct {
	Log         string
	Row         int64
	ID          uuid.UUID // of the record, wherever it goes
	At          time.Time
	Person      contact.PersonID // zero: nobody in particular
	Actor       string           // who: resident, or "support" and an HSA-id; of the access log the HSA-id or identity of who acted
	System      string           // HSA-id of the calling system, and of the first in a chain as told by that one
	Original    string
	Unit        string
	Contract    string
	Correlation string
	Action      string
	Channel     string
	Ground      string // why, or what let the caller in
	EventID     string // of the decision
	Outcome     string
	Version     string // of the register's record
}

// Format prints nothing of the person, whatever the verb.
func (Entry) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[log entry]") }

// logQueries select an Entry's columns from each log, without a condition, under the alias a.
func logQueries() map[string]string {
	return map[string]string{
		"access": `select a.id, a.log_id, a.at, a.root, a.extension, a.actor, a.caller, a.original, a.unit, a.contract, a.correlation, a.action,
			'' as channel, a.ground, '' as event_id, a.outcome, a.version from register.access_log a`,
		"consent": `select a.id, a.log_id, a.at, a.root, a.extension, a.actor, '', '', '', '', '', a.action,
			a.channel, a.ground, a.event_id, a.outcome, '' from consent.audit a`,
		// Of what an operator did about a parked decision, its outcome tells who it was, and why (syncpg.Handle).
		"sync": `select a.id, a.log_id, a.at, p.root, p.extension, case when a.action like 'parked.%' then coalesce(substring(a.outcome from '^\w+ by (\w+ \S+): '), '') else '' end,
			'', '', '', '', '', a.action,
			a.channel, case when a.action like 'parked.%' then coalesce(substring(a.outcome from '^\w+ by \w+ \S+: (.*)$'), '') else '' end, a.ground,
			concat_ws(': ', case when a.action like 'parked.%' then split_part(a.outcome, ' ', 1) else a.outcome end, nullif(a.reason, '')), a.version
			from sync.audit a join sync.person p on p.person_id = a.person_id`,
	}
}

// LogNames are the logs, in the order in which entries of the same moment are told.
func LogNames() []string { return []string{"access", "consent", "sync"} }

func scanEntry(log string) pgx.RowToFunc[Entry] {
	return func(row pgx.CollectableRow) (e Entry, err error) {
		e.Log = log
		var root, extension string
		err = row.Scan(&e.Row, &e.ID, &e.At, &root, &extension, &e.Actor, &e.System, &e.Original, &e.Unit, &e.Contract, &e.Correlation, &e.Action,
			&e.Channel, &e.Ground, &e.EventID, &e.Outcome, &e.Version)
		if extension != "" {
			e.Person = contact.KnownPersonID(root, extension)
		}
		return e, err
	}
}

// Mark is a place in the answer of Who, where the next page begins.
type Mark struct {
	At  time.Time
	Log string
	Row int64
}

// String writes a mark for people to hand back.
func (m Mark) String() string {
	return strconv.FormatInt(m.At.UnixMicro(), 10) + "-" + m.Log + "-" + strconv.FormatInt(m.Row, 10)
}

// ParseMark reads what String wrote.
func ParseMark(text string) (Mark, error) {
	parts := strings.Split(text, "-")
	if len(parts) == 3 && slices.Contains(LogNames(), parts[1]) {
		at, err1 := strconv.ParseInt(parts[0], 10, 64)
		row, err2 := strconv.ParseInt(parts[2], 10, 64)
		if err1 == nil && err2 == nil {
			return Mark{time.UnixMicro(at), parts[1], row}, nil
		}
	}
	return Mark{}, errors.New("this is no place in the answer: the page before tells it")
}

// Question is who asks, and about whom.
type Question struct {
	Person contact.PersonID
	By     event.Actor
	Ground string
	Limit  int
	After  *Mark // nil: from the newest
}

// Who tells who looked at or changed what about a person, under any number that we know to be the person's, the newest first. next is where the next page begins; nil: there is none.
func (r Reader) Who(ctx context.Context, q Question) (entries []Entry, next *Mark, err error) {
	roots, extensions, err := r.numbers(ctx, q.Person)
	if err != nil {
		return nil, nil, fmt.Errorf("look for other numbers: %w", err)
	}
	for _, log := range LogNames() {
		some, err := r.about(ctx, log, q, roots, extensions)
		if err != nil {
			return nil, nil, fmt.Errorf("read the log %s: %w", log, err)
		}
		entries = append(entries, some...)
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Log, b.Log), cmp.Compare(b.Row, a.Row))
	})
	if len(entries) > q.Limit {
		entries = entries[:q.Limit]
		last := entries[q.Limit-1]
		next = &Mark{last.At, last.Log, last.Row}
	}
	outcome := "nothing found"
	if len(entries) > 0 {
		outcome = fmt.Sprintf("%d shown", len(entries))
	}
	err = r.audited(ctx, consentpg.Act{Person: q.Person, Actor: q.By, Action: "audit who", Ground: q.Ground, Outcome: outcome})
	if err != nil {
		return nil, nil, err
	}
	return entries, next, nil
}

// numbers are the person's: the one that was asked for, and those that the register has linked it with.
func (r Reader) numbers(ctx context.Context, p contact.PersonID) (roots, extensions []string, err error) {
	err = r.Pool.QueryRow(ctx, `
		select array_agg(root), array_agg(extension) from (
			select $1 as root, $2 as extension
			union
			select o.root, o.extension from sync.person p join sync.person o on coalesce(p.primary_id, p.person_id) in (o.person_id, o.primary_id)
			where p.root = $1 and p.extension = $2) n`, p.Root(), p.RevealExtension()).Scan(&roots, &extensions)
	return roots, extensions, err
}

// about reads one more than a page, to tell whether there is more.
func (r Reader) about(ctx context.Context, log string, q Question, roots, extensions []string) ([]Entry, error) {
	query := logQueries()[log]
	root, extension := "a.root", "a.extension"
	if log == "sync" {
		root, extension = "p.root", "p.extension"
	}
	query += ` where ` + extension + ` = any ($2) and (` + root + `, ` + extension + `) in (select * from unnest($1::text[], $2::text[]))`
	args := []any{roots, extensions, q.Limit + 1}
	if m := q.After; m != nil {
		args = append(args, m.At)
		switch {
		case log == m.Log:
			query += ` and (a.at, a.id) < ($4, $5)`
			args = append(args, m.Row)
		case log > m.Log:
			query += ` and a.at <= $4`
		default:
			query += ` and a.at < $4`
		}
	}
	rows, err := r.Pool.Query(ctx, query+` order by a.at desc, a.id desc limit $3`, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanEntry(log))
}

// audited records what the reader does. An act that was given up half way has happened all the same.
func (r Reader) audited(ctx context.Context, a consentpg.Act) error {
	return consentpg.Audit(context.WithoutCancel(ctx), r.Pool, r.Key, a, r.Now())
}
