package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"contactsync/consent/contact"
	"contactsync/sync/support"
)

func TestDeskCommandsThatCannotBeUnderstood(t *testing.T) {
	t.Parallel()
	good := []string{"support", "remove", tove, "--data", "DIR", "--channel", "mobile", "--reason", "typo", "--ground", "x"}
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"an unknown channel":       {append(good, "--channel", "fax"), "mobile or email"},
		"an unknown reason":        {append(good, "--reason", "because"), "wrong_number"},
		"no ground":                {append(good, "--ground", ""), "the ground is"},
		"a ground of two lines":    {append(good, "--ground", "a\nb"), "the ground is"},
		"no HSA-id":                {append(good, "--as", "Anna"), "HSA-id"},
		"another language":         {append(good, "--lang", "de"), "--lang"},
		"two persons":              {append(good, bodil), "accepts 1 arg"},
		"no place":                 {[]string{"support", "find", tove}, "--data"},
		"no person":                {[]string{"support", "find"}, "accepts 1 arg"},
		"an unknown use case":      {[]string{"support", "erase"}, "erase"},
		"an unknown parked":        {[]string{"parked", "all"}, "all"},
		"an unknown reason code":   {[]string{"parked", "list", "--data", "DIR", "--reason", "because"}, "reason code"},
		"a page of nothing":        {[]string{"parked", "list", "--data", "DIR", "--limit", "0"}, "--limit"},
		"no reason to look":        {[]string{"parked", "show", "--data", "DIR", "0123"}, "--reason"},
		"no one to release":        {[]string{"parked", "release", "--data", "DIR", "--ground", "x"}, "--reason CODE"},
		"both one and a reason":    {[]string{"parked", "drop", "0123", "--data", "DIR", "--ground", "x", "--reason", "register_refused"}, "or else --reason CODE"},
		"a ground for a reason":    {[]string{"parked", "release", "--data", "DIR", "--ground", "x", "--reason", "The register is mended"}, "--ground TEXT"},
		"no ground to release":     {[]string{"parked", "release", "0123", "--data", "DIR"}, "--ground"},
		"nobody to drop":           {[]string{"parked", "drop", "0123", "--ground", "x"}, "--as HSA-ID"},
		"no telling who is parked": {[]string{"parked", "show", "--data", "DIR"}, "accepts 1 arg"},
	} {
		got := runWith(t, "", row.args...)
		if got.code != exitUsage || got.out != "" || !strings.Contains(got.err, row.want) || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestDeskTellsWhatIsNoIdentityWithoutRepeatingIt(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"support", "find", "--data", "DIR", "195805179801"}, {"support", "find", "--data", "DIR", "-"}} {
		got := runWith(t, "195805179801\n", args...)
		if got.code != exitFailure || !strings.Contains(got.err, "form_invalid:identity_check_digit") || strings.Contains(got.err, "1958") {
			t.Errorf("%+v", got)
		}
	}
}

// TestCommandToRepeatIsOneShellCommand lets a shell take the printed words apart.
func TestCommandToRepeatIsOneShellCommand(t *testing.T) {
	t.Parallel()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh")
	}
	ground := `it's "wrong" $(rm -rf) ; \ * å`
	c := supportRemoveCommand()
	if err := c.ParseFlags([]string{"--data", "my folder", "--channel", "mobile", "--reason", "typo", "--ground", ground, "--json"}); err != nil {
		t.Fatal(err)
	}
	f := removeFlags{deskPlace: deskPlace{data: "my folder", staff: devStaff, lang: "en"}, channel: "mobile", reason: "typo", ground: ground, asJSON: true}
	script := `for word in ` + f.again(c, "-", "TOKEN") + `; do printf '%s\n' "$word"; done`
	out, err := exec.CommandContext(t.Context(), shell, "-c", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"remove", "-", "--data", "my folder", "--channel", "mobile", "--reason", "typo", "--ground", ground, "--json", "--confirm", "TOKEN"}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(string(out)), "\n")); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
}

func TestSecretOfTokensIsThisInstallationsOwn(t *testing.T) {
	t.Parallel()
	one, err1 := tokenSecret("one")
	other, err2 := tokenSecret("two")
	if err1 != nil || err2 != nil || bytes.Equal(one, other) {
		t.Errorf("%v %v", err1, err2)
	}
	if _, err := tokenSecret(""); err == nil {
		t.Error("a secret is made of nothing")
	}
}

// TestReportHasEveryName: programs rely on names that are always there, and on lists that are never null.
func TestReportHasEveryName(t *testing.T) {
	t.Parallel()
	r := support.Report{Person: contact.KnownPersonID(contact.RootPersonnummer, tove), Channels: []support.Channel{{Channel: contact.Mobile}}}
	var out strings.Builder
	if err := showReport(&out, r, "en", true); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"person":   map[string]any{"root": contact.RootPersonnummer, "extension": tove},
		"register": map[string]any{"answered": false, "known": false, "protected": false, "masked": true, "version": nil},
		"channels": []any{map[string]any{
			"channel": "mobile", "state": "", "reason": nil, "text": "No decision is known.", "decidedHere": nil, "wanted": nil, "share": nil,
			"withdrawal": nil, "accountsClosed": []any{}, "waitingShares": []any{}, "due": nil, "own": []any{}, "others": []any{}, "othersText": nil,
		}},
		"others": []any{}, "outcomes": []any{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
}

func TestNothingATerminalObeysIsPrinted(t *testing.T) {
	t.Parallel()
	if got := printed("a\x1b[2Jb\nc\u202ed å"); got != "a\ufffd[2Jb\ufffdc\ufffdd å" {
		t.Errorf("printed %q", got)
	}
}
