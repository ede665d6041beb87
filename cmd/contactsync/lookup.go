package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
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
		Long: fmt.Sprintf(`Asks over GetPersonContactInformationUnrestricted 4 and prints the residents' own mobile numbers and e-mail
addresses, in the order asked. A PERSON is twelve digits; - takes one a line from standard input, at most %d.
What is no identity is told on standard error by its place and reason code, and makes the exit code 1; the others are
looked up. Exit code 75 if the register cannot be reached.`, maxLookups),
		Example: "  contactsync lookup --data DIR 197205179802\n  contactsync lookup --data DIR --json - < persons.txt",
		Args:    cobra.MinimumNArgs(1),
	}
	var place registerPlace
	c.Flags().StringVar(&place.data, "data", "", "data `DIR` of a running dev, to find its register and the certificate of a care system")
	c.Flags().StringVar(&place.url, "register", "", "`URL` of the register, https://host:port")
	c.Flags().StringVar(&place.ca, "ca", "", "`FILE` with the authority that the register's certificate is from")
	c.Flags().StringVar(&place.cert, "cert", "", "`FILE` with the client certificate")
	c.Flags().StringVar(&place.key, "key", "", "`FILE` with the key of the client certificate")
	c.Flags().StringVar(&place.logicalAddress, "logical-address", registerAddress, "`HSA-ID` that the register is addressed by")
	asJSON := c.Flags().Bool("json", false, "print an array of objects; null is what there is not")
	c.RunE = func(c *cobra.Command, args []string) error {
		show := showFoundTable
		if *asJSON {
			show = showFoundJSON
		}
		return lookup(c, place, personLines(c, args), show)
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

func lookup(c *cobra.Command, place registerPlace, lines io.Reader, show func(io.Writer, []lookedUp) error) error {
	client, err := place.client()
	if err != nil {
		return err
	}
	persons, refused, err := readPersons(lines, time.Now())
	if err != nil {
		return err
	}
	for _, r := range refused {
		if err := printFinding(c.ErrOrStderr(), r.line, event.Finding{Field: "person", Code: r.code}); err != nil {
			return err
		}
	}
	found, err := findAll(c.Context(), client, persons)
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
func findAll(ctx context.Context, client *personv4.Client, persons []contact.PersonID) ([]lookedUp, error) {
	found := make([]lookedUp, len(persons))
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
			found[i] = lookedUp{person, record}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, lookupError(err)
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
