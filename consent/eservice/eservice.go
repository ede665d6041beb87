// Package eservice holds the rules of each e-service: for whom it may speak.
//
// The rules judge shares only. A withdrawal is a No, and whoever brings it, it holds.
package eservice

import (
	"slices"

	"contactsync/consent/event"
	"contactsync/consent/reason"
)

// Rules says which actors a source may claim. The key is the source as event.Decision has it: urn:hsaid: and the HSA-id in
// upper case. A source without an entry may claim the resident and the guardian; one with an empty entry nobody. The zero
// Rules knows no e-service.
type Rules map[string][]event.Role

// Judge refuses a share whose source may not speak for its actor: a reason.Refusal with reason.ActorNotAllowed.
func (r Rules) Judge(d event.Decision) error {
	if !d.Share {
		return nil
	}
	allowed, known := r[d.Source]
	if !known {
		allowed = []event.Role{event.RoleResident, event.RoleGuardian}
	}
	if !slices.Contains(allowed, d.Actor.Role) {
		return &reason.Refusal{Field: "data.actor.role", Code: reason.ActorNotAllowed}
	}
	return nil
}
