package contracttest_test

import (
	"encoding/xml"
	"testing"

	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

func personnummer(digits string) personv4.ID {
	return personv4.ID{Root: personv4.RootPersonnummer, Extension: digits}
}

func TestMemoryConforms(t *testing.T) {
	t.Parallel()
	unknown := []rivta.Element{{Name: xml.Name{Space: "urn:elsewhere", Local: "kept"}, Text: " as it is\n"}}
	rich := personv4.Record{Person: personnummer("198507099805"), Unknown: unknown,
		Entries: []personv4.Entry{{Type: "tel", Unknown: unknown}},
		ContactPersons: []personv4.ContactPerson{{Relationship: "son", GivenName: new(""), Unknown: unknown,
			Entries: []personv4.Entry{{Type: "tel", Unknown: unknown}}}}}
	protected := personv4.Record{Person: personnummer("199001019802"), ProtectedPerson: true,
		Entries: []personv4.Entry{contracttest.Mobile()}}
	registration := personv4.Record{Person: personnummer("197605179816"), ProtectedPopulation: new(true),
		Entries: []personv4.Entry{contracttest.Mobile()}}
	deceased := personv4.Record{Person: personnummer("193001019805")}
	contracttest.Conformance(t, func(t *testing.T) contracttest.Register {
		person := personv4.Record{Person: personnummer("201701012393")}
		memory := contracttest.NewMemory([]string{"SE2321000016-SYS1"}, person, rich, protected, registration, deceased)
		memory.Bury(deceased.Person)
		return contracttest.Register{
			Handler:        memory.Handler("SE165565594230-1000"),
			LogicalAddress: "SE165565594230-1000", System: "SE2321000016-SYS1", Stranger: "SE2321000016-STR1",
			Person: person.Person, Rich: rich.Person, Protected: protected.Person, Registration: registration.Person, Deceased: deceased.Person,
			Unknown: personnummer("191212121212"),
		}
	})
}
