package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"contactsync/cmd/internal/devstack"
	"contactsync/consent/contact"
	"contactsync/contracts/testca"
	"contactsync/sync/push"
	"contactsync/sync/reconcile"
	"contactsync/sync/syncpg"
)

func TestReconcileCommandsThatCannotBeUnderstood(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"no place":                      {nil, "CONTACTSYNC_POSTGRES_URL is missing"},
		"somebody":                      {[]string{bodil}, "unknown command"},
		"shares restored without a fix": {[]string{"--data", "DIR", "--restore-shares"}, "--fix"},
		"a negative safety stop":        {[]string{"--data", "DIR", "--max-changes", "-1"}, "--max-changes"},
		"no calls":                      {[]string{"--data", "DIR", "--calls-per-second", "0"}, "--calls-per-second"},
		"calls without a number":        {[]string{"--data", "DIR", "--calls-per-second", "NaN"}, "--calls-per-second"},
		"too many calls":                {[]string{"--data", "DIR", "--calls-per-second", "1001"}, "--calls-per-second"},
		"a wait that is too long":       {[]string{"--data", "DIR", "--wait", "2h"}, "--wait"},
		"too many cases":                {[]string{"--data", "DIR", "--cases", "10001"}, "--cases"},
		"an empty folder":               {[]string{"--data", ""}, "--data is empty"},
	} {
		got := runWith(t, "", append([]string{"reconcile"}, row.args...)...)
		if got.code != exitUsage || got.out != "" || !strings.Contains(got.err, row.want) || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// devData is a data folder of a dev that says this of where things are.
func devData(t *testing.T, endpoints string) string {
	t.Helper()
	data := t.TempDir()
	ca, err := testca.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Issue("worker", devstack.WorkerHSAID)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		devstack.EndpointsFile: endpoints, "audit-key": strings.Repeat("k", 32),
		"tls/ca.pem": string(ca.CertPEM()), "tls/worker.pem": string(cert), "tls/worker-key.pem": string(key),
	} {
		path := filepath.Join(data, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return data
}

func TestReconcileWithoutPostgreSQLMayPass(t *testing.T) {
	t.Parallel()
	data := devData(t, `{"postgres":"postgres://contactsync:secret@127.0.0.1:1/contactsync?sslmode=disable","register":"https://127.0.0.1:1"}`)
	got := runWith(t, "", "reconcile", "--data", data)
	if got.code != exitTryAgain || !strings.Contains(got.err, "PostgreSQL cannot be reached") || strings.Contains(got.err, "secret") {
		t.Errorf("%+v", got)
	}
}

func TestReconcileErrors(t *testing.T) {
	t.Parallel()
	other := &syncpg.OtherRunError{Run: reconcile.Run{Options: reconcile.Options{Fix: true}, Begun: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}}
	for name, row := range map[string]struct {
		err  error
		code int
		want string
	}{
		"another process":       {syncpg.ErrReconciling, exitTryAgain, "another run"},
		"other flags":           {other, exitUsage, "a run with --fix was begun at 2026-11-25T12:00:00Z"},
		"the register away":     {errors.Join(reconcile.ErrAway, errors.New("x")), exitTryAgain, "goes on where it was"},
		"a right that lacks":    {&push.Error{Class: push.Refused, Err: errors.New("VP007")}, exitFailure, "the register refuses: VP007"},
		"PostgreSQL is stopped": {&pgconn.PgError{Code: "57P01"}, exitTryAgain, "goes on where it was"},
		"PostgreSQL is gone":    {io.ErrUnexpectedEOF, exitTryAgain, "goes on where it was"},
		"a wrong statement":     {&pgconn.PgError{Code: "42601"}, exitFailure, "42601"},
	} {
		err := reconcileError(t.Context(), row.err)
		if exitCode(err) != row.code || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: code %d, %v", name, exitCode(err), err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := reconcileError(ctx, context.Canceled); exitCode(err) != exitFailure || !strings.Contains(err.Error(), "interrupted; the same command goes on") {
		t.Error(err)
	}
}

func someReport() reconcile.Report {
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	return reconcile.Report{
		Run:   reconcile.Run{Options: reconcile.Options{Fix: true}, Persons: 1200, Calls: 4, Unsettled: 2, Changes: 5, Begun: at},
		Ended: at.Add(time.Minute),
		Kinds: []reconcile.Count{
			{Kind: reconcile.PresentAfterNo, By: map[reconcile.Status]int64{reconcile.Healed: 3}},
			{Kind: reconcile.ShareMissing, By: map[reconcile.Status]int64{reconcile.Healed: 5, reconcile.Foreign: 2, reconcile.Held: 1}},
		},
		Cases: []reconcile.Named{
			{Pseudonym: "0123456789abcdef0123456789abcdef", Channel: contact.Mobile, Kind: reconcile.ShareMissing, Status: reconcile.Foreign},
			{Pseudonym: "1123456789abcdef0123456789abcdef", Kind: reconcile.NumberUnknown, Status: reconcile.Healed},
		},
		More: 9,
	}
}

func TestReconciledIsShown(t *testing.T) {
	t.Parallel()
	var table, object bytes.Buffer
	if err := errors.Join(showReconciled(&table, viewReconciled(someReport()), false), showReconciled(&object, viewReconciled(someReport()), true)); err != nil {
		t.Fatal(err)
	}
	want := `persons      1200
calls        4
waiting      2 channels, for the workers anyway
differences  11, 8 healed, 3 left

kind              differences  healed  left  because
present_after_no  3            3       0     -
share_missing     8            5       3     2 foreign, 1 held

pseudonym                         channel  kind            status
0123456789abcdef0123456789abcdef  mobile   share_missing   foreign
1123456789abcdef0123456789abcdef  -        number_unknown  healed

There are 9 more: --cases names more of them.
`
	if diff := cmp.Diff(want, table.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var v map[string]any
	if err := json.Unmarshal(object.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	kind := v["kinds"].([]any)[1].(map[string]any)
	if v["left"] != 3.0 || v["moreCases"] != 9.0 || v["ended"] != "2026-11-25T12:01:00Z" || kind["by"].(map[string]any)["refused"] != 0.0 ||
		v["cases"].([]any)[1].(map[string]any)["channel"] != nil {
		t.Errorf("%s", object.String())
	}
	object.Reset()
	if err := showReconciled(&object, viewReconciled(reconcile.Report{}), true); err != nil || !strings.Contains(object.String(), `"cases": []`) || !strings.Contains(object.String(), `"kinds": []`) {
		t.Errorf("of nothing: %v %s", err, object.String())
	}
}

// What was made due may not be healed, so the line must not say that it is.
func TestSafetyStopTellsWhatItLetThrough(t *testing.T) {
	t.Parallel()
	r := someReport()
	r.Kinds[1].By[reconcile.Held] = 7
	want := "the safety stop: 5 differences were to be healed, beside those of a No, and 7 more are left as they were. Look why there are so many, then raise --max-changes"
	if got := safetyStop(r.Run.Changes, heldBack(r)); got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

// On a terminal one line changes; else there is a line when a phase begins and ends, and one every ten seconds.
func TestProgressIsShown(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	tell := func(b *progressBar, phase reconcile.Phase, position int64, after time.Duration) {
		now = now.Add(after)
		b.tell(reconcile.Progress{Run: reconcile.Run{Options: reconcile.Options{Fix: true}, Phase: phase, Position: position, Last: 1000, Persons: position, Calls: 1}, Found: 2})
	}
	var lines bytes.Buffer
	b := newProgressBar(&lines, func() time.Time { return now })
	tell(b, reconcile.Withdrawals, 500, 0)
	tell(b, reconcile.Withdrawals, 600, time.Second)
	tell(b, reconcile.Withdrawals, 700, 10*time.Second)
	tell(b, reconcile.Shares, 100, 0)
	tell(b, reconcile.Shares, 1000, 0)
	tell(b, reconcile.Shares, 1000, 0)
	tell(b, reconcile.Proof, 1000, 0)
	tell(b, reconcile.Ended, 1000, time.Hour)
	b.end()
	want := `persons with a No [###############...............]  50 %  500 persons, 1 calls, 2 differences
persons with a No [#####################.........]  70 %  700 persons, 1 calls, 2 differences
all others        [###...........................]  10 %  100 persons, 1 calls, 2 differences
all others        [##############################] 100 %  1000 persons, 1 calls, 2 differences
looks whether all is healed: 0 looked at
`
	if diff := cmp.Diff(want, lines.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	lines.Reset()
	b = newProgressBar(&lines, func() time.Time { return now })
	b.terminal = true
	tell(b, reconcile.Shares, 100, 0)
	tell(b, reconcile.Shares, 200, 50*time.Millisecond)
	tell(b, reconcile.Shares, 300, time.Second)
	b.end()
	if got := lines.String(); strings.Count(got, "\r") != 2 || strings.Count(got, "\n") != 1 || strings.Contains(got, " 20 %") {
		t.Errorf("%q", got)
	}
}

// A dev that was started with --register-limit counts the calls of reconcile too.
func TestReconcileKeepsToTheLimitOfDev(t *testing.T) {
	t.Parallel()
	c, err := devReconcile(devData(t, `{"postgres":"postgres://o@127.0.0.1:1/d","register":"https://127.0.0.1:1","registerLimit":7}`))
	if err != nil || c.CallsPerSecond != 7 {
		t.Errorf("%d calls a second, %v", c.CallsPerSecond, err)
	}
}
