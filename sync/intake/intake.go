// Package intake turns records of contactsync.decisions.v1 into desired state: it reads and judges each record, and hands a
// batch with the partition's offset to a Store, which makes both durable in one transaction.
//
// It never waits for the register, so that an outage there does not block Kafka. It trusts neither the Kafka key nor the
// order of records. Start with Intake.Handle.
package intake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/eservice"
	"contactsync/consent/event"
	"contactsync/consent/group"
	"contactsync/consent/reason"
	"contactsync/consent/stream"
	"contactsync/sync/plan"
)

// Store keeps the desired state and how far each partition is read.
type Store interface {
	// Assigned closes the gate of every partition of the topic, whoever owns it, at its high watermark: until intake has passed
	// that, no share is pushed by any worker. It returns the offset after the last durable record of each assigned one.
	Assigned(ctx context.Context, topic string, assigned []stream.Assignment, ends map[int]int64) ([]int64, error)
	// Gone tells what was not read, as far as the gate was closed, of partitions that the topic has no more: where those that were assigned
	// show that it is another topic.
	Gone(ctx context.Context, topic string, assigned []stream.Assignment, ends map[int]int64) ([]stream.Loss, error)
	// Lost moves a partition past records that are gone.
	Lost(ctx context.Context, l stream.Loss) error
	// Take makes batches durable, in one transaction. A batch that was taken before changes nothing. The error is stream.ErrForgotten if
	// the store does not know of all that lies before a batch.
	Take(ctx context.Context, batches ...Batch) error
}

// Batch is a run of judged records of one partition.
type Batch struct {
	Topic     string
	Partition int
	From      int64 // offset that was wanted: everything before it was taken
	Next      int64 // offset after the batch
	Entries   []Entry
}

// Entry is one judged record: unreadable, refused, or with an event for the desired state.
type Entry struct {
	Offset     int64
	Decision   event.Decision // as far as it could be read
	Person     event.RawPerson
	Unreadable reason.Code
	Refused    reason.Code
	Event      plan.Event
}

// Config of an intake.
type Config struct {
	Store Store
	Log   *slog.Logger
	Now   func() time.Time
	Rules eservice.Rules // who may claim which actor
	// Counted is called with what became of each record, "taken", "refused" or "unreadable", and why; it must not block.
	Counted func(result string, why reason.Code)
	// Lost is called once for records that were deleted before they were read, after the log line; it must not block.
	Lost func(stream.Loss)
	// Clock says how far ahead a decision may lie; zero takes its defaults.
	Clock event.Clock
}

// Intake implements stream.Handler.
type Intake struct {
	Config
	place    *time.Location // by whose calendar a child is under 13, or not
	assigned atomic.Bool
	taking   group.Group[Batch]
	several  atomic.Bool // the last transaction took more than one batch

	alarming sync.Mutex
	alarmed  map[topicPartition]stream.Loss // what is loud already, and not in the store yet
}

type topicPartition struct {
	topic  string
	number int
}

// Batches that come one after the other share a transaction as soon as they come faster than it ends: the few statements of one cost hardly
// less than those of many, and the CPU that they take is what the next ones wait for.
const (
	takeAtOnce = 4
	mostTaken  = 500 // entries of one transaction
	// worthTaking is how many entries are no more waited for, and gatherFor how long they are, while batches come faster.
	worthTaking = 8
	gatherFor   = time.Millisecond
)

var _ stream.Handler = (*Intake)(nil)

// New returns an intake.
func New(c Config) (*Intake, error) {
	if c.Store == nil || c.Log == nil || c.Now == nil || c.Counted == nil || c.Lost == nil {
		return nil, errors.New("intake: Store, Log, Now, Counted and Lost are required")
	}
	place, err := time.LoadLocation("Europe/Stockholm")
	if err != nil {
		return nil, fmt.Errorf("intake: %w", err)
	}
	in := &Intake{Config: c, place: place, alarmed: map[topicPartition]stream.Loss{}}
	in.taking = group.Group[Batch]{
		Do:     in.take,
		AtOnce: takeAtOnce, Beside: mostTaken, Most: mostTaken, Size: func(b Batch) int { return len(b.Entries) },
		Worth: worthTaking, More: in.several.Load, LingerFor: gatherFor,
	}
	return in, nil
}

// Assigned implements stream.Handler. A partition starts at the lower of what Kafka and what our database says: a database
// that was restored from a backup reads again what it missed.
func (in *Intake) Assigned(ctx context.Context, topic string, assigned []stream.Assignment, ends map[int]int64) ([]int64, error) {
	gone, err := in.Store.Gone(ctx, topic, assigned, ends)
	if err != nil {
		return nil, err
	}
	for _, l := range gone {
		if err := in.Lost(ctx, l); err != nil {
			return nil, err
		}
	}
	durable, err := in.Store.Assigned(ctx, topic, assigned, ends)
	if err != nil {
		return nil, err
	}
	starts := make([]int64, len(assigned))
	for i, a := range assigned {
		starts[i] = durable[i]
		if a.Committed >= 0 {
			starts[i] = min(max(a.Committed, a.LogStart), durable[i]) // what is durable is not lost if Kafka has deleted it
		}
	}
	in.assigned.Store(true)
	return starts, nil
}

// Running tells whether this worker has taken over its partitions and closed their gates. Before that it must push no share.
func (in *Intake) Running() bool { return in.assigned.Load() }

// Handle implements stream.Handler.
func (in *Intake) Handle(ctx context.Context, b stream.Batch) error {
	out := Batch{Topic: b.Topic, Partition: b.Partition, From: b.From, Next: b.Next, Entries: make([]Entry, len(b.Records))}
	for i, r := range b.Records {
		out.Entries[i] = in.judge(r)
	}
	if err := in.taking.Wait(ctx, out); err != nil {
		return err
	}
	for _, e := range out.Entries {
		in.tell(b.Partition, e)
	}
	return nil
}

func (in *Intake) take(ctx context.Context, batches []Batch) error {
	in.several.Store(len(batches) > 1)
	return in.Store.Take(ctx, batches...)
}

// Lost implements stream.Handler: nothing can bring the records back, so it is loud, before anything can fail or die.
func (in *Intake) Lost(ctx context.Context, l stream.Loss) error {
	in.alarm(l)
	if err := in.Store.Lost(ctx, l); err != nil {
		return err
	}
	in.alarming.Lock()
	defer in.alarming.Unlock()
	delete(in.alarmed, topicPartition{l.Topic, l.Partition})
	return nil
}

// alarm is silent on what it has told before: the call is repeated for as long as the store is away. More may be deleted meanwhile.
func (in *Intake) alarm(l stream.Loss) {
	in.alarming.Lock()
	defer in.alarming.Unlock()
	at := topicPartition{l.Topic, l.Partition}
	told, again := in.alarmed[at]
	if again = again && told.From == l.From; again && l.To <= told.To {
		return
	}
	in.alarmed[at] = l
	if again {
		l.From = told.To
	}
	in.Log.Error("records were deleted before they were read", "topic", l.Topic, "partition", l.Partition, "from", l.From, "to", l.To)
	in.Config.Lost(l)
}

func (in *Intake) judge(r stream.Record) Entry {
	now := in.Now()
	got := event.Read(r.Headers, r.Value, now)
	e := Entry{Offset: r.Offset, Decision: got.Decision, Person: got.RawPerson, Unreadable: got.Unreadable}
	if got.Unreadable != "" {
		return e
	}
	if len(got.Refusals) > 0 {
		e.Refused = got.Refusals[0].Code
		return e
	}
	meant := in.eventOf(got.Decision)
	e.Refused = cmp.Or(in.refuse(got.Decision, r.Transactional, now), notAChild(got.Decision.Person, meant))
	if e.Refused == "" {
		e.Event = meant
	}
	return e
}

// refuse judges what the form does not show. Only a clock far ahead stops a withdrawal.
func (in *Intake) refuse(d event.Decision, transactional bool, now time.Time) reason.Code {
	if d.Share && transactional {
		return reason.FormTransactional // it cannot be told from one that was aborted
	}
	return cmp.Or(reason.Of(in.Clock.Judge(d, now)), reason.Of(in.Rules.Judge(d)))
}

// notAChild refuses a guardian's share for a person of 13 or older: that needs no register.
func notAChild(p contact.PersonID, e plan.Event) reason.Code {
	if e.Unconfirmed && !plan.IsChild(p, *e.Share) {
		return reason.GuardianNotAllowed
	}
	return ""
}

func (in *Intake) eventOf(d event.Decision) plan.Event {
	if !d.Share {
		return plan.Event{Withdrawal: &plan.Withdrawal{Revision: d.Revision, EventID: d.EventID, Source: d.Source, Scoped: d.Reason.Scoped()}}
	}
	return plan.Event{Unconfirmed: d.Actor.Role == event.RoleGuardian, Share: &plan.Share{
		Revision: d.Revision, EventID: d.EventID, Source: d.Source, Value: d.Value, Notify: d.Notify, DecidedAt: d.DecidedAt.In(in.place),
		Guardian: d.Actor.ID}}
}

// tell counts each record, and logs what was not taken. Neither the record nor anything of it but ids may stand there.
func (in *Intake) tell(partition int, e Entry) {
	switch {
	case e.Unreadable != "":
		in.Counted("unreadable", e.Unreadable)
		in.Log.Warn("record unreadable", "partition", partition, "offset", e.Offset, "reason", e.Unreadable)
	case e.Refused != "":
		in.Counted("refused", e.Refused)
		in.Log.Warn("decision refused", "partition", partition, "offset", e.Offset, "reason", e.Refused, "decision", e.Decision)
	default:
		in.Counted("taken", "")
	}
}
