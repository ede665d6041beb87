package mockregister

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/rivta"
)

// running keeps the register's feed until the test ends.
func (w world) running(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { w.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
}

// shares makes n decisions on one channel of a person, each another number.
func (w world) shares(t testing.TB, state string, first, n int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		change := share(w.person(t, state), contactsv1.Mobile, fmt.Sprintf("+4670174%04d", i), int64(i))
		must(w.bulk(t.Context(), change))(t)
	}
}

func (w world) bulk(ctx context.Context, items ...contactsv1.Change) ([]contactsv1.Outcome, error) {
	call := contactsv1.Call{Operation: contactsv1.OperationChange, Caller: rivta.Caller{HSAID: worker}, Unrestricted: true}
	answer, _, err := w.changeAll(ctx, call, contactsv1.Bulk{Key: uuid.NewString(), Items: items})
	return answer.Outcomes, err
}

func TestTheFeedGoesOnFromItsCursor(t *testing.T) {
	t.Parallel()
	s := serve(t)
	client, ctx := s.contacts(t, reader), t.Context()
	empty := must(client.Changes(ctx, contactsv1.From{}))(t)
	if len(empty.Signals) != 0 || empty.More || empty.Cursor == "" {
		t.Fatal("the feed begins with something")
	}
	s.shares(t, "empty", 1, 5)
	s.sequenceAll(t)
	var versions []string
	for cursor := empty.Cursor; ; {
		page := must(client.Changes(ctx, contactsv1.From{Cursor: cursor, Limit: 2}))(t)
		for _, signal := range page.Signals {
			if signal.Person != s.person(t, "empty") || signal.Channel != contactsv1.Mobile || signal.Time.IsZero() {
				t.Error("a signal of something else")
			}
			versions = append(versions, signal.Version)
		}
		if again := must(client.Changes(ctx, contactsv1.From{Cursor: cursor, Limit: 2}))(t); !cmp.Equal(page, again) {
			t.Error("the same cursor gives another page")
		}
		if cursor = page.Cursor; !page.More {
			break
		}
	}
	if len(versions) != 5 || !slices.IsSorted(versions) {
		t.Errorf("versions %v: want five in their order", versions)
	}
	now := must(client.Changes(ctx, contactsv1.From{Cursor: contactsv1.CursorNow, Wait: time.Minute}))(t)
	if len(now.Signals) != 0 || now.More {
		t.Error("now is not now")
	}
	s.shares(t, "empty", 6, 1)
	s.sequenceAll(t)
	if page := must(client.Changes(ctx, contactsv1.From{Cursor: now.Cursor}))(t); len(page.Signals) != 1 {
		t.Error("now misses what comes after it")
	}
}

func TestACursorThatLeadsNowhere(t *testing.T) {
	t.Parallel()
	s := serve(t)
	client, ctx := s.contacts(t, reader), t.Context()
	begin := must(client.Changes(ctx, contactsv1.From{}))(t).Cursor
	s.shares(t, "empty", 1, 3)
	s.sequenceAll(t)
	first := must(client.Changes(ctx, contactsv1.From{Limit: 1}))(t)
	last := must(client.Changes(ctx, contactsv1.From{Cursor: contactsv1.CursorNow}))(t).Cursor
	must(s.pool.Exec(ctx, `update register.feed set at = $1 where seq <= 2`, noon().Add(-feedWindow-time.Hour)))(t)
	must(0, s.prune(ctx))(t)
	at, _ := placeOf(last)
	for name, tt := range map[string]struct{ cursor, want string }{
		"one whose next signal is pruned":  {begin, "410 cursor_expired"},
		"one in the middle of the pruned":  {first.Cursor, "410 cursor_expired"},
		"one just before what is kept":     {place{at.epoch, 2}.cursor(), ""},
		"one of a feed that was made anew": {place{uuid.New(), 3}.cursor(), "410 cursor_expired"},
		"one beyond the end":               {place{at.epoch, 4}.cursor(), "410 cursor_expired"},
		"one below the beginning":          {place{at.epoch, -1}.cursor(), "410 cursor_expired"},
		"one that was cut":                 {last[:len(last)-1], "400 cursor_malformed"},
		"one that was mistyped":            {last[:10] + "x" + last[11:], "400 cursor_malformed"},
		"the end":                          {last, ""},
		"none":                             {"", ""},
	} {
		if _, err := client.Changes(ctx, contactsv1.From{Cursor: tt.cursor}); code(err) != tt.want {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	// When all is pruned, the end is still the end.
	must(s.pool.Exec(ctx, `update register.feed set at = $1`, noon().Add(-feedWindow-time.Hour)))(t)
	must(0, s.prune(ctx))(t)
	if page, err := client.Changes(ctx, contactsv1.From{Cursor: last}); err != nil || page.Cursor != last {
		t.Errorf("at the end of an empty feed: %v", err)
	}
}

// A restored database numbers on from its backup, and beyond: by then a number of before is one of its own.
func TestACursorFromBeforeARestoreLeadsNowhere(t *testing.T) {
	t.Parallel()
	s := serve(t)
	client, ctx := s.contacts(t, reader), t.Context()
	now := func() string {
		s.sequenceAll(t)
		return must(client.Changes(ctx, contactsv1.From{Cursor: contactsv1.CursorNow}))(t).Cursor
	}
	s.shares(t, "empty", 1, 2)
	saved := now()
	s.shares(t, "empty", 3, 2)
	forgotten := now()
	must(s.pool.Exec(ctx, `delete from register.feed where seq > 2`))(t)
	must(s.pool.Exec(ctx, `update register.feed_head set last = 2, run = 'of the backup'`))(t)
	if _, err := client.Changes(ctx, contactsv1.From{Cursor: forgotten}); code(err) != "410 cursor_expired" {
		t.Errorf("a cursor of what is forgotten: %v", err)
	}
	s.shares(t, "guardian", 1, 5)
	since := now()
	if _, err := client.Changes(ctx, contactsv1.From{Cursor: forgotten}); code(err) != "410 cursor_expired" {
		t.Errorf("a cursor of what is forgotten, when the feed has come farther: %v", err)
	}
	if page, err := client.Changes(ctx, contactsv1.From{Cursor: saved}); err != nil || len(page.Signals) != 5 || page.Cursor != since {
		t.Errorf("a cursor of what the backup had: %d signals, %v", len(page.Signals), err)
	}
	if page, err := client.Changes(ctx, contactsv1.From{Cursor: since}); err != nil || page.Cursor != since {
		t.Errorf("a cursor of the restored feed: %v", err)
	}
	must(s.pool.Exec(ctx, `update register.feed set at = $1`, noon().Add(-feedWindow-time.Hour)))(t)
	must(0, s.prune(ctx))(t)
	var epochs int
	must(0, s.pool.QueryRow(ctx, `select count(*) from register.feed_epoch`).Scan(&epochs))(t)
	if _, err := client.Changes(ctx, contactsv1.From{Cursor: saved}); code(err) != "410 cursor_expired" || epochs != 0 {
		t.Errorf("when all that the backup had is pruned: %v, and %d epochs are kept", err, epochs)
	}
	if page, err := client.Changes(ctx, contactsv1.From{Cursor: since}); err != nil || page.Cursor != since {
		t.Errorf("the end of an empty feed: %v", err)
	}
}

func TestAReaderIsWokenByNews(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.running(t)
	client := s.contacts(t, reader)
	cursor := must(client.Changes(t.Context(), contactsv1.From{Cursor: contactsv1.CursorNow}))(t).Cursor
	page := make(chan contactsv1.Page)
	go func() {
		p, _ := client.Changes(t.Context(), contactsv1.From{Cursor: cursor, Wait: contactsv1.MaxWait})
		page <- p
	}()
	s.shares(t, "empty", 1, 1)
	if p := <-page; len(p.Signals) != 1 {
		t.Errorf("%d signals", len(p.Signals))
	}
}

func TestAReaderThatWaitsIsSentAwayAtTheEnd(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ended := make(chan error)
	go func() {
		_, err := w.awaitPage(ctx, contactsv1.From{Limit: 1, Wait: time.Hour})
		ended <- err
	}()
	must(0, w.Close(ctx))(t)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A signal is there if and only if its change is: it is written by the same transaction.
func TestARolledBackChangeIsNoNews(t *testing.T) {
	t.Parallel()
	s := serve(t)
	tx := must(s.pool.Begin(t.Context()))(t)
	must(tx.Exec(t.Context(), `update register.persons set version = '20300101000000', mobile = '+46701740605', own_version = '20300101000000' where extension = $1`,
		s.persons["empty"].Extension))(t)
	must(0, tx.Rollback(t.Context()))(t)
	wantSignals(t, s)
}

// A sequencer that dies in the middle leaves signals where they were.
func TestASequencerThatFailsLosesNothing(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.shares(t, "empty", 1, 2)
	must(s.pool.Exec(t.Context(), `alter table register.feed add constraint small check (seq < 2)`))(t)
	if _, _, err := s.sequence(t.Context()); err == nil {
		t.Fatal("nothing failed")
	}
	must(s.pool.Exec(t.Context(), `alter table register.feed drop constraint small`))(t)
	wantSignals(t, s, "empty mobile", "empty mobile")
}

func TestSignalsComeIntoTheOutboxToo(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.message = func(signal Signal) Message {
		return Message{Topic: "changes", Key: signal.Channel, Headers: []string{"n", fmt.Sprint(signal.Seq)}, Value: []byte(signal.Version)}
	}
	s.shares(t, "empty", 1, 2)
	s.sequenceAll(t)
	rows := must(s.pool.Query(t.Context(), `select id, topic || ' ' || key || ' ' || headers[2] from register.outbox order by id`))(t)
	type message struct {
		ID   int64
		Text string
	}
	got := must(pgx.CollectRows(rows, pgx.RowToStructByPos[message]))(t)
	if diff := cmp.Diff([]message{{1, "changes mobile 1"}, {2, "changes mobile 2"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

var feedChanges = flag.Int("feed-changes", 3000, "changes in TestAReaderThatRestartsMissesNothing")

// Writers change records through both contracts while two processes keep the feed and a reader restarts at random, each time from
// the cursor of the last page that it kept.
func TestAReaderThatRestartsMissesNothing(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	other := world{newRegister(t, w.pool, w.now.Now, slog.DiscardHandler), w.persons, w.now}
	w.running(t)
	other.running(t)
	client := served{world: other, Served: contracttest.Serve(t, other.Handler())}.contacts(t, reader)
	persons := []string{"empty", "both_channels", "staff_entries", "contact_persons", "secrecy", "guardian"}
	perWriter := *feedChanges / len(persons)
	var writers sync.WaitGroup
	for _, state := range persons {
		writers.Go(func() { w.shares(t, state, 1, perWriter) })
	}
	heard := readWithRestarts(t, client, perWriter*len(persons))
	writers.Wait()
	for _, state := range persons {
		versions := heard[w.person(t, state)]
		if len(slices.Compact(slices.Clone(versions))) != perWriter || !slices.IsSorted(versions) {
			t.Errorf("%s: %d versions of %d, in order: %v", state, len(versions), perWriter, slices.IsSorted(versions))
		}
	}
}

// readWithRestarts reads until it has heard of so many changes, and forgets at random what it has read since the cursor that it kept.
func readWithRestarts(t *testing.T, client *contactsv1.Client, want int) map[contactsv1.Person][]string {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	heard := map[contactsv1.Person][]string{}
	var lags []time.Duration
	for cursor, n := "", 0; n < want; {
		page, err := client.Changes(t.Context(), contactsv1.From{Cursor: cursor, Limit: 1 + random.IntN(100), Wait: 10 * time.Second})
		if err != nil || len(page.Signals) == 0 {
			t.Fatalf("after %d of %d changes: %d signals, error %v", n, want, len(page.Signals), err)
		}
		if random.IntN(4) == 0 {
			continue // it dies before it has kept anything of the page
		}
		for _, signal := range page.Signals {
			heard[signal.Person] = append(heard[signal.Person], signal.Version)
		}
		if !page.More {
			lags = append(lags, time.Since(page.Signals[len(page.Signals)-1].Time))
		}
		cursor, n = page.Cursor, n+len(page.Signals)
	}
	slices.Sort(lags)
	if len(lags) > 0 {
		t.Logf("lag of a reader at the end of the feed: p50 %v, p99 %v", lags[len(lags)/2], lags[len(lags)*99/100])
	}
	return heard
}

func FuzzCursor(f *testing.F) {
	f.Add(place{uuid.New(), 7}.cursor())
	f.Add("now")
	f.Fuzz(func(t *testing.T, text string) {
		if at, ok := placeOf(text); ok && at.cursor() != text {
			t.Error("two cursors for one place")
		}
	})
}

func FuzzRef(f *testing.F) {
	x := newRefs(make([]byte, 32))
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "1.2.752.129.2.1.3.1", plantedPerson)
	f.Add("", "1.2.752.129.2.1.3.3", "197205779804")
	f.Fuzz(func(t *testing.T, text, root, extension string) {
		if id, ok := x.open(text); ok && x.seal(id) != text {
			t.Error("two refs for one person")
		}
		want := contactsv1.Person{Root: root, Extension: extension}.ID()
		if got, ok := x.open(x.seal(want)); want.Check() == nil && (!ok || got != want) {
			t.Error("a ref leads to somebody else")
		}
	})
}
