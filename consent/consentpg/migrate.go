package consentpg

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// createSchema comes before the migrations because their own version table lies inside the schema. The lock keeps two
// starting processes from tripping over each other: "if not exists" alone does not.
const createSchema = `select pg_advisory_xact_lock(hashtext('schema consent')); create schema if not exists consent`

// Migrate brings the schema "consent" up to date. It is safe to run from several processes at once.
func Migrate(ctx context.Context, pool *pgxpool.Pool) (err error) {
	if _, err := pool.Exec(ctx, createSchema); err != nil {
		return fmt.Errorf("create schema consent: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := newProvider(db)
	if err != nil {
		return fmt.Errorf("read migrations of schema consent: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate schema consent: %w", err)
	}
	return nil
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // ask once a second, for five minutes
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName("consent.schema_version"), goose.WithSessionLocker(locker))
}
