package mockregister

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/pgschema"
	"contactsync/contracts/contactsv1"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
	"contactsync/contracts/problem"
	"contactsync/contracts/rivta"
)

// tabled is a register that goes by the table, whose age a test sets.
type tabled struct {
	served
	admin AccessAdmin
	age   *wallClock
}

func serveTable(t *testing.T) tabled {
	t.Helper()
	age := &wallClock{now: noon()}
	x := serveTableBy(t, age.Now)
	x.age = age
	return x
}

func serveTableBy(t *testing.T, now func() time.Time) tabled {
	t.Helper()
	w := seeded(t, slog.DiscardHandler)
	w.access = NewAccessTable(w.pool, now)
	return tabled{served{world: w, Served: contracttest.Serve(t, w.Handler())}, AccessAdmin{w.pool, "anna"}, nil}
}

func readingOf(system string) Grant {
	return Grant{system, personv4.GetOperation(true).Name, address, Rights{Protected: true}}
}

func (x tabled) grant(t *testing.T, grants ...Grant) {
	t.Helper()
	if err := x.admin.Grant(t.Context(), grants...); err != nil {
		t.Fatal(err)
	}
}

func (x tabled) revoke(t *testing.T, g Grant) {
	t.Helper()
	if _, err := x.admin.Revoke(t.Context(), g.System, g.Contract, ""); err != nil {
		t.Fatal(err)
	}
}

// refusal is the VP code with which a system's call ends, "" if it is answered.
func (x tabled) refusal(t *testing.T, client *personv4.Client) string {
	t.Helper()
	_, err := client.Get(t.Context(), x.id(t, "empty"))
	fault, isFault := errors.AsType[*rivta.Fault](err)
	if err != nil && !isFault {
		t.Fatal(err)
	}
	if isFault && fault.VP == "" {
		return string(fault.Code)
	}
	if isFault {
		return fault.VP
	}
	return ""
}

func TestCallsGoByTheTableAsItIsNow(t *testing.T) {
	t.Parallel()
	x := serveTable(t)
	client := x.Client(t, reader, address, false)
	step := func(what, want string) {
		t.Helper()
		if got := x.refusal(t, client); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	step("an empty table", "VP007")
	x.grant(t, readingOf(reader))
	x.age.pass(accessFresh)
	step("a second after the grant", "")
	x.revoke(t, readingOf(reader))
	x.age.pass(accessFresh)
	step("a second after it was revoked", "VP007")
	elsewhere := readingOf(reader)
	elsewhere.LogicalAddress = "SE2321000016-ELSE"
	x.grant(t, elsewhere)
	x.age.pass(accessFresh)
	step("a grant for another register", "VP007")
}

// A register that answers all the time notices by its own clock, too.
func TestRevokedSystemIsRefusedWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	x := serveTableBy(t, time.Now)
	x.grant(t, readingOf(reader))
	client := x.Client(t, reader, address, false)
	if got := x.refusal(t, client); got != "" {
		t.Fatal(got)
	}
	x.revoke(t, readingOf(reader))
	revoked, tick := time.Now(), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for x.refusal(t, client) != "VP007" {
		if time.Since(revoked) > 5*time.Second {
			t.Fatal("5 s after it was revoked the system is let in")
		}
		<-tick.C
	}
}

func TestTableThatCannotBeReadHoldsForAWhile(t *testing.T) {
	t.Parallel()
	x := serveTable(t)
	x.grant(t, readingOf(reader))
	client := x.Client(t, reader, address, false)
	rename := func(from, to string) {
		t.Helper()
		if _, err := x.pool.Exec(t.Context(), "alter table register."+from+" rename to "+to); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		what   string
		before func()
		pass   time.Duration
		want   string
	}{
		{"the table was read", func() {}, 0, ""},
		{"it cannot be read, and was before", func() { rename("access", "gone") }, 5*time.Second - time.Millisecond, ""},
		{"it cannot be read for too long", func() {}, time.Millisecond, "Server"},
		{"it can be read again", func() { rename("gone", "access") }, 0, ""},
	} {
		step.before()
		x.age.pass(step.pass)
		if got := x.refusal(t, client); got != step.want {
			t.Errorf("%s: %q, want %q", step.what, got, step.want)
		}
	}
}

// A caller is told that it may ask again, and the log that the register is to blame.
func TestRESTCallerMayAskAgainWhenNobodyCanTellWhatItMay(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.access = NewAccessTable(s.pool, time.Now)
	must(s.pool.Exec(t.Context(), "alter table register.access rename to gone"))(t)
	client := s.contacts(t, reader)
	for operation, call := range map[string]func() error{
		contactsv1.OperationLookup: func() error {
			_, err := client.Lookup(t.Context(), []contactsv1.Person{s.person(t, "empty")})
			return err
		},
		contactsv1.OperationChange: func() error {
			_, err := client.Change(t.Context(), uuid.NewString(), []contactsv1.Change{withdraw(s.person(t, "empty"), contactsv1.Mobile, 1)})
			return err
		},
		contactsv1.OperationChanges: func() error {
			_, err := client.Changes(t.Context(), contactsv1.From{})
			return err
		},
	} {
		p, isProblem := errors.AsType[*problem.Problem](call())
		if !isProblem || code(p) != "503 unavailable" || p.RetryAfter != time.Second || p.Instance == "" {
			t.Errorf("%s: %v, want 503 unavailable, Retry-After and an instance", operation, p)
		}
		text, line := s.nextLine(t)
		if line.Outcome != "problem:unavailable" || line.Blame != "us" || line.LogID == "" || line.Cause != "SQLSTATE 42P01" {
			t.Errorf("%s: logged %s", operation, text)
		}
	}
}

func TestManyCallsReadTheTableOnce(t *testing.T) {
	t.Parallel()
	x := serveTable(t)
	before := x.pool.Stat().AcquireCount()
	atOnce(64, func() {
		if _, _, err := x.rightsOf(t.Context(), reader, contractREST, address); err != nil {
			t.Error(err)
		}
	})
	if read := x.pool.Stat().AcquireCount() - before; read != 1 {
		t.Errorf("64 calls at once read the table %d times", read)
	}
}

func TestEveryChangeIsOnRecord(t *testing.T) {
	t.Parallel()
	x := serveTable(t)
	with := func(r Rights) Grant { g := readingOf(reader); g.Rights = r; return g }
	all, some := Rights{Protected: true, Support: true}, Rights{Protected: true}
	x.grant(t, with(all))
	x.grant(t, with(all)) // nothing new
	x.grant(t, with(some))
	x.revoke(t, with(some))
	for _, statement := range []string{ // behind our back
		`insert into register.access values ('` + clinic + `', 'contactsv1', '` + address + `', '{write}')`,
		`update register.access set system = '` + worker + `'`,
		`delete from register.access`,
	} {
		if _, err := x.pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := x.pool.Exec(t.Context(), `truncate register.access`); err == nil {
		t.Error("the table can be emptied without a record")
	}
	changes := must(x.admin.Changes(t.Context(), 100))(t)
	of := func(by string, g Grant, granted, before bool, rightsBefore Rights) AccessChange {
		if !granted {
			g.Rights = Rights{}
		}
		return AccessChange{By: by, DatabaseUser: "test", Grant: g, Granted: granted, GrantedBefore: before, RightsBefore: rightsBefore}
	}
	hand := func(system string) Grant { return Grant{system, contractREST, address, Rights{Write: true}} }
	want := []AccessChange{
		of("test", hand(worker), false, true, Rights{Write: true}),
		of("test", hand(worker), true, false, Rights{}),
		of("test", hand(clinic), false, true, Rights{Write: true}),
		of("test", hand(clinic), true, false, Rights{}),
		of("anna", with(some), false, true, some),
		of("anna", with(some), true, true, all),
		of("anna", with(all), true, false, Rights{}),
	}
	if diff := cmp.Diff(want, changes, cmpopts.IgnoreFields(AccessChange{}, "At")); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if first := must(x.admin.Changes(t.Context(), 1))(t); len(first) != 1 || time.Since(first[0].At).Abs() > time.Minute {
		t.Errorf("the newest change is %v", first)
	}
}

func TestBeginningComesOnce(t *testing.T) {
	t.Parallel()
	x := serveTable(t)
	atOnce(4, func() {
		if err := x.admin.Begin(t.Context(), readingOf(reader), readingOf(worker)); err != nil {
			t.Error(err)
		}
	})
	x.revoke(t, readingOf(reader))
	if err := x.admin.Begin(t.Context(), readingOf(reader), readingOf(worker)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Grant{readingOf(worker)}, must(Grants(t.Context(), x.pool))(t)); diff != "" {
		t.Errorf("what was revoked came back (-want +got):\n%s", diff)
	}
}

func TestGrantsThatCannotBe(t *testing.T) {
	t.Parallel()
	x := serveTable(t)
	good := readingOf(reader)
	for sentence, spoil := range map[string]func(*Grant){
		"a person as system":     func(g *Grant) { g.System = plantedPerson },
		"no system":              func(g *Grant) { g.System = "" },
		"an unknown contract":    func(g *Grant) { g.Contract = "GetPerson" },
		"no logical address":     func(g *Grant) { g.LogicalAddress = "" },
		"a logical address of *": func(g *Grant) { g.LogicalAddress = "*" },
	} {
		bad := good
		spoil(&bad)
		if err := x.admin.Grant(t.Context(), good, bad); err == nil {
			t.Errorf("%s is granted", sentence)
		}
	}
	if left := must(Grants(t.Context(), x.pool))(t); len(left) != 0 {
		t.Errorf("of grants that cannot be, some were made: %v", left)
	}
	if _, err := x.admin.Revoke(t.Context(), reader, good.Contract, ""); !errors.Is(err, ErrNotGranted) {
		t.Errorf("revoking what was never granted: %v", err)
	}
	x.grant(t, good)
	if _, err := x.admin.Revoke(t.Context(), reader, good.Contract, "SE2321000016-ELSE"); !errors.Is(err, ErrNotGranted) {
		t.Errorf("revoking at another logical address: %v", err)
	}
}

func TestRightsAreWords(t *testing.T) {
	t.Parallel()
	for _, words := range [][]string{{}, {"protected"}, {"support", "write"}, {"protected", "support", "write"}} {
		rights, err := ParseRights(words)
		if diff := cmp.Diff(words, rights.Words()); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	}
	rights, err := ParseRights([]string{"admin", "write"})
	if err == nil || !strings.Contains(err.Error(), "protected, support, write") || rights != (Rights{Write: true}) {
		t.Errorf("%+v %v", rights, err)
	}
}

// The register's own role must not be able to let anybody in, nor to see who did.
func TestRegisterMayOnlyReadWhoMayWhat(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	var changes bool // without the trigger, which refuses too
	if err := pool.QueryRow(t.Context(), `select has_table_privilege('contactsync_register', 'register.access', 'insert, update, delete, truncate')`).
		Scan(&changes); err != nil || changes {
		t.Errorf("the register may change the table: %t, %v", changes, err)
	}
	for statement, allowed := range map[string]bool{
		`select system, contract, logical_address, rights from register.access`:          true,
		`insert into register.access (system, contract, logical_address) values (1,2,3)`: false,
		`update register.access set rights = '{}'`:                                       false,
		`delete from register.access`:                                                    false,
		`select from register.access_change`:                                             false,
		`delete from register.access_change`:                                             false,
	} {
		err := as(t, pool, pgschema.RoleRegister, statement)
		denied, _ := errors.AsType[*pgconn.PgError](err)
		if allowed && err != nil || !allowed && (denied == nil || denied.Code != "42501") {
			t.Errorf("%s: %v, want it allowed: %t", statement, err, allowed)
		}
	}
}

func as(t *testing.T, pool *pgxpool.Pool, role, statement string) error {
	t.Helper()
	return pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), fmt.Sprintf("set local role %s", role)); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), statement)
		return err
	})
}
