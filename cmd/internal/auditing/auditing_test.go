package auditing_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"contactsync/cmd/internal/auditing"
	"contactsync/cmd/internal/database"
	"contactsync/consent/audit"
	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/pgschema"
	"contactsync/consent/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// world is a database with all logs, as the auditor sees it and as its owner does.
type world struct {
	t     *testing.T
	owner *pgxpool.Pool
	auditing.Reader
	now time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)}
	w.owner = pgtest.Migrated(t, "all", func(ctx context.Context, p *pgxpool.Pool) error { return database.Migrate(ctx, p, nil) })
	config := w.owner.Config()
	config.MaxConns = 2
	config.ConnConfig.RuntimeParams["role"] = pgschema.RoleAuditor
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	w.Reader = auditing.Reader{Pool: pool, Key: audit.DevelopmentKey(), Now: func() time.Time { return w.now.Add(-24 * time.Hour) }} // whoever looks, looked before all that happened
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

var (
	anna  = contact.KnownPersonID(contact.RootPersonnummer, "198507099805")
	staff = event.Actor{Role: event.RoleSupport, HSAID: "SE2321000016-1A2B"}
)

// happened fills the three logs with what was done about Anna, each entry a minute after the one before unless at the same time.
func (w *world) happened() {
	w.t.Helper()
	_, err := w.owner.Exec(w.t.Context(), `
		insert into sync.person (root, extension) values ('1.2.752.129.2.1.3.1', '198507099805'), ('1.2.752.129.2.1.3.1', '197205179802')`)
	w.must(err)
	at := func(minute int) time.Time { return w.now.Add(time.Duration(minute) * time.Minute) }
	for minute, action := range []string{"decide share", "decide withdraw", "support find"} {
		actor := event.Actor{Role: event.RoleResident}
		if minute == 2 {
			actor = staff
		}
		w.must(consentpg.Audit(w.t.Context(), w.owner, w.Key, consentpg.Act{Person: anna, Actor: actor, Action: action, Outcome: "saved", EventID: "e"}, at(minute)))
	}
	w.must(consentpg.Audit(w.t.Context(), w.owner, w.Key, consentpg.Act{Actor: staff, Action: "parked show", Outcome: "nothing found"}, at(3)))
	_, err = w.owner.Exec(w.t.Context(), `
		insert into sync.audit (at, action, person_id, channel, ground, outcome, reason, version)
		select $1, 'register.share', person_id, 'mobile', 'e', 'parked', 'person_unknown', '' from sync.person`, at(2))
	w.must(err)
	_, err = w.owner.Exec(w.t.Context(), `
		insert into register.access_log (at, caller, original, correlation, unit, actor, root, extension, contract, action, ground, outcome, version, log_id, mac)
		select $1, 'SE2321000016-CSJ1', '', '', 'SE2321000016', case n when 2 then 'SE2321000016-1A2B' else '' end, '1.2.752.129.2.1.3.1', '198507099805',
			'GetPersonContactInformation/4', 'read', 'restricted', 'ok', '', gen_random_uuid(), '' from generate_series(1, 3) n`, at(2))
	w.must(err)
}

func told(entries []auditing.Entry) (lines []string) {
	for _, e := range entries {
		lines = append(lines, strings.Join(strings.Fields(fmt.Sprint(e.At.Format("15:04"), " ", e.Log, " ", e.Actor, " ", e.System, " ", e.Action, " ", e.Outcome)), " "))
	}
	return lines
}

func TestWhoLooked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.happened()
	q := auditing.Question{Person: anna, By: staff, Ground: "she asks", Limit: 100}
	entries, next, err := w.Who(t.Context(), q)
	w.must(err)
	want := []string{
		"11:02 access SE2321000016-CSJ1 read ok",
		"11:02 access SE2321000016-1A2B SE2321000016-CSJ1 read ok",
		"11:02 access SE2321000016-CSJ1 read ok",
		"11:02 consent support SE2321000016-1A2B support find saved",
		"11:02 sync register.share parked: person_unknown",
		"11:01 consent resident decide withdraw saved",
		"11:00 consent resident decide share saved",
	}
	if diff := cmp.Diff(want, told(entries)); diff != "" || next != nil {
		t.Errorf("next %v, entries (-want +got):\n%s", next, diff)
	}
	// Page by page, of whatever size, it is the same.
	for size := 1; size <= len(want); size++ {
		var paged []string
		q.Limit, q.After = size, &auditing.Mark{At: w.now.Add(time.Hour), Log: "access", Row: 1 << 60}
		for q.After != nil {
			var page []auditing.Entry
			page, q.After, err = w.Who(t.Context(), q)
			w.must(err)
			paged = append(paged, told(page)...)
			if len(page) > size {
				t.Fatalf("a page of %d has %d entries", size, len(page))
			}
			if len(paged) >= len(want) {
				break
			}
		}
		if diff := cmp.Diff(want, paged[:len(want)]); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", size, diff)
		}
	}
}

// TestWhoLookedUnderAnotherNumber: a number that another one has replaced is the same person's, whichever is asked for.
func TestWhoLookedUnderAnotherNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.happened()
	_, err := w.owner.Exec(t.Context(), `
		insert into sync.person (root, extension, primary_id) select '1.2.752.129.2.1.3.3', '198507699802', person_id from sync.person
		where extension = '198507099805'`)
	w.must(err)
	old := contact.KnownPersonID(contact.RootSamordningsnummer, "198507699802")
	w.must(consentpg.Audit(t.Context(), w.owner, w.Key, consentpg.Act{Person: old, Actor: staff, Action: "support find", Outcome: "found"}, w.now))
	for _, p := range []contact.PersonID{anna, old} {
		w.now = w.now.Add(-time.Hour) // so that the looks are too old to be among the first
		entries, _, err := w.Who(t.Context(), auditing.Question{Person: p, By: staff, Ground: "x", Limit: 8})
		w.must(err)
		if len(entries) != 8 || !slices.ContainsFunc(entries, func(e auditing.Entry) bool { return e.Person == old }) {
			t.Errorf("%d entries: %v", len(entries), told(entries))
		}
	}
}

func TestWhoIsItselfAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := auditing.Question{Person: anna, By: staff, Ground: "she asks", Limit: 100}
	for _, want := range []string{"nothing found", "1 shown"} {
		_, _, err := w.Who(t.Context(), q)
		w.must(err)
		var got string
		w.must(w.owner.QueryRow(t.Context(), `select concat_ws(' ', actor, action, extension, ground, outcome) from consent.audit order by id desc limit 1`).Scan(&got))
		if got != "support SE2321000016-1A2B audit who 198507099805 she asks "+want {
			t.Errorf("audited %q", got)
		}
	}
	_, err := w.owner.Exec(t.Context(), `revoke insert on consent.audit from `+pgschema.RoleAuditor)
	w.must(err)
	if entries, _, err := w.Who(t.Context(), q); err == nil || entries != nil {
		t.Errorf("without an audit %d entries are told, %v", len(entries), err)
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.happened()
	for range 499 {
		w.must(consentpg.Audit(t.Context(), w.owner, w.Key, consentpg.Act{Person: anna, Actor: staff, Action: "support remove", Outcome: "confirm"}, w.now.Add(4*time.Minute)))
	}
	region := audit.Organisation{ID: "SE2321000016-A1", Name: "Region Exempel"}
	x := auditing.Export{Logs: auditing.LogNames(), System: "SE2321000016-CSP1", CareProvider: region, CareUnit: region, Purpose: "Administration",
		By: staff, Ground: "monthly", To: w.now.Add(time.Hour)}
	x.From = w.now.Add(time.Minute)
	var batches []string
	ids, kinds := map[string]bool{}, map[string]int{}
	n, err := w.Export(t.Context(), x, auditing.Batches(func(log string, number int) (io.WriteCloser, error) {
		return &parsed{t: t, done: func(m message) {
			batches = append(batches, fmt.Sprintf("%s %d: %d", log, number, len(m.Logs)))
			for _, l := range m.Logs {
				ids[l.ID] = true
				kinds[l.Activity+" "+l.User+" "+l.Person+" "+l.Patient]++
			}
		}}, nil
	}))
	w.must(err)
	if diff := cmp.Diff([]string{"access 1: 3", "consent 1: 500", "consent 2: 2", "sync 1: 2"}, batches); diff != "" || n != 507 || len(ids) != n {
		t.Errorf("%d records, %d ids, batches (-want +got):\n%s", n, len(ids), diff)
	}
	const anna = "198507099805"
	want := map[string]int{
		"Läsa SE2321000016-CSJ1  " + anna: 2, "Läsa SE2321000016-1A2B  " + anna: 2 + 499, "Läsa SE2321000016-1A2B  ": 1,
		"Radera SE2321000016-CSP1 " + anna + " " + anna: 1,
		"Skriva SE2321000016-CSP1  " + anna:             1, "Skriva SE2321000016-CSP1  197205179802": 1,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// TestExportTellsWhatWasDone: only what looks is told as a reading, and only what takes a detail away as a removal. The entry of a support
// removal that was carried out is that of its decision: one of "support remove" has changed nothing.
func TestExportTellsWhatWasDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := map[string]audit.ActivityType{"support find": audit.ActivityRead, "support remove": audit.ActivityRead, "decide withdraw": audit.ActivityDelete,
		"register.share": audit.ActivityWrite, "register.withdraw": audit.ActivityDelete, "register.prove": audit.ActivityRead,
		"reconcile.heal": audit.ActivityWrite, "identity.link": audit.ActivityWrite, "guardian.confirm": audit.ActivityWrite,
		"guardian.refuse": audit.ActivityWrite, "parked.release": audit.ActivityWrite, "parked.drop": audit.ActivityDelete}
	_, err := w.owner.Exec(t.Context(), `insert into sync.person (root, extension) values ('1.2.752.129.2.1.3.1', '198507099805')`)
	w.must(err)
	for action := range want {
		if strings.Contains(action, ".") {
			_, err := w.owner.Exec(t.Context(), `
				insert into sync.audit (at, action, person_id, channel, ground, outcome, reason, version)
				select $1, $2, person_id, 'mobile', 'e', 'dropped by support SE2321000016-1A2B: asked for', '', '' from sync.person`, w.now, action)
			w.must(err)
			continue
		}
		w.must(consentpg.Audit(t.Context(), w.owner, w.Key, consentpg.Act{Person: anna, Actor: staff, Action: action, Outcome: "confirm"}, w.now))
	}
	got := map[string]audit.ActivityType{}
	w.exports(func(r audit.Record) {
		_, rest, _ := strings.Cut(r.Args, "action=")
		action, _, _ := strings.Cut(rest, ";")
		got[action] = r.Activity
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("activities (-want +got):\n%s", diff)
	}
}

// TestExportOfLongHSAIDs: an HSA-id that the register's contracts take may be longer than StoreLog allows. It must not keep the log from leaving.
func TestExportOfLongHSAIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const long = "SE2321000016-ABCDEFGHIJKLMNOPQRST"
	_, err := w.owner.Exec(t.Context(), `
		insert into register.access_log (at, caller, original, correlation, unit, actor, root, extension, contract, action, ground, outcome, version, log_id, mac)
		select $1, c, '', '', 'SE2321000016', a, '1.2.752.129.2.1.3.1', '198507099805', 'GetPersonContactInformation/4', 'read', 'restricted', 'ok', '',
			gen_random_uuid(), '' from (values ('SE2321000016-CSJ1', $2), ($2, '')) as e (c, a)`, w.now, long)
	w.must(err)
	var users []string
	w.exports(func(r audit.Record) {
		users = append(users, r.UserID)
		if !strings.Contains(r.Args, "="+long) {
			t.Errorf("the record does not tell who it was: %q", r.Args)
		}
	})
	if diff := cmp.Diff([]string{"SE2321000016-CSJ1", "SE2321000016-CSP1"}, users); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
}

// exports gives every record that there is to told, if the log service would take it.
func (w *world) exports(told func(audit.Record)) {
	w.t.Helper()
	region := audit.Organisation{ID: "SE2321000016-A1"}
	_, err := w.Export(w.t.Context(), auditing.Export{Logs: auditing.LogNames(), System: "SE2321000016-CSP1", CareProvider: region, CareUnit: region,
		Purpose: "Administration", By: staff, Ground: "monthly", From: w.now}, func(_ string, _ int, records []audit.Record) error {
		for _, r := range records {
			told(r)
		}
		return audit.WriteStoreLog(io.Discard, records)
	})
	w.must(err)
}

// message is as much of StoreLog as this test reads.
type message struct {
	Logs []struct {
		ID       string `xml:"logId"`
		Activity string `xml:"activity>activityType"`
		User     string `xml:"user>userId"`
		Person   string `xml:"user>personId>extension"`
		Patient  string `xml:"resources>resource>patient>patientId>extension"`
	} `xml:"log"`
}

type parsed struct {
	bytes.Buffer
	t    *testing.T
	done func(message)
}

func (p *parsed) Close() error {
	var m message
	if err := xml.Unmarshal(p.Bytes(), &m); err != nil {
		p.t.Error(err)
	}
	p.done(m)
	return nil
}

func TestMarks(t *testing.T) {
	t.Parallel()
	mark := auditing.Mark{At: time.UnixMicro(1763731200000001), Log: "sync", Row: 7}
	if again, err := auditing.ParseMark(mark.String()); err != nil || again != mark {
		t.Errorf("%v, %v", again, err)
	}
	for _, text := range []string{"", "1-sync", "1-sync-x", "x-sync-1", "1-diary-1", "1-sync-1-1"} {
		if _, err := auditing.ParseMark(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// TestMetrics reads them as a scrape does.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	metrics := prometheus.NewPedanticRegistry()
	sealer, err := auditing.NewSealer(auditing.SealerConfig{Pool: w.owner, Log: consentpg.AuditLog(), Key: w.Key, Logger: slog.New(slog.DiscardHandler), Metrics: metrics})
	w.must(err)
	w.must(consentpg.Audit(t.Context(), w.owner, w.Key, consentpg.Act{Actor: staff, Action: "x"}, time.Now().Add(-time.Minute)))
	if got := gauges(t, metrics); got["contactsync_audit_unsealed_seconds"] < 59 || got["contactsync_audit_links"] != 0 || got["contactsync_audit_broken"] != 0 {
		t.Errorf("unsealed: %v", got)
	}
	for gauges(t, metrics)["contactsync_audit_unsealed_seconds"] > 0 { // transactions of other tests hold it up
		auditing.Last(t.Context(), sealer)
	}
	if got := gauges(t, metrics); got["contactsync_audit_links"] != 1 {
		t.Errorf("sealed: %v", got)
	}
	w.owner.Close()
	if _, err := metrics.Gather(); err == nil {
		t.Error("without a database there are samples")
	}
}

func gauges(t *testing.T, metrics prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		values[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
	}
	return values
}
