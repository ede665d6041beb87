package e2e

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

type reconciledJSON struct {
	Resumed                     bool
	Persons, Calls, Differences int
	Healed, Left                int
	Kinds                       []struct{ Kind string }
	Cases                       []struct{ Pseudonym, Channel, Kind, Status string }
}

// reconciles compares, and reads the report whatever the exit code is.
func (d *desk) reconciles(code int, args ...string) reconciledJSON {
	d.t.Helper()
	got := Run(d.t, "", append([]string{"reconcile", "--data", d.dir, "--json"}, args...)...)
	var out reconciledJSON
	if err := json.Unmarshal([]byte(got.Stdout), &out); err != nil || got.Code != code {
		d.t.Fatalf("reconcile %v: %+v", args, got)
	}
	return out
}

// TestReconcileOfAWholeStack: a number that is back after a No, and a share that is gone, are found and healed; a run that is killed goes on.
func TestReconcileOfAWholeStack(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "many_names")
	d.decides("6ba7b810-9dad-41d1-80b4-00c04fd43011", `"decision":"withdraw"`, nil)
	d.eventuallyFinds("removed")
	withdrawn := d.person
	d.becomes("empty")
	d.shares("6ba7b810-9dad-41d1-80b4-00c04fd43012", "070-174 06 05")
	d.eventuallyFinds("passed_on +46701740605")
	if r := d.reconciles(0); r.Persons != 2 || r.Calls != 2 || r.Differences != 0 {
		t.Errorf("nothing differs: %+v", r)
	}
	d.tampers(`update register.persons p set content = o.content, mobile = o.mobile from register.persons o where p.state = 'many_names' and o.state = 'both_channels'`)
	d.tampers(`update register.persons set content = '', mobile = null where state = 'empty'`)
	d.tampers(`update sync.person set written_at = written_at - interval '1 hour'`) // else it would have to be looked at twice
	d.killedRun()
	r := d.reconciles(1)
	if !r.Resumed || r.Persons != 2 || r.Differences != 2 || r.Left != 2 || r.Cases[0].Kind != "present_after_no" || r.Cases[1].Kind != "share_missing" {
		t.Errorf("the killed run went on: %+v", r)
	}
	got := Run(t, "", "reconcile", "--data", d.dir, "--fix")
	for _, digits := range []string{withdrawn.Extension, d.person.Extension, "46701740605"} {
		if strings.Contains(got.Stdout+got.Stderr, digits) {
			t.Errorf("the report tells who a person is: %s", got.Stdout)
		}
	}
	if got.Code != 0 || !strings.Contains(got.Stdout, "2, 2 healed, 0 left") {
		t.Errorf("fix: %+v", got)
	}
	d.eventuallyFinds("passed_on +46701740605")
	d.person = withdrawn
	d.eventuallyFinds("removed")
	if r := d.reconciles(0); r.Resumed || r.Differences != 0 {
		t.Errorf("after it: %+v", r)
	}
	mustSayInOneLine(t, Run(t, "", "reconcile", "--data", d.dir, "--restore-shares"), 2, "--restore-shares needs --fix")
}

// killedRun kills a run that waits for its second call.
func (d *desk) killedRun() {
	d.t.Helper()
	run := exec.Command(Binary(d.t), "reconcile", "--data", d.dir, "--calls-per-second", "0.01")
	if err := run.Start(); err != nil {
		d.t.Fatal(err)
	}
	eventually(d.t, "the first page is compared", func() bool {
		return d.count(`select count(*) from sync.reconcile_run where phase = 'shares' and persons = 1`) == 1
	})
	if err := run.Process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	_ = run.Wait()
}
