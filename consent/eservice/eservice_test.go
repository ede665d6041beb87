package eservice_test

import (
	"testing"

	"contactsync/consent/eservice"
	"contactsync/consent/event"
	"contactsync/consent/reason"
)

func TestWhomASourceMaySpeakFor(t *testing.T) {
	t.Parallel()
	const desk, closed, other = "urn:hsaid:SE2321000016-DESK", "urn:hsaid:SE2321000016-SHUT", "urn:hsaid:SE2321000016-ES01"
	rules := eservice.Rules{desk: {event.RoleSupport}, closed: nil}
	for _, row := range []struct {
		says   string
		rules  eservice.Rules
		source string
		role   event.Role
		want   reason.Code
	}{
		{"an unknown e-service speaks for the resident", rules, other, event.RoleResident, ""},
		{"and for a guardian", rules, other, event.RoleGuardian, ""},
		{"but not as support", rules, other, event.RoleSupport, reason.ActorNotAllowed},
		{"nor as retention", rules, other, event.RoleRetention, reason.ActorNotAllowed},
		{"nor for nobody", rules, other, "", reason.ActorNotAllowed},
		{"a known one as it is written", rules, desk, event.RoleSupport, ""},
		{"and not beyond", rules, desk, event.RoleResident, reason.ActorNotAllowed},
		{"one with an empty entry speaks for nobody", rules, closed, event.RoleResident, reason.ActorNotAllowed},
		{"no rules know no e-service", nil, desk, event.RoleSupport, reason.ActorNotAllowed},
	} {
		t.Run(row.says, func(t *testing.T) {
			t.Parallel()
			share := event.Decision{Source: row.source, Share: true, Actor: event.Actor{Role: row.role}}
			if got := reason.Of(row.rules.Judge(share)); got != row.want {
				t.Errorf("share judged %q, want %q", got, row.want)
			}
			share.Share = false
			if err := row.rules.Judge(share); err != nil {
				t.Errorf("a withdrawal is refused: %v", err)
			}
		})
	}
}
