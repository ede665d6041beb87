package mockregister

import (
	"context"

	"github.com/jackc/pgx/v5"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// accessEntry is one access to a person, for the access log.
type accessEntry struct {
	caller           rivta.Caller
	contract, action string      // such as contactsv1.lookup and read
	person           personv4.ID // zero: the access is to nobody in particular
	outcome          string
}

// logReads is called before a read is answered. It is filled by the access log.
func (r *Register) logReads(context.Context, []accessEntry) error { return nil }

// logWrites is called in the transaction of a write. It is filled by the access log.
func (r *Register) logWrites(context.Context, pgx.Tx, []accessEntry) error { return nil }
