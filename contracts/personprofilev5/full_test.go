package personprofilev5

import (
	"encoding/xml"
	"reflect"
	"testing"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

func personnummer(digits string) personv4.ID {
	return personv4.ID{Root: personv4.RootPersonnummer, Extension: digits}
}

func date(text string) *PartialDate {
	return &PartialDate{Format: "YYYY-MM-DD"[:len(text)], Value: text, Unknown: unknown()}
}

// unknown is something that no schema of ours has.
func unknown() []rivta.Element {
	return []rivta.Element{{Name: xml.Name{Space: "urn:example:elsewhere", Local: "kept"}, Text: " as it is\n"}}
}

// fullPerson has every element of the schema, and something unknown wherever there is room.
func fullPerson() Person {
	name := &Name{GivenNameIndicator: new(20), GivenName: new("Tove Vera"), MiddleName: new("Mellan"), Surname: new("Testsson"),
		NotificationName: new("Testsson, Vera"), Unknown: unknown()}
	address := &personv4.Address{CareOf: new("Testsson"), PostalAddress1: new("Provgatan 1"), PostalAddress2: new("lgh 1001"),
		PostalCode: new(12345), City: new("Provköping"), Unknown: unknown()}
	locality := Locality{Date: date("2011-02-01"), CountyCode: new("06"), MunicipalityCode: new("80"), ParishCode: new("01"),
		PropertyDesignation: new("EXEMPLET 1:23"), FictitiousPropertyNumber: new(7), Type: new("F"), From: new("2011-02-01T08:00:00"),
		To: new("2026-01-01T00:00:00.5+01:00"), Unknown: unknown()}
	gone := &Deregistration{Reason: new(Emigrated), Date: date("2023-08-31"), FoundDead: date("2024"), Unknown: unknown()}
	entry := personv4.Entry{Type: "tel", Use: new("mobile"), Value: new("+46701740605"), Rank: new(1), Comment: new("på <dagtid>"),
		Period:              &personv4.Period{Start: new("2026-01-01"), End: new("2027-12-31"), Unknown: unknown()},
		DigitalNotification: new(true), Unknown: unknown()}
	actor := &personv4.Actor{ID: personv4.ID{Root: "1.2.752.29.6.2.1", Extension: "SE2321000016-10F4"},
		Professional: &personv4.Professional{Organization: personv4.ID{Root: "2.5.4.97", Extension: "556559-4230"}, Unknown: unknown()},
		UpdateTime:   "20261123120000", Unknown: unknown()}
	return Person{
		ID: personnummer("201701012393"), IdentityLevel: new(LevelProven), IdentityLevelDate: date("2025-03"), Gender: new("K"),
		ProtectedPerson: true, Test: true, Primary: true, Version: "20261123120000", Name: name,
		Linked: []LinkedIdentity{{ID: personv4.ID{Root: personv4.RootSamordningsnummer, Extension: "197010632391"},
			AssuranceLevel: LevelProven, Primary: true, Unknown: unknown()}},
		Referred: []ReferredIdentity{{ID: personnummer("198507099805"), Status: new(StatusNew), Unknown: unknown()}},
		Birth: &Birth{Date: date("2017-01-01"), Sweden: &PlaceOfBirth{CountyCode: new("06"), Parish: new("Provköping"), Unknown: unknown()},
			Abroad: &BirthAbroad{Place: new("Exampleton"), Country: new("STORBRITANNIEN"), Unknown: unknown()}, Unknown: unknown()},
		Locality: &locality,
		Registration: &RegistrationRecord{SynchronizationTime: new("2026-11-23T12:00:00Z"),
			Case: &NotificationCase{RecordID: new("0123456789abcdef"), Type: new("FLYTT"), ModificationTime: new("2026-11-23T24:00:00"),
				TotalRecord: new(true), Date: date("2026-11-23"), Unknown: unknown()},
			History: &History{Localities: []Locality{locality}, Address: address, Unknown: unknown()}, Unknown: unknown()},
		Addresses: &Addresses{Residential: address,
			NationalKeys: &NationalKeys{PropertyID: new("0123456789"), AddressPlaceID: new(maxKey), ApartmentID: new(1), Unknown: unknown()},
			District:     &District{Code: new("101068"), Unknown: unknown()}, Special: address,
			Abroad: &AddressAbroad{PostalAddress1: new("5 Example Street"), PostalAddress2: new("Exampleton"), PostalAddress3: new("EX1 1AA"),
				CountryCode: new("GB"), Date: date("2023-08-31"), VotingDate: date("2024-08-31"), Unknown: unknown()},
			Given: address, UUID: &PropertyUUIDs{PropertyID: new("p"), AddressPlaceID: new("a"), ApartmentID: new("l"), Unknown: unknown()},
			Unknown: unknown()},
		Entries: []personv4.Entry{entry, {Type: "mail", Value: new("")}},
		ContactPersons: []personv4.ContactPerson{{Relationship: "son", PriorityOrder: new(2), GivenName: new("Nils"), SurName: new("Testsson"),
			MiddleName: new("Mellan"), Address: address, Entries: []personv4.Entry{entry}, Unknown: unknown()}},
		Confirmed: []ConfirmedIdentity{{Type: new("pass"), Number: new("AA123456"), Issuer: new("Polisen"),
			Valid:       &personv4.Period{Start: new("2026-01-01"), End: new("2027-12-31"), Unknown: unknown()},
			Attachments: []string{"1", "2"}, CountryCode: new("SE"), Unknown: unknown()}},
		Administrative: &AdministrativeInformation{Category: new("asyl"), AccountCode: new("1"), Comment: new("se bilaga"), Unknown: unknown()},
		Deregistration: gone, MaritalStatus: &MaritalStatus{Code: new("G"), Date: date("2011-06-04"), Unknown: unknown()},
		Immigration: &Immigration{Date: date("2001"), RightOfResidence: new(true),
			Identities: []ForeignIdentity{{Number: "010203-123A", Country: "FI", Unknown: unknown()}}, Unknown: unknown()},
		Citizenships: []Citizenship{{Country: new("SE"), Date: date("2005-01-31"), Status: new("1"), Unknown: unknown()}, {}},
		Relations: []Relation{{Other: RelationID{Person: new(personnummer("198507099805")), Born: date("1985-07-09"), Unknown: unknown()},
			Type: Guardian, From: date("2017-01-01"), To: date("2035-01-01"), Name: name, Deregistration: gone, Status: new("1"),
			Unknown: unknown()}},
		CoordinationNumber: &CoordinationNumber{Allocated: date("2001-01-01"), PreliminaryTransfer: date("2006-01-01"),
			Renewal: date("2011-01-01"), Deceased: date("2012-01-01"), Unknown: unknown()},
		IdentityStatus: &IdentityStatus{Status: new(StatusDeregistered), Date: date("2025-03-03"), Cause: new(CauseReplaced), Unknown: unknown()},
		PersonActor:    actor, Actor: actor,
		Attachments: []Attachment{{ID: new("1"), MediaType: "text/plain", Value: new("w6U= "), Reference: new("https://files.example/1"),
			Unknown: unknown()}},
		OptoutPaper: new(true), ProtectedPopulation: new(false), Unknown: unknown(),
	}
}

// TestFullPersonIsFull keeps fullPerson true when the types grow: what is in no test person is in no test.
func TestFullPersonIsFull(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	var visit func(path string, v reflect.Value)
	visit = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				visit(path, v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				visit(path, v.Index(i))
			}
		case reflect.Struct:
			if v.Type().PkgPath() != reflect.TypeFor[Person]().PkgPath() {
				return // personv4 tests its own
			}
			for i := range v.NumField() {
				if field := v.Type().Field(i); !field.Anonymous {
					name := v.Type().Name() + "." + field.Name
					seen[name] = seen[name] || !v.Field(i).IsZero()
					visit(name, v.Field(i))
				}
			}
		}
	}
	visit("", reflect.ValueOf(fullPerson()))
	for name, given := range seen {
		if !given {
			t.Errorf("%s is nowhere given", name)
		}
	}
}
