package syncpg_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/audit"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/pgtest"
	"contactsync/consent/reason"
	"contactsync/consent/stream"
	"contactsync/sync/intake"
	"contactsync/sync/plan"
	"contactsync/sync/push"
	"contactsync/sync/syncpg"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	portal = "urn:hsaid:SE2321000016-A1"
	other  = "urn:hsaid:SE2321000016-A2"
)

// desk is a store and the intake in front of it, fed with what e-services send.
type desk struct {
	t      *testing.T
	pool   *pgxpool.Pool
	store  *syncpg.Store
	intake *intake.Intake
	clock  time.Time
	next   int64
	lost   int

	counted map[string]int
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, pool: pgtest.Migrated(t, "sync", syncpg.Migrate), clock: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), counted: map[string]int{}}
	var err error
	if d.store, err = syncpg.New(syncpg.Config{Pool: d.pool, Source: "urn:hsaid:SE2321000016-CSW1", Pepper: []byte("test"), AuditKey: audit.DevelopmentKey()}); err != nil {
		t.Fatal(err)
	}
	d.intake, err = intake.New(intake.Config{Store: d.store, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return d.clock },
		Counted: func(result string, _ reason.Code) { d.counted[result]++ }, Lost: func(stream.Loss) { d.lost++ }})
	if err != nil {
		t.Fatal(err)
	}
	d.assigned(0)
	t.Cleanup(d.auditIsSound)
	return d
}

// auditIsSound verifies the MACs of all that a test has led to.
func (d *desk) auditIsSound() {
	r, err := audit.Verify(context.Background(), d.pool, syncpg.AuditLog(), audit.Check{Key: audit.DevelopmentKey()}) // the test's own context has ended
	if err != nil || r.Fault != nil || r.Unsigned != 0 {
		d.t.Errorf("%d entries, %d without a MAC, %v, %v", r.Unsealed, r.Unsigned, r.Fault, err)
	}
}

func (d *desk) assigned(highWatermark int64) []int64 {
	d.t.Helper()
	starts, err := d.intake.Assigned(d.t.Context(), event.TopicDecisions,
		[]stream.Assignment{{Committed: d.next, HighWatermark: highWatermark}}, map[int]int64{0: highWatermark})
	if err != nil {
		d.t.Fatal(err)
	}
	return starts
}

// receives hands records to the intake as one batch.
func (d *desk) receives(records ...stream.Record) {
	d.t.Helper()
	if err := d.offered(records...); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) offered(records ...stream.Record) error {
	from := d.next
	for i := range records {
		records[i].Offset = d.next
		d.next++
	}
	return d.intake.Handle(d.t.Context(), stream.Batch{Topic: event.TopicDecisions, Records: records, From: from, Next: d.next})
}

var tove = contact.KnownPersonID(contact.RootPersonnummer, "197205179802")

func decision(share bool, revision int64) event.Decision {
	d := event.Decision{EventID: fmt.Sprintf("00000000-0000-4000-8000-%012d", revision%1e12), Source: portal, Person: tove, Channel: contact.Mobile,
		Share: share, Revision: revision, DecidedAt: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Time: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		Reason: event.ReasonResident}
	if share {
		d.Value, d.Reason = contact.KnownValue(fmt.Sprintf("+467017406%02d", revision%90+5)), ""
	}
	return d
}

// child is under 13 until 2030, and vera has custody of it.
var child, vera = contact.KnownPersonID(contact.RootPersonnummer, "201701012393"), contact.KnownPersonID(contact.RootPersonnummer, "198507099805")

// byGuardian is vera's share of the child's mobile number.
func byGuardian(revision int64) event.Decision {
	d := decision(true, revision)
	d.Person, d.Actor = child, event.Actor{Role: event.RoleGuardian, ID: vera}
	return d
}

func record(d event.Decision) stream.Record {
	headers, value := d.Binary()
	r := stream.Record{Value: value}
	for _, h := range headers {
		r.Headers = append(r.Headers, stream.Header(h))
	}
	return r
}

func share(revision int64) stream.Record    { return record(decision(true, revision)) }
func withdraw(revision int64) stream.Record { return record(decision(false, revision)) }

// told gives "revision outcome reason" of everything in the outbox, in order of sequence.
func (d *desk) told() []string {
	d.t.Helper()
	rows, err := d.pool.Query(d.t.Context(), `select id, topic, key, headers, value from sync.outbox order by id`)
	if err != nil {
		d.t.Fatal(err)
	}
	var out []string
	var id int64
	var topic, key string
	var flat []string
	var value []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &topic, &key, &flat, &value}, func() error {
		if topic == event.TopicUnreadable {
			out = append(out, string(value))
			return nil
		}
		var headers []event.Header
		for i := 0; i+1 < len(flat); i += 2 {
			headers = append(headers, event.Header{Key: flat[i], Value: []byte(flat[i+1])})
		}
		o, err := event.ReadOutcome(headers, value)
		if err == nil && (o.Sequence != id || o.Person.RevealExtension() == "" || strings.Contains(key, o.Person.RevealExtension())) {
			d.t.Errorf("outcome %+v under id %d, key %q", o, id, key)
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%d %s %s", o.Revision, o.Outcome, o.Reason)))
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

func (d *desk) wantTold(want ...string) {
	d.t.Helper()
	if got := strings.Join(d.told(), ", "); got != strings.Join(want, ", ") {
		d.t.Errorf("told %q, want %q", got, want)
	}
}

func (d *desk) one(query string, args ...any) string {
	d.t.Helper()
	var text *string
	if err := d.pool.QueryRow(d.t.Context(), query, args...).Scan(&text); err != nil {
		d.t.Fatal(err)
	}
	if text == nil {
		return ""
	}
	return *text
}

func (d *desk) claims(urgent bool) []push.Claim {
	d.t.Helper()
	claims, err := d.store.Claim(d.t.Context(), 10, urgent, true)
	if err != nil {
		d.t.Fatal(err)
	}
	return claims
}

func (d *desk) finishes(c push.Claim, r push.Result) {
	d.t.Helper()
	if lost, err := d.store.Finish(d.t.Context(), []push.Ended{{Claim: c, Result: r}}); err != nil || len(lost) > 0 {
		d.t.Fatal(err, lost)
	}
}

func pushed(c push.Claim) (r push.Result) {
	for _, t := range c.Targets {
		r.Settled = append(r.Settled, push.Settled{Target: t, Outcome: event.Pushed, Version: "20261123130000"})
	}
	r.Written.Version = "20261123130000"
	return r
}

func TestBatchOfAPartitionNobodyAssignedIsAnError(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if err := d.store.Take(t.Context(), intake.Batch{Topic: event.TopicDecisions, Partition: 9, Next: 1}); err == nil {
		t.Error("the offset of an unassigned partition was not kept, and nobody was told")
	}
}

// Batches of several partitions in one transaction come to the same as one after the other, also two of one partition, as a worker that has
// lost it and got it back may have.
func TestBatchesAreTakenTogether(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, err := d.intake.Assigned(t.Context(), event.TopicDecisions, []stream.Assignment{{Partition: 0}, {Partition: 1}}, map[int]int64{0: 2, 1: 1})
	if err != nil {
		t.Fatal(err)
	}
	entry := func(offset, revision int64, share bool) intake.Entry {
		e := intake.Entry{Offset: offset, Decision: decision(share, revision), Person: event.AsSent(tove.Root(), tove.RevealExtension())}
		if share {
			e.Event.Share = &plan.Share{Revision: revision, EventID: e.Decision.EventID, Source: portal, Value: e.Decision.Value, DecidedAt: e.Decision.DecidedAt}
		} else {
			e.Event.Withdrawal = &plan.Withdrawal{Revision: revision, EventID: e.Decision.EventID, Source: portal}
		}
		return e
	}
	first := intake.Batch{Topic: event.TopicDecisions, Next: 2, Entries: []intake.Entry{entry(0, 1, true), entry(1, 3, false)}}
	second := intake.Batch{Topic: event.TopicDecisions, Partition: 1, Next: 1, Entries: []intake.Entry{entry(0, 2, true)}}
	if err := d.store.Take(t.Context(), second, first, first); err != nil {
		t.Fatal(err)
	}
	d.wantTold("1 superseded newer_decision", "2 superseded newer_decision")
	if got := d.one(`select string_agg(next_offset::text, ' ' order by number) from sync.partition`); got != "2 1" {
		t.Errorf("the partitions stand at %s", got)
	}
	if c := d.claims(true); len(c) != 1 || c[0].Targets[0].Want.Revision != 3 {
		t.Errorf("claims %+v", c)
	}
	if err := d.store.Take(t.Context(), first, intake.Batch{Topic: event.TopicDecisions, Partition: 9, Next: 1}); err == nil {
		t.Error("the offset of an unassigned partition was not kept, and nobody was told")
	}
}

func TestLossIsPassedOn(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.assigned(7)
	d.receives(share(1))
	loss := stream.Loss{Topic: event.TopicDecisions, From: 1, To: 5, HighWatermark: 5}
	if err := d.intake.Lost(t.Context(), loss); err != nil || d.lost != 1 {
		t.Errorf("the loss was not passed on: %v", err)
	}
	if len(d.claims(false)) != 1 {
		t.Error("shares wait for records that are gone")
	}
}

func TestBacklog(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	guardian := byGuardian(9)
	d.receives(share(1), record(guardian))
	claim := d.claims(false)[0]
	d.finishes(claim, push.Result{Parked: []push.Parked{{Target: claim.Targets[0], Reason: reason.PersonUnknown}}})
	d.receives(withdraw(2))
	got, err := d.store.Backlog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Withdrawals.Persons != 1 || got.Withdrawals.Oldest <= 0 || got.Shares != (syncpg.Waiting{}) || got.Outbox == 0 ||
		len(got.Parked) != 1 || got.Parked[reason.GuardianUnconfirmed] != 1 {
		t.Errorf("backlog %+v", got)
	}
}

func TestResultOfALostLease(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1))
	claim := d.claims(false)[0]
	stale := claim
	stale.Token--
	lost, err := d.store.Finish(t.Context(), []push.Ended{{Claim: stale, Result: pushed(stale)}})
	if err != nil || len(lost) != 1 || lost[0].ID != stale.ID {
		t.Errorf("lost %v, error %v", lost, err)
	}
	d.wantTold()
	d.finishes(claim, pushed(claim))
	d.wantTold("1 pushed")
}

func TestRepeatedBatchChangesNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1), withdraw(2), share(3))
	d.wantTold("1 superseded newer_decision", "2 superseded newer_decision")
	d.next = 0
	d.receives(share(1), withdraw(2), share(3)) // the same records
	d.wantTold("1 superseded newer_decision", "2 superseded newer_decision")
	d.receives(share(1), withdraw(2), share(3)) // produced again
	d.wantTold("1 superseded newer_decision", "2 superseded newer_decision", "1 superseded newer_decision", "2 superseded newer_decision")
	if claims := d.claims(false); len(claims) != 1 || claims[0].Targets[0].Want.Revision != 3 {
		t.Errorf("claims %+v", claims)
	}
	if d.one(`select count(*)::text from sync.person`) != "1" {
		t.Error("the person is there twice")
	}
}

func TestOffsetAndDecisionsAreOneTransaction(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.sql(`create function sync.full() returns trigger language plpgsql as $$ begin raise exception 'no room'; end $$;
		create trigger disk before insert on sync.due execute function sync.full()`)
	if err := d.intake.Handle(t.Context(), stream.Batch{Topic: event.TopicDecisions, Records: []stream.Record{share(1)}, Next: 1}); err == nil {
		t.Fatal("no error without room for the last thing that is written")
	}
	d.sql(`drop trigger disk on sync.due`)
	if got := d.one(`select next_offset::text from sync.partition`) + d.one(`select count(*)::text from sync.channel`); got != "00" {
		t.Errorf("offset and rows are %s after a failure", got)
	}
	d.receives(share(1))
	if got := d.one(`select next_offset::text from sync.partition`); got != "1" {
		t.Errorf("offset %s", got)
	}
}

func TestStartAtTheLowerOffset(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1), share(2))
	for _, tt := range []struct{ committed, end, want int64 }{{1, 2, 1}, {2, 2, 2}, {9, 9, 2}, {-1, 2, 0}} {
		d.next = tt.committed
		if got := d.assigned(tt.end)[0]; got != tt.want {
			t.Errorf("Kafka says %d, the database 2: starts at %d, want %d", tt.committed, got, tt.want)
		}
	}
}

// A log that is shorter than what was read, or of which Kafka knows no offset, is another one: nothing in it was taken before.
func TestAnotherLogIsTakenWhole(t *testing.T) {
	t.Parallel()
	for committed, end := range map[int64]int64{-1: 9, 1: 1} {
		d := newDesk(t)
		d.receives(share(1), share(2))
		d.next = committed
		d.assigned(end)
		d.next = 0
		d.receives(withdraw(3))
		if len(d.claims(true)) != 1 {
			t.Errorf("committed %d, end %d: the first record of another log was passed over", committed, end)
		}
	}
}

func TestNoShareBeforeTheHighWatermark(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.assigned(3) // after a start, three records lie unread
	d.receives(share(1))
	if got := d.claims(false); len(got) != 0 {
		t.Fatal("a share was claimed while a withdrawal may lie unread")
	}
	d.receives(withdraw(2))
	if got := d.claims(true); len(got) != 1 {
		t.Fatal("a withdrawal waits for the high watermark")
	}
	other := decision(true, 3)
	other.Person = contact.KnownPersonID(contact.RootPersonnummer, "195805179800")
	d.receives(record(other))
	if got := d.claims(false); len(got) != 1 {
		t.Fatal("a share waits after the high watermark")
	}
}

func TestWithdrawalsAreClaimedFirst(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1))
	if got := d.claims(true); len(got) != 0 {
		t.Error("a share counts as urgent")
	}
	d.receives(withdraw(2))
	if got := d.claims(false); len(got) != 0 {
		t.Error("a withdrawal is left among the shares")
	}
	claims := d.claims(true)
	if len(claims) != 1 || claims[0].Targets[0].Want.Kind != plan.Withdrawn {
		t.Fatalf("claims %+v", claims)
	}
	d.finishes(claims[0], pushed(claims[0]))
	d.wantTold("1 superseded newer_decision", "2 pushed")
}

func TestValueIsErasedWhenReplaced(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	own, no := decision(true, 2), decision(false, 3)
	own.Person, no.Person = child, child
	d.receives(record(byGuardian(1)), record(own))
	if d.one(`select share_value from sync.channel`) != decision(true, 2).Value.Reveal() {
		t.Error("the newest share has no value")
	}
	d.receives(record(no))
	if got := d.one(`select concat(share_value, waiting) from sync.channel`); got != "[]" {
		t.Error("a replaced value is still stored")
	}
	d.wantTold("1 parked guardian_unconfirmed", "1 superseded newer_decision", "2 superseded newer_decision")
}

func TestRefusedDecisionStaysRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	future := d.clock.Add(time.Minute).UnixMicro()
	d.receives(share(future))
	d.wantTold(fmt.Sprint(future, " parked clock_ahead"))
	d.clock = d.clock.Add(time.Hour)
	d.receives(share(future)) // a replay after the clock has caught up
	if got := d.claims(false); len(got) != 0 {
		t.Error("a refused decision was taken")
	}
	d.wantTold(fmt.Sprint(future, " parked clock_ahead"))
}

func TestClocks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		share bool
		ahead time.Duration
		want  string
	}{
		{"a share 4 s ahead counts", true, 4 * time.Second, ""},
		{"a share 6 s ahead is refused", true, 6 * time.Second, "clock_ahead"},
		{"a withdrawal 23 h ahead counts at once", false, 23 * time.Hour, ""},
		{"a withdrawal 25 h ahead is refused", false, 25 * time.Hour, "clock_ahead"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			revision := d.clock.Add(tt.ahead).UnixMicro()
			d.receives(record(decision(tt.share, revision)))
			if told := d.told(); tt.want == "" && len(told) != 0 || tt.want != "" && (len(told) != 1 || !strings.HasSuffix(told[0], tt.want)) {
				t.Errorf("told %q", told)
			}
			if due := len(d.claims(!tt.share)) == 1; due != (tt.want == "") {
				t.Errorf("due %t", due)
			}
		})
	}
}

// A time below zero would make the sum of all times fall.
func TestWithdrawalFromAheadIsProvedInNoTime(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.clock = time.Now()
	d.receives(withdraw(d.clock.Add(23 * time.Hour).UnixMicro()))
	claim := d.claims(true)[0]
	d.finishes(claim, pushed(claim))
	proofs, err := d.store.Proofs(t.Context(), 1)
	if err != nil || len(proofs) != 1 {
		t.Fatalf("%d proofs, %v", len(proofs), err)
	}
	since, _, err := d.store.Proved(t.Context(), []push.Looked{{Proof: proofs[0], Seen: push.Gone}})
	if err != nil || len(since) != 1 || since[0] != 0 {
		t.Errorf("proved after %v, %v", since, err)
	}
}

func TestUnreadableRecordLeavesItsPlaceOnly(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(stream.Record{Value: []byte(`197205179802`)})
	d.wantTold(`{"topic":"contactsync.decisions.v1","partition":0,"offset":0,"reason":"form_invalid:json"}`)
	if d.counted["unreadable"] != 1 {
		t.Errorf("counted %v", d.counted)
	}
}

func TestSupportIsNotForEveryEService(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	claimed := decision(true, 1)
	claimed.Actor = event.Actor{Role: event.RoleSupport, HSAID: "SE2321000016-S1"}
	d.receives(record(claimed))
	d.wantTold("1 parked actor_not_allowed")
}

func TestShareInATransactionIsRefusedAndAWithdrawalHolds(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	s, w := share(1), withdraw(2)
	s.Transactional, w.Transactional = true, true
	d.receives(s, w)
	d.wantTold("1 parked form_invalid:transactional")
	if len(d.claims(true)) != 1 {
		t.Error("the withdrawal is not due")
	}
}

func TestDecisionDuringAPushIsPushedNext(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1))
	claim := d.claims(false)[0]
	d.receives(withdraw(2))
	if len(d.claims(true)) != 0 {
		t.Fatal("the person was claimed twice")
	}
	d.finishes(claim, pushed(claim))
	next := d.claims(true)
	if len(next) != 1 || next[0].Targets[0].Want.Kind != plan.Withdrawn || next[0].Written.Version != "20261123130000" {
		t.Fatalf("claims %+v", next)
	}
	d.wantTold("1 superseded newer_decision")
}

func TestParkedShareIsDoneAndParkedWithdrawalIsTriedOn(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1))
	claim := d.claims(false)[0]
	d.finishes(claim, push.Result{Parked: []push.Parked{{Target: claim.Targets[0], Reason: "register_refused"}}})
	d.wantTold("1 parked register_refused")
	if d.one(`select count(*)::text from sync.due`) != "0" {
		t.Error("a parked share is still due")
	}
	d.receives(withdraw(2))
	claim = d.claims(true)[0]
	d.finishes(claim, push.Result{Parked: []push.Parked{{Target: claim.Targets[0], Reason: "person_deceased"}}})
	d.wantTold("1 parked register_refused", "1 superseded newer_decision", "2 parked person_deceased")
	if d.one(`select (due_at > now() + interval '10 minutes')::text from sync.due`) != "true" {
		t.Error("a parked withdrawal is not tried on later")
	}
}

func TestHastenedIsWhoFailedAndNobodyElse(t *testing.T) {
	t.Parallel()
	for sentence, row := range map[string]struct {
		result push.Result
		due    string
	}{
		"tried in vain":           {push.Result{RetryIn: 4 * time.Minute}, "true"},
		"refused by the register": {push.Result{Parked: []push.Parked{{Reason: "person_deceased"}}}, "false"},
	} {
		d := newDesk(t)
		d.receives(withdraw(1))
		claim := d.claims(true)[0]
		for i := range row.result.Parked {
			row.result.Parked[i].Target = claim.Targets[0]
		}
		d.finishes(claim, row.result)
		if err := d.store.Hasten(t.Context()); err != nil {
			t.Fatal(err)
		}
		if due := d.one(`select (due_at <= now())::text from sync.due`); due != row.due {
			t.Errorf("%s: due %s, want %s", sentence, due, row.due)
		}
	}
}

// A refused No of one channel is tried every quarter of an hour, not as often as the other channel's share is looked at.
func TestParkedWithdrawalIsNotTriedWhileAShareWaits(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := decision(true, 2)
	other.Channel, other.Value = contact.Email, contact.KnownValue("a@example.com")
	d.receives(withdraw(1), record(other))
	d.assigned(100) // the gate is closed: records lie unread
	claim := d.claims(true)[0]
	d.finishes(claim, push.Result{Parked: []push.Parked{{Target: claim.Targets[0], Reason: "person_deceased"}}})
	if again := d.claims(true); len(again) != 0 {
		t.Error("the refused withdrawal is tried again at once")
	}
	d.assigned(0) // the gate is open
	if shares := d.claims(false); len(shares) != 1 {
		t.Error("the share is not due")
	}
}

// A No that could not be carried out yet stays a No to the queue, whatever the other channel waits for: a share that came during the attempt,
// or one that must not be pushed before all is read.
func TestWithdrawalThatIsTriedAgainStaysFirst(t *testing.T) {
	t.Parallel()
	other := decision(true, 2)
	other.Channel, other.Value = contact.Email, contact.KnownValue("a@example.com")
	for sentence, attempt := range map[string]func(*desk) push.Claim{
		"a share comes meanwhile": func(d *desk) push.Claim {
			d.receives(withdraw(1))
			claim := d.claims(true)[0]
			d.receives(record(other))
			return claim
		},
		"the gate is closed": func(d *desk) push.Claim {
			d.receives(withdraw(1), record(other))
			d.assigned(100)
			return d.claims(true)[0]
		},
	} {
		d := newDesk(t)
		d.finishes(attempt(d), push.Result{RetryIn: time.Minute})
		if got := d.claims(true); len(got) != 0 {
			t.Errorf("%s: the withdrawal is tried again at once, and not in a minute", sentence)
		}
		if waiting, err := d.store.Backlog(t.Context()); err != nil || waiting.Withdrawals.Persons != 1 {
			t.Errorf("%s: %d withdrawals wait, error %v", sentence, waiting.Withdrawals.Persons, err)
		}
		if err := d.store.Hasten(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := d.claims(true); len(got) != 1 || got[0].Targets[0].Want.Kind != plan.Withdrawn {
			t.Errorf("%s: the withdrawal is not claimed as one: %d claims", sentence, len(got))
		}
	}
}

// A No that counts again behind a refused share does not stand in the crowd that the share stood in.
func TestWithdrawalBehindARefusedShareStandsInNoCrowd(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1))
	claim := d.claims(false)[0]
	d.finishes(claim, pushed(claim))
	d.receives(withdraw(2), share(3))
	d.sql(`update sync.due set crowd = 5`)
	claim = d.claims(false)[0]
	d.finishes(claim, push.Result{Parked: []push.Parked{{Target: claim.Targets[0], Reason: reason.RegisterRefused}}})
	if got := d.one(`select urgent || ' ' || crowd from sync.due`); got != "true 0" {
		t.Errorf("urgent and crowd are %q", got)
	}
}

func TestDatabaseClockSetBackDelaysNobody(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(withdraw(1))
	if _, err := d.pool.Exec(t.Context(), `update sync.due set due_at = due_at + interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	if len(d.claims(true)) != 1 {
		t.Error("a withdrawal waits until the clock has caught up")
	}
}

func TestWhoWasTriedLeastIsClaimedFirst(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(withdraw(1))
	d.finishes(d.claims(true)[0], push.Result{RetryIn: time.Millisecond})
	if _, err := d.pool.Exec(t.Context(), `update sync.due set attempts = 1, due_at = now() - interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	fresh := decision(false, 2)
	fresh.Person = contact.KnownPersonID(contact.RootPersonnummer, "198507099805")
	d.receives(record(fresh))
	claims, err := d.store.Claim(t.Context(), 1, true, true)
	if err != nil || len(claims) != 1 || claims[0].Person != fresh.Person {
		t.Errorf("%d claims (%v), want the fresh withdrawal first", len(claims), err)
	}
}

func TestWithdrawalsUnderWayAreCounted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	wantUnderWay := func(when string, limit, want int) {
		t.Helper()
		if n, err := d.store.UnderWay(t.Context(), limit); n != want || err != nil {
			t.Errorf("%s: %d withdrawals are under way (%v), want %d", when, n, err, want)
		}
	}
	for i, share := range []bool{false, false, false, true} {
		other := decision(share, int64(i+1))
		other.Person = numbered(i)
		d.receives(record(other))
	}
	wantUnderWay("none is claimed", 9, 0)
	claims := d.claims(true)
	d.claims(false)
	wantUnderWay("three and a share are claimed", 9, 3)
	wantUnderWay("nobody asks for more than two", 2, 2)
	d.finishes(claims[0], pushed(claims[0]))
	d.finishes(claims[1], push.Result{RetryIn: time.Second})
	wantUnderWay("one is done, and one waits", 9, 1)
	if _, err := d.pool.Exec(t.Context(), `update sync.due set attempts = 1, due_at = now() where urgent`); err != nil {
		t.Fatal(err)
	}
	wantUnderWay("the lease has run out", 9, 0)
	d.claims(true)
	wantUnderWay("both are tried again", 9, 2)
	if _, err := d.pool.Exec(t.Context(), `update sync.due set attempts = 8 where urgent`); err != nil {
		t.Fatal(err)
	}
	wantUnderWay("both have failed often", 9, 0)
}

func TestWorkersTakeTheSamePersonsAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	partitions := []stream.Assignment{{Partition: 0}, {Partition: 1}, {Partition: 2}, {Partition: 3}}
	if _, err := d.store.Assigned(t.Context(), event.TopicDecisions, partitions, nil); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for worker := range 4 {
		wait.Go(func() {
			for i := range 20 {
				var entries []intake.Entry
				for person := range 30 {
					p := contact.KnownPersonID(contact.RootPersonnummer, fmt.Sprintf("1972051798%02d", (person*7+worker*11)%30))
					revision := int64(1 + (i*31+person*17+worker)%600)
					id := fmt.Sprint(revision, worker)
					entries = append(entries, intake.Entry{
						Decision: event.Decision{EventID: id, Source: portal, Person: p, Channel: contact.Channels[i%2], Share: true, Revision: revision},
						Person:   event.AsSent(p.Root(), p.RevealExtension()),
						Event:    plan.Event{Share: &plan.Share{Revision: revision, EventID: id, Source: portal, Value: contact.KnownValue("x")}},
					})
				}
				if err := d.store.Take(t.Context(), intake.Batch{Topic: event.TopicDecisions, Partition: worker, Entries: entries}); err != nil {
					t.Error(err)
				}
				claims, err := d.store.Claim(t.Context(), 10, false, true)
				var ended []push.Ended
				for _, c := range claims {
					ended = append(ended, push.Ended{Claim: c, Result: pushed(c)})
				}
				if err == nil {
					_, err = d.store.Finish(t.Context(), ended)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if d.one(`select count(*)::text from sync.channel where share_revision < registered_revision`) != "0" {
		t.Error("an older share counts than the one that was pushed")
	}
}

func TestAccountClosedElsewhere(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	closed := decision(false, 2)
	closed.Source, closed.Reason = other, event.ReasonAccountClosed
	d.receives(share(1), record(closed))
	d.wantTold("2 unchanged shared_elsewhere")
	closed = decision(false, 3)
	closed.Reason = event.ReasonAccountClosed
	d.receives(record(closed))
	d.wantTold("2 unchanged shared_elsewhere", "1 superseded newer_decision")
	if c := d.claims(true); len(c) != 1 || c[0].Targets[0].Want.Revision != 3 {
		t.Errorf("claims %+v", c)
	}
}

func TestEveryPushIsAudited(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1))
	claim := d.claims(false)[0]
	d.finishes(claim, pushed(claim))
	got := d.one(`select concat_ws(' ', action, channel, ground, outcome, version) from sync.audit`)
	if got != "register.share mobile "+decision(true, 1).EventID+" pushed 20261123130000" {
		t.Errorf("audit %q", got)
	}
}

func TestReadingAgainMovesNothingBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1), share(2))
	d.next = 0
	d.receives(share(1))
	if got := d.one(`select next_offset::text from sync.partition`); got != "2" {
		t.Errorf("after a replay the partition stands at %s", got)
	}
}

func TestGuardianOfSomebodyGrownUpIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.clock = time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC) // a day after the thirteenth birthday
	twelve, thirteen := byGuardian(1), byGuardian(2)
	twelve.DecidedAt = time.Date(2029, 12, 31, 22, 59, 0, 0, time.UTC)
	thirteen.DecidedAt = time.Date(2029, 12, 31, 23, 1, 0, 0, time.UTC) // 2030 in Sweden
	d.receives(record(twelve), record(thirteen))
	no := byGuardian(3)
	no.Share, no.Value, no.Reason, no.DecidedAt = false, contact.Value{}, event.ReasonResident, d.clock
	d.receives(record(no))
	d.wantTold("1 parked guardian_unconfirmed", "2 parked guardian_not_allowed", "1 superseded newer_decision")
	if len(d.claims(true)) != 1 {
		t.Error("a guardian's withdrawal is judged")
	}
}
