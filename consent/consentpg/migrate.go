package consentpg

import (
	"context"
	"embed"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/pgschema"
)

//go:embed migrations/*.sql
var migrations embed.FS

//go:embed grants.sql
var grants string

// Schema is the schema "consent".
func Schema() pgschema.Schema {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the name is a constant
	}
	return pgschema.Schema{Name: "consent", Files: files, Grants: grants}
}

// Migrate brings the schema "consent" up to date. It is safe to run from several processes at once.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error { return Schema().Up(ctx, pool) }
