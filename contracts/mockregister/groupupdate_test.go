package mockregister

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// heldUp is a register whose updates gather until it is let go.
type heldUp struct {
	world
	open   chan struct{}
	groups [][]*groupedUpdate // that came after it was let go; valid when nothing is under way
}

func holdUp(t *testing.T, w world) *heldUp {
	t.Helper()
	h := &heldUp{world: w, open: make(chan struct{})}
	write, first := w.updates.write, true
	w.updates.write = func(ctx context.Context, updates []*groupedUpdate) error {
		if first {
			first = false
			<-h.open
			return nil
		}
		h.groups = append(h.groups, updates)
		return write(ctx, updates)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := w.updates.commit(gone, &groupedUpdate{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	h.awaits(0) // else it might take others with it
	return h
}

// awaits returns when so many updates wait.
func (h *heldUp) awaits(n int) {
	for waiting := -1; waiting != n; runtime.Gosched() {
		h.updates.mu.Lock()
		waiting = h.updates.rows
		h.updates.mu.Unlock()
	}
}

// let carries out what waits, and returns when that is done.
func (h *heldUp) let(t *testing.T) {
	t.Helper()
	close(h.open)
	must(0, h.updates.wait(t.Context()))(t)
}

// stands is the update that changes nothing of a test person.
func (w world) stands(t *testing.T, state string) personv4.Update {
	t.Helper()
	return contracttest.Unchanged(*must(w.look(t.Context(), readCall(rivta.Caller{HSAID: worker}, w.id(t, state), true)))(t))
}

func TestEachOfAGroupHasItsOwnResult(t *testing.T) {
	t.Parallel()
	h := holdUp(t, seeded(t, slog.DiscardHandler))
	with := func(state string, change func(*personv4.Update)) personv4.Update {
		u := h.stands(t, state)
		change(&u)
		return u
	}
	asIs := func(*personv4.Update) {}
	tests := []struct {
		name       string
		update     personv4.Update
		restricted bool
		want       string
	}{
		{"a new number", withMobile(*must(h.look(t.Context(), readCall(rivta.Caller{}, h.id(t, "empty"), true)))(t), newNumber), false, "ok"},
		{"nothing new", with("both_channels", asIs), true, "ok"},
		{"an older version", with("paper_opt_out", func(u *personv4.Update) { u.VersionToUpdate = "20200101000000" }), false, "error:stale_version"},
		{"what is no version", with("paper_opt_out", func(u *personv4.Update) { u.VersionToUpdate = "no date at all" }), false, "error:stale_version"},
		{"a deceased person", with("deceased", asIs), false, "error:person_deceased"},
		{"secrecy", with("secrecy", asIs), true, "error:protected_person"},
		{"secrecy by who may", with("secrecy", asIs), false, "ok"},
		{"protected registration", with("protected_registration", asIs), true, "error:protected_person"},
		{"nobody", with("empty", func(u *personv4.Update) { u.Person.Extension = "201701012393" }), false, "error:person_unknown"},
		{"too much", with("contact_persons", func(u *personv4.Update) {
			u.Entries = []personv4.Entry{{Type: typeMail, Comment: new(strings.Repeat("x", maxContent))}}
		}), false, "fault_Client"},
	}
	got, want := make([]string, len(tests)), make([]string, len(tests))
	var calls sync.WaitGroup
	for i, tt := range tests {
		want[i] = tt.want
		calls.Go(func() {
			caller := rivta.Caller{HSAID: worker, CorrelationID: tt.name}
			result, err := h.Update(t.Context(), caller, tt.update, !tt.restricted)
			got[i] = outcomeOf(t, result, err)
			if !result.OK {
				return
			}
			stored := must(h.look(t.Context(), readCall(caller, tt.update.Person, true)))(t)
			if diff := cmp.Diff(stored, result.Record); diff != "" {
				t.Errorf("%s: the answer is not what stands there (-stored +answered):\n%s", tt.name, diff)
			}
		})
	}
	h.awaits(len(tests))
	h.let(t)
	calls.Wait()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if len(h.groups) != 1 {
		t.Errorf("%d groups, want all in one", len(h.groups))
	}
	var entries []string
	for _, tt := range tests {
		entries = append(entries, tt.name+" "+tt.want)
	}
	if diff := cmp.Diff(inOrder(entries), inOrder(h.logged(t, "correlation outcome"))); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	h.sound(t)
}

func inOrder(texts []string) []string { return slices.Sorted(slices.Values(texts)) }

func outcomeOf(t *testing.T, result personv4.Result, err error) string {
	fault, isFault := errors.AsType[*rivta.Fault](err)
	switch {
	case isFault:
		return faultOutcome(fault)
	case err != nil:
		t.Error(err)
		return "failed"
	case !result.OK:
		return personv4.OutcomeError + ":" + result.Code
	}
	return personv4.OutcomeOK
}

// TestUpdatesOfOnePersonInAGroup: also where a version can be given twice, each is judged by what the one before left behind.
func TestUpdatesOfOnePersonInAGroup(t *testing.T) {
	t.Parallel()
	for name, wholeSeconds := range map[string]bool{"each version once": false, "versions given twice": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := holdUp(t, seeded(t, slog.DiscardHandler))
			h.clock.wholeSeconds = wholeSeconds
			const n = 5
			update := h.stands(t, "both_channels")
			one := &groupedUpdate{ctx: t.Context(), update: update}
			if g := h.draft([]*groupedUpdate{one, one}); len(g.updates) != 1 {
				t.Errorf("%d of them are in one statement", len(g.updates))
			}
			outcomes := make([]string, n)
			var calls sync.WaitGroup
			for i := range n {
				calls.Go(func() {
					result, err := h.Update(t.Context(), rivta.Caller{HSAID: worker}, update, true)
					outcomes[i] = outcomeOf(t, result, err)
				})
			}
			h.awaits(n)
			h.let(t)
			calls.Wait()
			want := append(slices.Repeat([]string{"error:stale_version"}, n-1), "ok")
			if wholeSeconds {
				want = slices.Repeat([]string{"ok"}, n)
			}
			if diff := cmp.Diff(want, inOrder(outcomes)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, inOrder(h.logged(t, "outcome"))); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAnUpdateThatPostgreSQLRefuses takes no other one along.
func TestAnUpdateThatPostgreSQLRefuses(t *testing.T) {
	t.Parallel()
	h := holdUp(t, seeded(t, slog.DiscardHandler))
	var calls sync.WaitGroup
	for state, original := range map[string]string{"both_channels": "A", "empty": "\xff", "paper_opt_out": "B"} {
		update := h.stands(t, state)
		calls.Go(func() {
			result, err := h.Update(t.Context(), rivta.Caller{HSAID: worker, OriginalConsumer: original}, update, true)
			if refused := causeText(errors.Unwrap(err)) == "SQLSTATE 22021"; refused != (state == "empty") || result.OK == refused {
				t.Errorf("%s: OK %t, error %v", state, result.OK, err)
			}
		})
	}
	h.awaits(3)
	h.let(t)
	calls.Wait()
	if diff := cmp.Diff([]string{"A ok", "B ok"}, inOrder(h.logged(t, "original outcome"))); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

// TestAHeldRecordHoldsUpNobodyElse: who waits for it does so alone.
func TestAHeldRecordHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	h := holdUp(t, seeded(t, slog.DiscardHandler))
	held, free := h.stands(t, "empty"), h.stands(t, "both_channels")
	tx := must(h.pool.Begin(t.Context()))(t)
	defer func() { _ = tx.Rollback(context.Background()) }()
	must(tx.Exec(t.Context(), `select from register.persons where extension = $1 for update`, held.Person.Extension))(t)
	var other, waits sync.WaitGroup
	updates := func(update personv4.Update) func() {
		return func() {
			if result, err := h.Update(t.Context(), rivta.Caller{HSAID: worker}, update, true); err != nil || !result.OK {
				t.Errorf("%s, error %v", result.Code, err)
			}
		}
	}
	waits.Go(updates(held))
	other.Go(updates(free))
	h.awaits(2)
	h.let(t)
	other.Wait()
	if !t.Failed() {
		h.blocked(t)
	}
	if got := h.logged(t, "extension"); len(got) != 1 || got[0] != free.Person.Extension {
		t.Errorf("%d entries, want that of the other one", len(got))
	}
	must(0, tx.Commit(t.Context()))(t)
	waits.Wait()
}

// TestALoneUpdateOfAHeldRecordHoldsUpNobodyElse: it waits by itself too.
func TestALoneUpdateOfAHeldRecordHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	held := w.stands(t, "empty")
	tx := must(w.pool.Begin(t.Context()))(t)
	defer func() { _ = tx.Rollback(context.Background()) }()
	must(tx.Exec(t.Context(), `select from register.persons where extension = $1 for update`, held.Person.Extension))(t)
	var waits sync.WaitGroup
	waits.Go(func() {
		if result, err := w.Update(t.Context(), rivta.Caller{HSAID: worker}, held, true); err != nil || !result.OK {
			t.Errorf("%s, error %v", result.Code, err)
		}
	})
	w.blocked(t)
	must(0, w.updates.wait(t.Context()))(t)
	must(0, tx.Commit(t.Context()))(t)
	waits.Wait()
}

func TestAnUpdateWhoseCallerLeftBeforeIsNotCarriedOut(t *testing.T) {
	t.Parallel()
	h := holdUp(t, seeded(t, slog.DiscardHandler))
	ctx, leave := context.WithCancel(t.Context())
	left, stays := h.stands(t, "empty"), h.stands(t, "both_channels")
	var leaver, stayer sync.WaitGroup
	leaver.Go(func() {
		if _, err := h.Update(ctx, rivta.Caller{HSAID: worker}, left, true); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	stayer.Go(func() {
		if result, err := h.Update(t.Context(), rivta.Caller{HSAID: worker}, stays, true); err != nil || !result.OK {
			t.Errorf("%s, error %v", result.Code, err)
		}
	})
	h.awaits(2)
	leave()
	leaver.Wait()
	h.let(t)
	stayer.Wait()
	if now := h.stands(t, "empty"); now.VersionToUpdate != left.VersionToUpdate || len(h.logged(t, "outcome")) != 1 {
		t.Error("it was carried out")
	}
}

// TestAVersionIsNotOfTheWait: others believe that nothing more comes under a second that is over.
func TestAVersionIsNotOfTheWait(t *testing.T) {
	t.Parallel()
	h := holdUp(t, seeded(t, slog.DiscardHandler))
	update, result := h.stands(t, "empty"), make(chan personv4.Result, 1)
	go func() {
		r, _ := h.Update(t.Context(), rivta.Caller{HSAID: worker}, update, true)
		result <- r
	}()
	h.awaits(1)
	h.now.pass(5 * time.Second)
	h.let(t)
	if r := <-result; !r.OK || r.Record.Version != "20261123120005" || r.Record.Actor.UpdateTime != r.Record.Version {
		t.Errorf("OK %t, version %s", r.OK, r.Record.Version)
	}
}

// TestUpdatesAmongOthers has single updates and bulks meet at the same records. Nobody waits for ever, each version is given once, and
// the log tells of each change and no other.
func TestUpdatesAmongOthers(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	states := []string{"empty", "both_channels", "paper_opt_out", "contact_persons", "staff_entries"}
	var mu sync.Mutex
	var answered []string
	done := func(id personv4.ID, version string) {
		mu.Lock()
		defer mu.Unlock()
		answered = append(answered, id.Extension+" "+version)
	}
	var all sync.WaitGroup
	for i := range 24 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for n := range 12 {
				if i%8 == 0 {
					var items []contactsv1.Change
					for _, state := range states[random.IntN(len(states)-1):] {
						items = append(items, share(w.person(t, state), contactsv1.Email, fmt.Sprintf("x%d@example.se", i), int64(100*n+i+1)))
					}
					outcomes := must(w.bulk(t.Context(), items...))(t)
					for k, o := range outcomes {
						if o.Outcome == contactsv1.Applied {
							done(items[k].Person.ID(), o.Version)
						}
					}
					continue
				}
				update := w.stands(t, states[random.IntN(len(states))])
				switch result, err := w.Update(t.Context(), rivta.Caller{HSAID: worker}, update, true); {
				case err != nil:
					t.Error(err)
				case result.OK:
					done(update.Person, result.Record.Version)
				case result.Code != "stale_version":
					t.Error(result.Code)
				}
			}
		})
	}
	all.Wait()
	var logged []string
	for _, entry := range w.logged(t, "extension version") {
		if !strings.HasSuffix(entry, " -") {
			logged = append(logged, entry)
		}
	}
	logged, answered = inOrder(logged), inOrder(answered)
	if diff := cmp.Diff(answered, logged); diff != "" {
		t.Errorf("changes (-answered +logged):\n%s", diff)
	}
	if len(slices.Compact(slices.Clone(logged))) != len(logged) {
		t.Error("a version was given twice")
	}
	for _, state := range states {
		now := w.stands(t, state)
		last := slices.IndexFunc(logged, func(e string) bool {
			return e > now.Person.Extension+" "+now.VersionToUpdate && strings.HasPrefix(e, now.Person.Extension)
		})
		if _, found := slices.BinarySearch(logged, now.Person.Extension+" "+now.VersionToUpdate); !found || last >= 0 {
			t.Errorf("%s: version %s is not the last that the log tells of", state, now.VersionToUpdate)
		}
	}
	w.sound(t)
}
