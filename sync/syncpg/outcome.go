package syncpg

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/pgschema"
	"contactsync/sync/plan"
)

// said is a verdict and whom it is about.
type said struct {
	person  event.RawPerson
	pseudo  string // Kafka key
	channel contact.Channel
	verdict plan.Verdict
}

// about makes a verdict on a decision of a person that is kept under a number; its outcome names the one it was made under.
func (s *Store) about(kept contact.PersonID, channel contact.Channel, v plan.Verdict) said {
	p := kept
	if !v.Under.IsZero() {
		p = v.Under
	}
	return said{person: event.RawOf(p), pseudo: event.Key(s.Pepper, p), channel: channel, verdict: v}
}

// message waits to be published.
type message struct {
	id         int64
	topic, key string
	headers    []event.Header
	value      []byte
}

// publish puts outcomes and other messages into the outbox, and ends the transaction. Outcomes of a channel must be put there under that
// channel's row lock: their sequence is drawn here.
func (s *Store) publish(ctx context.Context, tx *transaction, outcomes []said, others []message) error {
	if len(outcomes)+len(others) == 0 {
		return nil
	}
	var d drawn
	var batch pgx.Batch
	d.queue(&batch, len(outcomes)+len(others))
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("draw sequences: %w", err)
	}
	return s.publishDrawn(ctx, tx, &pgx.Batch{}, d, outcomes, others)
}

// drawn are sequences, and the transaction's time, by PostgreSQL's clock.
type drawn struct {
	ids []int64
	now time.Time
}

// queue draws n. The database may be an older one since the server was started again, and its sequence too: then it goes on with the time, which
// is ahead of every sequence that was drawn. Else an outcome would have the sequence and the id of one that was told already.
func (d *drawn) queue(batch *pgx.Batch, n int) {
	batch.Queue(`
		with moved as (update sync.server set run = `+pgschema.RunSQL+` where run <> `+pgschema.RunSQL+` returning run),
			ahead as (select setval('sync.outbox_id', greatest(nextval('sync.outbox_id'), (extract(epoch from now()) * 1000000)::bigint)) from moved)
		select nextval('sync.outbox_id'), now() from (select count(*) from ahead) as first, generate_series(1, $1)`, n).Query(func(rows pgx.Rows) error {
		var id int64
		_, err := pgx.ForEachRow(rows, []any{&id, &d.now}, func() error {
			d.ids = append(d.ids, id)
			return nil
		})
		return err
	})
}

// publishDrawn is publish with the sequences given. It sends what is in the batch, too.
func (s *Store) publishDrawn(ctx context.Context, tx *transaction, batch *pgx.Batch, d drawn, outcomes []said, others []message) error {
	messages := make([]message, 0, len(d.ids))
	for i, o := range outcomes {
		messages = append(messages, s.outcome(o, d.ids[i], d.now))
	}
	for i, m := range others {
		m.id = d.ids[len(outcomes)+i]
		messages = append(messages, m)
	}
	if err := queueMessages(batch, tx.types(), messages, d.now); err != nil {
		return err
	}
	if err := tx.last(ctx, batch); err != nil {
		return fmt.Errorf("put into outbox: %w", err)
	}
	return nil
}

func (s *Store) outcome(o said, sequence int64, now time.Time) message {
	v := o.verdict
	told := event.Outcome{
		// The id is the same whenever this outcome is published again.
		ID:     uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s/%d", s.Source, sequence)).String(),
		Source: s.Source, EventID: v.EventID, Person: o.person, Channel: o.channel, Revision: v.Revision,
		Outcome: v.Outcome, Reason: v.Reason, Effects: v.Effects, RegisterVersion: v.Version, Sequence: sequence, Time: now,
	}
	if !v.ProvedAt.IsZero() {
		told.ProvedAt = &v.ProvedAt
	}
	headers, value := told.Binary()
	return message{id: sequence, topic: event.TopicOutcomes, key: o.pseudo, headers: headers, value: value}
}

// queueMessages puts messages into the outbox by one statement. The headers of each go as the text of an array: PostgreSQL's arrays of arrays
// hold as many of each.
func queueMessages(batch *pgx.Batch, types *pgtype.Map, messages []message, now time.Time) error {
	if len(messages) == 0 {
		return nil
	}
	ids, values := make([]int64, len(messages)), make([][]byte, len(messages))
	topics, keys, headers := make([]string, len(messages)), make([]string, len(messages)), make([]string, len(messages))
	for i, m := range messages {
		text, err := types.Encode(pgtype.TextArrayOID, pgtype.TextFormatCode, flat(m.headers), nil)
		if err != nil {
			return fmt.Errorf("put into outbox: %w", err)
		}
		ids[i], topics[i], keys[i], headers[i], values[i] = m.id, m.topic, m.key, string(text), m.value
	}
	batch.Queue(`
		insert into sync.outbox (id, topic, key, headers, value, created_at)
		select i, t, k, h::text[], v, $6 from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bytea[]) as m (i, t, k, h, v)`,
		ids, topics, keys, headers, values, now)
	return nil
}

func flat(headers []event.Header) []string {
	out := make([]string, 0, 2*len(headers)) // not nil, which the column does not take
	for _, h := range headers {
		out = append(out, h.Key, string(h.Value))
	}
	return out
}

func unreadable(r event.UnreadableRecord) (message, error) {
	value, err := json.Marshal(r)
	return message{topic: event.TopicUnreadable, value: value}, err
}
