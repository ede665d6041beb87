package mockregister

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/audit"
	"contactsync/consent/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	address = "SE165565594230-1000"
	worker  = "SE2321000016-CSW1" // may do everything
	clinic  = "SE2321000016-CSC1" // may use the restricted contracts
	reader  = "SE2321000016-CSR1" // may read everything
)

// noon is when the tests take place unless they say otherwise.
func noon() time.Time { return time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC) }

// migrated is a database with the register's schema and nobody in it.
func migrated(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return pgtest.Migrated(t, "register", Migrate)
}

func newRegister(t testing.TB, pool *pgxpool.Pool, now func() time.Time, log slog.Handler) *Register {
	t.Helper()
	register, err := New(Config{AuditKey: audit.DevelopmentKey(), Pool: pool, Now: now, Log: slog.New(log), LogicalAddress: address, Access: someAccess()})
	if err != nil {
		t.Fatal(err)
	}
	return register
}

// someAccess lets each do what its name says.
func someAccess() FixedAccess {
	access := MayAll(worker)
	for _, contract := range Contracts() {
		if !strings.HasSuffix(contract, unrestrictedSuffix) {
			access = append(access, Grant{clinic, contract, "", Rights{Write: true}})
		}
		if !strings.HasPrefix(contract, "Update") {
			access = append(access, Grant{reader, contract, "", Rights{Protected: true}})
		}
	}
	return access
}

// world is a seeded register and its people.
type world struct {
	*Register
	persons map[string]TestPerson // by state
	now     *wallClock
}

func seeded(t testing.TB, log slog.Handler) world {
	t.Helper()
	now := &wallClock{now: noon()}
	register := newRegister(t, migrated(t), now.Now, log)
	persons, err := register.Seed(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	byState := map[string]TestPerson{}
	for _, p := range persons {
		byState[p.State] = p
	}
	return world{register, byState, now}
}

// wallClock shows what a test has set.
type wallClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *wallClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *wallClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
