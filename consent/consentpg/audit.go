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
	queueAudit(&batch, key, a, at)
	if err := pool.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

func queueAudit(batch *pgx.Batch, key audit.Key, a Act, at time.Time) {
	actor := string(a.Actor.Role)
	if a.Actor.HSAID != "" {
		actor += " " + a.Actor.HSAID
	}
	id, root, extension := audit.NewID(), a.Person.Root(), a.Person.RevealExtension()
	mac := AuditLog().MAC(key, id.String(), audit.Micros(at), actor, a.Action, root, extension, string(a.Channel), a.Ground, a.Outcome, a.EventID)
	batch.Queue(`
		insert into consent.audit (log_id, at, actor, action, root, extension, channel, ground, outcome, event_id, mac)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		id, at, actor, a.Action, root, extension, string(a.Channel), a.Ground, a.Outcome, a.EventID, mac)
}
