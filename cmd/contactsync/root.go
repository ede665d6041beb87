package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes beside 0.
const (
	exitFailure  = 1
	exitUsage    = 2
	exitTryAgain = 75 // EX_TEMPFAIL: nothing is wrong with the command; what it needs is not there now
)

type streams struct {
	in       io.Reader
	out, err io.Writer
}

// usageError is a command line that cannot be understood.
type usageError struct{ error }

// tryAgainError is a failure that may be over when the command is run again.
type tryAgainError struct{ error }

func (e tryAgainError) Unwrap() error { return e.error }

// exitError ends the process with a code and without a message: what there is to say has been said.
type exitError struct{ code int }

func (exitError) Error() string { return "see above" }

// execute runs one command and returns the exit code. Errors take one line on standard error.
func execute(ctx context.Context, std streams, args []string) int {
	log.SetOutput(io.Discard) // net/http prints there what somebody sends on an idle connection, which may be a late answer
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if exit, ok := errors.AsType[exitError](err); ok {
		return exit.code
	}
	fmt.Fprintln(std.err, "contactsync: "+strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
	return exitCode(err)
}

func exitCode(err error) int {
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[tryAgainError](err); ok {
		return exitTryAgain
	}
	return exitFailure
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "contactsync",
		Short:         "Carries decisions on sharing contact details to the national personal-data service",
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,

		PersistentPreRunE: refuseEmptyData,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(devCommand(), portalCommand(), workerCommand(), registerCommand(),
		migrateCommand(), topicsCommand(), certificatesCommand(), checkConfigCommand(),
		emitCommand(), checkCommand(), lookupCommand(), changesCommand(), supportCommand(), parkedCommand(), auditCommand(), reconcileCommand(), faultCommand(), accessCommand(), benchCommand(), benchBrokerCommand(), versionCommand())
	for _, c := range append(root.Commands(), root) {
		c.Args = usageArgs(c.Args)
	}
	return root
}

// usageArgs marks what a command says about its arguments as a usage error.
func usageArgs(judge cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if judge == nil {
			return nil
		}
		if err := judge(c, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}
