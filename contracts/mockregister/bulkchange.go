package mockregister

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

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
func (b behindFaults) keepAll(ctx context.Context, asked []personv4.ID) (settle func(map[personv4.ID]bool, error), err error) {
	if !b.faults.past.keeps() {
		return func(map[personv4.ID]bool, error) {}, nil
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
	return func(changed map[personv4.ID]bool, err error) {
		for id, settle := range kept {
			settle(err != nil || changed[id], b.clock.now())
		}
	}, nil
}

// changeAll carries out a bulk in one transaction, and tells whose records it changed.
func (r *Register) changeAll(
	ctx context.Context, c contactsv1.Call, bulk contactsv1.Bulk,
) (answer contactsv1.BulkAnswer, changed map[personv4.ID]bool, err error) {
	work := bulkWork{Register: r, call: c, now: r.clock.now(), changed: map[personv4.ID]bool{}}
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
	if err == nil && len(work.changed) > 0 {
		r.feed.wake()
	}
	return answer, work.changed, err
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
	persons map[personv4.ID]*target
	order   []*target // as they were taken
	entries []accessEntry
	changed map[personv4.ID]bool
}

// target is a person whom decisions of a bulk are about.
type target struct {
	person
	fences map[contactsv1.Channel]fence
	moved  map[contactsv1.Channel]bool // whose fence is another one now
	record *personv4.Record            // nil: nothing was applied
}

// take locks the persons, always in the same order so that two bulks cannot wait for each other, and then reads their fences.
func (w *bulkWork) take(ctx context.Context, tx pgx.Tx, items []contactsv1.Change) error {
	asked := make([]personv4.ID, len(items))
	for i, item := range items {
		asked[i] = item.Person.ID()
	}
	roots, extensions := columnsOf(asked)
	w.persons = map[personv4.ID]*target{}
	var batch pgx.Batch
	batch.Queue(`
		select p.root, p.extension, p.deceased, p.protected_person, p.protected_population, p.version, p.content
		from register.persons p join (select distinct * from unnest($1::text[], $2::text[])) as a (root, extension) using (root, extension)
		order by p.root, p.extension for update of p`, roots, extensions).Query(w.takePersons)
	batch.Queue(`
		select f.root, f.extension, f.channel, f.revision, f.withdrawn, f.event_id
		from register.fence f join (select distinct * from unnest($1::text[], $2::text[])) as a (root, extension) using (root, extension)`,
		roots, extensions).Query(w.takeFences)
	return tx.SendBatch(ctx, &batch).Close()
}

func (w *bulkWork) takePersons(rows pgx.Rows) error {
	var p person
	_, err := pgx.ForEachRow(rows, []any{&p.id.Root, &p.id.Extension, &p.deceased, &p.secrecy, &p.protectedPopulation, &p.version, &p.content},
		func() error {
			t := &target{person: p, fences: map[contactsv1.Channel]fence{}, moved: map[contactsv1.Channel]bool{}}
			w.persons[p.id], w.order = t, append(w.order, t)
			return nil
		})
	return err
}

func (w *bulkWork) takeFences(rows pgx.Rows) error {
	var id personv4.ID
	var channel contactsv1.Channel
	var f fence
	_, err := pgx.ForEachRow(rows, []any{&id.Root, &id.Extension, &channel, &f.revision, &f.withdrawn, &f.eventID}, func() error {
		if t := w.persons[id]; t != nil {
			t.fences[channel] = f
		}
		return nil
	})
	return err
}

// judge decides on every item in turn.
func (w *bulkWork) judge(items []contactsv1.Change) ([]contactsv1.Outcome, error) {
	outcomes := make([]contactsv1.Outcome, len(items))
	for i, item := range items {
		t := w.persons[item.Person.ID()]
		if code := w.refusal(t, item); code != "" {
			outcomes[i] = contactsv1.Outcome{Outcome: contactsv1.Refused, Code: code}
		} else if kind := t.fences[item.Channel].judge(fenceOf(item)); kind != contactsv1.Applied {
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
	e := restEntry(w.call, item.Person.ID(), outcomeText(o))
	e.action, e.version = string(item.Decision), o.Version
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
	case t == nil && item.Person.ID().Check() != nil:
		return contactsv1.CodeIdentityMalformed
	case t == nil:
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
		next, err := w.clock.nextVersion(t.version)
		if err != nil {
			return contactsv1.Outcome{}, err
		}
		if t.record, err = t.person.record(); err != nil {
			return contactsv1.Outcome{}, err
		}
		t.record.Version = next
		t.record.Actor = &personv4.Actor{ID: t.id, UpdateTime: w.clock.wall()}
	}
	var detail *contactsv1.NewDetail
	if item.Decision == contactsv1.Share {
		detail = &contactsv1.NewDetail{Value: item.Value, Notify: item.Notify}
	}
	t.record.Entries = setOwn(t.record.Entries, item.Channel, detail)
	t.fences[item.Channel], t.moved[item.Channel], w.changed[t.id] = fenceOf(item), true, true
	outcome := contactsv1.Outcome{Outcome: contactsv1.Applied, Version: t.record.Version}
	if endPaperOptOut(t.record) {
		outcome.Effects = []string{contactsv1.EffectPaperOptOutEnded}
	}
	return outcome, nil
}

// store writes records, fences and the answer in one round trip.
func (w *bulkWork) store(ctx context.Context, tx pgx.Tx, bulk contactsv1.Bulk, outcomes []contactsv1.Outcome) error {
	text, err := json.Marshal(outcomes)
	if err != nil {
		return err
	}
	var batch pgx.Batch
	if err := w.queueRecords(&batch); err != nil {
		return err
	}
	w.queueFences(&batch)
	batch.Queue(`insert into register.idempotency (caller, key, digest, answer, at) values ($1, $2, $3, $4, $5)`,
		w.call.Caller.HSAID, bulk.Key, bulk.Digest[:], text, w.now)
	return tx.SendBatch(ctx, &batch).Close()
}

func (w *bulkWork) queueRecords(batch *pgx.Batch) error {
	var roots, extensions, versions, contents []string
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
		roots, extensions = append(roots, t.id.Root), append(extensions, t.id.Extension)
		versions, contents = append(versions, t.record.Version), append(contents, content)
		mobiles, mobileNotify = append(mobiles, o.mobile), append(mobileNotify, o.mobileNotify)
		emails, emailNotify = append(emails, o.email), append(emailNotify, o.emailNotify)
	}
	if len(roots) == 0 {
		return nil
	}
	batch.Queue(`
		update register.persons p
		set version = n.version, content = n.content, own_version = n.version,
			mobile = n.mobile, mobile_notify = n.mobile_notify, email = n.email, email_notify = n.email_notify
		from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::text[], $8::boolean[])
			as n (root, extension, version, content, mobile, mobile_notify, email, email_notify)
		where p.root = n.root and p.extension = n.extension`,
		roots, extensions, versions, contents, mobiles, mobileNotify, emails, emailNotify)
	return nil
}

func (w *bulkWork) queueFences(batch *pgx.Batch) {
	var roots, extensions, channels, events []string
	var revisions []int64
	var withdrawn []bool
	for _, t := range w.order {
		for channel := range t.moved {
			f := t.fences[channel]
			roots, extensions, channels = append(roots, t.id.Root), append(extensions, t.id.Extension), append(channels, string(channel))
			revisions, withdrawn, events = append(revisions, f.revision), append(withdrawn, f.withdrawn), append(events, f.eventID)
		}
	}
	if len(roots) == 0 {
		return
	}
	batch.Queue(`
		insert into register.fence (root, extension, channel, revision, withdrawn, event_id)
		select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::text[])
		on conflict (root, extension, channel) do update
		set revision = excluded.revision, withdrawn = excluded.withdrawn, event_id = excluded.event_id`,
		roots, extensions, channels, revisions, withdrawn, events)
}
