package reason_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"contactsync/consent/reason"
)

var update = flag.Bool("update", false, "write CODES.md anew")

const document = "CODES.md"

const introduction = `# All reason codes

For developers of e-services: what an outcome's ` + "`reason` or `effects`" + ` may say. The sentences are written to the resident, and may be
shown as they stand. A code never changes its meaning; new ones may come, so show one you do not know as its outcome alone.

* **refused**: ` + "`parked`" + ` for good. The decision takes no part; mend what is wrong and send a new one, with a new event id and revision.
* **waits**: ` + "`parked`" + ` for now. The decision holds, and a further outcome follows when it is carried out or a newer one passes it.

This file is written by a test: ` + "`go test ./consent/reason -update`" + `.

| code | comes with | Swedish | English |
|---|---|---|---|
`

func TestTheDocumentHasEveryCode(t *testing.T) {
	t.Parallel()
	want := introduction
	for _, entry := range reason.List() {
		want += fmt.Sprintf("| `%s` | %s | %s | %s |\n", entry.Code, comesWith(entry.Code), entry.Text.SV, entry.Text.EN)
	}
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is not as the codes are; write it with -update (-want +got):\n%s", document, diff)
	}
}

// comesWith tells in which kind of outcome a code stands.
func comesWith(code reason.Code) string {
	switch code {
	case reason.FormPerson:
		return "no outcome: the topic of unreadable records"
	case reason.FormJSON, reason.FormID:
		return "refused; where nobody can be told, no outcome but the topic of unreadable records"
	case reason.FormLineTooLong:
		return "no outcome: `check` and `emit` say it of a line"
	case reason.PersonUnknown:
		return "waits; a withdrawal is `unchanged`"
	case reason.GuardianUnconfirmed, reason.PersonDeceased, reason.ProtectedNoAuthority, reason.ContractCannotExpress,
		reason.AwaitingApproval, reason.RegisterRefused:
		return "waits"
	case reason.NewerDecision:
		return "`superseded`"
	case reason.SharedElsewhere:
		return "`unchanged`"
	case reason.PaperOptOutEnded:
		return "`pushed`, in `effects`"
	}
	family, _, _ := strings.Cut(string(code), ":")
	switch family {
	case "form_invalid", "value_invalid", string(reason.ActorNotAllowed), string(reason.ClockAhead), string(reason.GuardianNotAllowed),
		string(reason.Dropped):
		return "refused"
	}
	return "?" // a new code: say it above
}

func TestEveryCodeComesWithSomething(t *testing.T) {
	t.Parallel()
	for _, entry := range reason.List() {
		if comesWith(entry.Code) == "?" {
			t.Errorf("%s: nobody says which outcome it comes with", entry.Code)
		}
	}
}
