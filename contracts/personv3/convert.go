package personv3

import "contactsync/contracts/personv4"

// shown is what this major shows of a register's record. Whoever is protected in any way looks secrecy-marked: old systems know
// that mark and act on it.
func shown(r personv4.Record) Record {
	return Record{
		Version:         r.Version,
		Person:          r.Person,
		Entries:         each(r.Entries, shownEntry),
		ContactPersons:  each(r.ContactPersons, shownContactPerson),
		ProtectedPerson: r.Protected(),
		Actor:           maybe(r.Actor, shownActor),
		Unknown:         r.Unknown,
	}
}

func shownEntry(e personv4.Entry) Entry {
	return Entry{Type: e.Type, Use: e.Use, Value: e.Value, Rank: e.Rank, Comment: e.Comment, Period: e.Period, Unknown: e.Unknown}
}

func shownContactPerson(p personv4.ContactPerson) ContactPerson {
	return ContactPerson{
		Relationship: p.Relationship, PriorityOrder: p.PriorityOrder, GivenName: p.GivenName, SurName: p.SurName, MiddleName: p.MiddleName,
		Address: p.Address, Entries: each(p.Entries, shownEntry), Unknown: p.Unknown,
	}
}

func shownActor(a personv4.Actor) Actor {
	return Actor{ID: a.ID, Professional: a.Professional, Unknown: a.Unknown}
}

func shownResult(r personv4.Result) Result {
	return Result{OK: r.OK, Text: r.Text, Code: r.Code, Record: maybe(r.Record, shown)}
}

// canonical is an update in the newest major. What this one cannot say is not there; see Over.
func (x Update) canonical() personv4.Update {
	return personv4.Update{
		Actor:           personv4.Actor{ID: x.Actor.ID, Professional: x.Actor.Professional, Unknown: x.Actor.Unknown},
		Person:          x.Person,
		VersionToUpdate: x.VersionToUpdate,
		Entries:         each(x.Entries, canonicalEntry),
		ContactPersons:  each(x.ContactPersons, canonicalContactPerson),
		Unknown:         x.Unknown,
	}
}

func canonicalEntry(e Entry) personv4.Entry {
	return personv4.Entry{Type: e.Type, Use: e.Use, Value: e.Value, Rank: e.Rank, Comment: e.Comment, Period: e.Period, Unknown: e.Unknown}
}

func canonicalContactPerson(p ContactPerson) personv4.ContactPerson {
	return personv4.ContactPerson{
		Relationship: p.Relationship, PriorityOrder: p.PriorityOrder, GivenName: p.GivenName, SurName: p.SurName, MiddleName: p.MiddleName,
		Address: p.Address, Entries: each(p.Entries, canonicalEntry), Unknown: p.Unknown,
	}
}

// each converts a list; none stays nil.
func each[A, B any](list []A, convert func(A) B) []B {
	var converted []B
	for _, item := range list {
		converted = append(converted, convert(item))
	}
	return converted
}

func maybe[A, B any](value *A, convert func(A) B) *B {
	if value == nil {
		return nil
	}
	converted := convert(*value)
	return &converted
}
