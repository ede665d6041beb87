package main

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"contactsync/cmd/internal/config"
)

func checkConfigCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "check-config SERVICE",
		Short:     "List and judge the variables of a service, without starting it",
		Long:      "Lists the CONTACTSYNC_ variables that a service reads, what they are set to (secrets are not shown), and everything that is\nwrong with them. Exit code 2 if something is.",
		Example:   "  contactsync check-config worker",
		Args:      usageArgs(cobra.ExactArgs(1)),
		ValidArgs: config.Services(),
		RunE: func(c *cobra.Command, args []string) error {
			settings, err := config.Of(args[0], os.Environ())
			if settings == nil {
				return usageError{err}
			}
			if err := showSettings(c.OutOrStdout(), settings); err != nil {
				return err
			}
			if err != nil {
				return usageError{err}
			}
			return nil
		},
	}
}

func showSettings(out io.Writer, settings []config.Setting) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "variable\tvalue\tmeaning\n")
	for _, s := range settings {
		value := s.Value
		if value == "" {
			value = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", s.Name, value, s.Meaning)
	}
	return t.Flush()
}
