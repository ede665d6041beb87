// Package database prepares PostgreSQL for the services and tells them when it is fit to work with: schemas, roles, test
// persons, and a clock that all processes share.
//
// It is the one place that knows all three schemas. Start with Migrate and Clock.
package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/audit"
	"contactsync/consent/consentpg"
	"contactsync/consent/pgschema"
	"contactsync/contracts/mockregister"
	"contactsync/sync/syncpg"
)

// Schemas are all of them.
func Schemas() []pgschema.Schema {
	return []pgschema.Schema{consentpg.Schema(), syncpg.Schema(), mockregister.Schema()}
}

// AuditLogs are all of them.
func AuditLogs() []audit.Log {
	return []audit.Log{mockregister.AccessLog(), consentpg.AuditLog(), syncpg.AuditLog()}
}

// Migrate brings every schema up to date, with roles and grants, lets the roles that have a password log in, and makes the audit logs
// go on where the database was restored from a dump. The pool is its owner's.
func Migrate(ctx context.Context, pool *pgxpool.Pool, passwords map[string]string) error {
	for _, schema := range Schemas() {
		if err := schema.Up(ctx, pool); err != nil {
			return err
		}
	}
	for _, role := range slices.Sorted(maps.Keys(passwords)) {
		if err := pgschema.SetPassword(ctx, pool, role, passwords[role]); err != nil {
			return err
		}
	}
	for _, log := range AuditLogs() {
		if _, err := log.RenewEra(ctx, pool); err != nil {
			return err
		}
	}
	return nil
}

// Seed fills the mock register with the invented test persons, unless it has some already, and lists them. The pool is the
// owner's: the register itself may make nobody.
func Seed(ctx context.Context, pool *pgxpool.Pool, generated int) ([]mockregister.TestPerson, error) {
	r, err := mockregister.New(mockregister.Config{Pool: pool, Now: time.Now, Log: slog.New(slog.DiscardHandler), LogicalAddress: "seed",
		AuditKey: audit.DevelopmentKey()}) // whoever seeds is asked nothing, and so logs nothing
	if err != nil {
		return nil, err
	}
	persons, err := r.Seed(ctx, generated)
	if err != nil {
		return nil, fmt.Errorf("make test persons: %w", err)
	}
	return persons, nil
}

// Ready returns a check that PostgreSQL answers and the schemas are up to date.
func Ready(pool *pgxpool.Pool, schemas ...pgschema.Schema) func(context.Context) error {
	return func(ctx context.Context) error {
		var faults []error
		for _, schema := range schemas {
			faults = append(faults, schema.Check(ctx, pool))
		}
		return errors.Join(faults...)
	}
}
