package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/support"
	"contactsync/sync/syncpg"
)

func parkedCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "parked",
		Short: "See what is parked or refused, and why; release it, or give it up",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(parkedListCommand(), parkedShowCommand(), parkedReleaseCommand(), parkedDropCommand())
	return c
}

// maxParkedPage bounds one page of the list.
const maxParkedPage = 10_000

func parkedListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List what is parked or refused, by reason and age",
		Long: `Tells for each reason how much is parked and since when at the most, then the newest ones. Persons stand there under a
pseudonym: the key of their events in Kafka. Nothing tells who they are; parked show does.`,
		Example: "  contactsync parked list --data DIR --reason person_unknown",
		Args:    usageArgs(cobra.NoArgs),
	}
	var place deskPlace
	place.addFlags(c)
	why := c.Flags().String("reason", "", "only this reason `CODE`")
	limit := c.Flags().Int("limit", 100, "at most so many, the newest first")
	asJSON := c.Flags().Bool("json", false, `print {"reasons","parked"}`)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if _, known := reason.Code(*why).Text(); *why != "" && !known {
			return usageError{errors.New("--reason is no reason code; the list without it shows those there are")}
		}
		if *limit < 1 || *limit > maxParkedPage {
			return usageError{fmt.Errorf("--limit is from 1 to %d", maxParkedPage)}
		}
		return place.visit(c.Context(), func(ctx context.Context, desk *support.Desk, _ event.Actor) error {
			list, err := desk.Parked(ctx, reason.Code(*why), *limit)
			if err != nil {
				return err
			}
			return showParkedList(c.OutOrStdout(), viewParkedList(desk, list), *asJSON)
		})
	}
	return c
}

func parkedShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "show PSEUDONYM|EVENT",
		Short: "Tell who is behind a parked decision, and what would release it",
		Long: `Tells the person, the reason and what would release it. A decision whose person could not be told is named by its event.
It is audited with the reason you give.`,
		Example: "  contactsync parked show --data DIR PSEUDONYM --reason 'The clinic asks why'",
		Args:    usageArgs(cobra.ExactArgs(1)),
	}
	var place deskPlace
	place.addFlags(c)
	ground := c.Flags().String("reason", "", "`TEXT` for the audit: what makes you look, 1 to 500 characters")
	asJSON := c.Flags().Bool("json", false, "print an array of objects; null is what there is not")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := support.JudgeGround(*ground); err != nil {
			return usageError{fmt.Errorf("--reason: %w", err)}
		}
		return place.visit(c.Context(), func(ctx context.Context, desk *support.Desk, staff event.Actor) error {
			found, err := desk.ShowParked(ctx, args[0], *ground, staff)
			if err != nil {
				return err
			}
			rows := each(found, func(p syncpg.ParkedDecision) shownParkedJSON { return viewShown(desk, p, place.lang) })
			return showParked(c.OutOrStdout(), rows, *asJSON)
		})
	}
	return c
}

type parkedListJSON struct {
	Reasons []parkedGroupJSON `json:"reasons"`
	Parked  []parkedJSON      `json:"parked"`
}

type parkedGroupJSON struct {
	Reason string    `json:"reason"`
	Count  int64     `json:"count"`
	Oldest time.Time `json:"oldest"`
}

type parkedJSON struct {
	Pseudonym *string   `json:"pseudonym"`
	Channel   *string   `json:"channel"`
	State     string    `json:"state"` // parked or refused
	Reason    string    `json:"reason"`
	Since     time.Time `json:"since"`
	EventID   string    `json:"eventId"`
}

// shownParkedJSON is a parkedJSON with the person.
type shownParkedJSON struct {
	Person *identityJSON `json:"person"`
	parkedJSON
	Text    string `json:"text"`
	Release string `json:"release"`
}

func viewParkedList(desk *support.Desk, list support.ParkedList) parkedListJSON {
	return parkedListJSON{
		each(list.Groups, func(g syncpg.ParkedGroup) parkedGroupJSON {
			return parkedGroupJSON{string(g.Reason), g.Count, g.Oldest.UTC()}
		}),
		each(list.Decisions, func(p syncpg.ParkedDecision) parkedJSON { return viewParked(desk, p) }),
	}
}

func viewParked(desk *support.Desk, p syncpg.ParkedDecision) parkedJSON {
	stage := support.Parked
	if p.Refused {
		stage = support.Refused
	}
	return parkedJSON{some(desk.Pseudonym(p)), some(p.Channel), string(stage), string(p.Reason), p.Since.UTC(), desk.EventRef(p)}
}

func viewShown(desk *support.Desk, p syncpg.ParkedDecision, lang string) shownParkedJSON {
	v := shownParkedJSON{parkedJSON: viewParked(desk, p), Release: in(support.Release(p.Reason), lang)}
	if text, ok := p.Reason.Text(); ok {
		v.Text = in(text, lang)
	}
	if !p.Person.IsZero() {
		v.Person = &identityJSON{p.Person.Root(), p.Person.RevealExtension()}
	}
	return v
}

func showParkedList(out io.Writer, v parkedListJSON, asJSON bool) error {
	if asJSON {
		return showJSON(out, v)
	}
	s := newSheet(out)
	fmt.Fprintln(s, "reason\tcount\toldest")
	for _, g := range v.Reasons {
		fmt.Fprintf(s, "%s\t%d\t%s\n", g.Reason, g.Count, when(g.Oldest))
	}
	fmt.Fprintln(s, "\npseudonym\tchannel\tstate\treason\tsince\tevent")
	for _, p := range v.Parked {
		fmt.Fprintf(s, "%s\t%s\t%s\t%s\t%s\t%s\n", orDash(p.Pseudonym), orDash(p.Channel), p.State, p.Reason, when(p.Since), p.EventID)
	}
	return s.Flush()
}

func showParked(out io.Writer, rows []shownParkedJSON, asJSON bool) error {
	if asJSON {
		return showJSON(out, rows)
	}
	s := newSheet(out)
	for i, p := range rows {
		if i > 0 {
			fmt.Fprintln(s)
		}
		person := "could not be told"
		if p.Person != nil {
			person = p.Person.Extension
		}
		s.line("person", person)
		s.line("channel", orDash(p.Channel))
		s.line(p.State, p.Reason, "since "+when(p.Since), "event "+p.EventID)
		s.line("why", p.Text)
		s.line("release", p.Release)
	}
	return s.Flush()
}
