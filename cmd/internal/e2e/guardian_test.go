package e2e

import (
	"fmt"
	"testing"
	"time"

	"contactsync/contracts/mockregister"
)

// decides is a choice about the mobile number of the desk's person; decidedBy is somebody else who made it, if anybody.
func (d *desk) decides(id, decision string, decidedBy *mockregister.TestPerson) {
	d.t.Helper()
	now := time.Now()
	actor := ""
	if decidedBy != nil {
		actor = fmt.Sprintf(`,"actor":{"role":"guardian","id":{"root":%q,"extension":%q}}`, decidedBy.Root, decidedBy.Extension)
	}
	d.emits(fmt.Sprintf(`{"specversion":"1.0","type":"se.contactsync.decision.v1","source":"urn:hsaid:SE2321000016-ES01","id":%q,"data":{`+
		`"person":{"root":%q,"extension":%q},"channel":"mobile",%s,"revision":%d,"decidedAt":%q%s}}`,
		id, d.person.Root, d.person.Extension, decision, now.UnixMicro(), now.UTC().Format(time.RFC3339), actor))
}

func (d *desk) becomes(state string) {
	d.t.Helper()
	d.person = d.persons(state)[0]
}

func TestGuardiansAndPersonsOfTwoNumbers(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "child_under_13")
	guardian, stranger := d.persons("guardian")[0], d.persons("second_guardian")[0]
	const share = `"decision":"share","value":"070-174 06 05"`

	d.decides("6ba7b810-9dad-41d1-80b4-00c04fd43001", share, &guardian)
	d.eventuallyFinds("passed_on +46701740605")
	d.becomes("younger_sibling")
	d.decides("6ba7b810-9dad-41d1-80b4-00c04fd43002", share, &stranger)
	eventually(t, "a stranger is refused", func() bool {
		var found foundJSON
		d.asks(&found, "support", "find", d.person.Extension)
		return len(found.Channels) > 0 && found.Channels[0].Reason == "guardian_not_allowed" && len(found.Channels[0].Own) == 0
	})

	d.becomes("replaced_coordination_number")
	d.decides("6ba7b810-9dad-41d1-80b4-00c04fd43003", `"decision":"share","value":"070-174 06 06"`, nil)
	d.becomes("replacing_personal_number")
	d.eventuallyFinds("passed_on +46701740606")
	d.decides("6ba7b810-9dad-41d1-80b4-00c04fd43004", `"decision":"withdraw"`, nil)
	d.eventuallyFinds("removed")
	d.becomes("replaced_coordination_number")
	d.eventuallyFinds("removed")
}
