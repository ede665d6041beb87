package syncpg

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/contact"
	"contactsync/sync/push"
)

// handing is who is queued under a lease and handed to the pusher, so that nobody need claim them: those for whom the pusher has places, and
// who were not in the queue. Everything else about them is as of a claim. If the transaction fails, or nobody knows how it ended, the places
// are given back, and leases that there may be run out.
type handing struct {
	*Store
	asked  time.Time                 // before the database's now(): our leases end no later than the database's
	places map[bool]push.Reservation // by whether a withdrawal is due
	urgent map[int64]bool            // of those whom there are places for
	claims []leased
	at     map[int64]int // of a person in claims
	open   bool          // every partition was read up to its gate when the transaction began
	shares bool          // and still is
	read   []versionedRow
	left   int // who is queued and nobody works on
}

// newHanding is for a transaction that is about to begin.
func (s *Store) newHanding() *handing {
	return &handing{Store: s, asked: time.Now(), places: map[bool]push.Reservation{}, urgent: map[int64]bool{}, at: map[int64]int{}}
}

// queueGate looks at the gate before places are reserved. A register of few calls a second would be asked about persons all the time that a
// backlog is read, and in vain.
func (h *handing) queueGate(batch *pgx.Batch) {
	if h.Pusher != nil {
		batch.Queue(`select ` + gateSQL).QueryRow(func(row pgx.Row) error { return row.Scan(&h.open) })
	}
}

// queue puts persons into the queue, and reads what is to be known of those who may be handed over.
func (h *handing) queue(ctx context.Context, batch *pgx.Batch, q queue) {
	h.reserve(ctx, q)
	q.queue(batch, leases{length: h.Lease, got: func(person, token int64, place uint32) {
		h.left--
		h.at[person] = len(h.claims)
		h.claims = append(h.claims, leased{Claim: push.Claim{ID: person, Token: token, Expires: h.asked.Add(h.Lease)}, seen: seen{place: place}})
	}})
	if len(h.urgent) == 0 {
		return
	}
	ids := make([]int64, 0, len(h.urgent))
	for id := range h.urgent {
		ids = append(ids, id)
	}
	batch.Queue(`
		select person_id, root, extension, unsure, written_version, coalesce(extract(epoch from now() - written_at), 0)::float8,
			exists (select from sync.ask a where a.person_id = p.person_id and a.first),
			exists (select from sync.person l where l.primary_id = p.person_id), (select `+gateSQL+`)
		from sync.person p where person_id = any ($1)`, ids).Query(h.readPersons)
	queueVersioned(batch, ids, &h.read)
}

// reserve finds places for persons of whom something is due that needs no answer first.
func (h *handing) reserve(ctx context.Context, q queue) {
	var of [2][]int64 // shares, withdrawals
	for id, p := range q {
		if !p.due {
			continue
		}
		h.left++
		switch {
		case p.askFirst:
		case p.urgent:
			of[1] = append(of[1], id)
		case h.open:
			of[0] = append(of[0], id)
		}
	}
	if h.Pusher == nil {
		return
	}
	for i, urgent := range []bool{true, false} {
		ids := of[1-i]
		slices.Sort(ids)
		persons := make([]contact.PersonID, len(ids))
		for n, id := range ids {
			persons[n] = q[id].kept
		}
		h.places[urgent] = h.Pusher.Reserve(ctx, persons, urgent)
		for _, id := range ids[:h.places[urgent].Places] {
			p := q[id]
			p.place = true
			q[id], h.urgent[id] = p, urgent
		}
	}
}

func (h *handing) readPersons(rows pgx.Rows) error {
	var id int64
	var read leased
	var root, extension string
	var age float64
	_, err := pgx.ForEachRow(rows, []any{&id, &root, &extension, &read.Unsure, &read.Written.Version, &age, &read.AskFirst, &read.linked, &h.shares}, func() error {
		if i, ours := h.at[id]; ours {
			c := &h.claims[i]
			c.Person, c.Unsure, c.AskFirst, c.linked = contact.KnownPersonID(root, extension), read.Unsure, read.AskFirst, read.linked
			c.Written = push.Written{Version: read.Written.Version, At: ago(age)}
		}
		return nil
	})
	return err
}

// end hands over what is durable now, or gives the places back if nobody knows that it is. It returns the error, or its own.
func (h *handing) end(ctx context.Context, err error) error {
	if h.Pusher == nil {
		return err
	}
	if err == nil {
		err = h.describe(ctx)
	}
	of := map[bool][]push.Claim{}
	for _, c := range h.claims {
		if err == nil {
			of[h.urgent[c.ID]] = append(of[h.urgent[c.ID]], c.Claim)
		}
	}
	for _, urgent := range []bool{true, false} {
		h.Pusher.HandOver(ctx, h.places[urgent], of[urgent])
	}
	if err == nil && h.left > 0 {
		h.Pusher.Wake()
	}
	return err
}

// describe says what is to be done under the leases. If it fails they run out.
func (h *handing) describe(ctx context.Context) error {
	var batch pgx.Batch
	queueLinked(&batch, h.claims)
	if batch.Len() > 0 {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), describeTimeout)
		defer cancel()
		if err := h.Pool.SendBatch(ctx, &batch).Close(); err != nil {
			return fmt.Errorf("find other numbers: %w", err)
		}
	}
	return addTargets(h.claims, h.read, h.shares)
}
