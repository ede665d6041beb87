package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"contactsync/consent/eservice"
	"contactsync/consent/event"
	"contactsync/consent/reason"
)

// openFile opens the FILE argument of a command; - is standard input.
func openFile(c *cobra.Command, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(c.InOrStdin()), nil
	}
	return os.Open(name)
}

// judge says all that is wrong with an event. Like a worker that knows no e-service by name, it lets each speak for residents
// and guardians only.
func judge(read event.Line, now time.Time) []event.Finding {
	found := read.Findings()
	if len(found) > 0 {
		return found
	}
	for _, err := range []error{event.Clock{}.Judge(read.Decision, now), eservice.Rules{}.Judge(read.Decision)} {
		if r, ok := errors.AsType[*reason.Refusal](err); ok {
			found = append(found, event.Finding(*r))
		}
	}
	return found
}

// printFinding prints a row of line, field and reason code, separated by tabs; - stands for the line as such.
func printFinding(out io.Writer, line int, f event.Finding) error {
	field := f.Field
	if field == "" {
		field = "-"
	}
	_, err := fmt.Fprintf(out, "%d\t%s\t%s\n", line, field, f.Code)
	return err
}

// printFindingJSON prints the same as a JSON object on a line of its own.
func printFindingJSON(out io.Writer, line int, f event.Finding) error {
	return json.NewEncoder(out).Encode(struct {
		Line  int    `json:"line"`
		Field string `json:"field"`
		Code  string `json:"code"`
	}{line, f.Field, string(f.Code)})
}
