package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"contactsync/contracts/contactsv1"
)

func changesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "changes",
		Short: "Read from the register what changed, as a care system would",
		Long: `Reads the change feed of the REST contract contactsv1 and prints a line for each signal: time, person, channel, and the version
of the record. A signal holds no phone number and no address: look the person up. It begins with the oldest signal that is kept, or where
--cursor says, and ends when there is no more, or with --follow on Ctrl-C. In the end it prints on standard error the cursor
to go on from. Exit code 75 if the register cannot be reached.`,
		Example: "  contactsync changes --data DIR\n  contactsync changes --data DIR --cursor now --follow",
		Args:    cobra.NoArgs,
	}
	var place registerPlace
	place.addFlags(c)
	cursor := c.Flags().String("cursor", "", "go on from this `CURSOR`; now: only what comes from now on")
	follow := c.Flags().Bool("follow", false, "wait for more until Ctrl-C")
	asJSON := c.Flags().Bool("json", false, "print a JSON object a line")
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := place.contacts()
		if err != nil {
			return err
		}
		show := showSignals
		if *asJSON {
			show = showSignalsJSON
		}
		at, err := readChanges(c.Context(), client, *cursor, *follow, func(signals []contactsv1.Signal) error {
			return show(c.OutOrStdout(), signals)
		})
		if at != "" {
			fmt.Fprintln(c.ErrOrStderr(), "cursor "+at)
		}
		return err
	}
	return c
}

// readChanges shows page by page, and returns the cursor of the last one that was shown whole.
func readChanges(
	ctx context.Context, client *contactsv1.Client, cursor string, follow bool, show func([]contactsv1.Signal) error,
) (at string, err error) {
	for page, err := range client.Follow(ctx, cursor, waitFor(follow)) {
		if err != nil && ctx.Err() != nil {
			return at, nil // to be told to end is no failure, whatever the register answers who is left alone
		}
		if err != nil {
			return at, lookupError(err)
		}
		if err := show(page.Signals); err != nil {
			return at, err
		}
		if at = page.Cursor; !follow && !page.More {
			break
		}
	}
	return at, nil
}

// waitFor is how long the register may wait for news before it answers that there is none.
func waitFor(follow bool) time.Duration {
	if follow {
		return 20 * time.Second
	}
	return 0
}

func showSignals(out io.Writer, signals []contactsv1.Signal) error {
	for _, s := range signals {
		if _, err := fmt.Fprintf(out, "%s  %s  %-6s  %s\n", s.Time.Format(time.RFC3339), s.Person.Extension, s.Channel, s.Version); err != nil {
			return err
		}
	}
	return nil
}

func showSignalsJSON(out io.Writer, signals []contactsv1.Signal) error {
	e := json.NewEncoder(out)
	for _, s := range signals {
		if err := e.Encode(s); err != nil {
			return err
		}
	}
	return nil
}
