package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"contactsync/cmd/internal/config"
	"contactsync/cmd/internal/database"
	"contactsync/cmd/internal/devstack"
	"contactsync/consent/event"
	"contactsync/consent/pgschema"
	"contactsync/consent/reason"
	"contactsync/sync/support"
	"contactsync/sync/syncpg"
)

func parkedReleaseCommand() *cobra.Command {
	return handlingCommand(handlingFlags{}, &cobra.Command{
		Use:   "release PSEUDONYM|EVENT | --reason CODE",
		Short: "Let parked decisions be tried at once",
		Long: `Has the workers try at once what is parked under a pseudonym or of an event, or all that is parked for a reason. What comes of it is
told to the e-service as a further outcome, also if it is parked again. What is refused for good cannot be released.`,
		Example: `  contactsync parked release --data DIR PSEUDONYM --ground 'The register knows her now'
  contactsync parked release --data DIR --reason register_refused --dry-run`,
	})
}

func parkedDropCommand() *cobra.Command {
	return handlingCommand(handlingFlags{Order: support.Order{Drop: true}}, &cobra.Command{
		Use:   "drop PSEUDONYM|EVENT | --reason CODE",
		Short: "Give parked shares up for good",
		Long: `Gives up the shares that are parked under a pseudonym or of an event, or all that are parked for a reason: the e-service is told, and no
replay brings them back. The resident can share anew. A No is never dropped.`,
		Example: "  contactsync parked drop --data DIR PSEUDONYM --ground 'The e-service asks for it'",
	})
}

// handlingFlags are the flags of release and drop.
type handlingFlags struct {
	support.Order
	data, staff, why string
	asJSON           bool
}

func handlingCommand(f handlingFlags, c *cobra.Command) *cobra.Command {
	c.Args = usageArgs(cobra.MaximumNArgs(1))
	c.Flags().StringVar(&f.data, "data", "", "data `DIR` of a running dev, to find its database; without it, variables tell: see check-config parked")
	c.Flags().StringVar(&f.staff, "as", devStaff, "`HSA-ID` of who does it, for the audit")
	c.Flags().StringVar(&f.why, "reason", "", "all that is parked for this reason `CODE`")
	c.Flags().StringVar(&f.Ground, "ground", "", "`TEXT` for the audit: what makes you do it, 1 to 500 characters")
	c.Flags().BoolVar(&f.DryRun, "dry-run", false, "only tell how many there are")
	c.Flags().BoolVar(&f.asJSON, "json", false, `print {"done","withdrawalsKept","dryRun"}`)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			f.Ref = args[0]
		}
		if err := f.judge(len(args)); err != nil {
			return usageError{err}
		}
		return f.run(c)
	}
	return c
}

func (f *handlingFlags) judge(args int) (err error) {
	var faults []error
	if f.Actor, err = support.Staff(f.staff); err != nil {
		faults = append(faults, err)
	}
	if f.data == "" && f.staff == devStaff {
		faults = append(faults, errors.New("who does it? Give --as HSA-ID, or --data DIR of a running dev"))
	}
	if err := support.JudgeGround(f.Ground); err != nil && !f.DryRun {
		faults = append(faults, fmt.Errorf("--ground: %w", err))
	}
	f.Reason = reason.Code(f.why)
	_, known := f.Reason.Text()
	switch {
	case (args == 1) == (f.why != ""):
		faults = append(faults, errors.New("give a pseudonym or an event, or else --reason CODE for all of a reason"))
	case f.why != "" && !known:
		faults = append(faults, errors.New("--reason is no reason code; parked list shows those there are. What makes you do it is --ground TEXT"))
	}
	return errors.Join(faults...)
}

func (f *handlingFlags) run(c *cobra.Command) error {
	parking, done, err := openParking(c.Context(), f.data)
	if err != nil {
		return databaseError(err)
	}
	defer done()
	bar := newCounter(c.ErrOrStderr())
	handled, err := parking.Do(c.Context(), f.Order, bar.tell)
	bar.end()
	if err != nil {
		if f.Ref == "" && handled.Done > 0 {
			fmt.Fprintf(c.ErrOrStderr(), "contactsync: %d are done; the same command goes on with the rest\n", handled.Done)
		}
		if databaseAway(err) {
			return tryAgainError{err}
		}
		return databaseError(err)
	}
	return showHandled(c.OutOrStdout(), f.Order, handledJSON{handled.Done, handled.Withdrawals, f.DryRun}, f.asJSON)
}

type handledJSON struct {
	Done            int64 `json:"done"`
	WithdrawalsKept int64 `json:"withdrawalsKept"`
	DryRun          bool  `json:"dryRun"`
}

func showHandled(out io.Writer, o support.Order, v handledJSON, asJSON bool) error {
	if asJSON {
		return showJSON(out, v)
	}
	what := "released"
	if o.Drop {
		what = "dropped"
	}
	if v.DryRun {
		what = "would be " + what
	}
	fmt.Fprintf(out, "%d %s\n", v.Done, what)
	if v.WithdrawalsKept > 0 {
		fmt.Fprintf(out, "%d No kept: a No is never dropped\n", v.WithdrawalsKept)
	}
	return nil
}

// counter shows on a terminal how many are done.
type counter struct {
	out   io.Writer
	shown bool
}

func newCounter(out io.Writer) *counter { return &counter{out: out} }

func (b *counter) tell(h support.Handled) {
	if isTerminal(b.out) {
		fmt.Fprintf(b.out, "\r%d done", h.Done)
		b.shown = true
	}
}

func (b *counter) end() {
	if b.shown {
		fmt.Fprintln(b.out)
	}
}

// openParking works with the rights of a worker, since it changes what the worker keeps.
func openParking(ctx context.Context, data string) (p support.Parking, done func(), err error) {
	find := devParked
	if data == "" {
		find = func(string) (config.Parked, error) { return configured(config.ReadParked) }
	}
	c, err := find(data)
	if err != nil {
		return p, nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, c.Postgres)
	if err != nil {
		return p, nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	store, err := syncpg.New(syncpg.Config{Pool: pool, Source: c.Source, Pepper: c.Pepper, AuditKey: c.AuditKey, Written: notifies(pool, "sync")})
	if err == nil {
		err = database.Ready(pool, syncpg.Schema())(ctx)
	}
	if err != nil {
		pool.Close()
		return p, nil, err
	}
	return support.Parking{Sync: store, Pepper: c.Pepper}, pool.Close, nil
}

func devParked(dir string) (c config.Parked, err error) {
	at, err := devstack.ReadEndpoints(dir)
	if err != nil {
		return c, fmt.Errorf("find the database by --data: %w", err)
	}
	address, err := at.PostgresAs(pgschema.RoleWorker)
	if err != nil {
		return c, err
	}
	if c.Postgres, err = pgschema.ParseConfig(address); err != nil {
		return c, err
	}
	c.Source, c.Pepper = "urn:hsaid:"+devstack.WorkerHSAID, []byte(event.DevelopmentPepper)
	c.AuditKey, err = devstack.ReadAuditKey(dir)
	return c, err
}
