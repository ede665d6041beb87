package syncpg

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/audit"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
)

// AuditLog describes the audit of this schema.
func AuditLog() audit.Log {
	return audit.Log{Name: "sync", Schema: "sync", Table: "audit", Links: "audit_link", Heads: "audit_head",
		Columns: audit.Columns("log_id", "at", "action", "person_id", "channel", "ground", "outcome", "reason", "version")}
}

// entry is one row of the audit. It stands in the transaction of what it tells of, and has its time, by PostgreSQL's clock.
type entry struct {
	at              time.Time
	action          string
	person          int64
	channel, ground string // ground: event id of the decision
	outcome         string
	reason          reason.Code
	version         string // of the register record
}

// queueEntries adds rows to the audit by one statement.
func (s *Store) queueEntries(batch *pgx.Batch, entries ...entry) {
	if len(entries) == 0 {
		return
	}
	mac := AuditLog().MACs(s.AuditKey)
	ids, ats, persons, macs := make([][16]byte, len(entries)), make([]time.Time, len(entries)), make([]int64, len(entries)), make([][]byte, len(entries))
	var texts [6][]string
	for i, e := range entries {
		id := audit.NewID()
		ids[i], ats[i], persons[i] = id, e.at, e.person
		covered := []string{e.action, e.channel, e.ground, e.outcome, string(e.reason), e.version}
		for column, text := range covered {
			texts[column] = append(texts[column], text)
		}
		macs[i] = mac(id.String(), audit.Micros(e.at), e.action, strconv.FormatInt(e.person, 10), e.channel, e.ground, e.outcome, string(e.reason), e.version)
	}
	batch.Queue(`
		insert into sync.audit (log_id, at, person_id, mac, action, channel, ground, outcome, reason, version)
		select * from unnest($1::uuid[], $2::timestamptz[], $3::bigint[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])`,
		ids, ats, persons, macs, texts[0], texts[1], texts[2], texts[3], texts[4], texts[5])
}

// audited are the entries of the targets that the claim brought to an end.
func (f *finishing) audited() (entries []entry) {
	for _, s := range f.result.Settled {
		entries = append(entries, f.entry(s.Target, s.Outcome, s.Reason, s.Version))
	}
	for _, p := range f.result.Parked {
		entries = append(entries, f.entry(p.Target, event.Parked, p.Reason, ""))
	}
	return entries
}

func (f *finishing) entry(t plan.Target, outcome event.OutcomeKind, why reason.Code, version string) entry {
	action := "register.share"
	if t.Want.Kind == plan.Withdrawn {
		action = "register.withdraw"
	}
	return entry{f.at, action, f.claim.ID, string(t.Channel), t.Want.EventID, string(outcome), why, version}
}

// audit records what the register's answer about a person led to.
func (l *learning) audit(ctx context.Context, action, channel, ground, outcome string, why reason.Code) error {
	e := entry{action: action, person: l.id, channel: channel, ground: ground, outcome: outcome, reason: why}
	if l.answer.Person != nil {
		e.version = l.answer.Person.Version
	}
	if err := l.tx.QueryRow(ctx, `select now()`).Scan(&e.at); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	var batch pgx.Batch
	l.queueEntries(&batch, e)
	if err := l.tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}
