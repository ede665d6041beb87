package consentpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
)

// Fold takes outcomes in: of each decision the one with the highest sequence counts, whatever their order. It also learns
// of revisions that came through other e-services. It returns the persons whose outcomes are news.
func (s *Store) Fold(ctx context.Context, outcomes []event.Outcome) (news []contact.PersonID, err error) {
	outcomes = slices.DeleteFunc(slices.Clone(outcomes), func(o event.Outcome) bool {
		return o.Channel != contact.Mobile && o.Channel != contact.Email // of a decision that named no channel: nobody's choice
	})
	slices.SortStableFunc(outcomes, func(a, b event.Outcome) int {
		return cmp.Or(inOrder(headOf(a), headOf(b)), cmp.Compare(a.EventID, b.EventID))
	})
	var batch pgx.Batch // one transaction, of statements of which each writes a row once
	for from, at := 0, 1; from < len(outcomes); at++ {
		if at < len(outcomes) && !sameDecision(outcomes[at-1], outcomes[at]) {
			continue
		}
		if err := queueFold(&batch, outcomes[from:at], &news); err != nil {
			return nil, fmt.Errorf("fold %d outcomes: %w", len(outcomes), err)
		}
		from = at
	}
	if err := s.Pool.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("fold %d outcomes: %w", len(outcomes), err)
	}
	return news, nil
}

func sameDecision(a, b event.Outcome) bool { return headOf(a) == headOf(b) && a.EventID == b.EventID }

func headOf(o event.Outcome) head {
	return head{contact.KnownPersonID(o.Person.Root(), o.Person.RevealExtension()), o.Channel}
}

// queueFold takes outcomes of different decisions in. They come in the order of their heads, which is that of the locks. The effects of each go as
// the text of an array: PostgreSQL's arrays of arrays hold as many of each.
func queueFold(batch *pgx.Batch, outcomes []event.Outcome, news *[]contact.PersonID) error {
	types := pgtype.NewMap()
	n := len(outcomes)
	revisions, sequences, ats, count, proved := make([]int64, n), make([]int64, n), make([]time.Time, n), make([]bool, n), make([]*time.Time, n)
	var texts [8][]string
	for i, o := range outcomes {
		effects, err := types.Encode(pgtype.TextArrayOID, pgtype.TextFormatCode, codes(o.Effects), nil)
		if err != nil {
			return err
		}
		revisions[i], sequences[i], ats[i], count[i], proved[i] = o.Revision, o.Sequence, o.Time, counts(o), o.ProvedAt
		for column, text := range []string{o.EventID, o.Person.Root(), o.Person.RevealExtension(), string(o.Channel), string(o.Outcome), string(o.Reason),
			string(effects), o.RegisterVersion} {
			texts[column] = append(texts[column], text)
		}
	}
	batch.Queue(`
		with told as (
			insert into consent.outcome as x (revision, sequence, told_at, counts, proved_at, event_id, root, extension, channel, outcome, reason, effects,
				register_version)
			select v, s, a, c, p, i, r, e, h, o, w, f::text[], g
			from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::boolean[], $5::timestamptz[], $6::text[], $7::text[], $8::text[], $9::text[],
				$10::text[], $11::text[], $12::text[], $13::text[]) with ordinality as d (v, s, a, c, p, i, r, e, h, o, w, f, g, n) order by n
			on conflict (root, extension, channel, event_id) do update set revision = excluded.revision, outcome = excluded.outcome,
				reason = excluded.reason, effects = excluded.effects, register_version = excluded.register_version,
				sequence = excluded.sequence, told_at = excluded.told_at, counts = excluded.counts,
				proved_at = case when excluded.outcome = 'unchanged' then coalesce(excluded.proved_at, x.proved_at) else excluded.proved_at end
			where x.sequence < excluded.sequence
			returning root, extension, channel, revision, counts
		), heard as (
			insert into consent.channel as c (root, extension, channel, revision)
			select root, extension, channel, max(revision) from told where counts
				and not exists (select from consent.channel c where c.root = told.root and c.extension = told.extension and c.channel = told.channel
					and c.revision >= told.revision)
			group by root, extension, channel
			order by root collate "C", extension collate "C", channel collate "C"
			on conflict (root, extension, channel) do update set revision = greatest(c.revision, excluded.revision)
			where c.revision < excluded.revision
		)
		select distinct root, extension from told`,
		revisions, sequences, ats, count, proved, texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], texts[6], texts[7]).Query(func(rows pgx.Rows) error {
		var root, extension string
		_, err := pgx.ForEachRow(rows, []any{&root, &extension}, func() error {
			*news = append(*news, contact.KnownPersonID(root, extension))
			return nil
		})
		return err
	})
	return nil
}

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
