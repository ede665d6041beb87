// Package event is the wire form of decisions and outcomes: CloudEvents 1.0 over Kafka records, JSON inside.
//
// Read turns one record of TopicDecisions into a Decision, or says why not; Decision.Binary is what a producer sends.
// Outcome is the answer to every decision. The contract for other makers of e-services lies beside the code: two JSON
// Schemas and asyncapi.yaml (see Contract); what was once written stays readable for ever (testdata/events/golden).
// It knows bytes and headers, not Kafka, and judges form only: clocks, e-services and guardians are judged by the intake.
//
// One rule stands above the others: nothing but a wrong event id, person, channel or revision may stop a withdrawal.
package event

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
)

// The event types of contract v1. Another major is another type and another topic.
const (
	TypeDecision = "se.contactsync.decision.v1"
	TypeOutcome  = "se.contactsync.outcome.v1"
	TypeChanged  = "se.contactsync.changed.v1"
)

// The topics of contract v1.
const (
	TopicDecisions  = "contactsync.decisions.v1"
	TopicOutcomes   = "contactsync.outcomes.v1"
	TopicUnreadable = "contactsync.unreadable.v1"
	TopicChanges    = "contactsync.changes.v1"
)

// DevelopmentPepper is the published pepper of development and tests. A real installation has a secret one of its own.
const DevelopmentPepper = "contactsync development pepper, not a secret"

// Header is one header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

// Role says in which capacity somebody decided.
type Role string

// The roles of an actor. Which of them an e-service may claim is consent/eservice's to say.
const (
	RoleResident  Role = "resident"
	RoleGuardian  Role = "guardian"
	RoleSupport   Role = "support"
	RoleRetention Role = "retention"
)

// Actor is who decided. The zero Actor is unknown: a withdrawal whose actor could not be read.
type Actor struct {
	Role  Role
	ID    contact.PersonID // of a guardian; zero for everybody else (the resident is the person)
	HSAID string           // of support staff or a retention service, upper case; may be empty for retention
}

// WithdrawReason says why a decision was withdrawn.
type WithdrawReason string

// The reasons of a withdrawal.
const (
	ReasonResident      WithdrawReason = "resident"
	ReasonAccountClosed WithdrawReason = "account_closed"
	ReasonInactivity    WithdrawReason = "inactivity"
	ReasonCorrection    WithdrawReason = "correction"
)

// Scoped tells whether the withdrawal takes back only what its own e-service shared.
func (r WithdrawReason) Scoped() bool { return r == ReasonInactivity || r == ReasonAccountClosed }

func (r WithdrawReason) known() bool {
	return r == ReasonResident || r == ReasonCorrection || r.Scoped()
}

// Notice names the text that was shown when the decision was made.
type Notice struct {
	Version  string `json:"version"`
	Language string `json:"language,omitempty"`
}

// Decision is one person's Yes or No for one channel: full state, never a delta.
type Decision struct {
	EventID string    // a UUID in a share; in a withdrawal any text up to 255 bytes
	Source  string    // e-service, as in urn:hsaid:SE2321000016-A1, the HSA-id in upper case; empty if a withdrawal's was unusable
	Time    time.Time // when the event was made; zero if not told

	Person  contact.PersonID
	Channel contact.Channel

	Share  bool          // false is a withdrawal
	Value  contact.Value // of a share only: a withdrawal's is never kept
	Notify *bool         // of a share only: may the person be notified there; nil keeps what the register has

	Revision  int64     // microseconds since 1970, strictly increasing per person and channel at its e-service; at least 1
	DecidedAt time.Time // zero if a withdrawal's could not be read

	Actor  Actor
	Notice Notice
	Reason WithdrawReason // of a withdrawal only
}

// Ahead tells how far the decision lies in the future: its revision, and for a share also the time it was made, whichever
// is later. Negative means the past.
func (d Decision) Ahead(now time.Time) time.Duration {
	ahead := time.UnixMicro(d.Revision).Sub(now)
	if d.Share {
		return max(ahead, d.DecidedAt.Sub(now))
	}
	return ahead
}

// Clock says how far ahead of now a decision may lie: clocks differ, and a far revision would block every later decision.
// The zero Clock allows a share 5 s and a withdrawal, which nothing should stop, 24 h.
type Clock struct{ Share, Withdrawal time.Duration }

// Judge refuses a decision that lies too far ahead: a reason.Refusal with reason.ClockAhead.
func (c Clock) Judge(d Decision, now time.Time) error {
	limit := cmp.Or(c.Withdrawal, 24*time.Hour)
	if d.Share {
		limit = cmp.Or(c.Share, 5*time.Second)
	}
	if d.Ahead(now) > limit {
		return &reason.Refusal{Field: "data.revision", Code: reason.ClockAhead}
	}
	return nil
}

// LogValue gives what may stand in a log. An event id that is no UUID is free text, and stays out.
func (d Decision) LogValue() slog.Value {
	id := d.EventID
	if !isUUID(id) {
		id = "[no uuid]"
	}
	return slog.GroupValue(
		slog.String("event_id", id),
		slog.String("source", d.Source),
		slog.String("channel", string(d.Channel)),
		slog.Bool("share", d.Share),
		slog.Int64("revision", d.Revision))
}

// Key is the Kafka key of a person's records: 32 hex characters that tell nothing without the pepper. It keeps one
// person's decisions in one partition, nothing more: their order is told by the revision.
func Key(pepper []byte, p contact.PersonID) string {
	mac := hmac.New(sha256.New, pepper)
	mac.Write([]byte(p.Root() + "|" + p.RevealExtension()))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// UnreadableRecord is the value of TopicUnreadable: where the record lies and why nobody can be told about it, never the
// record itself.
type UnreadableRecord struct {
	Topic     string      `json:"topic"`
	Partition int         `json:"partition"`
	Offset    int64       `json:"offset"`
	Reason    reason.Code `json:"reason"`
}
