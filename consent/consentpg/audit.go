package consentpg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/audit"
	"contactsync/consent/contact"
	"contactsync/consent/event"
)

// AuditLog describes the audit of this schema.
func AuditLog() audit.Log {
	return audit.Log{Name: "consent", Schema: "consent", Table: "audit", Links: "audit_link", Heads: "audit_head",
		Columns: audit.Columns("log_id", "at", "actor", "action", "root", "extension", "channel", "ground", "outcome", "event_id")}
}

// Act is something done about a person that is not a decision, such as a search by support.
type Act struct {
	Person         contact.PersonID
	Channel        contact.Channel // empty: all
	Actor          event.Actor
	Action, Ground string
	Outcome        string
	EventID        string
}

// Audit records an act.
func (s *Store) Audit(ctx context.Context, a Act) error {
	return Audit(ctx, s.Pool, s.AuditKey, a, s.Now())
}

// Audit records an act of somebody who has no store: its role may do no more than that.
func Audit(ctx context.Context, pool *pgxpool.Pool, key audit.Key, a Act, at time.Time) error {
	var batch pgx.Batch
	queueAudit(&batch, key, entry{a, at})
	if err := pool.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// entry is an act and when it was.
type entry struct {
	Act
	at time.Time
}

// queueAudit records acts by one statement.
func queueAudit(batch *pgx.Batch, key audit.Key, entries ...entry) {
	mac := AuditLog().MACs(key)
	ids, ats, macs := make([][16]byte, len(entries)), make([]time.Time, len(entries)), make([][]byte, len(entries))
	var texts [8][]string
	for i, e := range entries {
		actor := string(e.Actor.Role)
		if e.Actor.HSAID != "" {
			actor += " " + e.Actor.HSAID
		}
		id := audit.NewID()
		covered := []string{actor, e.Action, e.Person.Root(), e.Person.RevealExtension(), string(e.Channel), e.Ground, e.Outcome, e.EventID}
		ids[i], ats[i], macs[i] = id, e.at, mac(append([]string{id.String(), audit.Micros(e.at)}, covered...)...)
		for column, text := range covered {
			texts[column] = append(texts[column], text)
		}
	}
	batch.Queue(`
		insert into consent.audit (log_id, at, mac, actor, action, root, extension, channel, ground, outcome, event_id)
		select * from unnest($1::uuid[], $2::timestamptz[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
			$10::text[], $11::text[])`,
		ids, ats, macs, texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], texts[6], texts[7])
}
