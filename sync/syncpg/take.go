package syncpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/sync/intake"
	"contactsync/sync/plan"
)

// Take implements intake.Store: decisions, their outcomes as far as they are known, and the partitions' offsets, all or nothing.
// Records that were taken before, by their offset, change nothing, and are not told of again.
func (s *Store) Take(ctx context.Context, batches ...intake.Batch) error {
	batches = slices.Clone(batches)
	slices.SortStableFunc(batches, func(a, b intake.Batch) int { // as every worker locks the partitions
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	var entries []received
	for i, b := range batches {
		for _, e := range b.Entries {
			entries = append(entries, received{e, i})
		}
	}
	err := unmoved(func() error {
		t := &taking{Store: s, batches: batches, from: make([]int64, len(batches)), entries: entries, handing: s.newHanding()}
		err := s.begin(ctx, func(tx *transaction) error {
			t.tx = tx
			return t.run(ctx)
		})
		return t.handing.end(ctx, err)
	})
	if err != nil {
		return fmt.Errorf("take %d decisions: %w", len(entries), err)
	}
	return nil
}

// received is a record and in which of the batches it came.
type received struct {
	intake.Entry
	batch int
}

// unmoved runs a transaction, and runs it again if a person's rows have moved to another number meanwhile. One that found them
// moved has locked the rows that say so, and finds the new place the next time.
func unmoved(transaction func() error) (err error) {
	for range 5 {
		if err = transaction(); !errors.Is(err, errMoved) {
			return err
		}
	}
	return err
}

// numbered is where a person's decisions are kept.
type numbered struct {
	id   int64
	kept contact.PersonID // the number that they are kept under
}

// taking is what is on its way into the database in one transaction.
type taking struct {
	*Store
	tx       *transaction
	batches  []intake.Batch
	from     []int64 // by batch: records below this offset were taken before
	entries  []received
	persons  map[contact.PersonID]numbered
	made     map[int64]bool // persons who are new
	states   map[key]plan.State
	fresh    map[key]plan.State // of rows that are not there yet
	seen     []bool             // by entry: refused before, and told of then
	changed  map[key]plan.State
	outcomes []said
	others   []message
	handing  *handing
}

func (t *taking) run(ctx context.Context) error {
	if err := t.begin(ctx); err != nil {
		return err
	}
	refused, err := t.lock(ctx)
	if err != nil {
		return err
	}
	var batch pgx.Batch
	t.refuse(&batch, refused)
	t.changed = map[key]plan.State{}
	for i, e := range t.entries {
		if t.seen[i] {
			continue
		}
		if err := t.take(e); err != nil {
			return err
		}
	}
	if err := t.save(&batch); err != nil {
		return err
	}
	t.due(ctx, &batch)
	n := len(t.outcomes) + len(t.others)
	if n == 0 {
		if err := t.tx.last(ctx, &batch); err != nil {
			return fmt.Errorf("store what was decided: %w", err)
		}
		return nil
	}
	var d drawn
	d.queue(&batch, n)
	if err := t.tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("store what was decided: %w", err)
	}
	return t.publishDrawn(ctx, t.tx, &pgx.Batch{}, d, t.outcomes, t.others)
}

// begin moves the partitions on, and finds or makes the persons.
func (t *taking) begin(ctx context.Context) error {
	t.persons, t.made = map[contact.PersonID]numbered{}, map[int64]bool{}
	unknown := map[contact.PersonID]bool{}
	for _, e := range t.entries {
		if p := e.Decision.Person; !p.IsZero() {
			unknown[p] = true
		}
	}
	var batch pgx.Batch
	queueAdvance(&batch, t.batches, t.from)
	t.handing.queueGate(&batch)
	for _, look := range []func(*pgx.Batch, map[contact.PersonID]bool){t.queueFind, t.queueMake, t.queueFind} {
		if len(unknown) > 0 {
			look(&batch, unknown)
		}
		if err := t.tx.SendBatch(ctx, &batch).Close(); err != nil {
			return err
		}
		if len(unknown) == 0 {
			return nil
		}
		batch = pgx.Batch{}
	}
	return errors.New("persons are neither there nor made")
}

// queueMake makes persons. Whom another worker makes just now is waited for.
func (t *taking) queueMake(batch *pgx.Batch, unknown map[contact.PersonID]bool) {
	roots, extensions := identities(unknown)
	batch.Queue(`
		insert into sync.person (root, extension)
		select r, e from unnest($1::text[], $2::text[]) with ordinality as d (r, e, n) order by n
		on conflict (root, extension) do nothing returning person_id, root, extension`, roots, extensions).Query(func(rows pgx.Rows) error {
		var id int64
		var root, extension string
		_, err := pgx.ForEachRow(rows, []any{&id, &root, &extension}, func() error {
			p := contact.KnownPersonID(root, extension)
			t.persons[p], t.made[id] = numbered{id, p}, true
			delete(unknown, p)
			return nil
		})
		return err
	})
}

// queueFind numbers persons.
func (t *taking) queueFind(batch *pgx.Batch, unknown map[contact.PersonID]bool) {
	roots, extensions := identities(unknown)
	batch.Queue(`
		select k.person_id, k.root, k.extension, p.root, p.extension
		from unnest($1::text[], $2::text[]) as d (r, e) join sync.person p on p.root = r and p.extension = e
			join sync.person k on k.person_id = coalesce(p.primary_id, p.person_id)`,
		roots, extensions).Query(func(rows pgx.Rows) error {
		var id int64
		var keptRoot, kept, root, extension string
		_, err := pgx.ForEachRow(rows, []any{&id, &keptRoot, &kept, &root, &extension}, func() error {
			p := contact.KnownPersonID(root, extension)
			t.persons[p] = numbered{id, contact.KnownPersonID(keptRoot, kept)}
			delete(unknown, p)
			return nil
		})
		return err
	})
}

// identities come in an order that is the same for every worker.
func identities(persons map[contact.PersonID]bool) (roots, extensions []string) {
	sorted := slices.SortedFunc(maps.Keys(persons), func(a, b contact.PersonID) int {
		return cmp.Or(cmp.Compare(a.Root(), b.Root()), cmp.Compare(a.RevealExtension(), b.RevealExtension()))
	})
	for _, p := range sorted {
		roots, extensions = append(roots, p.Root()), append(extensions, p.RevealExtension())
	}
	return roots, extensions
}

// lock takes the rows of every decision whose person and channel are known, refused ones too: their outcomes get a sequence. Of persons
// whom this transaction has made nobody else knows: their rows are made in the end, as they are then. Under the locks it looks which decisions
// were refused before.
func (t *taking) lock(ctx context.Context) (refused map[string]bool, err error) {
	wanted := map[key]plan.State{}
	t.fresh = map[key]plan.State{}
	for _, e := range t.entries {
		if k, ok := t.key(e); !ok {
			continue
		} else if t.made[k.person] {
			t.fresh[k] = plan.State{}
		} else {
			wanted[k] = plan.State{}
		}
	}
	var batch pgx.Batch
	var read []row
	if len(wanted) > 0 {
		queueLocks(&batch, sortedKeys(wanted), &read)
	}
	refused = map[string]bool{}
	t.queueRefusedBefore(&batch, refused)
	if err := t.tx.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("lock channel rows: %w", err)
	}
	t.states, err = unmovedStates(read)
	return refused, err
}

func (t *taking) save(batch *pgx.Batch) error {
	there := map[key]plan.State{}
	for k, state := range t.changed {
		if _, fresh := t.fresh[k]; fresh {
			t.fresh[k] = state
		} else {
			there[k] = state
		}
	}
	if err := queueInserts(batch, t.fresh); err != nil {
		return err
	}
	return queueSave(batch, there)
}

func (t *taking) key(e received) (key, bool) {
	d := e.Decision
	known := !d.Person.IsZero() && slices.Contains(contact.Channels[:], d.Channel)
	return key{t.persons[d.Person].id, d.Channel}, known
}

// refuse marks entries that were refused before, and records those that are refused now.
func (t *taking) refuse(batch *pgx.Batch, before map[string]bool) {
	t.seen = make([]bool, len(t.entries))
	now := map[string]received{}
	for i, e := range t.entries {
		m := refusalMark(e.Entry)
		_, again := now[m]
		switch {
		case e.Unreadable != "":
		case (before[m] || again) && (e.Refused != "" || e.Decision.Share):
			t.seen[i] = true
		case e.Refused != "":
			now[m] = e
		}
	}
	t.recordRefusals(batch, now)
}

// refusalMark is a digest of what tells a refused decision from others. An e-service that uses an id twice harms nobody else.
func refusalMark(e intake.Entry) string {
	d := e.Decision
	return markOfRefusal(d.EventID, d.Source, e.Person.Root(), e.Person.RevealExtension(), d.Channel, d.Revision)
}

func (t *taking) queueRefusedBefore(batch *pgx.Batch, before map[string]bool) {
	marks := make([]string, 0, len(t.entries))
	for _, e := range t.entries {
		if e.Unreadable == "" && (e.Decision.Share || e.Refused != "") {
			marks = append(marks, refusalMark(e.Entry))
		}
	}
	batch.Queue(`select mark from sync.refused where mark = any ($1)`, marks).Query(func(rows pgx.Rows) error {
		var mark string
		_, err := pgx.ForEachRow(rows, []any{&mark}, func() error {
			before[mark] = true
			return nil
		})
		return err
	})
}

const refusedSQL = `
	insert into sync.refused (mark, event_id, source, person_id, channel, revision, reason, refused_at)
	values ($1, $2, $3, $4, $5, $6, $7, now()) on conflict (mark) do nothing`

// recordRefusals inserts in the order of the marks, as every worker does.
func (t *taking) recordRefusals(batch *pgx.Batch, refused map[string]received) {
	for _, mark := range slices.Sorted(maps.Keys(refused)) {
		d := refused[mark].Decision
		var person *int64
		if n, ok := t.persons[d.Person]; ok {
			person = &n.id
		}
		batch.Queue(refusedSQL, mark, d.EventID, d.Source, person, string(d.Channel), d.Revision, string(refused[mark].Refused))
	}
}

// take applies one entry to the state and collects what follows.
func (t *taking) take(e received) error {
	again := e.Offset < t.from[e.batch]
	switch {
	case again && (e.Unreadable != "" || e.Refused != ""):
	case e.Unreadable != "":
		b := t.batches[e.batch]
		m, err := unreadable(event.UnreadableRecord{Topic: b.Topic, Partition: b.Partition, Offset: e.Offset, Reason: e.Unreadable})
		t.others = append(t.others, m)
		return err
	case e.Refused != "":
		t.say(e, plan.Verdict{EventID: e.Decision.EventID, Revision: e.Decision.Revision, Outcome: event.Parked, Reason: e.Refused})
	default:
		k, _ := t.key(e)
		state := t.states[k]
		for _, v := range state.Apply(t.under(e)) {
			passedOver := v.EventID == e.Decision.EventID && v.Outcome != event.Parked
			if !again || !passedOver {
				t.say(e, v)
			}
		}
		t.states[k], t.changed[k] = state, state
	}
	return nil
}

// under is the entry's event with the number it was made under, if the person is kept under another one.
func (t *taking) under(e received) plan.Event {
	p := e.Decision.Person
	if t.persons[p].kept == p {
		return e.Event
	}
	out := e.Event
	if s := out.Share; s != nil {
		share := *s
		share.Under, out.Share = p, &share
	}
	if w := out.Withdrawal; w != nil {
		withdrawal := *w
		withdrawal.Under, out.Withdrawal = p, &withdrawal
	}
	return out
}

// say tells of a decision: the entry's own, or one that it has replaced and that may have been made under another number.
func (t *taking) say(e received, v plan.Verdict) {
	if n, ok := t.persons[e.Decision.Person]; ok && v.EventID != e.Decision.EventID {
		t.outcomes = append(t.outcomes, t.about(n.kept, e.Decision.Channel, v))
		return
	}
	key := ""
	if !e.Decision.Person.IsZero() {
		key = event.Key(t.Pepper, e.Decision.Person)
	}
	t.outcomes = append(t.outcomes, said{person: e.Person, pseudo: key, channel: e.Decision.Channel, verdict: v})
}

// due puts persons whose register record is behind into the queue, and those about whom the register must be asked.
func (t *taking) due(ctx context.Context, batch *pgx.Batch) {
	kept := map[int64]contact.PersonID{}
	for _, n := range t.persons {
		kept[n.id] = n.kept
	}
	q := queue{}
	for k, state := range t.changed {
		q.add(k.person, kept[k.person], state)
	}
	t.crowd(q, "")
	t.handing.queue(ctx, batch, q)
}
