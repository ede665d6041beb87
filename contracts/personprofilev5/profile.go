package personprofilev5

// Limited leaves of a person what the profile holds. Which profile an element belongs to follows TKB 5.1 ch. 8 where that is
// known; the rest is our choice: what tells about the identity itself is in P1.
func (x Person) Limited(profile Profile) Person {
	if profile < P5 && x.Registration != nil {
		registration := *x.Registration
		registration.History, x.Registration = nil, &registration
	}
	if profile < P4 {
		x = x.withoutPopulationRegister()
	}
	if profile < P3 {
		x = x.withoutContacts()
	}
	if profile < P2 {
		x = x.withoutAddress()
	}
	return x
}

// Blanked leaves of a protected person what the restricted contract tells: P1, and not even the county.
func (x Person) Blanked() Person {
	x = x.Limited(P1)
	x.Locality = nil
	return x
}

func (x Person) withoutPopulationRegister() Person {
	x.MaritalStatus, x.Immigration, x.Citizenships, x.Relations, x.CoordinationNumber = nil, nil, nil, nil, nil
	if x.Birth != nil {
		x.Birth = &Birth{Date: x.Birth.Date}
	}
	return x
}

// withoutContacts takes the version away too: whoever has not seen the contact details must not be able to replace them.
func (x Person) withoutContacts() Person {
	x.Version, x.Entries, x.ContactPersons, x.OptoutPaper, x.Unknown = "", nil, nil, nil, nil
	x.Actor, x.PersonActor = nil, nil
	return x
}

func (x Person) withoutAddress() Person {
	x.Addresses, x.Registration, x.Confirmed, x.Administrative, x.Attachments = nil, nil, nil, nil, nil
	if x.Locality != nil {
		x.Locality = &Locality{CountyCode: x.Locality.CountyCode}
	}
	return x
}
