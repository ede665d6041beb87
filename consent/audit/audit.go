// Package audit makes a log in PostgreSQL one that nobody can change unseen, not even who rules the database.
//
// Every row carries a MAC over what it tells, made by its writer under a key that the database does not know. A Sealer gathers
// rows in groups and chains the groups: each link is a MAC over its rows' places and MACs and the link before. So a row or link
// that was changed, removed or added shows, and the chain's head, noted elsewhere, shows a tail that was cut. A chain of rows
// instead of groups would make every writer wait for the one before it.
//
// It is generic over the logs, which their own packages describe: see Log. It imports none of them, so that contracts may use it
// too. Start with Log and Key, then Sealer, Verify, and WriteStoreLog for what leaves.
package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Log describes one log: where it is kept, and what of a row its MAC covers. Beside the covered columns the table has
//
//	id      bigint generated always as identity
//	era, tx smallint, xid8: of the transaction that wrote the row, by default of the column; see Place
//	mac     bytea; empty in a row of a program that knew no MACs yet
//
// with an index on (era, tx, id) and a unique one on log_id. Links and heads are tables as in every log's migration.
type Log struct {
	Name                string // access, consent or sync
	Schema              string
	Table, Links, Heads string
	Columns             []Column // covered by the MAC, in its order; among them log_id and at
}

// Column is one that the MAC covers, by its text.
type Column struct {
	Name string
	Time bool // timestamptz: its text are the microseconds since 1970
}

// Columns are covered columns by their names; "at" is a time.
func Columns(names ...string) []Column {
	columns := make([]Column, len(names))
	for i, name := range names {
		columns[i] = Column{name, name == "at"}
	}
	return columns
}

// MAC covers a row: the texts of the covered columns in their order. A wrong number of them is a fault of the program.
func (l Log) MAC(k Key, values ...string) []byte { return l.MACs(k)(values...) }

// MACs is MAC for many rows, one after the other: setting a key up costs as much as the MAC itself.
func (l Log) MACs(k Key) func(values ...string) []byte {
	h, purpose := k.keyed(), opening("row", l.Name)
	var text []byte
	return func(values ...string) []byte {
		if len(values) != len(l.Columns) {
			panic(fmt.Sprintf("audit: %d values for the %d columns of the log %s", len(values), len(l.Columns), l.Name))
		}
		text = append(text[:0], purpose...)
		for _, v := range values {
			text = append(binary.BigEndian.AppendUint64(text, uint64(len(v))), v...)
		}
		h.Reset()
		h.Write(text)
		return h.Sum(nil)
	}
}

// text is the SQL that gives a covered column as the MAC takes it. No column may be null; one that is, was made so behind our back.
func (c Column) text() string {
	name := pgx.Identifier{c.Name}.Sanitize()
	if c.Time {
		name = "(extract(epoch from " + name + ") * 1000000)::bigint"
	}
	return "coalesce(" + name + "::text, '(null)')"
}

func (l Log) texts() string {
	all := make([]string, len(l.Columns))
	for i, c := range l.Columns {
		all[i] = c.text()
	}
	return strings.Join(all, ", ")
}

func (l Log) table() string { return pgx.Identifier{l.Schema, l.Table}.Sanitize() }
func (l Log) links() string { return pgx.Identifier{l.Schema, l.Links}.Sanitize() }
func (l Log) heads() string { return pgx.Identifier{l.Schema, l.Heads}.Sanitize() }

// Micros is the text of a time as a MAC takes it: what PostgreSQL keeps of it.
func Micros(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }

// NewID is a fresh log_id. They grow with time, so that the index on them is written at its end.
func NewID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// MinKey is how long a key is at least, in bytes.
const MinKey = 32

// Key is the secret of the MACs. Writers, sealers and who verifies have it, the database never does. The zero value is no key.
type Key struct{ secret []byte }

// ErrShortKey says that a text is too short to be a key.
var ErrShortKey = errors.New("the audit key is shorter than 32 bytes")

// NewKey makes a key of a secret text.
func NewKey(secret string) (Key, error) {
	if len(secret) < MinKey {
		return Key{}, ErrShortKey
	}
	return Key{[]byte(secret)}, nil
}

// DevelopmentKey is published, and so protects nothing: for tests and benchmarks.
func DevelopmentKey() Key { return Key{[]byte("the audit key of development is published")} }

// IsZero tells whether this is no key.
func (k Key) IsZero() bool { return len(k.secret) == 0 }

// Format prints nothing of the key, whatever the verb.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[audit key]") }

// LogValue implements slog.LogValuer: a key never reaches a log.
func (Key) LogValue() slog.Value { return slog.StringValue("[audit key]") }

// begin starts a MAC for one purpose of one log.
func (k Key) begin(purpose, log string) hash.Hash {
	h := k.keyed()
	_, _ = io.WriteString(h, opening(purpose, log))
	return h
}

func (k Key) keyed() hash.Hash {
	if k.IsZero() {
		panic("audit: no key") // constructors have refused it
	}
	return hmac.New(sha256.New, k.secret)
}

// opening is what the text under a MAC begins with, so that no MAC of another purpose or log fits.
func opening(purpose, log string) string {
	return "contactsync audit 1\x00" + purpose + "\x00" + log + "\x00"
}
