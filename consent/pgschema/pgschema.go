// Package pgschema brings one PostgreSQL schema up to date: its migrations, and what each database role may do in it.
//
// Migrations are files of goose, run forward only. Grants are one file that is run again after every migration: first it takes
// everything back, then it gives what is needed, so that it tells the whole truth. The package knows nothing of what the
// schemas hold. Start with Schema.Up; a service that finds an old schema learns it from Schema.Check.
package pgschema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// The database roles, one for each service. They are made without the right to log in: either an administrator makes login
// roles members of them, or SetPassword lets them log in themselves.
const (
	RolePortal   = "contactsync_portal"
	RoleWorker   = "contactsync_worker"
	RoleSupport  = "contactsync_support"
	RoleRegister = "contactsync_register"
	RoleAuditor  = "contactsync_auditor" // reads the audit logs, and nothing else
)

// Roles are all of them.
func Roles() []string {
	return []string{RolePortal, RoleWorker, RoleSupport, RoleRegister, RoleAuditor}
}

// Schema is a schema and what makes it.
type Schema struct {
	Name   string
	Files  fs.FS  // migrations at its root
	Grants string // SQL; the roles exist when it runs
}

// ErrBehind says that the schema is missing or older than this program. Nothing works before `contactsync migrate` has run.
var ErrBehind = errors.New("the schema is not up to date: run contactsync migrate")

// ErrRights says that the database user may not read the schema: it is not that of the service, or migrate has not run since its role
// was made.
var ErrRights = errors.New("the database user lacks its role's rights: is it the right one, and has contactsync migrate run?")

// Up makes the schema, runs the migrations that are missing, and the grants. It is safe to run from several processes at once.
func (s Schema) Up(ctx context.Context, pool *pgxpool.Pool) (err error) {
	if err := s.create(ctx, pool); err != nil {
		return fmt.Errorf("create schema %s: %w", s.Name, err)
	}
	db := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := s.provider(db)
	if err != nil {
		return fmt.Errorf("read migrations of schema %s: %w", s.Name, err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate schema %s: %w", s.Name, err)
	}
	if err := s.grant(ctx, pool); err != nil {
		return fmt.Errorf("grant rights in schema %s: %w", s.Name, err)
	}
	return nil
}

// create comes before the migrations because their own version table lies inside the schema. The lock keeps two starting
// processes from tripping over each other: "if not exists" alone does not.
func (s Schema) create(ctx context.Context, pool *pgxpool.Pool) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if err := s.lock(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "create schema if not exists "+s.name()); err != nil {
			return err
		}
		for _, role := range Roles() {
			if err := createRole(ctx, tx, role); err != nil {
				return err
			}
		}
		return nil
	})
}

// createRole needs no right to make roles where an administrator has made it already. Roles are the whole cluster's, so
// another database's migration may be just making it, which no lock of this one keeps off.
func createRole(ctx context.Context, tx pgx.Tx, role string) error {
	var exists bool
	if err := tx.QueryRow(ctx, `select exists (select from pg_roles where rolname = $1)`, role).Scan(&exists); err != nil || exists {
		return err
	}
	_, err := tx.Exec(ctx, `do $$ begin create role `+pgx.Identifier{role}.Sanitize()+
		`; exception when duplicate_object or unique_violation then null; end $$`)
	return err
}

func (s Schema) grant(ctx context.Context, pool *pgxpool.Pool) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if err := s.lock(ctx, tx); err != nil {
			return err
		}
		for _, role := range Roles() {
			_, err := tx.Exec(ctx, fmt.Sprintf(`
				revoke all on schema %[1]s from %[2]s;
				revoke all on all tables in schema %[1]s from %[2]s;
				revoke all on all sequences in schema %[1]s from %[2]s`, s.name(), pgx.Identifier{role}.Sanitize()))
			if err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, s.Grants)
		return err
	})
}

func (s Schema) lock(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext($1))`, "schema "+s.Name)
	return err
}

func (s Schema) name() string { return pgx.Identifier{s.Name}.Sanitize() }

func (s Schema) provider(db *sql.DB) (*goose.Provider, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // ask once a second, for five minutes
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, s.Files,
		goose.WithTableName(s.Name+".schema_version"), goose.WithSessionLocker(locker))
}

// Check tells whether every migration that this program knows has run, ErrBehind if not, and whether the user may ask, else ErrRights. A newer schema is fine: migrations
// are made so that the program before them still works. The role that asks needs to read the table schema_version.
func (s Schema) Check(ctx context.Context, pool *pgxpool.Pool) error {
	files, err := fs.Glob(s.Files, "*.sql")
	if err != nil {
		return err
	}
	var newest int64
	for _, file := range files {
		v, err := goose.NumericComponent(file)
		if err != nil {
			return err
		}
		newest = max(newest, v)
	}
	var at int64
	err = pool.QueryRow(ctx, `select coalesce(max(version_id), 0) from `+s.name()+`.schema_version`).Scan(&at)
	const invalidSchema, undefinedTable, denied = "3F000", "42P01", "42501"
	fault, _ := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil && at < newest, fault != nil && (fault.Code == invalidSchema || fault.Code == undefinedTable):
		return fmt.Errorf("schema %s: %w", s.Name, ErrBehind)
	case fault != nil && fault.Code == denied:
		return fmt.Errorf("schema %s: %w", s.Name, ErrRights)
	case err != nil:
		return fmt.Errorf("schema %s: %w", s.Name, err)
	}
	return nil
}
