package syncpg_test

import (
	"flag"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/stream"
	"contactsync/sync/intake"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

var badInput = flag.Int("badinput.records", 20_000, "how many records a flood of bad input has")

// takesInBatches hands records over as the stream does.
func (d *desk) takesInBatches(records []stream.Record) {
	d.t.Helper()
	for len(records) > 0 {
		n := min(500, len(records))
		d.receives(records[:n]...)
		records = records[n:]
	}
}

// One poison record among many stops none of the others, and is told of once.
func TestPoisonAmongMany(t *testing.T) {
	t.Parallel()
	d, most := newDesk(t), *badInput
	poison := map[int]stream.Record{
		0:        {Value: []byte("\x00\xff")},
		777:      {Value: []byte(`{"specversion":"1.0"`)},
		7777:     {Value: []byte(strings.Repeat("[", 100_000))},
		most - 1: {},
	}
	records := make([]stream.Record, most)
	for i := range records {
		bad, ok := poison[i]
		if records[i] = bad; !ok {
			one := decision(true, int64(i+1))
			one.Person = numbered(i)
			records[i] = record(one)
		}
	}
	d.takesInBatches(records)
	got := d.one(`select concat_ws(' ', (select count(*) from sync.due), (select count(*) from sync.outbox where topic = $1),
		(select count(*) from sync.outbox where topic <> $1), (select next_offset from sync.partition))`, event.TopicUnreadable)
	if want := fmt.Sprintf("%d %d 0 %d", most-len(poison), len(poison), most); got != want {
		t.Errorf("due, told of, other outcomes, offset: %s, want %s", got, want)
	}
}

// numbered is one of many persons: nobody's number is looked into here.
func numbered(i int) contact.PersonID {
	day := time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i/500)
	nine := day.Format("060102") + fmt.Sprintf("%03d", i%500)
	sum := 0
	for at, c := range nine {
		digit := int(c - '0')
		if at%2 == 0 {
			if digit *= 2; digit > 9 {
				digit -= 9
			}
		}
		sum += digit
	}
	return contact.KnownPersonID(contact.RootPersonnummer, fmt.Sprintf("%s%s%d", day.Format("20060102"), nine[6:], (10-sum%10)%10))
}

// An e-service that sends one event again and again makes one row, one push and no further outcome.
func TestTheSameEventManyTimes(t *testing.T) {
	t.Parallel()
	d, most := newDesk(t), *badInput
	bad := decision(true, 3)
	bad.Value = contact.KnownValue("08-465 004 99")
	for _, row := range []struct {
		sent   event.Decision
		times  int
		counts string
	}{
		{decision(true, 1), most, "1 1 0 0"},
		{decision(false, 2), most / 10, "1 1 1 0"}, // the share it replaced
		{bad, most / 10, "1 1 2 1"},
	} {
		records := make([]stream.Record, row.times)
		for i := range records {
			records[i] = record(row.sent)
		}
		d.takesInBatches(records)
		got := d.one(`select concat_ws(' ', (select count(*) from sync.channel), (select count(*) from sync.due),
			(select count(*) from sync.outbox), (select count(*) from sync.refused))`)
		if got != row.counts {
			t.Errorf("rows, due, outcomes, refused after revision %d: %s, want %s", row.sent.Revision, got, row.counts)
		}
	}
}

// Revisions at the edges are refused, each for its own reason, and the next decision of the person counts.
func TestRevisionsAtTheEdges(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var want []string
	for _, revision := range []int64{math.MinInt64, -1, 0, math.MaxInt64 - 1, math.MaxInt64} {
		for _, yes := range []bool{true, false} {
			sent := decision(yes, 1)
			sent.EventID, sent.Revision = uuid.NewString(), revision
			d.receives(record(sent))
			why := "form_invalid:revision"
			if revision > 0 {
				why = "clock_ahead"
			}
			want = append(want, why)
		}
	}
	slices.Sort(want)
	if got := d.one(`select string_agg(reason, ' ' order by reason collate "C") from sync.refused`); got != strings.Join(want, " ") {
		t.Errorf("refused: %s", got)
	}
	if got := len(d.told()); got != len(want) {
		t.Errorf("%d outcomes", got)
	}
	d.receives(share(1))
	if got := d.claims(false); len(got) != 1 {
		t.Error("a good one does not count")
	}
}

// A disk that is full stops the intake and the push with an error each, and nothing else: what was under way is done again when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1))
	d.sql(`create function sync.full() returns trigger language plpgsql as $$ begin
		raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$`)
	for _, table := range []string{"channel", "due", "outbox", "audit"} {
		d.sql(`create trigger disk before insert or update on sync.` + table + ` execute function sync.full()`)
	}
	two := share(2)
	two.Offset = d.next
	batch := stream.Batch{Topic: event.TopicDecisions, Records: []stream.Record{two}, Next: d.next + 1}
	for range 3 {
		if err := d.intake.Handle(t.Context(), batch); err == nil || !strings.Contains(err.Error(), "53100") {
			t.Errorf("taken: %v", err)
		}
		if _, err := d.store.Claim(t.Context(), 10, false, true); err == nil || !strings.Contains(err.Error(), "53100") {
			t.Errorf("claimed: %v", err)
		}
	}
	for _, table := range []string{"channel", "due", "outbox", "audit"} {
		d.sql(`drop trigger disk on sync.` + table)
	}
	if err := d.intake.Handle(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	claims := d.claims(false)
	if len(claims) != 1 || claims[0].Targets[0].Want.Revision != 2 || claims[0].Unsure {
		t.Fatalf("claims %+v", claims)
	}
	d.finishes(claims[0], pushed(claims[0]))
	d.wantTold("1 superseded newer_decision", "2 pushed")
}

func (d *desk) sql(text string) {
	d.t.Helper()
	if _, err := d.pool.Exec(d.t.Context(), text); err != nil {
		d.t.Fatal(err)
	}
}

// Nor do those who withdraw through one e-service wait for another one that closes its accounts.
func TestFloodOfWithdrawals(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const flood, others, calm = 8 * shareBatch, 20, 600
	withdrawals := func(from, to int64, source string) {
		t.Helper()
		batch := asWithdrawals(freshShares(from), source)
		batch.Entries = batch.Entries[:to-from]
		if err := d.store.Take(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	for from := int64(0); from < flood; from += shareBatch {
		withdrawals(from, from+shareBatch, portal)
	}
	withdrawals(flood, flood+others, other)
	claims, err := d.store.Claim(t.Context(), calm+others, true, true)
	if err != nil {
		t.Fatal(err)
	}
	var soon []push.Ended
	for _, c := range claims {
		if c.Targets[0].Want.Source == other {
			soon = append(soon, push.Ended{Claim: c, Result: push.Result{RetryIn: time.Nanosecond}})
		}
	}
	if len(soon) != others {
		t.Errorf("%d of %d withdrawals of the other e-service are among the first %d", len(soon), others, len(claims))
	}
	if n, err := d.store.UnderWay(t.Context(), flood); err != nil || n != len(claims) {
		t.Errorf("%d withdrawals are under way, want %d (%v)", n, len(claims), err)
	}
	rest, err := d.store.Claim(t.Context(), 10, true, true)
	if err != nil || len(rest) != 10 {
		t.Fatal(len(rest), err)
	}
	if n, err := d.store.UnderWay(t.Context(), flood); err != nil || n != len(claims)+len(rest) {
		t.Errorf("%d withdrawals are under way, want %d (%v)", n, len(claims)+len(rest), err)
	}
	if lost, err := d.store.Finish(t.Context(), soon); err != nil || len(lost) > 0 {
		t.Fatal(lost, err)
	}
	again, err := d.store.Claim(t.Context(), others, true, true)
	if err != nil || slices.ContainsFunc(again, func(c push.Claim) bool { return c.Targets[0].Want.Source != other }) {
		t.Errorf("who was tried in vain stands behind the flood (%v)", err)
	}
}

// An outage fails everybody's No who is tried meanwhile, and most often those who stand first. When the register is back they need not wait until a
// flood is over, which may take days: they stand behind the other No's of e-services that send few, and before the flood.
func TestNoThatHasFailedOftenStandsBeforeAFlood(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for i, p := range []contact.PersonID{tove, vera, child} {
		of := decision(false, int64(i+1))
		of.Person = p
		d.receives(record(of))
	}
	d.sql(`update sync.due set attempts = 9, due_at = now() where person_id = 1; update sync.due set crowd = 1 where person_id = 3`)
	for i, want := range []contact.PersonID{vera, tove, child} {
		waiting, err := d.store.Waiting(t.Context(), 1)
		if err != nil || len(waiting) != 1 {
			t.Fatal(len(waiting), err)
		}
		claims, err := d.store.Claim(t.Context(), 1, true, true)
		if err != nil || len(claims) != 1 {
			t.Fatal(len(claims), err)
		}
		if waiting[0] != want || claims[0].Person != want {
			t.Errorf("turn %d: somebody else waits first (%v), or is claimed (%v)", i, waiting[0] != want, claims[0].Person != want)
		}
	}
}

// An e-service that closes its accounts has residents who say No meanwhile. Theirs is no part of that flood.
func TestNoOfAResidentStandsBeforeClosedAccountsOfTheSameEService(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const flood, calm = 4 * shareBatch, 600
	for from := int64(0); from < flood; from += shareBatch {
		batch := freshShares(from)
		if err := d.store.Take(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for i := range batch.Entries {
			e := &batch.Entries[i]
			e.Decision.Share, e.Decision.EventID, e.Decision.Revision = false, e.Decision.EventID+"c", e.Decision.Revision+flood
			e.Event = plan.Event{Withdrawal: &plan.Withdrawal{Revision: e.Decision.Revision, EventID: e.Decision.EventID, Source: portal, Scoped: true}}
		}
		if err := d.store.Take(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	d.receives(withdraw(1))
	claims, err := d.store.Claim(t.Context(), calm+1, true, true)
	if err != nil || !slices.ContainsFunc(claims, func(c push.Claim) bool { return c.Person == tove }) {
		t.Errorf("the resident's No is not among the first %d (%v)", len(claims), err)
	}
	if n := d.one(`select count(*)::text from sync.due where urgent and crowd = 1`); n == "0" {
		t.Error("there is no flood")
	}
}

func TestFloodOfOneEService(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const flood, others = 4 * shareBatch, 20
	for from := int64(0); from <= flood; from += shareBatch {
		batch := freshShares(from)
		if from == flood {
			batch.Entries = batch.Entries[:others]
			for _, e := range batch.Entries {
				e.Event.Share.Source = other
			}
		}
		if err := d.store.Take(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	claims, err := d.store.Claim(t.Context(), 60+others, false, true)
	if err != nil {
		t.Fatal(err)
	}
	soon := 0
	for _, c := range claims {
		if c.Targets[0].Want.Source == other {
			soon++
		}
	}
	waiting, err := d.store.Waiting(t.Context(), flood)
	if err != nil || soon != others || len(waiting) != flood-60 {
		t.Errorf("%d of %d shares of the other e-service among the first %d, %d wait, %v", soon, others, len(claims), len(waiting), err)
	}
}

// asWithdrawals are the same decisions, each a No.
func asWithdrawals(batch intake.Batch, source string) intake.Batch {
	for i := range batch.Entries {
		e := &batch.Entries[i]
		e.Decision.Share = false
		e.Event = plan.Event{Withdrawal: &plan.Withdrawal{Revision: e.Decision.Revision, EventID: e.Decision.EventID, Source: source}}
	}
	return batch
}
