package personv3

import (
	"slices"
	"strconv"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

// Over is the update as the newest major would say it: what its caller sent, and of the record that it replaces what its caller
// could neither see nor say. A register judges and stores this, never the update alone, and reads the record under the very
// version that is replaced.
//
// An entry is the one that was stored if type, use and value are the same; then it stays as notifiable as it was. An entry of a
// contact person must be with the same person too, by relationship and names. The opt-out of paper stays, unless nothing
// notifiable is left: that would be refused, for a reason that the caller cannot see.
func (x Update) Over(stored personv4.Record) personv4.Update {
	update := x.canonical()
	keepNotification(update.Entries, stored.Entries)
	for sent, old := range pairs(update.ContactPersons, stored.ContactPersons, mayNotifyPerson, lookOfPerson, whoIs) {
		keepNotification(update.ContactPersons[sent].Entries, stored.ContactPersons[old].Entries)
	}
	update.OptoutPaper = stored.OptoutPaper
	if isTrue(update.OptoutPaper) && !slices.ContainsFunc(update.Entries, mayNotify) {
		update.OptoutPaper = new(false)
	}
	return update
}

func keepNotification(sent, stored []personv4.Entry) {
	for i, old := range pairs(sent, stored, mayNotify, lookOf, wayOf) {
		sent[i].DigitalNotification = stored[old].DigitalNotification
	}
}

// pairs finds for what was sent, by its index, what it was before. It looks at one key after the other: some may be alike by a
// later one and be told apart by an earlier. Of those that nothing tells apart each has one partner, in their order; if fewer
// were sent than are stored, those that notifiable tells of are still there: the caller took away one of what to it were equals.
func pairs[T any](sent, stored []T, notifiable func(T) bool, keys ...func(T) string) map[int]int {
	paired := map[int]int{}
	taken := map[int]bool{}
	for _, key := range keys {
		open, free := map[string][]int{}, map[string][]int{}
		for i, item := range sent {
			if _, done := paired[i]; !done {
				open[key(item)] = append(open[key(item)], i)
			}
		}
		for i, item := range stored {
			if !taken[i] {
				free[key(item)] = append(free[key(item)], i)
			}
		}
		for alike, waiting := range open {
			chosen := still(free[alike], len(waiting), func(i int) bool { return notifiable(stored[i]) })
			for n, i := range chosen {
				paired[waiting[n]], taken[i] = i, true
			}
		}
	}
	return paired
}

// still chooses at most so many of the list, in its order: the preferred before the others, and the earlier before the later.
func still(list []int, most int, preferred func(int) bool) []int {
	surplus := len(list) - most
	var kept []int
	for _, i := range slices.Backward(list) {
		if surplus > 0 && !preferred(i) {
			surplus--
			continue
		}
		kept = append(kept, i)
	}
	slices.Reverse(kept)
	return kept[:min(len(kept), most)]
}

// lookOf is all of an entry that this major shows.
func lookOf(e personv4.Entry) string {
	shown := shownEntry(e)
	return look(&shown)
}

func lookOfPerson(p personv4.ContactPerson) string {
	shown := shownContactPerson(p)
	return look(&shown)
}

func look(shown xsd.Body) string {
	text, _ := xsd.Encode(core("look"), shown) // only compared: what the schema forbids does not matter
	return string(text)
}

// wayOf is what an entry is the same by. Some stacks make no difference between an absent and an empty element.
func wayOf(e personv4.Entry) string { return texts(&e.Type, e.Use, e.Value) }

func whoIs(p personv4.ContactPerson) string {
	return texts(&p.Relationship, p.GivenName, p.MiddleName, p.SurName)
}

func texts(list ...*string) (all string) {
	for _, text := range list {
		if text == nil {
			text = new("")
		}
		all += strconv.Quote(*text)
	}
	return all
}

func mayNotify(e personv4.Entry) bool { return isTrue(e.DigitalNotification) }

func mayNotifyPerson(p personv4.ContactPerson) bool { return slices.ContainsFunc(p.Entries, mayNotify) }

func isTrue(b *bool) bool { return b != nil && *b }

// Portable tells whether each major and each twin can show the update's further elements and write them back. Those of a
// namespace that one of them gives a meaning to are none of "other namespaces" there: a record that held one could be read or
// changed by some contracts and not by the others.
func Portable(update personv4.Update) bool {
	var own []string
	for _, unrestricted := range []bool{false, true} {
		own = append(own, UpdateOperation(unrestricted).Namespace(), personv4.UpdateOperation(unrestricted).Namespace())
	}
	own = append(own, Namespace, personv4.Namespace)
	return !update.HasUnknown(func(e rivta.Element) bool { return slices.Contains(own, e.Name.Space) })
}
