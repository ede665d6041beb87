package mockregister

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// kinds are outcomes as words.
func kinds(outcomes []contactsv1.Outcome) []string {
	var out []string
	for _, o := range outcomes {
		out = append(out, outcomeText(o))
	}
	return out
}

func TestEachItemOfABulkHasItsOutcome(t *testing.T) {
	t.Parallel()
	s := serve(t)
	empty, both := s.person(t, "empty"), s.person(t, "both_channels")
	nobody := contactsv1.Person{Root: personv4.RootPersonnummer, Extension: "201701012393"}
	now := noon().UnixMicro()
	items := []contactsv1.Change{
		share(empty, contactsv1.Mobile, "+46701740605", now),
		share(empty, contactsv1.Mobile, "+46701740606", now-1),
		share(empty, contactsv1.Mobile, "+46701740605", now),
		withdraw(empty, contactsv1.Mobile, now),
		share(empty, contactsv1.Mobile, "+46701740607", now),
		share(empty, contactsv1.Email, "tove@example.se", now),
		share(nobody, contactsv1.Email, "tove@example.se", now),
		share(contactsv1.Person{Root: personv4.RootPersonnummer, Extension: "1"}, contactsv1.Email, "tove@example.se", now),
		withdraw(s.person(t, "deceased"), contactsv1.Mobile, now),
		share(both, contactsv1.Mobile, "070-1740605", now),
		share(both, contactsv1.Email, "tove@example", now),
		share(both, contactsv1.Mobile, "+46701740608", now+int64(24*time.Hour/time.Microsecond)+1),
		withdraw(both, contactsv1.Email, now+int64(24*time.Hour/time.Microsecond)),
	}
	outcomes := must(s.contacts(t, worker).Change(t.Context(), uuid.NewString(), items))(t)
	want := []string{"applied", "superseded", "duplicate", "applied", "superseded", "applied", "refused:person_unknown",
		"refused:identity_malformed", "refused:person_deceased", "refused:value_invalid", "refused:value_invalid", "refused:clock_ahead", "applied"}
	if diff := cmp.Diff(want, kinds(outcomes)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got := s.found(t, worker, "empty")
	if got.Mobile != nil || got.Email == nil || got.Version != outcomes[0].Version || got.Version != outcomes[5].Version {
		t.Error("the record is not as the outcomes say")
	}
	if n := len(s.sequenceAll(t)); n != 2 { // what is undone in the same bulk is no news
		t.Errorf("%d signals, want one for each person's e-mail address", n)
	}
	var tombstone int
	must(0, s.pool.QueryRow(t.Context(), `select count(*) from register.fence f where to_jsonb(f)::text ~ '7017406|example'`).Scan(&tombstone))(t)
	if tombstone != 0 {
		t.Error("a fence holds a value")
	}
}

// The register keeps what a bulk is not about: promise 3.
func TestABulkChangesNothingOfOthers(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, state := range []string{"staff_entries", "contact_persons", "secrecy", "paper_opt_out"} {
		before, p := s.record(t, state), s.person(t, state)
		for i, change := range []contactsv1.Change{share(p, contactsv1.Mobile, "+46701740609", 1), withdraw(p, contactsv1.Mobile, 2)} {
			if kind := must(s.contacts(t, worker).Change(t.Context(), uuid.NewString(), []contactsv1.Change{change}))(t)[0].Outcome; kind != contactsv1.Applied {
				t.Fatal(kind)
			}
			after := s.record(t, state)
			if diff := cmp.Diff(others(before), others(after)); diff != "" {
				t.Errorf("%s, change %d: (-before +after):\n%s", state, i, diff)
			}
			a, b := before, after
			a.Entries, b.Entries, a.OptoutPaper, b.OptoutPaper = nil, nil, nil, nil
			if diff := cmp.Diff(contracttest.Rest(t, a), contracttest.Rest(t, b)); diff != "" {
				t.Errorf("%s, change %d: the rest (-before +after):\n%s", state, i, diff)
			}
		}
	}
}

// others are the entries that are not the resident's own mobile number.
func others(record personv4.Record) []personv4.Entry {
	kept := []personv4.Entry{}
	for _, e := range record.Entries {
		if channel, isOwn := channelOf(e); !isOwn || channel != contactsv1.Mobile {
			kept = append(kept, e)
		}
	}
	return kept
}

func TestAKeyGivesTheSameAnswerAgain(t *testing.T) {
	t.Parallel()
	s := serve(t)
	client, key := s.contacts(t, worker), uuid.NewString()
	items := []contactsv1.Change{share(s.person(t, "empty"), contactsv1.Mobile, "+46701740605", 1)}
	first := must(client.Change(t.Context(), key, items))(t)
	again := must(client.Change(t.Context(), key, items))(t)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("(-first +again):\n%s", diff)
	}
	items[0].Revision = 2
	if _, err := client.Change(t.Context(), key, items); code(err) != "422 idempotency_key_reused" {
		t.Errorf("the key with another body: %v", err)
	}
	s.lastLogged(t, items[0].Person.Extension+" share error:idempotency_key_reused -")
	if outcomes, err := s.contacts(t, clinic).Change(t.Context(), key, items); err != nil || outcomes[0].Outcome != contactsv1.Applied {
		t.Errorf("the key of another system: %v, %v", outcomes, err)
	}
	s.now.pass(24 * time.Hour)
	must(0, s.prune(t.Context()))(t)
	items[0].Revision = 1
	if again := must(client.Change(t.Context(), key, items))(t); again[0].Outcome != contactsv1.Applied {
		t.Error("after a day the answer is forgotten")
	}
	s.now.pass(2 * time.Hour)
	must(0, s.prune(t.Context()))(t)
	if again := must(client.Change(t.Context(), key, items))(t); again[0].Outcome != contactsv1.Superseded {
		t.Error("the answer is kept for ever, or the fence is not")
	}
}

func TestAKeyInWorkIsAConflict(t *testing.T) {
	t.Parallel()
	s := serve(t)
	key := uuid.NewString()
	tx := must(s.pool.Begin(t.Context()))(t)
	defer func() { _ = tx.Rollback(context.Background()) }()
	must(tx.Exec(t.Context(), `select pg_advisory_xact_lock(hashtextextended($1, 0))`, "register "+worker+" "+key))(t)
	items := []contactsv1.Change{share(s.person(t, "empty"), contactsv1.Mobile, "+46701740605", 1)}
	if _, err := s.contacts(t, worker).Change(t.Context(), key, items); code(err) != "409 in_work" {
		t.Error(err)
	}
	s.lastLogged(t, items[0].Person.Extension+" share error:in_work -")
}

// lastLogged looks at the newest entry of the access log: whom, what, how it ended and the version.
func (s served) lastLogged(t *testing.T, want string) {
	t.Helper()
	if all := s.logged(t, "extension action outcome version"); len(all) == 0 || all[len(all)-1] != want {
		t.Errorf("the log is %q, want %q in the end", all, want)
	}
}

// A bulk that cannot be stored leaves nothing: neither records, fences, signals nor an answer.
func TestABulkIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s := serve(t)
	must(s.pool.Exec(t.Context(), `alter table register.fence add check (revision <> 13)`))(t)
	client, key := s.contacts(t, worker), uuid.NewString()
	items := []contactsv1.Change{share(s.person(t, "empty"), contactsv1.Mobile, "+46701740605", 1), withdraw(s.person(t, "both_channels"), contactsv1.Mobile, 13)}
	if _, err := client.Change(t.Context(), key, items); code(err) != "500 internal" {
		t.Fatal(err)
	}
	if s.found(t, worker, "empty").Mobile != nil || s.found(t, worker, "both_channels").Mobile == nil {
		t.Error("half of a bulk was carried out")
	}
	wantSignals(t, s)
	must(s.pool.Exec(t.Context(), `alter table register.fence drop constraint fence_revision_check`))(t)
	if diff := cmp.Diff([]string{"applied", "applied"}, kinds(must(client.Change(t.Context(), key, items))(t))); diff != "" {
		t.Errorf("again (-want +got):\n%s", diff)
	}
}

// model is what the promise says of one person and channel: of all decisions ever heard the greatest holds, whatever their
// order and however often each came.
type model struct {
	best fence
	held *string
}

func (m *model) hear(c contactsv1.Change) contactsv1.OutcomeKind {
	f := fenceOf(c)
	if f == m.best {
		return contactsv1.Duplicate
	}
	rank := func(f fence) string { return fmt.Sprintf("%020d %v %s", f.revision, f.withdrawn, f.eventID) } // false < true
	if rank(f) < rank(m.best) {
		return contactsv1.Superseded
	}
	m.best, m.held = f, nil
	if !f.withdrawn {
		m.held = &c.Value
	}
	return contactsv1.Applied
}

func TestWhateverComesLateTheGreatestDecisionHolds(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	call := contactsv1.Call{Operation: contactsv1.OperationChange, Caller: rivta.Caller{HSAID: worker}, Unrestricted: true}
	persons := []contactsv1.Person{w.person(t, "empty"), w.person(t, "both_channels"), w.person(t, "paper_opt_out")}
	rapid.Check(t, func(rt *rapid.T) {
		if _, err := w.resetPersons(t.Context()); err != nil {
			rt.Fatal(err)
		}
		models := map[contactsv1.Person]*model{}
		before := map[contactsv1.Person]*string{}
		for _, p := range persons {
			models[p] = &model{}
			before[p] = valueOf(t, w, call, p)
		}
		for range rapid.IntRange(1, 4).Draw(rt, "bulks") {
			items := rapid.SliceOfN(drawnChange(persons), 1, 6).Draw(rt, "items")
			answer, _, err := w.changeAll(t.Context(), call, contactsv1.Bulk{Key: uuid.NewString(), Items: items})
			if err != nil {
				rt.Fatal(err)
			}
			for i, item := range items {
				if want := models[item.Person].hear(item); answer.Outcomes[i].Outcome != want {
					rt.Fatalf("item %d is %s, want %s", i, answer.Outcomes[i].Outcome, want)
				}
			}
		}
		for _, p := range persons {
			want := before[p]
			if models[p].best != (fence{}) {
				want = models[p].held
			}
			if got := valueOf(t, w, call, p); !cmp.Equal(want, got) {
				rt.Fatal("the register does not hold what the greatest decision says")
			}
		}
	})
}

func drawnChange(persons []contactsv1.Person) *rapid.Generator[contactsv1.Change] {
	return rapid.Custom(func(t *rapid.T) contactsv1.Change {
		c := contactsv1.Change{Person: rapid.SampledFrom(persons).Draw(t, "person"), Channel: contactsv1.Mobile, Decision: contactsv1.Withdraw,
			Revision: rapid.Int64Range(1, 4).Draw(t, "revision"), EventID: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "event")}
		if rapid.Bool().Draw(t, "share") {
			c.Decision = contactsv1.Share
			c.Value = fmt.Sprintf("+467017406%d%s", 10+c.Revision, map[string]string{"": "0", "a": "1", "b": "2"}[c.EventID])
		}
		return c
	})
}

func valueOf(t *testing.T, w world, call contactsv1.Call, p contactsv1.Person) *string {
	t.Helper()
	c := must(w.lookup(t.Context(), call, []personv4.ID{p.ID()}))(t)[0]
	if c.Mobile == nil {
		return nil
	}
	return &c.Mobile.Value
}

// Bulks about the same persons in opposite orders must not wait for each other, and each decision ends as if they had come in turn.
func TestBulksOfTheSamePersonsAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var states []string
	for state := range s.persons {
		if state != "deceased" {
			states = append(states, state)
		}
	}
	client := s.contacts(t, worker)
	var group sync.WaitGroup
	errs := make(chan error, 100)
	for n := range 8 {
		var items []contactsv1.Change
		for _, state := range states {
			items = append(items, share(s.person(t, state), contactsv1.Mobile, fmt.Sprintf("+4670174060%d", n), int64(n+1)))
		}
		if n%2 == 0 {
			slices.Reverse(items)
		}
		group.Go(func() {
			_, err := client.Change(t.Context(), uuid.NewString(), items)
			errs <- err
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	for _, state := range states {
		if got := s.found(t, worker, state); got.Mobile == nil || got.Mobile.Value != "+46701740607" {
			t.Errorf("%s does not hold the newest decision", state)
		}
	}
}

func TestTheFenceOrdersAnyTwoDecisions(t *testing.T) {
	t.Parallel()
	drawn := rapid.Custom(func(t *rapid.T) fence {
		f := fence{revision: rapid.Int64Range(0, 3).Draw(t, "revision"), withdrawn: rapid.Bool().Draw(t, "withdrawn")}
		if !f.withdrawn {
			f.eventID = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "event")
		}
		return f
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawn.Draw(t, "a"), drawn.Draw(t, "b"), drawn.Draw(t, "c")
		if (a.judge(b) == contactsv1.Applied) == (b.judge(a) == contactsv1.Applied) && a != b {
			t.Fatal("neither goes before the other, or both do")
		}
		if a.judge(b) == contactsv1.Applied && b.judge(c) == contactsv1.Applied && a.judge(c) != contactsv1.Applied {
			t.Fatal("the order goes in a circle")
		}
		if a.judge(a) != contactsv1.Duplicate {
			t.Fatal("the same is no duplicate")
		}
	})
}

// blocked waits until somebody in this database waits for a lock.
func (w world) blocked(t *testing.T) {
	t.Helper()
	for waiting := 0; waiting == 0; {
		err := w.pool.QueryRow(t.Context(), `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A bulk looks at a fence only once it holds the person: what another one puts up meanwhile counts.
func TestAFenceThatIsPutUpMeanwhileCounts(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	p := w.person(t, "both_channels")
	tx := must(w.pool.Begin(t.Context()))(t)
	defer func() { _ = tx.Rollback(context.Background()) }()
	must(tx.Exec(t.Context(), `select from register.persons where extension = $1 for update`, p.Extension))(t)
	outcomes := make(chan []contactsv1.Outcome)
	go func() {
		got, _ := w.bulk(t.Context(), share(p, contactsv1.Mobile, "+46701740609", 5))
		outcomes <- got
	}()
	w.blocked(t)
	must(tx.Exec(t.Context(), `insert into register.fence values ($1, $2, 'mobile', 9, true, '')`, p.Root, p.Extension))(t)
	must(0, tx.Commit(t.Context()))(t)
	if diff := cmp.Diff([]string{"superseded"}, kinds(<-outcomes)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A bulk that waits for the first of its persons holds none of the others: so no two can wait for each other.
func TestABulkTakesPersonsInOneOrder(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	var persons []contactsv1.Person
	for state := range w.persons {
		persons = append(persons, w.person(t, state))
	}
	slices.SortFunc(persons, func(a, b contactsv1.Person) int { return strings.Compare(b.Root+b.Extension, a.Root+a.Extension) })
	var items []contactsv1.Change
	for _, p := range persons {
		items = append(items, withdraw(p, contactsv1.Email, 1))
	}
	first, rest := persons[len(persons)-1], persons[:len(persons)-1]
	tx := must(w.pool.Begin(t.Context()))(t)
	defer func() { _ = tx.Rollback(context.Background()) }()
	must(tx.Exec(t.Context(), `select from register.persons where root = $1 and extension = $2 for update`, first.Root, first.Extension))(t)
	ended := make(chan error)
	go func() {
		_, err := w.bulk(t.Context(), items...)
		ended <- err
	}()
	w.blocked(t)
	for _, p := range rest {
		if _, err := tx.Exec(t.Context(), `select from register.persons where root = $1 and extension = $2 for update nowait`, p.Root, p.Extension); err != nil {
			t.Fatalf("the bulk holds a later person already: %v", err)
		}
	}
	must(0, tx.Commit(t.Context()))(t)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
