package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"contactsync/cmd/internal/auditing"
	"contactsync/cmd/internal/config"
	"contactsync/cmd/internal/devstack"
	"contactsync/consent/event"
	"contactsync/consent/pgschema"
	"contactsync/sync/support"
)

// auditPlace says where the commands of audit find the logs.
type auditPlace struct{ data string }

func (p *auditPlace) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&p.data, "data", "", "data `DIR` of a running dev, to find its database; without it, variables tell: see check-config audit")
}

// visit opens the logs, lets do read them, and closes them.
func (p auditPlace) visit(ctx context.Context, do func(context.Context, auditing.Reader) error) error {
	c, err := p.find()
	if err != nil {
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, c.Postgres)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer pool.Close()
	return auditError(do(ctx, auditing.Reader{Pool: pool, Key: c.Key, Now: time.Now}))
}

// auditError tells what may go better later from a log that is broken.
func auditError(err error) error {
	if databaseAway(err) {
		return tryAgainError{err}
	}
	return databaseError(err)
}

// find takes the data folder of a dev, or else variables.
func (p auditPlace) find() (c config.Audit, err error) {
	if p.data == "" {
		return configured(config.ReadAudit)
	}
	at, err := devstack.ReadEndpoints(p.data)
	if err != nil {
		return c, fmt.Errorf("find the logs by --data: %w", err)
	}
	address, err := at.PostgresAs(pgschema.RoleAuditor)
	if err != nil {
		return c, err
	}
	if c.Postgres, err = pgschema.ParseConfig(address); err != nil {
		return c, err
	}
	c.Key, err = devstack.ReadAuditKey(p.data)
	return c, err
}

// asker is who reads the logs, and why: both go into the audit.
type asker struct{ staff, ground string }

func (a *asker) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&a.staff, "as", devStaff, "`HSA-ID` of who asks, for the audit")
	c.Flags().StringVar(&a.ground, "reason", "", "`TEXT` for the audit: what makes you ask, 1 to 500 characters")
}

// judge returns who asks, or what is wrong with the command line.
func (a asker) judge(data string) (event.Actor, error) {
	staff, err := support.Staff(a.staff)
	if data == "" && a.staff == devStaff {
		err = errors.Join(err, errors.New("who asks? Give --as HSA-ID, or --data DIR of a running dev"))
	}
	if ground := support.JudgeGround(a.ground); ground != nil {
		err = errors.Join(err, fmt.Errorf("--reason: %w", ground))
	}
	if err != nil {
		return staff, usageError{err}
	}
	return staff, nil
}
