package mockregister

import (
	"time"

	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
)

// withFamilies are children and those who have custody of them. Who belongs to whom stands in custodies and parenthoods.
func withFamilies(today time.Time) []seedPerson {
	aged := func(years int) time.Time { return today.AddDate(-years, 0, 0) }
	return []seedPerson{
		{TestPerson: adult("Maja Tvåbarnsson", "guardian_of_two", 1987, 982), content: bothChannels()},
		{TestPerson: adult("Per Tvåbarnsson", "second_guardian", 1986, 981)},
		{TestPerson: child("Stora Tvåbarnsson", "elder_sibling", aged(8))},
		{TestPerson: child("Lilla Tvåbarnsson", "younger_sibling", aged(4))},
		{TestPerson: adult("Hanna Hemligsson", "protected_guardian", 1988, 982), secrecy: true},
		{TestPerson: child("Nils Hemligsson", "child_of_protected_guardian", aged(7))},
		{TestPerson: adult("Greta Skyddsson", "guardian_of_protected_child", 1989, 982)},
		{TestPerson: child("Ebba Skyddsson", "protected_child", aged(6)), protectedPopulation: true},
	}
}

// withChanges are persons whose place in the population register is not the usual one.
func withChanges() []seedPerson {
	return []seedPerson{
		{TestPerson: TestPerson{"Ny Nummersson", "replaced_coordination_number", personv4.RootSamordningsnummer,
			samordningsnummer(birthday(1983), 981)}, content: bothChannels()},
		{TestPerson: adult("Ny Nummersson", "replacing_personal_number", 1983, 981), particulars: immigrated()},
		{TestPerson: adult("Ulla Utlandsson", "emigrated", 1968, 982), deregistration: personprofilev5.Emigrated,
			deregisteredOn: new(time.Date(2023, time.August, 31, 0, 0, 0, 0, time.UTC)), particulars: abroad()},
		{TestPerson: adult("Anna Maria Mellan Flernamn", "many_names", 1974, 982), content: bothChannels(), particulars: manyNames()},
	}
}

// family is one adult and one child, by their states.
type family struct{ child, adult, kind string }

// custodies tell who is guardian of whom, since the child was born.
func custodies() []family {
	return []family{
		{child: "child_under_13", adult: "guardian"},
		{child: "child_13", adult: "guardian"},
		{child: "elder_sibling", adult: "guardian_of_two"},
		{child: "elder_sibling", adult: "second_guardian"},
		{child: "younger_sibling", adult: "guardian_of_two"},
		{child: "child_of_protected_guardian", adult: "protected_guardian"},
		{child: "protected_child", adult: "guardian_of_protected_child"},
	}
}

// parenthoods tell who is whose mother or father. They differ from custodies: a grown-up has parents, and no guardian.
func parenthoods() []family {
	return []family{
		{"child_under_13", "guardian", personprofilev5.Mother},
		{"elder_sibling", "guardian_of_two", personprofilev5.Mother},
		{"elder_sibling", "second_guardian", personprofilev5.Father},
		{"younger_sibling", "guardian_of_two", personprofilev5.Mother},
		{"younger_sibling", "second_guardian", personprofilev5.Father},
		{"empty", "deceased", personprofilev5.Mother},
	}
}

// replacement is an identity that another one has replaced, by their states.
type replacement struct {
	old, primary string
	on           time.Time
}

func replacements() []replacement {
	return []replacement{
		{"replaced_coordination_number", "replacing_personal_number", time.Date(2025, time.March, 3, 0, 0, 0, 0, time.UTC)},
	}
}

func immigrated() *personprofilev5.Person {
	return &personprofilev5.Person{
		Birth:        &personprofilev5.Birth{Abroad: &personprofilev5.BirthAbroad{Place: new("Påhittenburg"), Country: new("FINLAND")}},
		Immigration:  &personprofilev5.Immigration{Date: dayText("2025-03-03")},
		Citizenships: []personprofilev5.Citizenship{{Country: new("FI"), Date: dayText("1983-05-17")}},
	}
}

func abroad() *personprofilev5.Person {
	return &personprofilev5.Person{Addresses: &personprofilev5.Addresses{Abroad: &personprofilev5.AddressAbroad{
		PostalAddress1: new("Made-up Street 5"), PostalAddress2: new("Exampleton"), CountryCode: new("GB"), Date: dayText("2023-08-31"),
	}}}
}

// manyNames has something in every profile.
func manyNames() *personprofilev5.Person {
	return &personprofilev5.Person{
		Name: &personprofilev5.Name{GivenNameIndicator: new(20), GivenName: new("Anna Maria"), MiddleName: new("Mellan"),
			Surname: new("Flernamn"), NotificationName: new("Flernamn, Maria")},
		Birth: &personprofilev5.Birth{Sweden: &personprofilev5.PlaceOfBirth{CountyCode: new("06"), Parish: new("PÅHITTE")}},
		Locality: &personprofilev5.Locality{Date: dayText("2011-02-01"), CountyCode: new("06"), MunicipalityCode: new("80"),
			PropertyDesignation: new("EXEMPLET 1:23")},
		Addresses: &personprofilev5.Addresses{
			Residential: &personv4.Address{CareOf: new("Testsson"), PostalAddress2: new("Påhittade gatan 7 lgh 1101"),
				PostalCode: new(12345), City: new("Exempelstad")},
			Special: &personv4.Address{PostalAddress2: new("Box 99"), PostalCode: new(12399), City: new("Exempelstad")},
		},
		MaritalStatus: &personprofilev5.MaritalStatus{Code: new("G"), Date: dayText("2011-06-04")},
		Citizenships:  []personprofilev5.Citizenship{{Country: new("SE")}},
	}
}
