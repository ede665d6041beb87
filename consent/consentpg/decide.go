package consentpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/group"
)

const (
	// decideTimeout bounds a decision, whether the resident waits for it or has left: a click that has arrived is carried out.
	decideTimeout = 10 * time.Second
	// togetherTimeout bounds a transaction of several. What it cannot do each tries by itself.
	togetherTimeout = 2 * time.Second
)

// Decide makes a decision durable: the decision, its audit entry and its event, all or nothing. Its revision is the time in
// microseconds, or one above the highest that is known. Those that are made while others are on their way to the disk share a transaction.
func (s *Store) Decide(ctx context.Context, w Wish) (Choice, error) {
	w.EventID = cmp.Or(w.EventID, uuid.NewString()) // before the transaction: if nobody knows how that ended, the next finds what was made
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decideTimeout)
	defer cancel()
	d := &deciding{wish: w}
	err := s.decisions.Wait(ctx, d)
	if err == nil && d.alone {
		err = s.decideAlone(ctx, d)
	}
	if err == nil {
		err = d.err
	}
	if err != nil {
		return Choice{}, fmt.Errorf("record decision: %w", err)
	}
	return d.choice, nil
}

// deciding is a wish, and what came of it.
type deciding struct {
	wish    Wish
	choice  Choice
	err     error // of this wish alone: nothing was recorded for it
	alone   bool  // it could not be decided together with others, or somebody else holds its head
	written bool  // it was given to a transaction: whatever came of that is found under its event id
}

// noAgain tells whether a wish is a No that the resident has sent before. It may have been clicked again after a Yes, and must not be
// swallowed then. A Yes that comes again may be a reload, and would bring back what was withdrawn.
func (d *deciding) noAgain(was Choice) bool {
	return !d.written && d.wish.Upon == nil && !d.wish.Share && was.residentsNo()
}

func (c Choice) residentsNo() bool { return !c.Share && c.Actor == event.RoleResident }

const (
	mostTogether = 100 // decisions of one transaction
	// gatherFor is how long decisions gather that come fast, unless worthTogether wait. A detail waits for that, and much less for the CPU that a
	// transaction of its own, and all that comes after it, would take.
	gatherFor     = 5 * time.Millisecond
	worthTogether = 16
)

// newDecisions has one transaction under way: what comes meanwhile is in the next, and what comes soon after it too.
func (s *Store) newDecisions() *group.Group[*deciding] {
	return &group.Group[*deciding]{Do: s.decideTogether, AtOnce: 1, Most: mostTogether, Worth: worthTogether, LingerFor: gatherFor,
		More: func() bool { return s.comeFast(time.Now()) }}
}

// comeFast tells whether others are to come soon: the last transaction was over not long ago.
func (s *Store) comeFast(now time.Time) bool {
	last := s.decided.Load()
	return last != nil && now.Sub(*last) < gatherFor
}

// decideTogether waits for no head: somebody may hold it who has stopped in the middle of a transaction.
func (s *Store) decideTogether(ctx context.Context, all []*deciding) error {
	defer func() { s.decided.Store(new(time.Now())) }()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), togetherTimeout)
	defer cancel()
	if s.decide(ctx, all, `skip locked`) != nil {
		for _, d := range all {
			d.alone = true
		}
		return nil
	}
	s.written(ctx)
	return nil
}

// written tells of what is durable, once for all of a transaction.
func (s *Store) written(ctx context.Context) {
	if s.Written != nil {
		s.Written(ctx)
	}
}

// decideAlone waits for the head. Those who do hold no more than half of the connections.
func (s *Store) decideAlone(ctx context.Context, d *deciding) error {
	select {
	case s.waiting <- struct{}{}:
		defer func() { <-s.waiting }()
	case <-ctx.Done():
		return ctx.Err()
	}
	d.alone = false
	err := s.decide(ctx, []*deciding{d}, ``)
	if err == nil && d.alone {
		err = errors.New("the head has gone")
	}
	if err == nil {
		s.written(ctx)
	}
	return err
}

// head is what one person's decisions on a channel are numbered under.
type head struct {
	person  contact.PersonID
	channel contact.Channel
}

// newest is the highest revision known under a head, and the last decision made here.
type newest struct {
	revision int64
	eventID  string
}

// earlier is what a form has led to before.
type earlier struct {
	head
	choice Choice
}

// made is a decision that is to be written.
type made struct {
	event.Decision
	wish Wish
}

// decide is one transaction of two round trips, three if a No is sent again: it begins with the first statement and is committed with the
// last one. A connection on which it has not ended is not used again by the pool, but closed.
func (s *Store) decide(ctx context.Context, all []*deciding, held string) error {
	conn, err := s.Pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	open := true
	defer func() {
		if open {
			_, _ = conn.Exec(ctx, `rollback`)
		}
	}()
	heads, forms, err := begin(ctx, conn, all, held)
	if err != nil {
		return err
	}
	before := maps.Clone(heads)
	var decided []made
	for _, d := range all {
		if m, isNew := s.choose(d, heads, forms); isNew {
			decided = append(decided, m)
		}
	}
	if len(decided) == 0 {
		return nil
	}
	var batch pgx.Batch
	if err := s.queueWrite(&batch, conn.Conn().TypeMap(), decided, before, heads); err != nil {
		return err
	}
	batch.Queue(`commit`)
	err = conn.SendBatch(ctx, &batch).Close()
	open = err != nil
	return err
}

// begin begins the transaction, locks the heads, and reads what choose needs.
func begin(ctx context.Context, conn *pgxpool.Conn, all []*deciding, held string) (map[head]newest, map[string]earlier, error) {
	var first, second pgx.Batch
	first.Queue(`begin`)
	heads, forms := queueHeads(&first, all, held), map[string]earlier{}
	queueForms(&first, forms, eventIDs(all))
	if err := conn.SendBatch(ctx, &first).Close(); err != nil {
		return nil, nil, err
	}
	unread := replacements(all, heads, forms)
	if len(unread) == 0 {
		return heads, forms, nil
	}
	queueForms(&second, forms, unread)
	return heads, forms, conn.SendBatch(ctx, &second).Close()
}

// queueHeads makes the heads that are not there, and locks all, inOrder as Fold does. A head that is held is waited for, or not among them.
func queueHeads(batch *pgx.Batch, all []*deciding, held string) map[head]newest {
	wanted, heads := map[head]newest{}, map[head]newest{}
	for _, d := range all {
		wanted[head{d.wish.Person, d.wish.Channel}] = newest{}
	}
	roots, extensions, channels := split(sorted(wanted))
	batch.Queue(`
		insert into consent.channel (root, extension, channel)
		select r, e, h from unnest($1::text[], $2::text[], $3::text[]) with ordinality as d (r, e, h, n)
		where not exists (select from consent.channel c where c.root = r and c.extension = e and c.channel = h) order by n
		on conflict (root, extension, channel) do nothing`, roots, extensions, channels)
	batch.Queue(`
		select c.root, c.extension, c.channel, c.revision, c.event_id
		from unnest($1::text[], $2::text[], $3::text[]) with ordinality as d (r, e, h, n)
			join consent.channel c on c.root = r and c.extension = e and c.channel = h
		order by n for no key update of c `+held, roots, extensions, channels).Query(func(rows pgx.Rows) error {
		var root, extension, channel string
		var n newest
		_, err := pgx.ForEachRow(rows, []any{&root, &extension, &channel, &n.revision, &n.eventID}, func() error {
			heads[head{contact.KnownPersonID(root, extension), contact.Channel(channel)}] = n
			return nil
		})
		return err
	})
	return heads
}

func sorted(heads map[head]newest) []head { return slices.SortedFunc(maps.Keys(heads), inOrder) }

// inOrder is the order in which heads are locked.
func inOrder(a, b head) int {
	return cmp.Or(cmp.Compare(a.person.Root(), b.person.Root()), cmp.Compare(a.person.RevealExtension(), b.person.RevealExtension()),
		cmp.Compare(a.channel, b.channel))
}

func split(heads []head) (roots, extensions, channels []string) {
	for _, h := range heads {
		roots, extensions, channels = append(roots, h.person.Root()), append(extensions, h.person.RevealExtension()), append(channels, string(h.channel))
	}
	return roots, extensions, channels
}

func eventIDs(all []*deciding) []string {
	ids := make([]string, len(all))
	for i, d := range all {
		ids[i] = d.wish.EventID
	}
	return ids
}

// replacements are the newest decisions where a No is sent again that is not the newest itself: whether it is made anew depends on them.
func replacements(all []*deciding, heads map[head]newest, forms map[string]earlier) (ids []string) {
	for _, d := range all {
		last := heads[head{d.wish.Person, d.wish.Channel}].eventID
		was, sentBefore := forms[d.wish.EventID]
		if _, read := forms[last]; last != "" && sentBefore && d.noAgain(was.choice) && !read {
			ids = append(ids, last)
		}
	}
	return ids
}

// queueForms reads what forms have led to before. It is a statement of its own: it sees what was decided while the locks were waited for.
func queueForms(batch *pgx.Batch, forms map[string]earlier, ids []string) {
	batch.Queue(`
		select event_id, root, extension, channel, revision, share, value, notify, decided_at, actor_role, reason, correction
		from consent.decision where event_id = any ($1)`, ids).Query(func(rows pgx.Rows) error {
		var c Choice
		var root, extension, channel string
		var value *string
		_, err := pgx.ForEachRow(rows, []any{&c.EventID, &root, &extension, &channel, &c.Revision, &c.Share, &value, &c.Notify, &c.DecidedAt,
			&c.Actor, &c.Reason, &c.Correction}, func() error {
			was := earlier{head{contact.KnownPersonID(root, extension), contact.Channel(channel)}, c}
			if value != nil {
				was.choice.Value = contact.KnownValue(*value)
			}
			forms[c.EventID] = was
			return nil
		})
		return err
	})
}

// choose says what becomes of a wish, and returns a decision that is to be written. Those before it in the group count as made.
func (s *Store) choose(d *deciding, heads map[head]newest, forms map[string]earlier) (m made, isNew bool) {
	w := d.wish
	h := head{w.Person, w.Channel}
	d.choice, d.err = Choice{}, nil
	was, sentBefore := forms[w.EventID]
	last, locked := heads[h]
	now := forms[last.eventID].choice // read where it matters
	switch {
	case !locked:
		d.alone = true
	case sentBefore && was.head != h:
		d.err = ErrForeignForm
	case sentBefore && !d.noAgain(was.choice):
		d.choice = was.choice
	case sentBefore && now.residentsNo() && now.Revision == last.revision: // it is what holds, also under another id
		d.choice = now
	case w.Upon != nil && *w.Upon != last.eventID:
		d.err = ErrNewerChoice
	default:
		if sentBefore {
			w.EventID = uuid.NewString()
		}
		d.wish, d.written = w, true
		e := s.decision(w, max(last.revision, w.Above))
		d.choice = Choice{EventID: e.EventID, Revision: e.Revision, Share: e.Share, Value: e.Value, Notify: e.Notify, DecidedAt: e.DecidedAt,
			Actor: e.Actor.Role, Reason: e.Reason, Correction: w.Correction}
		heads[h], forms[e.EventID] = newest{e.Revision, e.EventID}, earlier{h, d.choice}
		return made{e, w}, true
	}
	return made{}, false
}

func (s *Store) decision(w Wish, highest int64) event.Decision {
	now := s.Now()
	d := event.Decision{
		EventID: w.EventID, Source: s.Source, Time: now, Person: w.Person, Channel: w.Channel, Share: w.Share,
		Revision: max(now.UnixMicro(), highest+1), DecidedAt: now, Actor: w.Actor, Notice: w.Notice,
	}
	if d.Actor.Role == "" {
		d.Actor.Role = event.RoleResident
	}
	if w.Share {
		d.Value, d.Notify = w.Value, w.Notify
	} else if d.Reason = w.Reason; d.Reason == "" {
		d.Reason = event.ReasonResident
	}
	return d
}

// queueWrite stores decisions with their audit entries and events, in their order, and leaves to each head the newest one and its value: the one
// that was the newest before loses it.
func (s *Store) queueWrite(batch *pgx.Batch, types *pgtype.Map, decided []made, before, heads map[head]newest) error {
	decidedOn := map[head]newest{}
	for _, d := range decided {
		h := head{d.Person, d.Channel}
		decidedOn[h] = heads[h]
	}
	keys := sorted(decidedOn)
	roots, extensions, channels := split(keys)
	revisions, ids, replaced := make([]int64, len(keys)), make([]string, len(keys)), make([]string, len(keys))
	for i, h := range keys {
		revisions[i], ids[i], replaced[i] = decidedOn[h].revision, decidedOn[h].eventID, before[h].eventID
	}
	batch.Queue(`update consent.decision set value = null where event_id = any ($1) and value is not null`, replaced)
	queueDecisions(batch, decided, decidedOn)
	batch.Queue(`
		update consent.channel c set revision = k.v, event_id = k.i from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[]) as k (r, e, h, v, i)
		where c.root = k.r and c.extension = k.e and c.channel = k.h`, roots, extensions, channels, revisions, ids)
	acts := make([]entry, len(decided))
	for i, d := range decided {
		acts[i] = entry{Act{Person: d.Person, Channel: d.Channel, Actor: d.Actor, Action: "decide " + verb(d.Share),
			Ground: ground(d.wish, d.Decision), Outcome: "saved", EventID: d.EventID}, d.Time}
	}
	queueAudit(batch, s.AuditKey, acts...)
	return s.queueEvents(batch, types, decided)
}

func verb(share bool) string {
	if share {
		return "share"
	}
	return "withdraw"
}

func ground(w Wish, d event.Decision) string {
	if w.Correction == "" {
		return string(d.Reason)
	}
	return w.Correction + ": " + w.Ground
}

func queueDecisions(batch *pgx.Batch, decided []made, newestOf map[head]newest) {
	n := len(decided)
	ids, revisions, shares, values, notifies, ats := make([]string, n), make([]int64, n), make([]bool, n), make([]*string, n), make([]*bool, n), make([]time.Time, n)
	var texts [9][]string
	for i, d := range decided {
		ids[i], revisions[i], shares[i], notifies[i], ats[i] = d.EventID, d.Revision, d.Share, d.Notify, d.DecidedAt
		if d.Share && newestOf[head{d.Person, d.Channel}].eventID == d.EventID {
			values[i] = new(d.Value.Reveal())
		}
		for column, text := range []string{d.Person.Root(), d.Person.RevealExtension(), string(d.Channel), string(d.Actor.Role), d.Actor.HSAID,
			string(d.Reason), d.wish.Correction, d.Notice.Version, d.Notice.Language} {
			texts[column] = append(texts[column], text)
		}
	}
	batch.Queue(`
		insert into consent.decision (event_id, revision, share, value, notify, decided_at, root, extension, channel, actor_role, actor_id, reason,
			correction, notice, language)
		select * from unnest($1::text[], $2::bigint[], $3::boolean[], $4::text[], $5::boolean[], $6::timestamptz[], $7::text[], $8::text[], $9::text[],
			$10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[])`,
		ids, revisions, shares, values, notifies, ats, texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], texts[6], texts[7], texts[8])
}

// queueEvents puts events into the outbox in their order. The headers of each go as the text of an array: PostgreSQL's arrays of arrays hold as
// many of each.
func (s *Store) queueEvents(batch *pgx.Batch, types *pgtype.Map, decided []made) error {
	keys, headers, values, ats := make([]string, len(decided)), make([]string, len(decided)), make([][]byte, len(decided)), make([]time.Time, len(decided))
	for i, d := range decided {
		head, value := d.Binary()
		text, err := types.Encode(pgtype.TextArrayOID, pgtype.TextFormatCode, flat(head), nil)
		if err != nil {
			return fmt.Errorf("put into outbox: %w", err)
		}
		keys[i], headers[i], values[i], ats[i] = event.Key(s.Pepper, d.Person), string(text), value, d.Time
	}
	batch.Queue(`
		insert into consent.outbox (id, topic, key, headers, value, created_at)
		select nextval('consent.outbox_id'), $1, k, h::text[], v, t
		from unnest($2::text[], $3::text[], $4::bytea[], $5::timestamptz[]) with ordinality as m (k, h, v, t, n) order by n`,
		event.TopicDecisions, keys, headers, values, ats)
	return nil
}

func flat(headers []event.Header) []string {
	out := make([]string, 0, 2*len(headers))
	for _, h := range headers {
		out = append(out, h.Key, string(h.Value))
	}
	return out
}
