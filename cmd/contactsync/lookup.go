package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/contracts/contactsv1"
	"contactsync/contracts/personv4"
	"contactsync/sync/register"
)

const (
	maxLookups    = 10_000 // in one run: answers are kept until all are there
	lookupsAtOnce = 8
	lookupTimeout = 10 * time.Second // for one person, repeated attempts included
)

func lookupCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "lookup PERSON…|-",
		Short: "Ask the register for contact details, as a care system would",
		Long: fmt.Sprintf(`Asks over GetPersonContactInformationUnrestricted 4, person by person, or with --contract contactsv1 over the REST
contract, a thousand at a time, and prints the residents' own mobile numbers and e-mail addresses, in the order asked. A PERSON is twelve digits; - takes one a line from standard input, at most %d.
What is no identity is told on standard error by its place and reason code, and makes the exit code 1; the others are
looked up. Exit code 75 if the register cannot be reached.`, maxLookups),
		Example: "  contactsync lookup --data DIR 197205179802\n  contactsync lookup --data DIR --json - < persons.txt",
		Args:    cobra.MinimumNArgs(1),
	}
	var place registerPlace
	place.addFlags(c)
	c.Flags().StringVar(&place.logicalAddress, "logical-address", registerAddress, "`HSA-ID` that the register is addressed by")
	contract := c.Flags().String("contract", contractPersonV4, "the `CONTRACT` to ask over: personv4, which the national service has too, or contactsv1")
	asJSON := c.Flags().Bool("json", false, "print an array of objects; null is what there is not")
	c.RunE = func(c *cobra.Command, args []string) error {
		show := showFoundTable
		if *asJSON {
			show = showFoundJSON
		}
		find, err := place.finder(*contract)
		if err != nil {
			return err
		}
		return lookup(c, find, personLines(c, args), show)
	}
	return c
}

// personLines gives the identities one a line, however they were given.
func personLines(c *cobra.Command, args []string) io.Reader {
	if len(args) == 1 && args[0] == "-" {
		return c.InOrStdin()
	}
	return strings.NewReader(strings.Join(args, "\n"))
}

// The contracts that lookup knows.
const (
	contractPersonV4   = "personv4"
	contractContactsV1 = "contactsv1"
)

// finder looks persons up, and tells of each in the order asked.
type finder func(context.Context, []contact.PersonID) ([]lookedUpJSON, error)

func (p registerPlace) finder(contract string) (finder, error) {
	switch contract {
	case contractPersonV4:
		client, err := p.client()
		return func(ctx context.Context, persons []contact.PersonID) ([]lookedUpJSON, error) {
			return findAll(ctx, client, persons)
		}, err
	case contractContactsV1:
		client, err := p.contacts()
		return func(ctx context.Context, persons []contact.PersonID) ([]lookedUpJSON, error) {
			return findInBulk(ctx, client, persons)
		}, err
	}
	return nil, usageError{errors.New("--contract is personv4 or contactsv1")}
}

func lookup(c *cobra.Command, find finder, lines io.Reader, show func(io.Writer, []lookedUpJSON) error) error {
	persons, refused, err := readPersons(lines, time.Now())
	if err != nil {
		return err
	}
	for _, r := range refused {
		if err := printFinding(c.ErrOrStderr(), r.line, event.Finding{Field: "person", Code: r.code}); err != nil {
			return err
		}
	}
	found, err := find(c.Context(), persons)
	if err != nil {
		return err
	}
	if err := show(c.OutOrStdout(), found); err != nil {
		return err
	}
	if len(refused) > 0 {
		return exitError{exitFailure}
	}
	return nil
}

// refusedLine is a line that names no person.
type refusedLine struct {
	line int
	code reason.Code
}

func readPersons(lines io.Reader, today time.Time) (persons []contact.PersonID, refused []refusedLine, err error) {
	for line, err := range event.Lines(lines) {
		if err != nil {
			return nil, nil, fmt.Errorf("read line %d: %w", line.Number, err)
		}
		if len(persons)+len(refused) == maxLookups {
			return nil, nil, usageError{fmt.Errorf("more than %d persons: look them up in parts", maxLookups)}
		}
		extension := strings.TrimSpace(string(line.Text))
		person, err := contact.ParsePersonID(rootOf(extension), extension, today)
		if err != nil {
			refused = append(refused, refusedLine{line.Number, reason.Of(err)})
			continue
		}
		persons = append(persons, person)
	}
	return persons, refused, nil
}

// rootOf tells a samordningsnummer by its day, to which 60 is added; 60 itself is an unknown day.
func rootOf(extension string) string {
	if len(extension) == 12 && extension[6:8] >= "60" {
		return contact.RootSamordningsnummer
	}
	return contact.RootPersonnummer
}

// lookedUp is what the register has about a person; nil when it does not know the person.
type lookedUp struct {
	person contact.PersonID
	record *personv4.Record
}

// findAll asks for every person, some at a time. The first failure ends it: a register that fails once is not asked on.
func findAll(ctx context.Context, client *personv4.Client, persons []contact.PersonID) ([]lookedUpJSON, error) {
	found := make([]lookedUpJSON, len(persons))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookupsAtOnce)
	for i, person := range persons {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
			defer cancel()
			record, err := client.Get(ctx, personv4.ID{Root: person.Root(), Extension: person.RevealExtension()})
			found[i] = lookedUp{person, record}.json()
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, lookupError(err)
	}
	return found, nil
}

// findInBulk asks for as many persons in a call as the contract allows.
func findInBulk(ctx context.Context, client *contactsv1.Client, persons []contact.PersonID) ([]lookedUpJSON, error) {
	found := make([]lookedUpJSON, 0, len(persons))
	for part := range slices.Chunk(persons, contactsv1.MaxItems) {
		asked := make([]contactsv1.Person, len(part))
		for i, person := range part {
			asked[i] = contactsv1.Person{Root: person.Root(), Extension: person.RevealExtension()}
		}
		ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
		contacts, err := client.Lookup(ctx, asked)
		cancel()
		if err != nil {
			return nil, lookupError(err)
		}
		for i, c := range contacts {
			found = append(found, contactJSON(part[i], c))
		}
	}
	return found, nil
}

// own returns the resident's own value of a channel, the first if there are several, and nil if there is none.
func (f lookedUp) own(channel contact.Channel) *string {
	if f.record == nil {
		return nil
	}
	code := register.DefaultCodes()[channel]
	for _, e := range f.record.Entries {
		if e.Type == code.Type && e.Use != nil && *e.Use == code.Use && e.Value != nil && *e.Value != "" {
			return e.Value
		}
	}
	return nil
}
