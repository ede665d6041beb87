package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"contactsync/cmd/internal/auditing"
	"contactsync/consent/event"
)

// maxWho bounds one page of audit who.
const maxWho = 10_000

// whoFlags are the flags of audit who.
type whoFlags struct {
	auditPlace
	asker
	limit  int
	after  string
	asJSON bool
}

func auditWhoCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "who PERSON|-",
		Short: "Tell who looked at or changed what about a person",
		Long: `Tells from all three logs who looked at or changed what about the person, when, through what, on which ground and with what
outcome, the newest first. It is itself audited, also when it finds nothing.
It looks under all numbers that are known to be the person's.
PERSON is twelve digits; - takes it from standard input, where no list of processes shows it.`,
		Example: "  contactsync audit who --data DIR - --reason 'The resident asks' < person.txt",
		Args:    usageArgs(cobra.ExactArgs(1)),
	}
	var f whoFlags
	f.auditPlace.addFlags(c)
	f.asker.addFlags(c)
	c.Flags().IntVar(&f.limit, "limit", 100, "at most so many, the newest first")
	c.Flags().StringVar(&f.after, "after", "", "`PLACE` where the page before says that the next one begins")
	c.Flags().BoolVar(&f.asJSON, "json", false, `print {"person","entries","next"}; null is what there is not`)
	c.RunE = func(c *cobra.Command, args []string) error {
		staff, err := f.judge(f.data)
		if err != nil {
			return err
		}
		return f.who(c, args[0], staff)
	}
	return c
}

func (f whoFlags) who(c *cobra.Command, arg string, staff event.Actor) error {
	q := auditing.Question{By: staff, Ground: f.ground, Limit: f.limit}
	if f.limit < 1 || f.limit > maxWho {
		return usageError{fmt.Errorf("--limit is from 1 to %d", maxWho)}
	}
	if f.after != "" {
		mark, err := auditing.ParseMark(f.after)
		if err != nil {
			return usageError{fmt.Errorf("--after: %w", err)}
		}
		q.After = &mark
	}
	var err error
	if q.Person, err = personArgument(c, arg); err != nil {
		return err
	}
	return f.visit(c.Context(), func(ctx context.Context, r auditing.Reader) error {
		ctx, cancel := context.WithTimeout(ctx, deskTimeout)
		defer cancel()
		entries, next, err := r.Who(ctx, q)
		if errors.Is(err, context.DeadlineExceeded) {
			return tryAgainError{err}
		}
		if err != nil {
			return err
		}
		v := whoJSON{Person: identityJSON{q.Person.Root(), q.Person.RevealExtension()}, Entries: each(entries, viewLogged)}
		if next != nil {
			v.Next = new(next.String())
		}
		return showWho(c.OutOrStdout(), v, f.asJSON)
	})
}

type whoJSON struct {
	Person  identityJSON `json:"person"`
	Entries []loggedJSON `json:"entries"`
	Next    *string      `json:"next"` // for --after
}

type loggedJSON struct {
	At          time.Time `json:"at"`
	Log         string    `json:"log"`
	ID          string    `json:"id"`
	Number      string    `json:"number"` // of the person, that the entry is under
	Actor       *string   `json:"actor"`
	System      *string   `json:"system"`
	Original    *string   `json:"original"`
	Unit        *string   `json:"unit"`
	Contract    *string   `json:"contract"`
	Correlation *string   `json:"correlation"`
	Action      string    `json:"action"`
	Channel     *string   `json:"channel"`
	Ground      *string   `json:"ground"`
	EventID     *string   `json:"eventId"`
	Outcome     string    `json:"outcome"`
	Version     *string   `json:"version"`
}

func viewLogged(e auditing.Entry) loggedJSON {
	return loggedJSON{At: e.At.UTC(), Log: e.Log, ID: e.ID.String(), Number: e.Person.RevealExtension(), Actor: some(e.Actor), System: some(e.System), Original: some(e.Original), Unit: some(e.Unit),
		Contract: some(e.Contract), Correlation: some(e.Correlation), Action: e.Action, Channel: some(e.Channel), Ground: some(e.Ground),
		EventID: some(e.EventID), Outcome: e.Outcome, Version: some(e.Version)}
}

func showWho(out io.Writer, v whoJSON, asJSON bool) error {
	if asJSON {
		return showJSON(out, v)
	}
	s := newSheet(out)
	fmt.Fprintln(s, "when\tlog\twho\tsystem\tdid\tchannel\tthrough\tground\toutcome")
	for _, e := range v.Entries {
		fmt.Fprintf(s, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", when(e.At), e.Log, printed(orDash(e.Actor)), printed(orDash(e.System)), printed(e.Action),
			printed(orDash(e.Channel)), printed(orDash(e.Contract)), printed(orDash(e.Ground)), printed(e.Outcome))
	}
	if len(v.Entries) == 0 {
		fmt.Fprintln(s, "none")
	}
	if v.Next != nil {
		fmt.Fprintf(s, "\nThere is more: --after %s\n", *v.Next)
	}
	return s.Flush()
}
