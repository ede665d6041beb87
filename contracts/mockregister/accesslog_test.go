package mockregister

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"contactsync/consent/audit"
	"contactsync/contracts/contactsv1"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv3"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// logged gives the columns of all entries, in order, with spaces between and - for what is empty.
func (w world) logged(t testing.TB, columns string) []string {
	t.Helper()
	var fields []string
	for name := range strings.FieldsSeq(columns) {
		fields = append(fields, `coalesce(nullif(`+name+`, ''), '-')`)
	}
	rows := must(w.pool.Query(t.Context(), `select concat_ws(' ', `+strings.Join(fields, ", ")+`) from register.access_log order by id`))(t)
	return must(pgx.CollectRows(rows, pgx.RowTo[string]))(t)
}

// sound verifies every entry's MAC.
func (w world) sound(t testing.TB) {
	t.Helper()
	r := must(audit.Verify(t.Context(), w.pool, AccessLog(), audit.Check{Key: audit.DevelopmentKey()}))(t)
	if r.Fault != nil || r.Rows+r.Unsealed == 0 || r.Unsigned > 0 {
		t.Errorf("%d entries, %d without a MAC, %v", r.Rows+r.Unsealed, r.Unsigned, r.Fault)
	}
}

// TestEveryAccessIsLogged: who, about whom, through what, on which ground, and how it ended.
func TestEveryAccessIsLogged(t *testing.T) {
	t.Parallel()
	const get, update = "GetPersonContactInformation", "UpdatePersonContactInformation"
	nobody := personv4.ID{Root: personv4.RootPersonnummer, Extension: "201701012393"}
	for _, tt := range []struct {
		name string
		do   func(*testing.T, served)
		want []string // caller, unit, actor, extension, contract, action, ground, outcome; the person is P
	}{
		{"a read", func(t *testing.T, s served) { s.record(t, "both_channels") },
			[]string{worker + " SE2321000016 - P " + get + "Unrestricted/4 read unrestricted ok"}},
		{"a restricted read", func(t *testing.T, s served) {
			must(s.Client(t, clinic, address, true).Get(t.Context(), s.id(t, "both_channels")))(t)
		}, []string{clinic + " SE2321000016 - P " + get + "/4 read restricted ok"}},
		{"a restricted read of a protected person, by one record and by profile", func(t *testing.T, s served) {
			must(s.Client(t, clinic, address, true).Get(t.Context(), s.id(t, "secrecy")))(t)
			must(s.Profiles(t, clinic, address, true).Persons(t.Context(), []personv4.ID{s.id(t, "secrecy")}, personprofilev5.P3, false))(t)
		}, []string{
			clinic + " SE2321000016 - secrecy " + get + "/4 read restricted blanked",
			clinic + " SE2321000016 - secrecy GetPersonsForProfile/5 read restricted blanked",
		}},
		{"an unrestricted read of a protected person", func(t *testing.T, s served) { s.record(t, "secrecy") },
			[]string{worker + " SE2321000016 - secrecy " + get + "Unrestricted/4 read unrestricted ok"}},
		{"a read of nobody", func(t *testing.T, s served) { must(s.client(t).Get(t.Context(), nobody))(t) },
			[]string{worker + " SE2321000016 - 201701012393 " + get + "Unrestricted/4 read unrestricted no_record"}},
		{"a read by whom nobody lets in", func(t *testing.T, s served) {
			_, err := s.Client(t, "SE2321000016-CSX1", address, true).Get(t.Context(), s.id(t, "both_channels"))
			isFault(t, err, "VP007")
		}, []string{"SE2321000016-CSX1 SE2321000016 - P " + get + "/4 read restricted VP007"}},
		{"a write by who may only read", func(t *testing.T, s served) {
			_, err := s.Client(t, reader, address, false).Update(t.Context(), contracttest.Unchanged(s.stood(t)))
			isFault(t, err, "VP007")
		}, []string{reader + " SE2321000016 - P " + update + "Unrestricted/4 write unrestricted VP007"}},
		{"an update by the resident", func(t *testing.T, s served) { s.updates(t, contracttest.Unchanged(s.stood(t)), "") },
			[]string{worker + " SE2321000016 resident P " + update + "Unrestricted/4 write unrestricted ok"}},
		{"an update by staff", func(t *testing.T, s served) {
			u := contracttest.Unchanged(s.stood(t))
			u.Actor = staff()
			s.updates(t, u, "")
		}, []string{worker + " SE2321000016-UNIT SE2321000016-1A2B P " + update + "Unrestricted/4 write unrestricted ok"}},
		{"an update by staff whose name the log cannot take", func(t *testing.T, s served) {
			u := contracttest.Unchanged(s.stood(t))
			u.Actor = staff()
			u.Actor.ID.Extension = "SE2321000016_1A2B"
			_, err := s.client(t).Update(t.Context(), u)
			isFault(t, err, "")
		}, []string{worker + " SE2321000016-UNIT - P " + update + "Unrestricted/4 write unrestricted fault_Client"}},
		{"an update for an organisation whose name the log cannot take", func(t *testing.T, s served) {
			u := contracttest.Unchanged(s.stood(t))
			u.Actor = staff()
			u.Actor.Professional.Organization.Extension = "the clinic"
			_, err := s.ClientV3(t, worker, address, false).Update(t.Context(), personv3.Update{
				Actor: personv3.Actor{ID: u.Actor.ID, Professional: u.Actor.Professional}, Person: u.Person, VersionToUpdate: u.VersionToUpdate})
			isFault(t, err, "")
		}, []string{worker + " SE2321000016 SE2321000016-1A2B P " + update + "Unrestricted/3 write unrestricted fault_Client"}},
		{"an update by staff, by who may not act for support", func(t *testing.T, s served) {
			u := contracttest.Unchanged(s.stood(t))
			u.Actor = staff()
			_, err := s.Client(t, clinic, address, true).Update(t.Context(), u)
			isFault(t, err, "VP007")
		}, []string{clinic + " SE2321000016-UNIT SE2321000016-1A2B P " + update + "/4 write restricted VP007"}},
		{"an update by somebody else", func(t *testing.T, s served) {
			u := contracttest.Unchanged(s.stood(t))
			u.Actor.ID = nobody
			s.updates(t, u, "")
		}, []string{worker + " SE2321000016 201701012393 P " + update + "Unrestricted/4 write unrestricted ok"}},
		{"an update of an older version", func(t *testing.T, s served) {
			u := contracttest.Unchanged(s.stood(t))
			u.VersionToUpdate = "20200101000000"
			s.updates(t, u, "stale_version")
		}, []string{worker + " SE2321000016 resident P " + update + "Unrestricted/4 write unrestricted error:stale_version"}},
		{"an update without a version", func(t *testing.T, s served) {
			u := contracttest.Unchanged(s.stood(t))
			u.VersionToUpdate = ""
			s.updates(t, u, "version_missing")
		}, []string{worker + " SE2321000016 resident P " + update + "Unrestricted/4 write unrestricted error:version_missing"}},
		{"an update that no record can hold", func(t *testing.T, s served) {
			u := contracttest.Unchanged(s.stood(t))
			u.Entries = []personv4.Entry{{Type: typeMail, Comment: new(strings.Repeat("x", maxContent))}}
			_, err := s.client(t).Update(t.Context(), u)
			isFault(t, err, "")
		}, []string{worker + " SE2321000016 resident P " + update + "Unrestricted/4 write unrestricted fault_Client"}},
		{"an update of a protected person by the restricted contract", func(t *testing.T, s served) {
			u := contracttest.Unchanged(s.stood(t))
			u.Person = s.id(t, "secrecy")
			checkRefusal(t, must(s.Client(t, clinic, address, true).Update(t.Context(), u))(t), "protected_person")
		}, []string{clinic + " SE2321000016 P secrecy " + update + "/4 write restricted error:protected_person"}},
		{"a read through the older major", func(t *testing.T, s served) {
			must(s.ClientV3(t, worker, address, false).Get(t.Context(), s.id(t, "both_channels")))(t)
		}, []string{worker + " SE2321000016 - P " + get + "Unrestricted/3 read unrestricted ok"}},
		{"a bulk read, of one twice, of nobody, and of one who has another number now", func(t *testing.T, s served) {
			both := s.id(t, "both_channels")
			must(s.Profiles(t, worker, address, false).Persons(t.Context(), []personv4.ID{both, nobody, both, s.id(t, "replaced_coordination_number")},
				personprofilev5.P1, false))(t)
		}, []string{
			worker + " SE2321000016 - P GetPersonsForProfileUnrestricted/5 read unrestricted ok",
			worker + " SE2321000016 - 201701012393 GetPersonsForProfileUnrestricted/5 read unrestricted no_record",
			worker + " SE2321000016 - old GetPersonsForProfileUnrestricted/5 read unrestricted ok",
			worker + " SE2321000016 - new GetPersonsForProfileUnrestricted/5 read unrestricted ok",
		}},
		{"a bulk read by whom nobody lets in", func(t *testing.T, s served) {
			_, err := s.Profiles(t, "SE2321000016-CSX1", address, true).Persons(t.Context(), []personv4.ID{s.id(t, "both_channels"), nobody}, personprofilev5.P1, false)
			isFault(t, err, "VP007")
		}, []string{
			"SE2321000016-CSX1 SE2321000016 - P GetPersonsForProfile/5 read restricted VP007",
			"SE2321000016-CSX1 SE2321000016 - 201701012393 GetPersonsForProfile/5 read restricted VP007",
		}},
		{"an update that the older major could not show", func(t *testing.T, s served) {
			u := contracttest.Unchanged(s.stood(t))
			u.Unknown = []rivta.Element{{Name: xml.Name{Space: personv3.Namespace, Local: "x"}}}
			_, err := s.client(t).Update(t.Context(), u)
			isFault(t, err, "")
		}, []string{worker + " SE2321000016 resident P " + update + "Unrestricted/4 write unrestricted fault_Client"}},
		{"a lookup by REST, of one twice, of nobody, and of one who is blanked", func(t *testing.T, s served) {
			both, nobody := s.person(t, "both_channels"), contactsv1.PersonOf(nobody)
			must(s.contacts(t, clinic).Lookup(t.Context(), []contactsv1.Person{both, nobody, both, s.person(t, "secrecy")}))(t)
		}, []string{
			clinic + " SE2321000016 - P contactsv1.lookup/1 read restricted ok",
			clinic + " SE2321000016 - 201701012393 contactsv1.lookup/1 read restricted no_record",
			clinic + " SE2321000016 - secrecy contactsv1.lookup/1 read restricted blanked",
		}},
		{"a write by REST, and two that are refused", func(t *testing.T, s served) {
			w := contactsv1.Write{Version: s.stood(t).Version, Mobile: contactsv1.Setting{Given: true}}
			ref := must(s.refsOf(t.Context()))(t).seal(s.id(t, "both_channels"))
			must(s.contacts(t, worker).Write(t.Context(), ref, w))(t)
			if _, err := s.contacts(t, worker).Write(t.Context(), ref, w); code(err) != "412 stale_version" {
				t.Error(err)
			}
			w.Mobile.Detail = &contactsv1.NewDetail{Value: "no number"}
			if _, err := s.contacts(t, worker).Write(t.Context(), ref, w); code(err) != "422 value_invalid" {
				t.Error(err)
			}
		}, []string{
			worker + " SE2321000016 resident P contactsv1.write/1 write unrestricted ok",
			worker + " SE2321000016 resident P contactsv1.write/1 write unrestricted error:stale_version",
			worker + " SE2321000016 - P contactsv1.write/1 write unrestricted error:value_invalid",
		}},
		{"a call by REST of whom nobody lets in", func(t *testing.T, s served) {
			if _, err := s.contacts(t, "SE2321000016-CSX1").Lookup(t.Context(), []contactsv1.Person{s.person(t, "both_channels")}); code(err) != "403 not_allowed" {
				t.Error(err)
			}
		}, []string{"SE2321000016-CSX1 SE2321000016 - - contactsv1.lookup/1 read restricted error:not_allowed"}},
		{"a bulk by REST, the same again, and the feed", func(t *testing.T, s served) {
			bulk := []contactsv1.Change{
				{Person: s.person(t, "both_channels"), Channel: contactsv1.Mobile, Decision: contactsv1.Withdraw, Revision: noon().UnixMicro()},
				{Person: contactsv1.PersonOf(nobody), Channel: contactsv1.Mobile, Decision: contactsv1.Withdraw, Revision: noon().UnixMicro()},
			}
			key := uuid.NewString()
			must(s.contacts(t, worker).Change(t.Context(), key, bulk))(t)
			must(s.contacts(t, worker).Change(t.Context(), key, bulk))(t)
			s.sequenceAll(t)
			must(s.contacts(t, worker).Changes(t.Context(), contactsv1.From{Limit: 10}))(t)
		}, []string{
			worker + " SE2321000016 - P contactsv1.change/1 withdraw unrestricted applied",
			worker + " SE2321000016 - 201701012393 contactsv1.change/1 withdraw unrestricted refused:person_unknown",
			worker + " SE2321000016 - P contactsv1.change/1 withdraw unrestricted replayed",
			worker + " SE2321000016 - 201701012393 contactsv1.change/1 withdraw unrestricted replayed",
			worker + " SE2321000016 - P contactsv1.changes/1 read unrestricted ok",
		}},
		{"a look at the admin listener", func(t *testing.T, s served) {
			s.admin(t, "POST", "/persons/show", `{"root":"1.2.752.129.2.1.3.1","extension":"`+s.persons["both_channels"].Extension+`"}`)
		}, []string{"admin admin - P admin read admin ok"}},
		{"a message that names nobody in due form", func(t *testing.T, s served) {
			ask := strings.Replace(message(fmt.Sprintf(addressHeader, address), ""), plantedPerson, "a name, say", 1)
			s.post(t.Context(), t, s.HTTP(t, "SE2321000016-CSX1"), ask, soapHeaders())
		}, []string{"SE2321000016-CSX1 SE2321000016 - - " + get + "Unrestricted/4 read unrestricted VP007"}},
		{"what no contract understands", func(t *testing.T, s served) {
			s.post(t.Context(), t, s.HTTP(t, worker), "<no>", soapHeaders())
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			tt.do(t, s)
			got := s.logged(t, "caller unit actor extension contract action ground outcome")
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], s.persons["both_channels"].Extension, "P")
				got[i] = strings.ReplaceAll(got[i], s.persons["secrecy"].Extension, "secrecy")
				got[i] = strings.ReplaceAll(got[i], s.persons["replaced_coordination_number"].Extension, "old")
				got[i] = strings.ReplaceAll(got[i], s.persons["replacing_personal_number"].Extension, "new")
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("access log (-want +got):\n%s", diff)
			}
			if tt.want != nil {
				s.sound(t)
			}
		})
	}
}

// stood is the record of the person of these tests, read past the log.
func (s served) stood(t *testing.T) personv4.Record {
	t.Helper()
	p := must(s.find(t.Context(), s.id(t, "both_channels")))(t)
	return *must(p.record())(t)
}

// updates sends an update and checks the code of its refusal; empty: it is carried out.
func (s served) updates(t *testing.T, u personv4.Update, code string) {
	t.Helper()
	if result := must(s.client(t).Update(t.Context(), u))(t); result.Code != code {
		t.Errorf("code %q, want %q", result.Code, code)
	}
}

func isFault(t *testing.T, err error, vp string) {
	t.Helper()
	if fault, ok := errors.AsType[*rivta.Fault](err); !ok || fault.VP != vp {
		t.Errorf("error %v, want a fault %s", err, vp)
	}
}

func TestEntriesTellCallChainAndVersion(t *testing.T) {
	t.Parallel()
	s := serve(t)
	correlation := uuid.NewString()
	caller := rivta.Caller{HSAID: worker, OriginalConsumer: reader, CorrelationID: correlation}
	u := contracttest.Unchanged(s.stood(t))
	result := must(s.Update(t.Context(), caller, u, true))(t)
	must(s.Get(t.Context(), caller, u.Person, true))(t)
	want := []string{
		reader + " " + correlation + " " + u.Person.Root + " " + result.Record.Version + " 2026-11-23",
		reader + " " + correlation + " " + u.Person.Root + " - 2026-11-23",
	}
	got := s.logged(t, "original correlation root version at::date::text")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("access log (-want +got):\n%s", diff)
	}
}

// TestRecordShownByAFaultIsLogged: a read that lags shows a person's data as any other does.
func TestRecordShownByAFaultIsLogged(t *testing.T) {
	t.Parallel()
	f := serveWith(t, Fault{Kind: KindReadLag, Duration: Duration(3 * time.Second)})
	f.updates(t, contracttest.Unchanged(f.stood(t)), "")
	f.record(t, "both_channels")
	if got := f.logged(t, "action outcome"); len(got) != 2 || got[1] != "read ok" {
		t.Errorf("logged %q", got)
	}
}

func TestResetIsLoggedWithTheChange(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	w.answers(t, "POST", "/persons/reset", "", 200, fmt.Sprintf(`{"persons":%d}`, len(w.persons)))
	want := must(pgx.CollectRows(must(w.pool.Query(t.Context(),
		`select concat_ws(' ', 'admin', extension, 'write', version) from register.persons order by root, extension`))(t), pgx.RowTo[string]))(t)
	if diff := cmp.Diff(want, w.logged(t, "caller extension action version")); diff != "" {
		t.Errorf("access log (-want +got):\n%s", diff)
	}
	w.sound(t)
}

// TestWithoutALogNothingIsToldOrDone takes the log away.
func TestWithoutALogNothingIsToldOrDone(t *testing.T) {
	t.Parallel()
	s := serve(t)
	before := s.stood(t)
	must(s.pool.Exec(t.Context(), `alter table register.access_log rename to gone`))(t)
	update, stale := contracttest.Unchanged(before), contracttest.Unchanged(before)
	stale.VersionToUpdate = "20200101000000"
	for name, call := range map[string]func() error{
		"a read":           func() error { _, err := s.client(t).Get(t.Context(), before.Person); return err },
		"an update":        func() error { _, err := s.client(t).Update(t.Context(), update); return err },
		"a refused update": func() error { _, err := s.client(t).Update(t.Context(), stale); return err },
		"a caller that is not let in": func() error {
			_, err := s.Client(t, "SE2321000016-CSX1", address, true).Get(t.Context(), before.Person)
			return err
		},
	} {
		err := call()
		if fault, ok := errors.AsType[*rivta.Fault](err); !ok || fault.Code != rivta.FaultServer || fault.VP != "" {
			t.Errorf("%s: %v, want a Server fault", name, err)
		}
	}
	if status, _, answer := s.admin(t, "POST", "/persons/show", `{"root":"`+before.Person.Root+`","extension":"`+before.Person.Extension+`"}`); status != 500 {
		t.Errorf("the admin listener answers %d %s", status, answer)
	}
	if s.stood(t).Version != before.Version {
		t.Error("the record changed")
	}
}

// TestKilledInTheMidst ends connections to the database while calls are under way. In the end the log has an entry for every
// change there was and for no other, and one for every read that was answered.
func TestKilledInTheMidst(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	must(w.pool.Exec(t.Context(), `
		create table history (extension text, version text);
		create function remember() returns trigger language plpgsql as
			$$ begin insert into history values (new.extension, new.version); return new; end $$;
		create trigger remember after update on register.persons for each row execute function remember()`))(t)
	var mu sync.Mutex
	var answered []string
	var working, killing sync.WaitGroup
	stop := make(chan struct{})
	for _, state := range []string{"both_channels", "empty", "contact_persons", "secrecy"} {
		working.Go(func() {
			id := w.id(t, state)
			for range 60 {
				caller := rivta.Caller{HSAID: worker, CorrelationID: uuid.NewString()}
				record, err := w.Get(t.Context(), caller, id, true)
				if err != nil {
					continue
				}
				mu.Lock()
				answered = append(answered, caller.CorrelationID)
				mu.Unlock()
				_, _ = w.Update(t.Context(), caller, contracttest.Unchanged(*record), true) // as it comes
			}
		})
	}
	killing.Go(func() {
		conn := must(pgx.ConnectConfig(t.Context(), w.pool.Config().ConnConfig))(t)
		defer conn.Close(t.Context())
		tick := time.NewTicker(15 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				_, err := conn.Exec(t.Context(), `
					select pg_terminate_backend(pid) from pg_stat_activity
					where datname = current_database() and pid <> pg_backend_pid() order by random() limit 2`)
				if err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	working.Wait()
	close(stop)
	killing.Wait()
	w.pool.Reset()
	w.judgeKilled(t, answered)
}

func (w world) judgeKilled(t *testing.T, answered []string) {
	t.Helper()
	var changes, claimed, missing int
	err := w.pool.QueryRow(t.Context(), `
		select (select count(*) from history), (select count(*) from register.access_log where action = 'write' and outcome = 'ok'),
			(select count(*) from (
				(select extension, version from history except select extension, version from register.access_log where action = 'write' and outcome = 'ok')
				union all
				(select extension, version from register.access_log where action = 'write' and outcome = 'ok' except select extension, version from history)) d)`).
		Scan(&changes, &claimed, &missing)
	if err != nil || missing > 0 || changes != claimed || changes == 0 {
		t.Errorf("%d changes, %d entries of changes, %d without their counterpart, %v", changes, claimed, missing, err)
	}
	read := map[string]bool{}
	for _, correlation := range w.logged(t, "correlation") {
		read[correlation] = true
	}
	for _, correlation := range answered {
		if !read[correlation] {
			t.Errorf("the call %s was answered and is not in the log", correlation)
		}
	}
	w.sound(t)
	t.Logf("%d changes, %d answered reads", changes, len(answered))
}

func TestIdentitiesAreTheOnlyTextOfCallers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		id   personv4.ID
		want bool
	}{
		{personv4.ID{Root: personv4.RootPersonnummer, Extension: plantedPerson}, true},
		{personv4.ID{Root: "1.2.752.129.2.1.4.1", Extension: "SE2321000016-1A2B"}, true},
		{personv4.ID{Root: personv4.RootPersonnummer, Extension: ""}, false},
		{personv4.ID{Root: "", Extension: plantedPerson}, false},
		{personv4.ID{Root: "a root", Extension: plantedPerson}, false},
		{personv4.ID{Root: personv4.RootPersonnummer, Extension: "Anna Andersson"}, false},
		{personv4.ID{Root: personv4.RootPersonnummer, Extension: strings.Repeat("1", 41)}, false},
	} {
		if loggable(tt.id) != tt.want {
			t.Errorf("%q %q", tt.id.Root, tt.id.Extension)
		}
	}
}

// TestRefusedBulkIsLoggedByPerson: the persons are found in a message of any contract, and no more than any contract takes.
func TestRefusedBulkIsLoggedByPerson(t *testing.T) {
	t.Parallel()
	person := "<personId><root>1.2.752.129.2.1.3.1</root><extension>197205179802</extension></personId>"
	body := must(rivta.Parse(io.Reader(strings.NewReader("<a>"+strings.Repeat(person, maxRefused+3)+"<other/></a>")), rivta.Limits{}))(t)
	if got := personsIn(body); len(got) != maxRefused || got[0].Extension != "197205179802" {
		t.Errorf("%d persons", len(got))
	}
}

// BenchmarkSingleReads tells what the log costs a read, with as many callers at once as there are.
func BenchmarkSingleReads(b *testing.B) {
	w := seeded(b, slog.DiscardHandler)
	p := w.persons["both_channels"]
	id := personv4.ID{Root: p.Root, Extension: p.Extension}
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := w.Get(b.Context(), rivta.Caller{HSAID: worker}, id, true); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
}

// BenchmarkPacedReads sends 500 reads a second over mutual TLS, each when it is due, and tells how long they took from then on. Give it
// -benchtime 5000x.
func BenchmarkPacedReads(b *testing.B) {
	w := seeded(b, slog.DiscardHandler)
	served := contracttest.Serve(b, w.Handler())
	system := served.HTTP(b, worker)
	system.Transport.(*http.Transport).MaxIdleConnsPerHost = 100 // as a client has that calls so often
	client := must(personv4.NewClient(personv4.ClientConfig{ClientConfig: rivta.ClientConfig{BaseURL: served.URL, LogicalAddress: address, HTTP: system}}))(b)
	p := w.persons["both_channels"]
	id := personv4.ID{Root: p.Root, Extension: p.Extension}
	took := make([]time.Duration, b.N)
	var reads sync.WaitGroup
	tick := time.NewTicker(time.Second / 500)
	defer tick.Stop()
	for i := range took {
		due := <-tick.C
		reads.Go(func() {
			if _, err := client.Get(b.Context(), id); err != nil {
				b.Error(err)
			}
			took[i] = time.Since(due)
		})
	}
	reads.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkBulkEntries logs a thousand persons a call.
func BenchmarkBulkEntries(b *testing.B) {
	w := seeded(b, slog.DiscardHandler)
	entries := make([]accessEntry, 1000)
	for i := range entries {
		entries[i] = accessEntry{caller: rivta.Caller{HSAID: worker, CorrelationID: uuid.NewString()}, contract: "GetPersonsForProfile/5", action: classRead,
			person: personv4.ID{Root: personv4.RootPersonnummer, Extension: fmt.Sprintf("1985%08d", i*7919)}, ground: "unrestricted", outcome: "ok"}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := w.logReads(b.Context(), entries); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(entries))/b.Elapsed().Seconds(), "persons/s")
}
