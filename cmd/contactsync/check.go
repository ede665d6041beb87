package main

import (
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"contactsync/consent/event"
	"contactsync/consent/reason"
)

func checkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check FILE|-",
		Short: "Judge events before they are sent",
		Long: `Judges events, one CloudEvent in JSON format a line, data being the decision; a missing id or time is no fault.
Prints line, field and reason code of the first fault of each bad line. Nothing is sent anywhere.
Exit code 1 if any line is bad.`,
		Example: "  contactsync check events.jsonl\n  contactsync check --json - < events.jsonl",
		Args:    cobra.ExactArgs(1),
	}
	asJSON := c.Flags().Bool("json", false, `print {"line","field","code"} for each bad line`)
	c.RunE = func(c *cobra.Command, args []string) error {
		in, err := openFile(c, args[0])
		if err != nil {
			return err
		}
		defer in.Close()
		show := printFinding
		if *asJSON {
			show = printFindingJSON
		}
		return checkLines(in, time.Now, func(line int, f event.Finding) error { return show(c.OutOrStdout(), line, f) })
	}
	return c
}

// checkLines shows the first fault of each bad line. The error is exitError if there was any.
func checkLines(in io.Reader, now func() time.Time, show func(line int, f event.Finding) error) error {
	bad := false
	for line, err := range event.Lines(in) {
		if err != nil {
			return fmt.Errorf("read line %d: %w", line.Number, err)
		}
		found := judgeLine(line, now())
		if len(found) == 0 {
			continue
		}
		bad = true
		if err := show(line.Number, found[0]); err != nil {
			return err
		}
	}
	if bad {
		return exitError{exitFailure}
	}
	return nil
}

func judgeLine(line event.FileLine, now time.Time) []event.Finding {
	if line.TooLong {
		return []event.Finding{{Code: reason.FormLineTooLong}}
	}
	read, err := event.ReadLine(line.Text, now, uuid.NewString)
	if err != nil {
		return []event.Finding{{Code: reason.Of(err)}}
	}
	return judge(read, now)
}
