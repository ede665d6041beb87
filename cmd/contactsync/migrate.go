package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"contactsync/cmd/internal/config"
	"contactsync/cmd/internal/database"
	"contactsync/consent/pgschema"
)

// migrateTimeout bounds it all, waiting for another migration included.
const migrateTimeout = 10 * time.Minute

func migrateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the schemas in PostgreSQL up to date, with their roles and rights",
		Long: `Brings the schemas consent, sync and register up to date, makes the roles ` + strings.Join(pgschema.Roles(), ", ") + `,
and gives each the rights it needs and no others. It may be run at any time and from several places at once; services of
the version before go on working on the new schema.

It is told what it needs by CONTACTSYNC_ variables: ` + "`contactsync check-config migrate`" + ` lists and judges them. The user of
CONTACTSYNC_POSTGRES_URL owns the schemas. It may make roles, or an administrator has made them before.`,
		Args: cobra.NoArgs,
	}
	persons := c.Flags().Int("test-persons", -1, "fill the mock register, if it is empty, with the named test persons and `N` generated ones")
	file := c.Flags().String("persons-file", "", "write the test persons there as JSON, for the portal")
	c.RunE = func(c *cobra.Command, _ []string) error {
		settings, err := configured(config.ReadMigrate)
		if err != nil {
			return err
		}
		if *file != "" && *persons < 0 {
			return usageError{errors.New("--persons-file needs --test-persons")}
		}
		ctx, cancel := context.WithTimeout(c.Context(), migrateTimeout)
		defer cancel()
		return databaseError(migrate(ctx, settings, *persons, *file, c.OutOrStdout()))
	}
	return c
}

func migrate(ctx context.Context, c config.Migrate, persons int, file string, out io.Writer) error {
	pool, err := pgxpool.NewWithConfig(ctx, c.Postgres)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := database.Migrate(ctx, pool, c.Passwords); err != nil {
		return err
	}
	for _, role := range pgschema.Roles() {
		how := "has its rights"
		if c.Passwords[role] != "" {
			how = "has its rights, and may log in with the password given"
		}
		fmt.Fprintf(out, "%s %s\n", role, how)
	}
	if persons < 0 {
		return nil
	}
	return seed(ctx, pool, persons, file, out)
}

func seed(ctx context.Context, pool *pgxpool.Pool, generated int, file string, out io.Writer) error {
	persons, err := database.Seed(ctx, pool, generated)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d test persons in the mock register\n", len(persons))
	if file == "" {
		return nil
	}
	text, err := json.MarshalIndent(persons, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o600)
}

// databaseError tells what may go better later from what will not.
func databaseError(err error) error {
	if _, unreachable := errors.AsType[*pgconn.ConnectError](err); !unreachable {
		return err
	}
	if e, answered := errors.AsType[*pgconn.PgError](err); answered {
		const starting, full = "57P03", "53300"
		fault := fmt.Errorf("PostgreSQL refuses: %s (SQLSTATE %s)", e.Message, e.Code)
		if slices.Contains([]string{starting, full}, e.Code) {
			return tryAgainError{fault}
		}
		return fault
	}
	return tryAgainError{errors.New("PostgreSQL cannot be reached: " + firstLine(err))}
}

// firstLine of an error that tells of every address it tried.
func firstLine(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}
