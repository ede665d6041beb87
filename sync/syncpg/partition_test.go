package syncpg_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"contactsync/consent/event"
	"contactsync/consent/stream"
	"contactsync/sync/push"
)

func TestWhereAPartitionIsReadFrom(t *testing.T) {
	t.Parallel()
	for sentence, test := range map[string]struct {
		durable  int64
		assigned stream.Assignment
		want     int64
	}{
		"where both say": {10, stream.Assignment{Committed: 10, HighWatermark: 30}, 10},
		"at Kafka's offset, if the database is ahead":      {20, stream.Assignment{Committed: 10, HighWatermark: 30}, 10},
		"at the database's, if it is a restored one":       {10, stream.Assignment{Committed: 20, HighWatermark: 30}, 10},
		"at what is gone, so that the loss shows":          {10, stream.Assignment{Committed: 10, LogStart: 20, HighWatermark: 30}, 10},
		"at what is gone, also if Kafka forgot its offset": {10, stream.Assignment{Committed: -1, LogStart: 20, HighWatermark: 30}, 10},
		"from the start, if Kafka forgot and all is there": {10, stream.Assignment{Committed: -1, LogStart: 5, HighWatermark: 30}, 5},
		"from the start of another, shorter log":           {10, stream.Assignment{Committed: -1, LogStart: 2, HighWatermark: 8}, 2},
		"from the start, if nobody has read it":            {0, stream.Assignment{Committed: -1, LogStart: 7, HighWatermark: 9}, 7},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			if _, err := d.pool.Exec(t.Context(), `update sync.partition set next_offset = $1`, test.durable); err != nil {
				t.Fatal(err)
			}
			starts, err := d.intake.Assigned(t.Context(), event.TopicDecisions, []stream.Assignment{test.assigned}, map[int]int64{0: test.assigned.HighWatermark})
			if err != nil || starts[0] != test.want {
				t.Errorf("starts at %d, want %d (%v)", starts, test.want, err)
			}
		})
	}
}

// Whatever has ended the server's run may have taken the database back. So nothing that hangs on where a partition stands is done before that has
// been compared with Kafka's offset. A withdrawal that waits is carried out: it hangs on nothing.
func TestAnotherRunOfTheServerClosesTheGate(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	of := decision(false, 2)
	of.Person = vera
	d.receives(share(1), record(of))
	d.sql(`update sync.partition set run = 'another'`)
	if shares, withdrawals := d.claims(false), d.claims(true); len(shares) != 0 || len(withdrawals) != 1 {
		t.Errorf("%d shares and %d withdrawals are claimed", len(shares), len(withdrawals))
	}
	before := d.next
	if err := d.offered(share(3)); !errors.Is(err, stream.ErrForgotten) || d.one(`select next_offset::text from sync.partition`) != "2" {
		t.Errorf("more is taken: %v", err)
	}
	d.next = before
	if err := d.store.Holds(t.Context(), event.TopicDecisions, map[int]int64{0: 2}); !errors.Is(err, stream.ErrForgotten) {
		t.Errorf("the partition counts as held: %v", err)
	}
	d.assigned(2)
	d.receives(share(3))
	if err := d.store.Holds(t.Context(), event.TopicDecisions, map[int]int64{0: 3}); err != nil {
		t.Error(err)
	}
	if shares := d.claims(false); len(shares) != 1 {
		t.Errorf("%d shares are claimed once the partition is taken over", len(shares))
	}
}

// A version that knows nothing of runs may take partitions over, beside this one.
func TestPartitionOfTheVersionBeforeKeepsNoGateClosed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.sql(`update sync.partition set run = null`)
	d.receives(share(1))
	if len(d.claims(false)) != 1 {
		t.Error("the share is not claimed")
	}
}

func TestForgottenRecordsAreNotPassedOver(t *testing.T) {
	t.Parallel()
	for sentence, forget := range map[string]struct {
		sql   string
		start int64
	}{
		"the database went back":              {`update sync.partition set next_offset = 1`, 1},
		"it does not know the partition":      {`delete from sync.partition`, 0},
		"it went back before the first batch": {`update sync.partition set next_offset = 0`, 0},
	} {
		d := newDesk(t)
		d.receives(share(1), withdraw(2), share(3))
		d.sql(forget.sql)
		if err := d.store.Holds(t.Context(), event.TopicDecisions, map[int]int64{0: 3}); !errors.Is(err, stream.ErrForgotten) {
			t.Errorf("%s: held: %v", sentence, err)
		}
		before := d.next
		if err := d.offered(share(4)); !errors.Is(err, stream.ErrForgotten) {
			t.Errorf("%s: what was forgotten is passed over: %v", sentence, err)
		}
		d.next = before
		if starts := d.assigned(4); starts[0] != forget.start {
			t.Errorf("%s: read again from %d, want %d", sentence, starts[0], forget.start)
		}
	}
}

// A topic that was made anew with fewer partitions. What was not read of the others is lost, and told to be.
func TestPartitionsThatAreGoneKeepNoGateClosed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.sql(`update sync.partition set next_offset = 7, gate_offset = 7;
		insert into sync.partition (topic, number, next_offset, gate_offset, run) values ('` + event.TopicDecisions + `', 1, 5, 5, 'another'),
		('` + event.TopicDecisions + `', 2, 5, 6, 'another')`)
	d.assigned(0)
	if got := d.one(`select string_agg(number::text, ' ' order by number) from sync.partition`); got != "0" || d.lost != 1 {
		t.Errorf("partitions %q are left, and %d were told to have lost something", got, d.lost)
	}
	d.receives(share(1))
	if len(d.claims(false)) != 1 {
		t.Error("the gate is closed still")
	}
}

// A broker that does not know of all partitions yet: another worker reads those that were added.
func TestPartitionsThatABrokerDoesNotKnowYetKeepTheGateClosed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1))
	d.sql(`insert into sync.partition (topic, number, next_offset, gate_offset, run) select topic, 1, 0, 0, run from sync.partition;
		insert into sync.partition (topic, number, next_offset, gate_offset, run) select topic, 2, 3, 3, run from sync.partition where number = 0;
		insert into sync.partition (topic, number, next_offset, gate_offset, run) select topic, 3, 0, 6, run from sync.partition where number = 0`)
	d.assigned(1)
	if got := d.one(`select string_agg(number::text, ' ' order by number) from sync.partition`); got != "0 2 3" || d.lost != 0 {
		t.Errorf("partitions %q are left, and %d were told to have lost something", got, d.lost)
	}
	if len(d.claims(false)) != 0 {
		t.Error("a share is claimed, though a withdrawal may lie unread before it")
	}
}

// An outcome has the sequence and the id of no other one, even if the database has forgotten that one.
func TestSequencesGoOnWhenTheDatabaseHasGoneBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	sequence := func() int64 {
		n, err := strconv.ParseInt(d.one(`select max(id)::text from sync.outbox`), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	isNow := func(when string, sequence int64) {
		t.Helper()
		if now := d.one(`select (extract(epoch from now()) * 1000000 - ` + strconv.FormatInt(sequence, 10) + ` between -1000 and 60000000)::text`); now != "true" {
			t.Errorf("%s comes %d, want the time in microseconds", when, sequence)
		}
	}
	d.receives(share(1), share(2)) // the first one is superseded
	told := sequence()
	isNow("at first, when what was told before is not known,", told)
	d.receives(share(3))
	if next := sequence(); next <= told || next > told+100 {
		t.Errorf("after %d comes %d in the same run", told, next)
	}
	d.sql(`update sync.server set run = 'another'; select setval('sync.outbox_id', 1)`)
	d.receives(share(4))
	ahead := sequence()
	isNow("in another run", ahead)
	d.receives(share(5))
	if next := sequence(); next <= ahead || next > ahead+100 {
		t.Errorf("after %d comes %d in the same run", ahead, next)
	}
}

// A transaction that tells nothing may be the first of a run.
func TestSequencesGoOnAfterAResultThatTellsNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1))
	d.sql(`update sync.server set run = 'another'; select setval('sync.outbox_id', 1)`)
	d.finishes(d.claims(false)[0], push.Result{RetryIn: time.Minute})
	d.receives(share(2)) // the first one is superseded
	if ahead := d.one(`select (max(id) > 1000000000000000)::text from sync.outbox`); ahead != "true" {
		t.Error("the sequence is behind what was told before")
	}
}
