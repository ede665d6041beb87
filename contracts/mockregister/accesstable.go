package mockregister

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/singleflight"
)

const (
	// accessFresh is how long the table is believed without being read again. Of a change that comes after, calls take notice
	// so much later at most.
	accessFresh = time.Second
	// accessHolds is how long it is believed while PostgreSQL does not give it. No call is ever judged by an older one, so that
	// what was revoked ends within that time whatever happens.
	accessHolds = 5 * time.Second

	accessReadTimeout = 2 * time.Second
)

// AccessTable is the table register.access, which may be changed at any time (see AccessAdmin). It implements Access.
//
// The calls keep it fresh: the first one that finds it older than a second reads it anew, and those that come meanwhile wait
// for the same answer. A notification would be faster, but can be lost and does not pass every pooler, so that this would have
// to stand behind it anyway. The table is read whole: it has some rows for each system, and that is once a second.
type AccessTable struct {
	pool *pgxpool.Pool
	now  func() time.Time
	held atomic.Pointer[accessRead]
	read singleflight.Group
}

// accessRead is the table as it stood.
type accessRead struct {
	at   time.Time // before it was read
	rows map[accessKey]Rights
	all  map[string]bool // systems
}

type accessKey struct{ system, contract, logicalAddress string }

// NewAccessTable reads nothing yet. now must not jump: time.Now does not.
func NewAccessTable(pool *pgxpool.Pool, now func() time.Time) *AccessTable {
	return &AccessTable{pool: pool, now: now}
}

// Rights implements Access.
func (t *AccessTable) Rights(ctx context.Context, system, contract, logicalAddress string) (Rights, bool, error) {
	table, err := t.table(ctx)
	if err != nil {
		return Rights{}, false, err
	}
	rights, allowed := table.rows[accessKey{system, contract, logicalAddress}]
	return rights, allowed, nil
}

// Knows implements Access.
func (t *AccessTable) Knows(ctx context.Context, system string) (bool, error) {
	table, err := t.table(ctx)
	if err != nil {
		return false, err
	}
	return table.all[system], nil
}

// table is what may be believed now.
func (t *AccessTable) table(ctx context.Context) (*accessRead, error) {
	if held := t.heldFor(accessFresh); held != nil {
		return held, nil
	}
	read, err, _ := t.read.Do("", func() (any, error) {
		if held := t.heldFor(accessFresh); held != nil {
			return held, nil // another has read it just before
		}
		return t.load(context.WithoutCancel(ctx)) // for all who wait: the end of one of them must not be the others' trouble
	})
	if err == nil {
		return read.(*accessRead), nil
	}
	if held := t.heldFor(accessHolds); held != nil {
		return held, nil
	}
	return nil, err
}

// heldFor is the table as it was read last, nil if that is so long ago.
func (t *AccessTable) heldFor(d time.Duration) *accessRead {
	if held := t.held.Load(); held != nil && t.now().Sub(held.at) < d {
		return held
	}
	return nil
}

func (t *AccessTable) load(ctx context.Context) (*accessRead, error) {
	ctx, cancel := context.WithTimeout(ctx, accessReadTimeout)
	defer cancel()
	read := &accessRead{at: t.now(), rows: map[accessKey]Rights{}, all: map[string]bool{}}
	grants, err := Grants(ctx, t.pool)
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		read.rows[accessKey{g.System, g.Contract, g.LogicalAddress}] = g.Rights
		read.all[g.System] = true
	}
	t.held.Store(read)
	return read, nil
}

// Grants are the rows of the table, by system, contract and logical address.
func Grants(ctx context.Context, pool *pgxpool.Pool) ([]Grant, error) {
	rows, err := pool.Query(ctx, `
		select system, contract, logical_address, rights from register.access
		order by system, contract, logical_address`)
	if err != nil {
		return nil, fmt.Errorf("read who may what: %w", err)
	}
	grants, err := pgx.CollectRows(rows, scanGrant)
	if err != nil {
		return nil, fmt.Errorf("read who may what: %w", err)
	}
	return grants, nil
}

func scanGrant(row pgx.CollectableRow) (g Grant, err error) {
	var words []string
	err = row.Scan(&g.System, &g.Contract, &g.LogicalAddress, &words)
	g.Rights, _ = ParseRights(words) // what a newer program calls a right gives nothing here
	return g, err
}
