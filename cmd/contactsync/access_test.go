package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"contactsync/cmd/internal/devstack"
	"contactsync/contracts/mockregister"
)

func TestAccessCommandsThatCannotBeUnderstood(t *testing.T) {
	t.Parallel()
	const get = "GetPersonContactInformation"
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"no system":                      {[]string{"grant"}, "at least 2 arg"},
		"no contract":                    {[]string{"revoke", "--data", "DIR", "journal"}, "at least 2 arg"},
		"a name without dev":             {[]string{"grant", "journal", get}, "--data DIR"},
		"an unknown name":                {[]string{"grant", "--data", "DIR", "journals", get}, "worker, portal, support, journal, stranger"},
		"a person as system":             {[]string{"grant", "--data", "DIR", bodil, get}, "SYSTEM is an HSA-id"},
		"an unknown contract":            {[]string{"grant", "--data", "DIR", "journal", "GetPerson"}, get + ", " + get + "Unrestricted"},
		"an unknown contract to revoke":  {[]string{"revoke", "--data", "DIR", "journal", get, "getpersoncontactinformation"}, get},
		"an unknown right":               {[]string{"grant", "--data", "DIR", "journal", get, "--may", "protected,admin"}, "protected, support, write"},
		"no logical address":             {[]string{"grant", "--data", "DIR", "journal", get, "--logical-address", "here"}, "--logical-address"},
		"a list of something":            {[]string{"list", "--data", "DIR", "journal"}, "journal"},
		"a negative number of changes":   {[]string{"list", "--data", "DIR", "--changes", "-1"}, "--changes"},
		"an unknown use case":            {[]string{"allow"}, "allow"},
		"no place":                       {[]string{"list"}, "CONTACTSYNC_POSTGRES_URL is missing"},
		"a system, and where is no word": {[]string{"grant", journal, get}, "CONTACTSYNC_POSTGRES_URL is missing"},
	} {
		got := runWith(t, "", append([]string{"access"}, row.args...)...)
		if got.code != exitUsage || got.out != "" || !strings.Contains(got.err, row.want) || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%s: %+v", name, got)
		}
		if strings.Contains(got.err, bodil) {
			t.Errorf("%s: the error repeats what may be a person", name)
		}
	}
}

func TestAccessWithoutPostgreSQLMayPass(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	endpoints := `{"postgres":"postgres://contactsync:secret@127.0.0.1:1/contactsync?sslmode=disable"}`
	if err := os.WriteFile(filepath.Join(data, devstack.EndpointsFile), []byte(endpoints), 0o600); err != nil {
		t.Fatal(err)
	}
	got := runWith(t, "", "access", "grant", "--data", data, "journal", "GetPersonContactInformation")
	if got.code != exitTryAgain || !strings.Contains(got.err, "PostgreSQL cannot be reached") || strings.Contains(got.err, "secret") {
		t.Errorf("%+v", got)
	}
}

func TestSystemsOfDevMayWhatTheyNeed(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := showAccess(&out, each(devGrants(), viewGrant), false); err != nil {
		t.Fatal(err)
	}
	want := `system             name     contract                                    logical address      may
SE2321000016-CSW1  worker   GetPersonContactInformation                 SE165565594230-1000  protected,support,write
SE2321000016-CSW1  worker   GetPersonContactInformationUnrestricted     SE165565594230-1000  protected,support,write
SE2321000016-CSW1  worker   UpdatePersonContactInformation              SE165565594230-1000  protected,support,write
SE2321000016-CSW1  worker   UpdatePersonContactInformationUnrestricted  SE165565594230-1000  protected,support,write
SE2321000016-CSW1  worker   GetPersonsForProfile                        SE165565594230-1000  protected,support,write
SE2321000016-CSW1  worker   GetPersonsForProfileUnrestricted            SE165565594230-1000  protected,support,write
SE2321000016-CSW1  worker   contactsv1                                  SE165565594230-1000  protected,support,write
SE2321000016-CSP1  portal   GetPersonContactInformation                 SE165565594230-1000  protected
SE2321000016-CSP1  portal   GetPersonContactInformationUnrestricted     SE165565594230-1000  protected
SE2321000016-CSP1  portal   GetPersonsForProfile                        SE165565594230-1000  protected
SE2321000016-CSP1  portal   GetPersonsForProfileUnrestricted            SE165565594230-1000  protected
SE2321000016-CSP1  portal   contactsv1                                  SE165565594230-1000  protected
SE2321000016-CSD1  support  GetPersonContactInformation                 SE165565594230-1000  protected
SE2321000016-CSD1  support  GetPersonContactInformationUnrestricted     SE165565594230-1000  protected
SE2321000016-CSD1  support  GetPersonsForProfile                        SE165565594230-1000  protected
SE2321000016-CSD1  support  GetPersonsForProfileUnrestricted            SE165565594230-1000  protected
SE2321000016-CSD1  support  contactsv1                                  SE165565594230-1000  protected
SE2321000016-CSJ1  journal  GetPersonContactInformation                 SE165565594230-1000  protected
SE2321000016-CSJ1  journal  GetPersonContactInformationUnrestricted     SE165565594230-1000  protected
SE2321000016-CSJ1  journal  GetPersonsForProfile                        SE165565594230-1000  protected
SE2321000016-CSJ1  journal  GetPersonsForProfileUnrestricted            SE165565594230-1000  protected
SE2321000016-CSJ1  journal  contactsv1                                  SE165565594230-1000  protected
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestChangesOfAccessAreShown(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	grant := mockregister.Grant{System: journal, Contract: "contactsv1", LogicalAddress: registerAddress, Rights: mockregister.Rights{Write: true}}
	revoked := grant
	revoked.Rights = mockregister.Rights{}
	changes := []mockregister.AccessChange{
		{At: at, By: "anna\x1b[2J", Grant: revoked, GrantedBefore: true, RightsBefore: grant.Rights},
		{At: at, By: "bo", Grant: grant, Granted: true, GrantedBefore: true},
		{At: at, By: "bo", Grant: revoked, Granted: true},
	}
	var out strings.Builder
	if err := showAccessChanges(&out, each(changes, viewAccessChange), false); err != nil {
		t.Fatal(err)
	}
	want := `at                    by        change   system             name     contract    logical address      may      before
2026-11-25T12:00:00Z  anna�[2J  revoked  SE2321000016-CSJ1  journal  contactsv1  SE165565594230-1000  nothing  write
2026-11-25T12:00:00Z  bo        changed  SE2321000016-CSJ1  journal  contactsv1  SE165565594230-1000  write    -
2026-11-25T12:00:00Z  bo        granted  SE2321000016-CSJ1  journal  contactsv1  SE165565594230-1000  -        nothing
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestUselessGrantIsRemarkedOn(t *testing.T) {
	t.Parallel()
	var out, remarks strings.Builder
	grants := []mockregister.Grant{{System: journal, Contract: "GetPersonsForProfileUnrestricted", LogicalAddress: registerAddress}}
	if err := showGranted(&out, &remarks, grants); err != nil || !strings.Contains(remarks.String(), "--may protected") {
		t.Errorf("%v %q %q", err, out.String(), remarks.String())
	}
}
