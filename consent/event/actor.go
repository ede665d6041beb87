package event

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
)

// rootHSA is the OID under which this contract writes the HSA-id of a member of staff.
const rootHSA = "1.2.752.129.2.1.4.1"

// sourcePrefix begins every source: an e-service is named by its HSA-id.
const sourcePrefix = "urn:hsaid:"

// readActor judges an actor. The resident may be named, if only as the person the event is about.
func readActor(raw *object, person contact.PersonID, now time.Time) (Actor, *reason.Refusal) {
	role, _ := raw.text("role")
	actor := Actor{Role: Role(role)}
	id, _ := raw.object("id") // what is no object has neither root nor extension
	switch {
	case raw.doubtful || id.doubtful:
		return Actor{}, &reason.Refusal{Field: "data.actor", Code: reason.FormJSON}
	case !actor.Role.known():
		return Actor{}, &reason.Refusal{Field: "data.actor.role", Code: reason.FormActor}
	case raw.absent("id") && (actor.Role == RoleResident || actor.Role == RoleRetention):
		return actor, nil
	}
	ok := false
	if actor.Role == RoleSupport || actor.Role == RoleRetention {
		actor.HSAID, ok = staffOf(&id)
	} else {
		actor.ID, ok = personOf(&id, now)
	}
	if !ok {
		return Actor{}, &reason.Refusal{Field: "data.actor.id", Code: reason.FormActor}
	}
	if actor.Role != RoleResident {
		return actor, nil
	}
	if !person.IsZero() && actor.ID != person {
		return Actor{}, &reason.Refusal{Field: "data.actor.id", Code: reason.ActorNotAllowed}
	}
	return Actor{Role: RoleResident}, nil
}

func (r Role) known() bool {
	return r == RoleResident || r == RoleGuardian || r == RoleSupport || r == RoleRetention
}

func personOf(id *object, now time.Time) (contact.PersonID, bool) {
	root, _ := id.text("root")
	extension, _ := id.text("extension")
	person, err := contact.ParsePersonID(root, extension, now)
	return person, err == nil
}

func staffOf(id *object) (string, bool) {
	root, _ := id.text("root")
	extension, _ := id.text("extension")
	hsaID, ok := parseHSAID(extension)
	return hsaID, ok && root == rootHSA
}

// SourceOf is the source of the events of an e-service, by its HSA-id. False: it has not the form of one, and every share from there would be refused.
func SourceOf(hsaID string) (source string, ok bool) { return sourceOf(sourcePrefix + hsaID) }

// sourceOf normalises a source: URN scheme and HSA-id are the same in either case, and scoped withdrawals compare them.
func sourceOf(source string) (string, bool) {
	if len(source) < len(sourcePrefix) || !strings.EqualFold(source[:len(sourcePrefix)], sourcePrefix) {
		return "", false
	}
	hsaID, ok := parseHSAID(source[len(sourcePrefix):])
	if !ok {
		return "", false
	}
	if source[:len(sourcePrefix)] == sourcePrefix && source[len(sourcePrefix):] == hsaID {
		return source, true
	}
	return sourcePrefix + hsaID, true
}

// parseHSAID reads SE, ten digits of an organisation number (twelve with the century, as the national services write it),
// a hyphen, and at least one letter or digit: at most 31 characters. It gives them in upper case.
func parseHSAID(s string) (string, bool) {
	s = strings.ToUpper(s)
	organisation, unit, _ := strings.Cut(s, "-")
	number, swedish := strings.CutPrefix(organisation, "SE")
	lengthOK := len(s) <= 31 && (len(number) == 10 || len(number) == 12)
	if !swedish || !lengthOK || unit == "" || strings.Trim(number, digits) != "" || strings.Trim(unit, digits+letters) != "" {
		return "", false
	}
	return s, true
}

const (
	digits  = "0123456789"
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// isUUID takes the form of 36 characters only; the library also takes braces, a prefix, or no hyphens.
func isUUID(id string) bool { return len(id) == 36 && uuid.Validate(id) == nil }
