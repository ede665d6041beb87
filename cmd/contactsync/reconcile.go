package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"contactsync/sync/push"
	"contactsync/sync/reconcile"
	"contactsync/sync/syncpg"
)

// reconcileFlags are the flags of reconcile.
type reconcileFlags struct {
	reconcile.Options
	data    string
	anew    bool
	changes int64
	rate    float64
	wait    time.Duration
	cases   int
	asJSON  bool
}

// Bounds of the flags.
const (
	maxCallRate       = 1000
	maxReconcileCases = 10_000
)

func reconcileCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "reconcile",
		Short: "Compare what every person wants with what the register shows, and heal what differs",
		Long: `Compares everybody with the register, 500 persons a call, those with a No first, and reports what differs: how much of each
kind, and persons by pseudonym only. Nothing is changed without --fix. With it the workers push what differs once more, and it is looked
at again when they have. A No that is still present is healed always; all else only where nobody else has written to the record since we
did, or with --restore-shares, and at most --max-changes of it.

A run that was interrupted goes on where it was. Exit code 0 if nothing differs, or all is healed; else 1.`,
		Example: "  contactsync reconcile --data DIR\n  contactsync reconcile --data DIR --fix --json",
		Args:    cobra.NoArgs,
	}
	var f reconcileFlags
	c.Flags().StringVar(&f.data, "data", "", "data `DIR` of a running dev, to find its database and register; without it, variables tell: see check-config reconcile")
	c.Flags().BoolVar(&f.Fix, "fix", false, "heal what differs")
	c.Flags().BoolVar(&f.RestoreShares, "restore-shares", false, "heal shares also where somebody else may have changed the record")
	c.Flags().Int64Var(&f.changes, "max-changes", 1000, "the safety stop: heal at most so many differences in a run, beside those of a No")
	c.Flags().Float64Var(&f.rate, "calls-per-second", 10, "calls to the register at the most")
	c.Flags().DurationVar(&f.wait, "wait", time.Minute, "how long the workers have for what is to be healed")
	c.Flags().IntVar(&f.cases, "cases", 100, "name at most so many differences")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print one object")
	c.Flags().BoolVar(&f.anew, "anew", false, "begin anew, whatever was left of a run that was interrupted")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := f.judge(); err != nil {
			return usageError{err}
		}
		return f.run(c)
	}
	return c
}

func (f reconcileFlags) judge() error {
	var faults []error
	if f.RestoreShares && !f.Fix {
		faults = append(faults, errors.New("--restore-shares needs --fix"))
	}
	if f.changes < 0 {
		faults = append(faults, errors.New("--max-changes is not negative"))
	}
	if !(f.rate > 0 && f.rate <= maxCallRate) { // NaN is neither
		faults = append(faults, fmt.Errorf("--calls-per-second is above 0 and at most %d", maxCallRate))
	}
	if f.wait < 0 || f.wait > time.Hour {
		faults = append(faults, errors.New("--wait is from 0s to 1h"))
	}
	if f.cases < 0 || f.cases > maxReconcileCases {
		faults = append(faults, fmt.Errorf("--cases is from 0 to %d", maxReconcileCases))
	}
	return errors.Join(faults...)
}

func (f reconcileFlags) run(c *cobra.Command) error {
	place, err := openReconcilePlace(c.Context(), f.data)
	if err != nil {
		return reconcileError(c.Context(), err)
	}
	defer place.pool.Close()
	report, err := f.reconcile(c.Context(), place, c.ErrOrStderr())
	if err != nil {
		return reconcileError(c.Context(), err)
	}
	if err := showReconciled(c.OutOrStdout(), viewReconciled(report), f.asJSON); err != nil {
		return err
	}
	if held := heldBack(report); held > 0 {
		fmt.Fprintln(c.ErrOrStderr(), "contactsync: "+safetyStop(report.Run.Changes, held))
	}
	if report.Left() > 0 {
		return exitError{exitFailure}
	}
	return nil
}

// safetyStop tells how far it went. Whether that much is healed by now the report tells: the workers may not have come to all of it.
func safetyStop(changes, held int64) string {
	return fmt.Sprintf("the safety stop: %d differences were to be healed, beside those of a No, and %d more are left as they were. "+
		"Look why there are so many, then raise --max-changes", changes, held)
}

func heldBack(r reconcile.Report) (n int64) {
	for _, c := range r.Kinds {
		n += c.By[reconcile.Held]
	}
	return n
}

func (f reconcileFlags) reconcile(ctx context.Context, place *reconcilePlace, remarks io.Writer) (reconcile.Report, error) {
	journal, err := place.store.Reconcile(ctx)
	if err != nil {
		return reconcile.Report{}, err
	}
	defer journal.Close(context.WithoutCancel(ctx))
	run, err := journal.Begin(ctx, f.Options, f.anew)
	if err != nil {
		return reconcile.Report{}, err
	}
	bar := newProgressBar(remarks, time.Now)
	if run.Resumed {
		fmt.Fprintf(remarks, "goes on with the run that was begun at %s\n", when(run.Begun))
	}
	r, err := reconcile.New(reconcile.Config{
		Store: place.store, Journal: journal, Register: place.register, Limiter: place.newLimit(f.rate),
		MaxChanges: f.changes, ReadLag: place.readLag, Wait: f.wait, Cases: f.cases, Progress: bar.tell,
	}, run)
	if err != nil {
		return reconcile.Report{}, err
	}
	defer bar.end()
	return r.Run(ctx)
}

// reconcileError tells what may go better later from what will not. Whatever was recorded is not lost.
func reconcileError(ctx context.Context, err error) error {
	const goesOn = "; the same command goes on where it was"
	if ctx.Err() != nil {
		return errors.New("interrupted" + goesOn)
	}
	if other, ok := errors.AsType[*syncpg.OtherRunError](err); ok {
		return usageError{fmt.Errorf("a run %s was begun at %s and has not ended: give the same flags to go on with it, or --anew",
			flagsOf(other.Run.Options), when(other.Run.Begun))}
	}
	if errors.Is(err, syncpg.ErrReconciling) {
		return tryAgainError{err}
	}
	if errors.Is(err, reconcile.ErrAway) || databaseAway(err) {
		return tryAgainError{errors.New(firstLine(err) + goesOn)}
	}
	if e, ok := errors.AsType[*push.Error](err); ok && e.Class == push.Refused {
		return fmt.Errorf("the register refuses: %w", e)
	}
	return databaseError(err)
}

func flagsOf(o reconcile.Options) string {
	switch {
	case o.RestoreShares:
		return "with --fix --restore-shares"
	case o.Fix:
		return "with --fix"
	}
	return "without --fix"
}

// databaseAway tells whether a session with PostgreSQL ended in the midst of the work, or it is full or restarting.
func databaseAway(err error) bool {
	if e, answered := errors.AsType[*pgconn.PgError](err); answered {
		class := e.Code[:min(2, len(e.Code))]
		return strings.HasPrefix(e.Code, "57P") || class == "08" || class == "53"
	}
	_, unreachable := errors.AsType[*pgconn.ConnectError](err)
	return !unreachable && (pgconn.SafeToRetry(err) || pgconn.Timeout(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, os.ErrDeadlineExceeded))
}
