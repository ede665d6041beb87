package mockregister

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/contracts/rivta"
)

// AccessAdmin changes the table register.access. Registers take notice within accessHolds at the latest, mostly within a second.
// Every change is on record with the name of who made it, by the database itself.
type AccessAdmin struct {
	Pool *pgxpool.Pool // of the schema's owner: the register's own role may only read
	By   string        // who changes; empty: the database user
}

// ErrNotGranted is returned by Revoke where there is nothing to revoke: look whether system and contract are those that were meant.
var ErrNotGranted = errors.New("the system may not use the contract in any case")

// Grant gives each system exactly the rights of its Grant, whatever it had through that contract at that address. All or none.
func (a AccessAdmin) Grant(ctx context.Context, grants ...Grant) error {
	for _, g := range grants {
		if err := g.check(); err != nil {
			return err
		}
	}
	err := a.change(ctx, func(tx pgx.Tx) error { return insertGrants(ctx, tx, grants) })
	if err != nil {
		return fmt.Errorf("grant access: %w", err)
	}
	return nil
}

func (g Grant) check() error {
	switch {
	case !rivta.IsHSAID(g.System):
		return errors.New("the system is not named by an HSA-id")
	case !slices.Contains(Contracts(), g.Contract):
		return fmt.Errorf("there is no contract of that name: there are %s", strings.Join(Contracts(), ", "))
	case !rivta.IsHSAID(g.LogicalAddress):
		return errors.New("the logical address is no HSA-id")
	}
	return nil
}

func insertGrants(ctx context.Context, tx pgx.Tx, grants []Grant) error {
	for _, g := range grants {
		_, err := tx.Exec(ctx, `
			insert into register.access (system, contract, logical_address, rights) values ($1, $2, $3, $4)
			on conflict (system, contract, logical_address) do update set rights = excluded.rights`,
			g.System, g.Contract, g.LogicalAddress, g.Rights.Words())
		if err != nil {
			return err
		}
	}
	return nil
}

// Revoke takes the contract from the system, at one logical address or, where it is empty, at all of them. It returns what
// was taken, or ErrNotGranted.
func (a AccessAdmin) Revoke(ctx context.Context, system, contract, logicalAddress string) (revoked []Grant, err error) {
	err = a.change(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			delete from register.access where system = $1 and contract = $2 and ($3 = '' or logical_address = $3)
			returning system, contract, logical_address, rights`, system, contract, logicalAddress)
		if err != nil {
			return err
		}
		revoked, err = pgx.CollectRows(rows, scanGrant)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("revoke access: %w", err)
	}
	if len(revoked) == 0 {
		return nil, ErrNotGranted
	}
	return revoked, nil
}

// Begin grants what a new installation begins with, unless anything was ever granted: what was revoked since stays so.
func (a AccessAdmin) Begin(ctx context.Context, grants ...Grant) error {
	err := a.change(ctx, func(tx pgx.Tx) error {
		// Two processes that start together must not both find the table new.
		if _, err := tx.Exec(ctx, `lock table register.access in share row exclusive mode`); err != nil {
			return err
		}
		var begun bool
		if err := tx.QueryRow(ctx, `select exists (select from register.access_change)`).Scan(&begun); err != nil || begun {
			return err
		}
		return insertGrants(ctx, tx, grants)
	})
	if err != nil {
		return fmt.Errorf("grant access to begin with: %w", err)
	}
	return nil
}

// change tells the trigger who it is.
func (a AccessAdmin) change(ctx context.Context, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, a.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select set_config('contactsync.changed_by', $1, true)`, a.By); err != nil {
			return err
		}
		return do(tx)
	})
}

// AccessChange is a change of the table, as recorded.
type AccessChange struct {
	At            time.Time
	By            string // as it was said; else the database user
	DatabaseUser  string
	Grant              // its Rights are those after the change
	Granted       bool // false: it was revoked
	GrantedBefore bool
	RightsBefore  Rights
}

// Changes are the last changes of the table, the newest first.
func (a AccessAdmin) Changes(ctx context.Context, limit int) ([]AccessChange, error) {
	rows, err := a.Pool.Query(ctx, `
		select at, changed_by, db_user, system, contract, logical_address, rights_before, rights_after
		from register.access_change order by id desc limit $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("read changes of access: %w", err)
	}
	changes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c AccessChange, err error) {
		var before, after []string
		err = row.Scan(&c.At, &c.By, &c.DatabaseUser, &c.System, &c.Contract, &c.LogicalAddress, &before, &after)
		c.GrantedBefore, c.Granted = before != nil, after != nil
		c.RightsBefore, _ = ParseRights(before)
		c.Rights, _ = ParseRights(after)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("read changes of access: %w", err)
	}
	return changes, nil
}
