package mockregister

import (
	"testing"

	"contactsync/contracts/personv4"
)

// staff is a member of staff who acts for an organisation.
func staff() personv4.Actor {
	return personv4.Actor{ID: personv4.ID{Root: "1.2.752.129.2.1.4.1", Extension: "SE2321000016-1A2B"},
		Professional: &personv4.Professional{Organization: personv4.ID{Root: "1.2.752.129.2.1.4.1", Extension: "SE2321000016-UNIT"}}}
}

func TestWhoActsInTheNameOfStaff(t *testing.T) {
	t.Parallel()
	person := personv4.ID{Root: personv4.RootPersonnummer, Extension: plantedPerson}
	guardian := personv4.ID{Root: personv4.RootPersonnummer, Extension: "198705179821"}
	newcomer := personv4.ID{Root: personv4.RootSamordningsnummer, Extension: "198507619808"}
	reserve := personv4.ID{Root: "1.2.752.74.9.1", Extension: "R1"}
	for name, tt := range map[string]struct {
		actor  personv4.Actor
		person personv4.ID
		want   bool
	}{
		"the resident":                              {personv4.Actor{ID: person}, person, false},
		"a guardian":                                {personv4.Actor{ID: guardian}, person, false},
		"a guardian with a coordination number":     {personv4.Actor{ID: newcomer}, person, false},
		"a resident with another kind of identity":  {personv4.Actor{ID: reserve}, reserve, false},
		"somebody else with such an identity":       {personv4.Actor{ID: reserve}, person, true},
		"staff":                                     {staff(), person, true},
		"staff that leaves its organisation out":    {personv4.Actor{ID: staff().ID}, person, true},
		"a resident who acts for an organisation":   {personv4.Actor{ID: person, Professional: staff().Professional}, person, true},
		"the resident's number as another identity": {personv4.Actor{ID: personv4.ID{Root: reserve.Root, Extension: person.Extension}}, person, true},
	} {
		if got := byStaff(personv4.Update{Actor: tt.actor, Person: tt.person}); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
