package push_test

import (
	"testing"
	"time"

	"contactsync/consent/contact"
)

// guardianShares takes a share of a child's mobile number in, that somebody else decided.
func (w *world) guardianShares(child, guardian string, revision int64) {
	w.t.Helper()
	e := w.entry(child, revision, true)
	e.Event.Unconfirmed = true
	e.Event.Share.Guardian, e.Event.Share.DecidedAt = w.persons[guardian], time.Now()
	w.takes(e)
}

func (w *world) audited(action string) (n int) {
	w.t.Helper()
	if err := w.pool.QueryRow(w.t.Context(), `select count(*) from sync.audit where action = $1`, action).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func TestGuardiansShare(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const parked, waits = "parked guardian_not_allowed", "parked guardian_unconfirmed"
	for i, tt := range []struct {
		about, child, guardian string
		outcomes               []string
		shown                  string
	}{
		{"guardian of a child", "child_under_13", "guardian", []string{waits, "pushed"}, numberOf(1).Reveal()},
		{"second guardian of a child", "elder_sibling", "second_guardian", []string{waits, "pushed"}, numberOf(2).Reveal()},
		{"father without custody", "younger_sibling", "second_guardian", []string{waits, parked}, ""},
		{"another child's guardian", "younger_sibling", "guardian", []string{waits, parked}, ""},
		{"child of 13 or older", "child_13", "guardian", []string{waits, parked}, ""},
		{"protected guardian", "child_of_protected_guardian", "protected_guardian", []string{waits, parked}, ""},
		{"protected child", "protected_child", "guardian_of_protected_child", []string{waits, parked}, ""},
	} {
		revision := int64(i + 1)
		w.guardianShares(tt.child, tt.guardian, revision)
		if w.pushes() != 0 || w.mobiles(tt.child) != "" {
			t.Fatalf("%s: pushed before anything was confirmed", tt.about)
		}
		w.wantOutcomes(revision, waits)
		w.asks()
		w.pushes()
		w.wantOutcomes(revision, tt.outcomes...)
		w.wantMobiles(tt.child, tt.shown)
		if n := w.asks(); n != 0 {
			t.Errorf("%s: asked about %d more persons", tt.about, n)
		}
	}
	if w.audited("guardian.confirm") != 2 || w.audited("guardian.refuse") != 5 {
		t.Error("what was confirmed and refused is not in the audit")
	}
}

func TestRefusedGuardianStaysRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.guardianShares("younger_sibling", "second_guardian", 1)
	w.asks()
	child, guardian := w.persons["younger_sibling"], w.persons["second_guardian"]
	_, err := w.pool.Exec(t.Context(), `
		insert into register.guardianships (child_root, child_extension, guardian_root, guardian_extension) values ($1, $2, $3, $4)`,
		child.Root(), child.RevealExtension(), guardian.Root(), guardian.RevealExtension())
	if err != nil {
		t.Fatal(err)
	}
	w.guardianShares("younger_sibling", "second_guardian", 1) // produced again
	if w.asks() != 0 || w.pushes() != 0 {
		t.Error("a refused decision takes part")
	}
	w.guardianShares("younger_sibling", "second_guardian", 2)
	w.asks()
	w.pushes()
	w.wantOutcomes(2, "parked guardian_unconfirmed", "pushed")
}

func TestGuardianWhileTheRegisterDoesNotTell(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.network.silent = true
	w.guardianShares("child_under_13", "guardian", 2)
	if w.asks() != 0 || w.pushes() != 0 {
		t.Error("something came of a question without an answer")
	}
	w.withdraws("child_under_13", 1) // whoever decided it
	if w.pushes() != 1 {
		t.Error("a withdrawal waits for the answer to a question")
	}
	w.wantOutcomes(1, "unchanged")
	w.network.silent = false
	w.asks()
	w.pushes()
	w.wantOutcomes(2, "parked guardian_unconfirmed", "pushed")
}

func TestGuardianOfAChildThatTheRegisterLearnsOfLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	known := w.persons["child_under_13"]
	w.persons["child_under_13"] = contact.KnownPersonID(contact.RootPersonnummer, "201701012393")
	w.guardianShares("child_under_13", "guardian", 1)
	w.asks()
	if w.due("sync.ask") < 10*time.Minute {
		t.Error("the register is asked again and again about somebody it does not know")
	}
	for _, statement := range []string{
		`insert into register.persons (root, extension, name, state, deceased, protected_person, protected_population, version, content)
			select $1, $2, name, 'new', false, false, false, version, content from register.persons where root = $3 and extension = $4`,
		`insert into register.guardianships (child_root, child_extension, guardian_root, guardian_extension)
			select $1, $2, guardian_root, guardian_extension from register.guardianships where child_root = $3 and child_extension = $4`,
	} {
		child := w.persons["child_under_13"]
		if _, err := w.pool.Exec(t.Context(), statement, child.Root(), child.RevealExtension(), known.Root(), known.RevealExtension()); err != nil {
			t.Fatal(err)
		}
	}
	w.asks()
	w.pushes()
	w.wantMobiles("child_under_13", numberOf(1).Reveal())
	w.wantOutcomes(1, "parked guardian_unconfirmed", "pushed")
}

// due tells how far ahead the one row of a queue is.
func (w *world) due(table string) time.Duration {
	w.t.Helper()
	var seconds float64
	err := w.pool.QueryRow(w.t.Context(), `select extract(epoch from due_at - now())::float8 from `+table).Scan(&seconds)
	if err != nil {
		w.t.Fatal(err)
	}
	return time.Duration(seconds * float64(time.Second))
}

// The confirmation is durable before anything is pushed: whoever dies in between leaves the rest to others.
func TestDeathBetweenConfirmationAndPush(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.guardianShares("child_under_13", "guardian", 1)
	questions, err := w.store.Questions(t.Context(), 10) // and dies
	if err != nil || len(questions) != 1 || w.asker.Round(t.Context()) != 0 {
		t.Fatalf("%d questions: %v", len(questions), err)
	}
	w.asks()
	dying, err := w.store.Claim(t.Context(), 1, false, true)
	if err != nil || len(dying) != 1 || len(dying[0].Targets) != 1 {
		t.Fatalf("claims %+v: %v", dying, err)
	}
	w.withdraws("child_under_13", 2)
	w.leaseRunsOut()
	w.pushes()
	w.wantMobiles("child_under_13", "")
	w.wantOutcomes(1, "parked guardian_unconfirmed", "superseded newer_decision")
}

// An answer may be older than the decision: it confirms only what was asked about.
func TestAnswerIsOnlyForTheQuestionThatWasAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.guardianShares("child_under_13", "guardian", 1)
	w.network.beforeAsk = func() { w.guardianShares("child_under_13", "guardian", 2) }
	w.asks()
	if w.pushes() != 0 {
		t.Fatal("a share was confirmed by an answer from before it came")
	}
	w.wantOutcomes(1, "parked guardian_unconfirmed", "superseded newer_decision")
	if w.asks() != 1 {
		t.Fatal("the newer question was taken for answered")
	}
	w.pushes()
	w.wantMobiles("child_under_13", numberOf(2).Reveal())
	w.wantOutcomes(2, "parked guardian_unconfirmed", "pushed")
}

func TestConfirmedGuardianOfADeadChild(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	child := w.persons["child_under_13"]
	_, err := w.pool.Exec(t.Context(), `update register.persons set deceased = true, deregistration = 'AV' where extension = $1`, child.RevealExtension())
	if err != nil {
		t.Fatal(err)
	}
	w.guardianShares("child_under_13", "guardian", 1)
	w.asks()
	w.pushes()
	w.wantOutcomes(1, "parked guardian_unconfirmed", "parked person_deceased")
}
