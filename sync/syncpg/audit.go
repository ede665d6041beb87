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

func (s *Store) queueEntry(batch *pgx.Batch, e entry) {
	id := audit.NewID()
	mac := AuditLog().MAC(s.AuditKey, id.String(), audit.Micros(e.at), e.action, strconv.FormatInt(e.person, 10), e.channel, e.ground, e.outcome,
		string(e.reason), e.version)
	batch.Queue(`
		insert into sync.audit (log_id, at, action, person_id, channel, ground, outcome, reason, version, mac)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		id, e.at, e.action, e.person, e.channel, e.ground, e.outcome, string(e.reason), e.version, mac)
}

// audit records each target that the claim brought to an end.
func (f *finishing) audit(batch *pgx.Batch) {
	for _, s := range f.result.Settled {
		f.queueEntry(batch, f.entry(s.Target, s.Outcome, s.Reason, s.Version))
	}
	for _, p := range f.result.Parked {
		f.queueEntry(batch, f.entry(p.Target, event.Parked, p.Reason, ""))
	}
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
	l.queueEntry(&batch, e)
	if err := l.tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}
