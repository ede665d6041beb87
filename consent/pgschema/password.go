package pgschema

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// SetPassword lets a role log in with a password. Only its SCRAM verifier is sent, so that no log of statements shows it.
func SetPassword(ctx context.Context, pool *pgxpool.Pool, role, password string) error {
	verifier, err := scramVerifier(password)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext('contactsync passwords'))`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "alter role "+pgx.Identifier{role}.Sanitize()+" login password '"+verifier+"'")
		return err
	})
	if err != nil {
		return fmt.Errorf("set the password of %s: %w", role, err)
	}
	return nil
}

// scramVerifier is what PostgreSQL keeps of a password (RFC 5803, with PostgreSQL's separators). It is base64 and punctuation
// only, so it needs no quoting. Passwords are taken as they are, without SASLprep, as PostgreSQL does for those of ASCII.
func scramVerifier(password string) (string, error) {
	const iterations = 4096
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	stored := sha256.Sum256(sign(salted, "Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(sign(salted, "Server Key"))), nil
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
