package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"contactsync/consent/contact"
	"contactsync/contracts/mockregister"
)

// desk is a running dev as support and an operator see it.
type desk struct {
	*crash
	person mockregister.TestPerson
}

func newDesk(t *testing.T, state string) *desk {
	t.Helper()
	c := startCrash(t, "0")
	return &desk{c, c.persons(state)[0]}
}

// shares is a choice in an e-service, as a line for emit.
func (d *desk) shares(id, number string) string {
	d.t.Helper()
	now := time.Now()
	line := fmt.Sprintf(`{"specversion":"1.0","type":"se.contactsync.decision.v1","source":"urn:hsaid:SE2321000016-ES01","id":%q,"data":{`+
		`"person":{"root":%q,"extension":%q},"channel":"mobile","decision":"share","value":%q,"revision":%d,"decidedAt":%q}}`,
		id, d.person.Root, d.person.Extension, number, now.UnixMicro(), now.UTC().Format(time.RFC3339))
	d.emits(line)
	return line
}

func (d *desk) emits(line string) {
	d.t.Helper()
	if got := Run(d.t, line, "emit", "--data", d.dir, "-"); got.Code != 0 {
		d.t.Fatalf("emit: %+v", got)
	}
}

// asks runs a command with --json into v, and returns how it ended.
func (d *desk) asks(v any, args ...string) Result {
	d.t.Helper()
	got := Run(d.t, "", append(args, "--data", d.dir, "--json")...)
	if got.Code == 0 {
		if err := json.Unmarshal([]byte(got.Stdout), v); err != nil {
			d.t.Fatalf("%v: %s", err, got.Stdout)
		}
	}
	return got
}

type foundJSON struct {
	Channels []struct {
		State, Reason, OthersText string
		Others                    []struct{ Use, Value string }
		Own                       []struct{ Value string }
		DecidedHere               *struct{ Actor, Correction string }
	}
}

// finds gives "state value" of the mobile number.
func (d *desk) finds() string {
	d.t.Helper()
	var found foundJSON
	if got := d.asks(&found, "support", "find", d.person.Extension); got.Code != 0 {
		d.t.Fatalf("find: %+v", got)
	}
	words := found.Channels[0].State
	for _, e := range found.Channels[0].Own {
		words += " " + e.Value
	}
	return words
}

func (d *desk) eventuallyFinds(want string) {
	d.t.Helper()
	eventually(d.t, want, func() bool { return d.finds() == want })
}

type removedJSON struct {
	Result, Text, OthersText string
	Values                   []string
	Confirm                  *struct{ Token, Command string }
}

func (d *desk) removal(args ...string) (removedJSON, Result) {
	d.t.Helper()
	var out removedJSON
	got := d.asks(&out, append([]string{"support", "remove", d.person.Extension, "--channel", "mobile", "--reason", "wrong_number",
		"--ground", "Called by its owner"}, args...)...)
	return out, got
}

// looksUp is what a care system sees of the mobile number.
func (d *desk) looksUp() string {
	d.t.Helper()
	var found []struct{ Mobile *string }
	if got := d.asks(&found, "lookup", d.person.Extension); got.Code != 0 {
		d.t.Fatalf("lookup: %+v", got)
	}
	if found[0].Mobile == nil {
		return ""
	}
	return *found[0].Mobile
}

func TestSupportRemovesWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "staff_entries")
	others := d.others([]mockregister.TestPerson{d.person})
	old := d.shares("00000000-0000-4000-8000-000000000001", "070-174 06 05")
	d.eventuallyFinds("passed_on +46701740605")

	asked, _ := d.removal()
	if asked.Result != "confirm" || len(asked.Values) != 1 || asked.Confirm == nil || asked.OthersText == "" || d.looksUp() != "+46701740605" {
		t.Fatalf("the first call: %+v, lookup %q", asked, d.looksUp())
	}
	if _, got := d.removal("--confirm", asked.Confirm.Token+"x"); got.Code != 1 || !strings.Contains(got.Stderr, "nothing was changed") || got.Stdout != "" {
		t.Errorf("a token that is not: %+v", got)
	}
	d.runs(asked.Confirm.Command)
	d.eventuallyFinds("removed")
	if d.looksUp() != "" {
		t.Error("lookup still shows the number")
	}
	if again, got := d.removal("--confirm", asked.Confirm.Token); got.Code != 0 || again.Result != "nothing_to_remove" {
		t.Errorf("the same token again: %+v, %+v", again, got)
	}

	d.emits(old)
	eventually(t, "the replay is read", d.settled)
	if d.looksUp() != "" {
		t.Error("a replay brought the number back")
	}
	d.shares("00000000-0000-4000-8000-000000000002", "070-174 06 06")
	d.eventuallyFinds("passed_on +46701740606")
	if d.looksUp() != "+46701740606" || !reflect.DeepEqual(others, d.others([]mockregister.TestPerson{d.person})) {
		t.Error("a new choice is not passed on, or others' entries have changed")
	}
	d.judgeAudit(map[string]bool{"support find found": true, "support remove confirm": true, "decide withdraw saved": true,
		"support remove nothing_to_remove": true, "support remove refused: the token is not for this person, channel, reason and ground": true})
}

// runs does what support does with the printed command: gives it to a shell.
func (d *desk) runs(command string) {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), "sh", "-c", command)
	cmd.Env = append(cmd.Environ(), "PATH="+filepath.Dir(Binary(d.t))+":"+"/usr/bin:/bin")
	if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), `"removing"`) {
		d.t.Fatalf("%s: %v", out, err)
	}
}

func (d *desk) judgeAudit(wanted map[string]bool) {
	d.t.Helper()
	for entry := range wanted {
		n := d.count(`select count(*) from consent.audit where actor like 'support SE%' and action || ' ' || outcome = '` + entry + `'`)
		if n == 0 {
			d.t.Errorf("not audited: %s", entry)
		}
	}
	said := d.dev.Log()
	if strings.Contains(said, d.person.Extension) || strings.Contains(said, "+4670174") {
		d.t.Error("personal data in the log")
	}
}

func TestParkedTellsWhoIsBehindAPseudonym(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "deceased")
	d.shares("00000000-0000-4000-8000-000000000003", "070-174 06 07")
	var list struct {
		Reasons []struct {
			Reason string
			Count  int
		}
		Parked []struct{ Pseudonym, Channel, Reason, EventID string }
	}
	var printed string
	eventually(t, "parked", func() bool {
		got := d.asks(&list, "parked", "list", "--reason", "person_deceased")
		printed = got.Stdout
		return len(list.Parked) == 1 && len(list.Reasons) == 1
	})
	if strings.Contains(printed, d.person.Extension) || list.Reasons[0].Reason != "person_deceased" || list.Reasons[0].Count != 1 {
		t.Errorf("list %s", printed)
	}
	var shown []struct {
		Person        struct{ Extension string }
		Text, Release string
	}
	got := d.asks(&shown, "parked", "show", list.Parked[0].Pseudonym, "--reason", "The clinic asks")
	if got.Code != 0 || len(shown) != 1 || shown[0].Person.Extension != d.person.Extension || shown[0].Text == "" || shown[0].Release == "" {
		t.Errorf("shown %+v", got)
	}
	if got := d.asks(&shown, "parked", "show", "0123", "--reason", "The clinic asks"); got.Code != 1 {
		t.Errorf("nobody's pseudonym: %+v", got)
	}
	d.judgeAudit(map[string]bool{"parked show shown: person_deceased": true, "parked show nothing found": true})
}

func TestParkedIsReleasedAndDropped(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "deceased")
	line := d.shares("00000000-0000-4000-8000-000000000004", "070-174 06 07")
	var list struct {
		Parked []struct{ Pseudonym, State, Reason string }
	}
	eventually(t, "parked", func() bool {
		d.asks(&list, "parked", "list", "--reason", "person_deceased")
		return len(list.Parked) == 1
	})
	var handled struct{ Done, WithdrawalsKept int }
	for _, args := range [][]string{{"release", "--reason", "person_deceased", "--dry-run"}, {"release", "--reason", "person_deceased", "--ground", "The register is mended"}} {
		if got := d.asks(&handled, append([]string{"parked"}, args...)...); got.Code != 0 || handled.Done != 1 {
			t.Fatalf("%v: %+v", args, got)
		}
	}
	drop := []string{"parked", "drop", list.Parked[0].Pseudonym, "--ground", "The e-service asks for it"}
	eventually(t, "parked again, and dropped", func() bool { return d.asks(&handled, drop...).Code == 0 })
	d.emits(line)
	if got := d.asks(&list, "parked", "list", "--reason", "dropped"); got.Code != 0 || len(list.Parked) != 1 || list.Parked[0].State != "refused" {
		t.Errorf("list %+v", got)
	}
	mustSayInOneLine(t, Run(t, "", append(drop, "--data", d.dir)...), 1, "refused for good")
	mustSayInOneLine(t, Run(t, "", "parked", "release", "--reason", "dropped", "--ground", "x", "--data", d.dir), 1, "refused for good")
	mustSayInOneLine(t, Run(t, "", "parked", "release", "0123", "--ground", "x", "--data", d.dir), 1, "nothing is parked")
	var who struct {
		Entries []struct{ Actor, Action, Ground, Outcome string }
	}
	if got := d.asks(&who, "audit", "who", d.person.Extension, "--reason", "she asks"); got.Code != 0 {
		t.Fatalf("who: %+v", got)
	}
	found := map[string]bool{}
	for _, e := range who.Entries {
		found[strings.Join([]string{e.Actor, e.Action, e.Ground, e.Outcome}, ", ")] = true
	}
	for _, want := range []string{"support SE2321000016-CSS1, parked.release, The register is mended, released: person_deceased",
		"support SE2321000016-CSS1, parked.drop, The e-service asks for it, dropped: person_deceased"} {
		if !found[want] {
			t.Errorf("the audit has no %q: %v", want, found)
		}
	}
}

func TestDeskWithoutItsDatabaseAsksToTryAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "empty")
	d.dev.Kill9()
	mustSayInOneLine(t, Run(t, "", "support", "find", "--data", d.dir, d.person.Extension), 75, "PostgreSQL")
}

// TestSupportNeverSeesAWholeValueOfAProtectedPerson in any of its outputs.
func TestSupportNeverSeesAWholeValueOfAProtectedPerson(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "protected_registration")
	d.shares("00000000-0000-4000-8000-000000000004", "070-174 06 98")
	d.eventuallyFinds("passed_on ***98")
	for _, args := range [][]string{{"support", "find"}, {"support", "remove", "--channel", string(contact.Mobile), "--reason", "typo", "--ground", "x"}} {
		for _, form := range []string{"--json", "--lang=sv"} {
			got := Run(t, "", append(args, "--data", d.dir, form, d.person.Extension)...)
			if got.Code != 0 || !strings.Contains(got.Stdout, "***98") || strings.Contains(got.Stdout, "0698") || strings.Contains(got.Stdout, "bade.och") {
				t.Errorf("%s %s prints %s%s", args, form, got.Stdout, got.Stderr)
			}
		}
	}
}
