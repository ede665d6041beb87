package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/cmd/internal/devstack"
	"contactsync/consent/audit"
	"contactsync/contracts/mockregister"
)

// adminOf serves the admin listener of a register that nobody calls: its database is never asked.
func adminOf(t *testing.T) (url string, faults *mockregister.Faults) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), "postgres://127.0.0.1:1/none")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	register, err := mockregister.New(mockregister.Config{AuditKey: audit.DevelopmentKey(), Pool: pool, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		LogicalAddress: registerAddress, Access: mockregister.MayAll(journal)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(register.Admin())
	t.Cleanup(server.Close)
	return server.URL, register.Faults()
}

// dataWith is the folder of a dev whose register has its admin listener there.
func dataWith(t *testing.T, url string) string {
	t.Helper()
	text, err := json.Marshal(devstack.Endpoints{RegisterAdmin: url})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, devstack.EndpointsFile), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func checkRan(t *testing.T, got, want ran) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(ran{})); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
}

func TestFaultsAreDialledListedAndCleared(t *testing.T) {
	t.Parallel()
	url, faults := adminOf(t)
	data := []string{"--data", dataWith(t, url)}
	run := func(stdin string, args ...string) ran {
		t.Helper()
		return runWith(t, stdin, append(append([]string{"fault"}, args...), data...)...)
	}
	checkRan(t, run("", "list"), ran{0, "id  kind  hits  of  calls  parameters\n", ""})
	checkRan(t, run(bodil+"\n", "set", "late_write", "--person", "-", "--operation", "write", "--caller", journal,
		"--contract", "UpdatePersonContactInformation", "--count", "3", "--probability", "0.5", "--seed", "7",
		"--duration", "1500ms", "--hold", "200ms"), ran{0, "f1\n", ""})
	checkRan(t, run("", "set", "rate", "--rate", "10"), ran{0, "f2\n", ""})
	checkRan(t, run("", "set", "reset", "--probability", "0", "--person", bodil), ran{0, "f3\n", ""})
	checkRan(t, run("", "list"), ran{0, `id  kind        hits  of   calls                                                                 parameters
f1  late_write  0     3    UpdatePersonContactInformation, write, SE2321000016-CSJ1, one person  duration 1.5s, hold 200ms, probability 0.5, seed 7
f2  rate        0     all  all                                                                   rate 10
f3  reset       0     all  one person                                                            probability 0, seed 0
`, ""})
	if dialled, _ := faults.List(); len(dialled) != 3 || dialled[0].Person != bodil {
		t.Error("the register has other faults")
	}
	checkRan(t, run("", "clear", "f2"), ran{0, "", ""})
	checkRan(t, run("", "clear", "f2"), ran{exitFailure, "", "contactsync: no fault of that id is dialled\n"})
	checkRan(t, run("", "clear"), ran{0, "", ""})
	checkRan(t, run("", "list", "--json"), ran{0, "{\n \"faults\": [],\n \"pending\": 0\n}\n", ""})
}

func TestFaultListAsJSONTellsAll(t *testing.T) {
	t.Parallel()
	url, faults := adminOf(t)
	if _, err := faults.Set(mockregister.Fault{Kind: mockregister.KindDelay, Person: bodil, Duration: mockregister.Duration(time.Second)}); err != nil {
		t.Fatal(err)
	}
	got := runWith(t, "", "fault", "list", "--json", "--admin", url+"/")
	var list mockregister.FaultList
	if err := json.Unmarshal([]byte(got.out), &list); err != nil || got.code != 0 {
		t.Fatalf("code %d, %v, told %q", got.code, err, got.err)
	}
	want, _ := faults.List()
	if diff := cmp.Diff(mockregister.FaultList{Faults: want}, list); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
}

func TestFaultCommandsThatFail(t *testing.T) {
	t.Parallel()
	url, faults := adminOf(t)
	set := func(args ...string) []string { return append([]string{"fault", "set", "--admin", url}, args...) }
	noRegister := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(noRegister.Close)
	for says, row := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no kind":                        {set(), exitUsage, "accepts 1 arg"},
		"a kind that there is not":       {set("flood"), exitUsage, "KIND: the register has no fault like that"},
		"a duration that is needed":      {set("delay"), exitUsage, "--duration is needed"},
		"a duration of no use":           {set("stale", "--duration", "3s"), exitUsage, "--duration is of no use"},
		"a duration that is none":        {set("delay", "--duration", "3"), exitUsage, "--duration"},
		"a rate of less than nothing":    {set("rate", "--rate", "-1"), exitUsage, "--rate"},
		"a probability above 1":          {set("reset", "--probability", "1.5"), exitUsage, "--probability"},
		"a caller whom nobody knows":     {set("reset", "--caller", stranger), exitUsage, "--caller"},
		"a person that is none":          {set("reset", "--person", "195805179801"), exitFailure, "form_invalid:identity_check_digit"},
		"an empty person":                {set("reset", "--person", ""), exitFailure, "person"},
		"an id that is none":             {[]string{"fault", "clear", "--admin", url, bodil}, exitUsage, "ID"},
		"two ids":                        {[]string{"fault", "clear", "--admin", url, "f1", "f2"}, exitUsage, "at most 1"},
		"no register named":              {[]string{"fault", "list"}, exitUsage, adminURLEnv},
		"an address that is none":        {[]string{"fault", "list", "--admin", "127.0.0.1:1"}, exitUsage, "http://host:port"},
		"an address with a path":         {[]string{"fault", "list", "--admin", url + "/" + bodil}, exitUsage, "http://host:port"},
		"a register that is not there":   {[]string{"fault", "list", "--admin", "http://" + closedPort(t)}, exitTryAgain, "connection refused"},
		"something that is no register":  {[]string{"fault", "list", "--admin", noRegister.URL}, exitFailure, "HTTP status 404"},
		"a folder without a dev":         {[]string{"fault", "list", "--data", t.TempDir()}, exitFailure, "--data"},
		"a dev of an older version":      {[]string{"fault", "list", "--data", dataWith(t, "")}, exitFailure, "without an admin listener"},
		"an empty folder name":           {[]string{"fault", "list", "--data", ""}, exitUsage, "--data is empty"},
		"a flag that there is not":       {[]string{"fault", "list", "--colour"}, exitUsage, "unknown flag"},
		"arguments where there are none": {[]string{"fault", "list", "f1"}, exitUsage, "unknown command"},
	} {
		got := runWith(t, "", row.args...)
		if got.code != row.code || !strings.Contains(got.err, row.want) || strings.Count(got.err, "\n") != 1 || got.out != "" {
			t.Errorf("%s: code %d, want %d; told %q, want %q in one line", says, got.code, row.code, got.err, row.want)
		}
		if strings.Contains(got.err, bodil[2:8]) {
			t.Errorf("%s: an identity is told: %q", says, got.err)
		}
	}
	if dialled, _ := faults.List(); len(dialled) != 0 {
		t.Errorf("%d faults are dialled", len(dialled))
	}
}

// Not in parallel: it sets the environment.
func TestFaultCommandsFindTheRegisterByTheEnvironmentLast(t *testing.T) {
	url, _ := adminOf(t)
	t.Setenv(adminURLEnv, url)
	checkRan(t, runWith(t, "", "fault", "set", "reset"), ran{0, "f1\n", ""})
	t.Setenv(adminURLEnv, "http://"+closedPort(t))
	checkRan(t, runWith(t, "", "fault", "set", "--admin", url, "reset"), ran{0, "f2\n", ""})
	checkRan(t, runWith(t, "", "fault", "set", "--data", dataWith(t, url), "reset"), ran{0, "f3\n", ""})
}
