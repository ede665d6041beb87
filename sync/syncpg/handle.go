package syncpg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/sync/plan"
)

func (k key) place() ParkedPlace { return ParkedPlace{k.person, k.channel} }

// Handling is what an operator does about parked decisions: lets them be tried at once, or gives shares up for good.
type Handling struct {
	Drop   bool
	Actor  event.Actor
	Ground string // for the audit
}

// Handle does so to each decision that is still parked, and returns those; a withdrawal is never dropped. All or nothing. Whatever the
// register says to one that was released is told as a further outcome; a share that was dropped is told of at once, and refused from then on.
func (s *Store) Handle(ctx context.Context, decisions []ParkedDecision, h Handling) (done []ParkedDecision, err error) {
	if h.Actor.HSAID == "" || h.Ground == "" {
		return nil, fmt.Errorf("handle what is parked: who does it, and why, is required")
	}
	err = s.begin(ctx, func(tx *transaction) error {
		d := &handling{Store: s, Handling: h, tx: tx, changed: map[key]plan.State{}, queue: queue{}}
		if err := d.lock(ctx, decisions); err != nil {
			return err
		}
		for _, p := range decisions {
			d.handle(p)
		}
		done = d.done
		return d.record(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("handle what is parked: %w", err)
	}
	return done, nil
}

// handling is one transaction of Handle.
type handling struct {
	*Store
	Handling
	tx       *transaction
	kept     map[int64]contact.PersonID
	states   map[key]plan.State
	changed  map[key]plan.State
	queue    queue
	refused  []plan.Share // with the number that each was made under
	outcomes []said
	done     []ParkedDecision
}

// lock takes the channel rows. One that has moved to another number is empty, and nothing is parked there any more.
func (h *handling) lock(ctx context.Context, decisions []ParkedDecision) error {
	var keys []key
	var ids []int64
	for _, d := range decisions {
		keys, ids = append(keys, key{d.Place.Person, d.Place.Channel}), append(ids, d.Place.Person)
	}
	sortKeys(keys)
	read, err := rowsThere(ctx, h.tx, slices.Compact(keys), "for update")
	if err != nil {
		return err
	}
	if h.states, err = statesOf(read); err != nil {
		return err
	}
	rows, err := h.tx.Query(ctx, `select person_id, root, extension from sync.person where person_id = any ($1)`, ids)
	if err != nil {
		return err
	}
	h.kept = map[int64]contact.PersonID{}
	var id int64
	var root, extension string
	_, err = pgx.ForEachRow(rows, []any{&id, &root, &extension}, func() error {
		h.kept[id] = contact.KnownPersonID(root, extension)
		return nil
	})
	return err
}

func (h *handling) handle(p ParkedDecision) {
	k := key{p.Place.Person, p.Place.Channel}
	state := h.states[k]
	share := shareOf(state, p.Mark)
	do := state.Release
	if h.Drop {
		do = state.Drop
	}
	verdicts, ok := do(p.Mark)
	if !ok {
		return
	}
	if h.Drop {
		h.refused = append(h.refused, share)
	}
	for _, v := range verdicts {
		h.outcomes = append(h.outcomes, h.about(h.kept[k.person], k.channel, v))
	}
	h.states[k], h.changed[k] = state, state
	h.queue.add(k.person, h.kept[k.person], state)
	h.done = append(h.done, p)
}

func shareOf(s plan.State, m plan.Mark) plan.Share {
	for _, p := range s.AllParked() {
		if p.Mark == m && p.Share != nil {
			return *p.Share
		}
	}
	return plan.Share{}
}

// record stores it all in the order of locks that everybody keeps: channel rows, then the queue.
func (h *handling) record(ctx context.Context) error {
	if len(h.done) == 0 {
		return nil
	}
	if err := save(ctx, h.tx, h.changed); err != nil {
		return err
	}
	h.crowd(h.queue, "parked")
	if h.Drop {
		if err := h.refuse(ctx); err != nil {
			return err
		}
	} else if err := h.queue.put(ctx, h.tx); err != nil {
		return err
	}
	if err := h.audit(ctx); err != nil {
		return err
	}
	return h.publish(ctx, h.tx, h.outcomes, nil)
}

// refuse keeps a replay of what was dropped from coming back, as for whatever was refused at once.
func (h *handling) refuse(ctx context.Context) error {
	var batch pgx.Batch
	for i, p := range h.done {
		share, person := h.refused[i], h.kept[p.Place.Person]
		if !share.Under.IsZero() {
			person = share.Under
		}
		batch.Queue(droppedSQL, decisionMark(share, person, p.Place.Channel), share.EventID, share.Source, person.Root(), person.RevealExtension(),
			string(p.Place.Channel), share.Revision)
	}
	return h.tx.SendBatch(ctx, &batch).Close()
}

const droppedSQL = `
	insert into sync.refused (mark, event_id, source, person_id, channel, revision, reason, refused_at)
	values ($1, $2, $3, (select person_id from sync.person where root = $4 and extension = $5), $6, $7, 'dropped', now()) on conflict (mark) do nothing`

// audit tells who did it and on which ground in the outcome: every other entry here is the worker's own.
func (h *handling) audit(ctx context.Context) error {
	var at time.Time
	if err := h.tx.QueryRow(ctx, `select now()`).Scan(&at); err != nil {
		return err
	}
	action, outcome := "parked.release", "released"
	if h.Drop {
		action, outcome = "parked.drop", "dropped"
	}
	outcome += " by " + string(h.Actor.Role) + " " + h.Actor.HSAID + ": " + h.Ground
	var batch pgx.Batch
	var entries []entry
	for _, p := range h.done {
		entries = append(entries, entry{at: at, action: action, person: p.Place.Person, channel: string(p.Place.Channel), ground: p.EventID,
			outcome: outcome, reason: p.Reason})
	}
	h.queueEntries(&batch, entries...)
	return h.tx.SendBatch(ctx, &batch).Close()
}

// decisionMark is the refusalMark of a share that was taken in.
func decisionMark(s plan.Share, p contact.PersonID, channel contact.Channel) string {
	return markOfRefusal(s.EventID, s.Source, p.Root(), p.RevealExtension(), channel, s.Revision)
}

func markOfRefusal(eventID, source, root, extension string, channel contact.Channel, revision int64) string {
	var text []byte
	for _, part := range []string{eventID, source, root, extension, string(channel)} {
		text = append(strconv.AppendQuote(text, part), ' ')
	}
	sum := sha256.Sum256(strconv.AppendInt(text, revision, 10))
	return hex.EncodeToString(sum[:16])
}
