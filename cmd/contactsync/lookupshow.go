package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"contactsync/consent/contact"
	"contactsync/contracts/contactsv1"
)

// lookedUpJSON is a lookedUp as lookup --json prints it. It is no type to keep personal data in: it is made to be printed.
type lookedUpJSON struct {
	Person    identityJSON `json:"person"`
	Found     bool         `json:"found"`
	Version   *string      `json:"version"`
	Protected bool         `json:"protected"` // by secrecy or by protected registration
	Mobile    *string      `json:"mobile"`
	Email     *string      `json:"email"`
}

type identityJSON struct {
	Root      string `json:"root"`
	Extension string `json:"extension"`
}

func (f lookedUp) json() lookedUpJSON {
	out := lookedUpJSON{
		Person: identityJSON{f.person.Root(), f.person.RevealExtension()},
		Mobile: f.own(contact.Mobile), Email: f.own(contact.Email),
	}
	if f.record != nil {
		out.Found, out.Version, out.Protected = true, &f.record.Version, f.record.Protected()
	}
	return out
}

// contactJSON is the same as told by the REST contract.
func contactJSON(person contact.PersonID, c contactsv1.Contact) lookedUpJSON {
	out := lookedUpJSON{
		Person: identityJSON{person.Root(), person.RevealExtension()}, Found: c.Found, Protected: c.ProtectedPerson || c.ProtectedPopulation,
		Mobile: valueIn(c.Mobile), Email: valueIn(c.Email),
	}
	if c.Found {
		out.Version = &c.Version
	}
	return out
}

func valueIn(d *contactsv1.Detail) *string {
	if d == nil {
		return nil
	}
	return &d.Value
}

func showFoundJSON(out io.Writer, found []lookedUpJSON) error { // never nil: an empty array, not null
	e := json.NewEncoder(out)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	return e.Encode(found)
}

func showFoundTable(out io.Writer, found []lookedUpJSON) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "person\tfound\tprotected\tmobile\temail\tversion")
	for _, row := range found {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", row.Person.Extension, yesNo(row.Found), yesNo(row.Protected),
			orDash(row.Mobile), orDash(row.Email), orDash(row.Version))
	}
	return t.Flush()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func orDash(text *string) string {
	if text == nil {
		return "-"
	}
	return *text
}
