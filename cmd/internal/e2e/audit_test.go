package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

type verifiedJSON struct {
	Log                   string
	Sound                 bool
	Links, Rows, Unsealed int64
	Head, Fault           *string
	Link, Row             *int64
}

// verified asks for all logs, by name; it does not matter how the command ends.
func (d *desk) verified(args ...string) (map[string]verifiedJSON, Result) {
	d.t.Helper()
	got := Run(d.t, "", append([]string{"audit", "verify", "--data", d.dir, "--json"}, args...)...)
	var all []verifiedJSON
	if err := json.Unmarshal([]byte(got.Stdout), &all); err != nil {
		d.t.Fatalf("verify: %+v", got)
	}
	byName := map[string]verifiedJSON{}
	for _, v := range all {
		byName[v.Log] = v
	}
	return byName, got
}

func (d *desk) sealed() bool {
	all, _ := d.verified()
	return all["access"].Unsealed+all["consent"].Unsealed+all["sync"].Unsealed == 0 && all["sync"].Rows > 0
}

// tampers does what only the owner of the database can.
func (d *desk) tampers(statement string) {
	d.t.Helper()
	conn, err := pgx.Connect(d.t.Context(), d.at.Postgres)
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(d.t.Context()))
	if _, err := conn.Exec(d.t.Context(), statement); err != nil {
		d.t.Fatal(err)
	}
}

// TestAuditOfAWholeStack: what a share and a search leave in the three logs, before and after a kill -9; and then somebody changes a row.
func TestAuditOfAWholeStack(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "empty")
	d.shares("00000000-0000-4000-8000-000000000005", "070-174 06 05")
	d.eventuallyFinds("passed_on +46701740605")
	d.crashes()
	eventually(t, "all is sealed", d.sealed)
	all, got := d.verified()
	if got.Code != 0 || !all["access"].Sound || !all["consent"].Sound || !all["sync"].Sound || all["access"].Head == nil {
		t.Fatalf("verify: %+v", got)
	}
	if got := Run(t, "", "audit", "verify", "--data", d.dir, "--log", "access", "--head", *all["access"].Head); got.Code != 0 {
		t.Errorf("with the head that was noted: %+v", got)
	}
	d.judgeWho()
	d.judgeExport()

	d.tampers(`update register.access_log set outcome = 'no_record' where id = (select max(id) from register.access_log where action = 'write')`)
	all, got = d.verified()
	if v := all["access"]; got.Code != 1 || v.Sound || v.Link == nil || v.Row == nil || !strings.Contains(*v.Fault, "was changed") || !all["sync"].Sound {
		t.Errorf("a row was changed: %+v", got)
	}
	mustSayInOneLine(t, Run(t, "", "audit", "verify", "--data", d.dir, "--log", "access"), 1, "the log access is broken: link ")
}

// crashes kills the stack and starts it again.
func (d *desk) crashes() {
	d.t.Helper()
	d.dev.Kill9()
	d.start()
}

func (d *desk) judgeWho() {
	d.t.Helper()
	var who struct {
		Entries []struct{ Log, Action, Outcome string }
		Next    *string
	}
	got := Run(d.t, d.person.Extension+"\n", "audit", "who", "--data", d.dir, "--json", "--reason", "the resident asks", "-")
	if err := json.Unmarshal([]byte(got.Stdout), &who); got.Code != 0 || err != nil {
		d.t.Fatalf("who: %+v", got)
	}
	seen := map[string]bool{}
	for _, e := range who.Entries {
		seen[e.Log+" "+e.Action+" "+e.Outcome] = true
	}
	for _, want := range []string{"access read ok", "access write ok", "consent support find found", "sync register.share pushed"} {
		if !seen[want] {
			d.t.Errorf("who does not tell of %q: %v", want, seen)
		}
	}
	d.judgeAudit(map[string]bool{"audit who " + fmt.Sprint(len(who.Entries)) + " shown": true})
}

func (d *desk) judgeExport() {
	d.t.Helper()
	dir := filepath.Join(d.t.TempDir(), "export")
	if got := Run(d.t, "", "audit", "export", "--data", d.dir, "--out", dir, "--reason", "monthly"); got.Code != 0 || !strings.HasSuffix(got.Stdout, " records\n") {
		d.t.Errorf("export: %+v", got)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		d.t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	if !slices.Equal(names, []string{"access-000001.xml", "consent-000001.xml", "sync-000001.xml"}) {
		d.t.Errorf("files %v", names)
	}
	if got := Run(d.t, "", "audit", "export", "--data", d.dir, "--out", dir, "--reason", "monthly"); got.Code != 1 {
		d.t.Errorf("into a folder that has the files: %+v", got)
	}
}
