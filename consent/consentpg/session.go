package consentpg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/contact"
)

// OpenSession records that a session, known by the hash of its secret, is a person's until then. It also clears away
// sessions that are over.
func (s *Store) OpenSession(ctx context.Context, hash [32]byte, p contact.PersonID, until time.Time) error {
	var batch pgx.Batch
	batch.Queue(`delete from consent.session where expires_at <= $1`, s.Now())
	batch.Queue(`insert into consent.session (hash, root, extension, expires_at) values ($1, $2, $3, $4)`,
		hash[:], p.Root(), p.RevealExtension(), until)
	if err := s.Pool.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("open session: %w", err)
	}
	return nil
}

// SessionPerson returns whose a session is; the zero PersonID if it is unknown or over.
func (s *Store) SessionPerson(ctx context.Context, hash [32]byte) (contact.PersonID, error) {
	var root, extension string
	err := s.Pool.QueryRow(ctx, `select root, extension from consent.session where hash = $1 and expires_at > $2`, hash[:], s.Now()).
		Scan(&root, &extension)
	if errors.Is(err, pgx.ErrNoRows) {
		return contact.PersonID{}, nil
	}
	if err != nil {
		return contact.PersonID{}, fmt.Errorf("read session: %w", err)
	}
	return contact.KnownPersonID(root, extension), nil
}

// CloseSession ends a session; an unknown one is none.
func (s *Store) CloseSession(ctx context.Context, hash [32]byte) error {
	if _, err := s.Pool.Exec(ctx, `delete from consent.session where hash = $1`, hash[:]); err != nil {
		return fmt.Errorf("close session: %w", err)
	}
	return nil
}
