package mockregister

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/personv4"
	"contactsync/contracts/problem"
)

// maxAhead is how far in the future a revision may lie: one further on would block every decision after it.
const maxAhead = 24 * time.Hour

// Change implements contactsv1.Service.
func (s contactsService) Change(ctx context.Context, c contactsv1.Call, bulk contactsv1.Bulk) (contactsv1.BulkAnswer, error) {
	asked := make([]personv4.ID, len(bulk.Items))
	for i, item := range bulk.Items {
		asked[i] = item.Person.ID()
	}
	return passed(ctx, s.behindFaults, restCall(c, asked...), func(ctx context.Context) (contactsv1.BulkAnswer, error) {
		settle, err := s.keepAll(ctx, asked)
		if err != nil {
			return contactsv1.BulkAnswer{}, err
		}
		answer, changed, err := s.changeAll(ctx, c, bulk)
		settle(changed, err)
		return answer, err
	})
}

// keepAll puts what a bulk may replace among the past, if reads lag; see keep.
func (b behindFaults) keepAll(ctx context.Context, asked []personv4.ID) (settle func([]personv4.ID, error), err error) {
	if !b.faults.past.keeps() {
		return func([]personv4.ID, error) {}, nil
	}
	rows, err := b.rows(ctx, asked, true)
	if err != nil {
		return nil, err
	}
	kept := map[personv4.ID]func(bool, time.Time){}
	for _, p := range rows {
		if p != nil && kept[p.id] == nil {
			kept[p.id] = b.faults.past.keep(p.person)
		}
	}
	return func(changed []personv4.ID, err error) {
		isChanged := map[personv4.ID]bool{}
		for _, id := range changed {
			isChanged[id] = true
		}
		for id, settle := range kept {
			settle(err != nil || isChanged[id], b.clock.now())
		}
	}, nil
}

// changeAll carries out a bulk in one transaction, and tells whose records it changed.
func (r *Register) changeAll(
	ctx context.Context, c contactsv1.Call, bulk contactsv1.Bulk,
) (answer contactsv1.BulkAnswer, changed []personv4.ID, err error) {
	work := bulkWork{Register: r, call: c, now: r.clock.now(), access: restEntry(c, personv4.ID{}, "")}
	err = pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		earlier, err := r.earlier(ctx, tx, c.Caller.HSAID, bulk)
		if err != nil {
			return err
		}
		if earlier != nil {
			answer = contactsv1.BulkAnswer{Outcomes: earlier, Replayed: true}
			for _, item := range bulk.Items {
				work.log(item, contactsv1.Outcome{Outcome: "replayed"})
			}
			return r.logWrites(ctx, tx, work.entries)
		}
		if err := work.take(ctx, tx, bulk.Items); err != nil {
			return fmt.Errorf("take persons: %w", err)
		}
		if answer.Outcomes, err = work.judge(bulk.Items); err != nil {
			return err
		}
		if err := work.store(ctx, tx, bulk, answer.Outcomes); err != nil {
			return fmt.Errorf("store changes: %w", err)
		}
		return r.logWrites(ctx, tx, work.entries)
	})
	if p, isRefused := errors.AsType[*problem.Problem](err); isRefused {
		err = r.refusedBulk(ctx, c, bulk, p)
	}
	changed = work.changed()
	if err == nil && len(changed) > 0 {
		r.feed.wake()
	}
	return answer, changed, err
}

// refusedBulk logs a bulk of which no item is looked at, and returns what is answered.
func (r *Register) refusedBulk(ctx context.Context, c contactsv1.Call, bulk contactsv1.Bulk, p *problem.Problem) error {
	entries := make([]accessEntry, len(bulk.Items))
	for i, item := range bulk.Items {
		entries[i] = restEntry(c, item.Person.ID(), personv4.OutcomeError+":"+p.Code)
		entries[i].action = string(item.Decision)
	}
	if err := r.logReads(ctx, entries); err != nil {
		return err
	}
	return p
}

// earlier looks for the answer to an earlier request with the same key; nil if there was none.
func (r *Register) earlier(ctx context.Context, tx pgx.Tx, caller string, bulk contactsv1.Bulk) ([]contactsv1.Outcome, error) {
	var mine bool
	err := tx.QueryRow(ctx, `select pg_try_advisory_xact_lock(hashtextextended($1, 0))`, "register "+caller+" "+bulk.Key).Scan(&mine)
	if err != nil {
		return nil, fmt.Errorf("claim the key: %w", err)
	}
	if !mine {
		return nil, problem.New(http.StatusConflict, contactsv1.CodeInWork, "A request with this Idempotency-Key is being worked on. Ask again.")
	}
	var digest, text []byte
	err = tx.QueryRow(ctx, `select digest, answer from register.idempotency where caller = $1 and key = $2`, caller, bulk.Key).Scan(&digest, &text)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for an earlier answer: %w", err)
	}
	if [32]byte(digest) != bulk.Digest {
		return nil, problem.New(http.StatusUnprocessableEntity, contactsv1.CodeIdempotencyKeyReused, "The Idempotency-Key was used for another body.")
	}
	var outcomes []contactsv1.Outcome
	return outcomes, json.Unmarshal(text, &outcomes)
}

// bulkWork is a bulk on its way. The persons are locked while it lasts.
type bulkWork struct {
	*Register
	call    contactsv1.Call
	now     time.Time
	access  accessEntry // what the entries of all items have in common
	entries []accessEntry
	targets []target  // whom the items are about, each once and in order
	of      []*target // the target of each item
	order   []*target // those whom the register knows

	wall           string // the time when the first decision was applied
	previous, next string // version: which one follows which, as found last
}

// target is a person whom decisions of a bulk are about.
type target struct {
	person
	known  bool
	place  pgtype.TID       // of the row, while it is locked
	fences [2]standingFence // of Mobile and Email
	record *personv4.Record // nil: nothing was applied
}

// standingFence is a fence, and what is stored of it.
type standingFence struct {
	fence
	stored, moved bool // moved: it is another one than before the bulk
}

// fenceOf is the fence of a channel.
func (t *target) fenceOf(c contactsv1.Channel) *standingFence {
	if c == contactsv1.Mobile {
		return &t.fences[0]
	}
	return &t.fences[1]
}

// channels are those of a target's fences.
func channels() [2]contactsv1.Channel {
	return [2]contactsv1.Channel{contactsv1.Mobile, contactsv1.Email}
}

// changed are the persons to whose records something was applied.
func (w *bulkWork) changed() (changed []personv4.ID) {
	for _, t := range w.order {
		if t.record != nil {
			changed = append(changed, t.id)
		}
	}
	return changed
}

// take locks the persons, always in the same order so that two bulks cannot wait for each other, and then reads their fences.
func (w *bulkWork) take(ctx context.Context, tx pgx.Tx, items []contactsv1.Change) error {
	w.aim(items)
	roots, extensions := make([]string, len(w.targets)), make([]string, len(w.targets))
	for i := range w.targets {
		roots[i], extensions[i] = w.targets[i].id.Root, w.targets[i].id.Extension
	}
	var batch pgx.Batch
	batch.Queue(`
		select a.n, p.ctid, p.deceased, p.protected_person, p.protected_population, p.version, p.content
		from unnest($1::text[], $2::text[]) with ordinality as a (root, extension, n)
		join register.persons p on p.root = a.root and p.extension = a.extension
		order by a.n for update of p`, roots, extensions).Query(w.takePersons)
	batch.Queue(`
		select a.n, f.channel, f.revision, f.withdrawn, f.event_id
		from unnest($1::text[], $2::text[]) with ordinality as a (root, extension, n)
		join register.fence f on f.root = a.root and f.extension = a.extension`, roots, extensions).Query(w.takeFences)
	return tx.SendBatch(ctx, &batch).Close()
}

// aim finds whom the items are about. They are put in order, which is that of an index too: neighbours lie on one page.
func (w *bulkWork) aim(items []contactsv1.Change) {
	w.of = make([]*target, len(items))
	ids, byID := make([]personv4.ID, 0, len(items)), make(map[personv4.ID]*target, len(items))
	for _, item := range items {
		id := item.Person.ID()
		if _, again := byID[id]; !again {
			ids, byID[id] = append(ids, id), nil
		}
	}
	slices.SortFunc(ids, func(a, b personv4.ID) int {
		return cmp.Or(strings.Compare(a.Root, b.Root), strings.Compare(a.Extension, b.Extension))
	})
	w.targets = make([]target, len(ids))
	for i, id := range ids {
		w.targets[i].id, byID[id] = id, &w.targets[i]
	}
	for i, item := range items {
		w.of[i] = byID[item.Person.ID()]
	}
}

func (w *bulkWork) takePersons(rows pgx.Rows) error {
	var n int64
	var place pgtype.TID
	var p person
	_, err := pgx.ForEachRow(rows, []any{&n, &place, &p.deceased, &p.secrecy, &p.protectedPopulation, &p.version, &p.content}, func() error {
		t := &w.targets[n-1]
		p.id = t.id
		t.person, t.known, t.place = p, true, place
		w.order = append(w.order, t)
		return nil
	})
	return err
}

func (w *bulkWork) takeFences(rows pgx.Rows) error {
	var n int64
	var channel contactsv1.Channel
	var f fence
	_, err := pgx.ForEachRow(rows, []any{&n, &channel, &f.revision, &f.withdrawn, &f.eventID}, func() error {
		if t := &w.targets[n-1]; t.known {
			*t.fenceOf(channel) = standingFence{fence: f, stored: true}
		}
		return nil
	})
	return err
}

// judge decides on every item in turn.
func (w *bulkWork) judge(items []contactsv1.Change) ([]contactsv1.Outcome, error) {
	w.entries = make([]accessEntry, 0, len(items))
	outcomes := make([]contactsv1.Outcome, len(items))
	for i, item := range items {
		t := w.of[i]
		if code := w.refusal(t, item); code != "" {
			outcomes[i] = contactsv1.Outcome{Outcome: contactsv1.Refused, Code: code}
		} else if kind := t.fenceOf(item.Channel).judge(fenceOf(item)); kind != contactsv1.Applied {
			outcomes[i] = contactsv1.Outcome{Outcome: kind}
		} else {
			var err error
			if outcomes[i], err = w.apply(t, item); err != nil {
				return nil, err
			}
		}
		w.log(item, outcomes[i])
	}
	return outcomes, nil
}

func (w *bulkWork) log(item contactsv1.Change, o contactsv1.Outcome) {
	e := w.access
	e.person, e.outcome, e.action, e.version = item.Person.ID(), outcomeText(o), string(item.Decision), o.Version
	w.entries = append(w.entries, e)
}

func outcomeText(o contactsv1.Outcome) string {
	if o.Code != "" {
		return string(o.Outcome) + ":" + o.Code
	}
	return string(o.Outcome)
}

// refusal is the code of why an item cannot be carried out, the graver ones first; empty if it can.
func (w *bulkWork) refusal(t *target, item contactsv1.Change) string {
	switch {
	case !t.known && item.Person.ID().Check() != nil:
		return contactsv1.CodeIdentityMalformed
	case !t.known:
		return contactsv1.CodePersonUnknown
	case t.protected() && !w.call.Unrestricted:
		return contactsv1.CodeProtectedPerson
	case t.deceased:
		return contactsv1.CodePersonDeceased
	case time.UnixMicro(item.Revision).Sub(w.now) > maxAhead:
		return contactsv1.CodeClockAhead
	case item.Decision == contactsv1.Share && !contactsv1.ValidValue(item.Channel, item.Value):
		return contactsv1.CodeValueInvalid
	case item.Decision == contactsv1.Share && len(t.content) > maxContent-2*roomForDetail:
		return contactsv1.CodeRecordTooLarge
	}
	return ""
}

// roomForDetail is more than an entry takes in a record's content, with what the register writes beside it.
const roomForDetail = 2 << 10

// apply puts a decision into the record, which gets its new version with the first one.
func (w *bulkWork) apply(t *target, item contactsv1.Change) (contactsv1.Outcome, error) {
	if t.record == nil {
		next, err := w.versionAfter(t.version)
		if err != nil {
			return contactsv1.Outcome{}, err
		}
		if t.record, err = t.person.record(); err != nil {
			return contactsv1.Outcome{}, err
		}
		t.record.Version = next
		t.record.Actor = &personv4.Actor{ID: t.id, UpdateTime: w.wall}
	}
	var detail *contactsv1.NewDetail
	if item.Decision == contactsv1.Share {
		detail = &contactsv1.NewDetail{Value: item.Value, Notify: item.Notify}
	}
	t.record.Entries = setOwn(t.record.Entries, item.Channel, detail)
	f := t.fenceOf(item.Channel)
	f.fence, f.moved = fenceOf(item), true
	outcome := contactsv1.Outcome{Outcome: contactsv1.Applied, Version: t.record.Version}
	if endPaperOptOut(t.record) {
		outcome.Effects = []string{contactsv1.EffectPaperOptOutEnded}
	}
	return outcome, nil
}

// versionAfter is clock.nextVersion as of when the first decision was applied: most persons of a bulk have the same version.
func (w *bulkWork) versionAfter(previous string) (next string, err error) {
	if w.next == "" {
		w.wall = w.clock.wall()
	}
	if w.next == "" || previous != w.previous {
		if next, err = w.clock.versionAt(w.wall, previous); err != nil {
			return "", err
		}
		w.previous, w.next = previous, next
	}
	return w.next, nil
}

// store writes records, fences and the answer.
func (w *bulkWork) store(ctx context.Context, tx pgx.Tx, bulk contactsv1.Bulk, outcomes []contactsv1.Outcome) error {
	var batch pgx.Batch
	if err := w.queueRecords(&batch); err != nil {
		return err
	}
	w.queueFences(&batch)
	batch.Queue(`insert into register.idempotency (caller, key, digest, answer, at) values ($1, $2, $3, $4, $5)`,
		w.call.Caller.HSAID, bulk.Key, bulk.Digest[:], contactsv1.EncodeOutcomes(outcomes), w.now)
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return err
	}
	return w.copyFences(ctx, tx)
}

// queueRecords finds the rows by their places, which they keep while they are locked: that is cheaper than once more by an index.
func (w *bulkWork) queueRecords(batch *pgx.Batch) error {
	var places []pgtype.TID
	var versions, contents []string
	var mobiles, emails []*string
	var mobileNotify, emailNotify []bool
	for _, t := range w.order {
		if t.record == nil {
			continue
		}
		content, err := stored(*t.record)
		if err != nil {
			return err
		}
		o := ownOf(t.record.Entries)
		places, versions, contents = append(places, t.place), append(versions, t.record.Version), append(contents, content)
		mobiles, mobileNotify = append(mobiles, o.mobile), append(mobileNotify, o.mobileNotify)
		emails, emailNotify = append(emails, o.email), append(emailNotify, o.emailNotify)
	}
	if len(places) == 0 {
		return nil
	}
	batch.Queue(`
		update register.persons p
		set version = n.version, content = n.content, own_version = n.version,
			mobile = n.mobile, mobile_notify = n.mobile_notify, email = n.email, email_notify = n.email_notify
		from unnest($1::tid[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::boolean[])
			as n (place, version, content, mobile, mobile_notify, email, email_notify)
		where p.ctid = n.place`,
		places, versions, contents, mobiles, mobileNotify, emails, emailNotify)
	return nil
}

// queueFences moves the fences that there are.
func (w *bulkWork) queueFences(batch *pgx.Batch) {
	var roots, extensions, channelNames, events []string
	var revisions []int64
	var withdrawn []bool
	w.eachMoved(true, func(t *target, channel contactsv1.Channel, f fence) {
		roots, extensions, channelNames = append(roots, t.id.Root), append(extensions, t.id.Extension), append(channelNames, string(channel))
		revisions, withdrawn, events = append(revisions, f.revision), append(withdrawn, f.withdrawn), append(events, f.eventID)
	})
	if len(roots) == 0 {
		return
	}
	batch.Queue(`
		update register.fence f set revision = n.revision, withdrawn = n.withdrawn, event_id = n.event_id
		from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::text[])
			as n (root, extension, channel, revision, withdrawn, event_id)
		where f.root = n.root and f.extension = n.extension and f.channel = n.channel`,
		roots, extensions, channelNames, revisions, withdrawn, events)
}

// copyFences puts up those that there were not. Nobody else can have done so: a fence is touched only by who holds the person's record.
func (w *bulkWork) copyFences(ctx context.Context, tx pgx.Tx) error {
	const each = 160 // about what a row takes
	c, count := newCopying(each*len(w.order)), 0
	w.eachMoved(false, func(t *target, channel contactsv1.Channel, f fence) {
		count++
		c.row(6)
		c.text(t.id.Root)
		c.text(t.id.Extension)
		c.text(string(channel))
		c.bigint(f.revision)
		c.boolean(f.withdrawn)
		c.text(f.eventID)
	})
	if count == 0 {
		return nil
	}
	return c.into(ctx, tx, "register.fence (root, extension, channel, revision, withdrawn, event_id)")
}

// eachMoved goes through the fences that were moved, of those that were stored before or of the others.
func (w *bulkWork) eachMoved(stored bool, do func(*target, contactsv1.Channel, fence)) {
	for _, t := range w.order {
		for _, channel := range channels() {
			if f := t.fenceOf(channel); f.moved && f.stored == stored {
				do(t, channel, f.fence)
			}
		}
	}
}
