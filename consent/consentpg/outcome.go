package consentpg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
)

// Fold takes outcomes in: of each decision the one with the highest sequence counts, whatever their order. It also learns
// of revisions that came through other e-services. It returns the persons whose outcomes are news.
func (s *Store) Fold(ctx context.Context, outcomes []event.Outcome) (news []contact.PersonID, err error) {
	outcomes = slices.Clone(outcomes)
	slices.SortStableFunc(outcomes, func(a, b event.Outcome) int { return inOrder(headOf(a), headOf(b)) })
	var batch pgx.Batch // one transaction
	for _, o := range outcomes {
		if o.Channel != contact.Mobile && o.Channel != contact.Email {
			continue // of a decision that named no channel: nobody's choice
		}
		batch.Queue(foldSQL, o.EventID, o.Person.Root(), o.Person.RevealExtension(), string(o.Channel), o.Revision, string(o.Outcome),
			string(o.Reason), codes(o.Effects), o.RegisterVersion, o.Sequence, o.Time, counts(o), o.ProvedAt).Exec(func(told pgconn.CommandTag) error {
			if told.RowsAffected() > 0 {
				news = append(news, contact.KnownPersonID(o.Person.Root(), o.Person.RevealExtension()))
			}
			return nil
		})
	}
	if err := s.Pool.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("fold %d outcomes: %w", len(outcomes), err)
	}
	return news, nil
}

func headOf(o event.Outcome) head {
	return head{contact.KnownPersonID(o.Person.Root(), o.Person.RevealExtension()), o.Channel}
}

const foldSQL = `
	with told as (
		insert into consent.outcome as x (event_id, root, extension, channel, revision, outcome, reason, effects, register_version,
			sequence, told_at, counts, proved_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		on conflict (root, extension, channel, event_id) do update set revision = excluded.revision, outcome = excluded.outcome,
			reason = excluded.reason, effects = excluded.effects, register_version = excluded.register_version,
			sequence = excluded.sequence, told_at = excluded.told_at, counts = excluded.counts,
			proved_at = case when excluded.outcome = 'unchanged' then coalesce(excluded.proved_at, x.proved_at) else excluded.proved_at end
		where x.sequence < excluded.sequence
		returning root, extension, channel, revision
	), heard as (
		insert into consent.channel as c (root, extension, channel, revision) select root, extension, channel, revision from told where $12
		on conflict (root, extension, channel) do update set revision = greatest(c.revision, excluded.revision)
		where c.revision < excluded.revision
	)
	select from told`

// counts tells whether the decision takes part in what the person wants. A refused one does not, and its revision may lie far
// in the future; nor does one that has been passed by a newer one, or that closed an account elsewhere.
func counts(o event.Outcome) bool {
	switch o.Outcome {
	case event.Pushed:
		return true
	case event.Unchanged:
		return o.Reason != reason.SharedElsewhere
	default:
		return o.Reason == reason.PersonUnknown || o.Reason == reason.PersonDeceased || o.Reason == reason.RegisterRefused ||
			o.Reason == reason.ProtectedNoAuthority || o.Reason == reason.ContractCannotExpress
	}
}

func codes(effects []reason.Code) []string {
	out := make([]string, len(effects))
	for i, e := range effects {
		out[i] = string(e)
	}
	return out
}

// Choices returns what the person decided here, per channel, with its outcome. A channel without a row was never decided on
// here, unless Elsewhere is set.
func (s *Store) Choices(ctx context.Context, p contact.PersonID) (map[contact.Channel]Choice, error) {
	out := map[contact.Channel]Choice{}
	for _, channel := range contact.Channels {
		c, known, err := s.choice(ctx, p, channel)
		if err != nil {
			return nil, fmt.Errorf("read choice: %w", err)
		}
		if known {
			out[channel] = c
		}
	}
	return out, nil
}

func (s *Store) choice(ctx context.Context, p contact.PersonID, channel contact.Channel) (c Choice, known bool, err error) {
	var value, why *string
	err = s.Pool.QueryRow(ctx, `
		select d.event_id, d.revision, d.share, d.value, d.notify, d.decided_at, d.actor_role, d.reason, d.correction
		from consent.channel c join consent.decision d using (event_id)
		where c.root = $1 and c.extension = $2 and c.channel = $3`, p.Root(), p.RevealExtension(), string(channel)).Scan(
		&c.EventID, &c.Revision, &c.Share, &value, &c.Notify, &c.DecidedAt, &c.Actor, &why, &c.Correction)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
	case err != nil:
		return c, false, err
	default:
		known, c.Reason = true, event.WithdrawReason(*why)
		if value != nil {
			c.Value = contact.KnownValue(*value)
		}
	}
	if c.Outcome, err = s.outcome(ctx, p, channel, `event_id = $4`, c.EventID); err != nil {
		return c, false, err
	}
	c.Elsewhere, err = s.outcome(ctx, p, channel, `revision > $4 and counts`, c.Revision)
	return c, known || c.Elsewhere != nil, err
}

// outcome returns the newest outcome that fits the condition on $4, or nil.
func (s *Store) outcome(ctx context.Context, p contact.PersonID, channel contact.Channel, condition string, arg any) (*Outcome, error) {
	var o Outcome
	var effects []string
	err := s.Pool.QueryRow(ctx, `
		select revision, outcome, reason, effects, told_at, proved_at from consent.outcome
		where root = $1 and extension = $2 and channel = $3 and `+condition+` order by revision desc, sequence desc limit 1`,
		p.Root(), p.RevealExtension(), string(channel), arg).Scan(&o.Revision, &o.Kind, &o.Reason, &effects, &o.At, &o.ProvedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range effects {
		o.Effects = append(o.Effects, reason.Code(e))
	}
	return &o, nil
}

// Unpublished tells how many decisions made here wait to be published to Kafka, and since when the oldest waits.
func (s *Store) Unpublished(ctx context.Context) (count int64, oldest time.Duration, err error) {
	err = s.Pool.QueryRow(ctx, `select count(*), coalesce(max(now() - created_at), '0') from consent.outbox`).Scan(&count, &oldest)
	if err != nil {
		return 0, 0, fmt.Errorf("count what is to be published: %w", err)
	}
	return count, max(0, oldest), nil
}

// Told is one line of what is known about a person's decisions, for support.
type Told struct {
	EventID  string
	Channel  contact.Channel
	Revision int64
	Outcome  event.OutcomeKind
	Reason   reason.Code
	Effects  []reason.Code
	At       time.Time
}

// Outcomes returns the person's last outcomes, the newest first.
func (s *Store) Outcomes(ctx context.Context, p contact.PersonID, limit int) ([]Told, error) {
	rows, err := s.Pool.Query(ctx, `
		select event_id, channel, revision, outcome, reason, effects, told_at from consent.outcome
		where root = $1 and extension = $2 order by sequence desc limit $3`, p.Root(), p.RevealExtension(), limit)
	if err != nil {
		return nil, fmt.Errorf("read outcomes: %w", err)
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (t Told, err error) {
		var effects []string
		err = r.Scan(&t.EventID, &t.Channel, &t.Revision, &t.Outcome, &t.Reason, &effects, &t.At)
		for _, e := range effects {
			t.Effects = append(t.Effects, reason.Code(e))
		}
		return t, err
	})
}
