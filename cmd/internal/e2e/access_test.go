package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// access asks the administrator's command, as a user does who has the data folder only.
func access(t *testing.T, data string, code int, args ...string) string {
	t.Helper()
	got := Run(t, "", append([]string{"access", "--data", data}, args...)...)
	if got.Code != code {
		t.Fatalf("access %v: %+v", args, got)
	}
	return got.Stdout
}

// TestAccessIsGrantedAndRevoked changes who may what under a running register, and starts that again.
func TestAccessIsGrantedAndRevoked(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	dev := Start(t, "--data", data)
	person, get := personsIn(t, data)[0]["extension"], "GetPersonContactInformationUnrestricted"
	lookup := func(want string) {
		t.Helper()
		looked, until := Result{}, time.Now().Add(5*time.Second)
		for time.Now().Before(until) {
			looked = Run(t, "", "lookup", "--data", data, person)
			if strings.Contains(looked.Stdout+looked.Stderr, want) {
				return
			}
		}
		t.Fatalf("5 s after the change journal sees %+v, want %q", looked, want)
	}
	lookup(person)
	if told := access(t, data, 0, "revoke", "journal", get); !strings.Contains(told, "SE2321000016-CSJ1 may no longer use "+get) {
		t.Errorf("revoke says %q", told)
	}
	lookup("VP007")
	access(t, data, 1, "revoke", "journal", get)
	access(t, data, 0, "grant", "journal", get, "--as", "anna")
	lookup("VP007") // the Unrestricted contract needs its own ground
	access(t, data, 0, "grant", "SE2321000016-CSJ1", get, "--may", "protected")
	lookup(person)

	var list struct {
		Changes []struct{ By, Change, System, Name, Contract string }
	}
	if err := json.Unmarshal([]byte(access(t, data, 0, "list", "--changes", "3", "--json")), &list); err != nil || len(list.Changes) != 3 {
		t.Fatal(err, list)
	}
	for i, want := range []string{"changed", "granted", "revoked"} {
		if c := list.Changes[i]; c.Change != want || c.Name != "journal" || c.Contract != get || c.By == "" || i == 1 && c.By != "anna" {
			t.Errorf("change %d is %+v, want %s", i, c, want)
		}
	}
	access(t, data, 0, "revoke", "journal", get)
	before := access(t, data, 0, "list")
	if strings.Contains(before, "journal  "+get) || !strings.Contains(before, "worker") {
		t.Errorf("list says %s", before)
	}
	dev.Interrupt()
	Start(t, "--data", data)
	if after := access(t, data, 0, "list"); after != before {
		t.Errorf("a start on the same folder changes who may what from\n%sto\n%s", before, after)
	}
}
