package database_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/cmd/internal/database"
	"contactsync/consent/pgschema"
	"contactsync/consent/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func migrated(t *testing.T) *pgxpool.Pool {
	t.Helper()
	return pgtest.Migrated(t, "all", func(ctx context.Context, p *pgxpool.Pool) error {
		return database.Migrate(ctx, p, nil)
	})
}

// TestRoles tries what each role may do and what it may not, as that role.
func TestRoles(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	const portal, worker, support, register = pgschema.RolePortal, pgschema.RoleWorker, pgschema.RoleSupport, pgschema.RoleRegister
	const auditor = pgschema.RoleAuditor
	everybody := []string{portal, worker, support, register, auditor}
	for statement, allowed := range map[string][]string{
		`select from consent.decision`:                            {portal, support},
		`update consent.decision set value = null`:                {portal, support},
		`update consent.decision set share = true`:                {}, // what was decided, by whom, and upon which text, stays
		`delete from consent.decision`:                            {},
		`select from consent.channel`:                             {portal, support},
		`update consent.channel set revision = 1`:                 {portal, support},
		`update consent.channel set extension = ''`:               {},
		`delete from consent.channel`:                             {},
		`select from consent.outcome`:                             {portal, support},
		`update consent.outcome set reason = ''`:                  {portal},
		`delete from consent.outcome`:                             {},
		`update consent.partition set run = ''`:                   {portal},
		`delete from consent.partition`:                           {},
		`select from consent.session`:                             {portal},
		`select from consent.outbox`:                              {portal},
		`delete from consent.outbox`:                              {portal},
		`update consent.outbox set topic = ''`:                    {},
		`select nextval('consent.outbox_id')`:                     {portal, support},
		`update consent.audit set ground = ''`:                    {},
		`delete from consent.audit`:                               {},
		`truncate consent.audit`:                                  {},
		`update sync.person set extension = ''`:                   {}, // whom the audit tells of
		`update sync.person set unsure = true`:                    {worker},
		`delete from sync.person`:                                 {},
		`select from sync.channel`:                                {worker, support},
		`update sync.channel set parked = ''`:                     {worker},
		`delete from sync.channel`:                                {},
		`select from sync.due`:                                    {worker, support},
		`delete from sync.due`:                                    {worker},
		`select from sync.partition`:                              {worker},
		`select from sync.refused`:                                {worker, support},
		`update sync.refused set reason = ''`:                     {},
		`delete from sync.refused`:                                {},
		`select from sync.outbox`:                                 {worker},
		`update sync.outbox set topic = ''`:                       {},
		`select nextval('sync.lease'), nextval('sync.outbox_id')`: {worker},
		`update sync.audit set ground = ''`:                       {},
		`delete from sync.audit`:                                  {},
		`truncate sync.audit`:                                     {},
		`select from register.persons`:                            {register},
		`update register.persons set version = '20300101000000'`:  {register}, // and so signals of changes
		`update register.persons set content = ''`:                {register},
		`delete from register.persons`:                            {},
		`update register.feed set channel = ''`:                   {},
		`delete from register.feed`:                               {register},
		`delete from register.feed_epoch`:                         {register},
		`update register.feed_epoch set last = 0`:                 {},
		`select from register.fence`:                              {register},
		`update register.idempotency set answer = '[]'`:           {},
		`update register.ref_key set key = ''`:                    {},
		`update register.guardianships set child_root = ''`:       {},
		`select from register.guardianships`:                      {register},
		`select from register.parents`:                            {register},
		`select from register.linked_identities`:                  {register},
		`update register.linked_identities set primary_root = ''`: {},
		`select from register.access`:                             {register},
		`insert into register.access values ('', '', '', '{}')`:   {},
		`update register.access set rights = '{}'`:                {},
		`delete from register.access`:                             {},
		`select from register.access_change`:                      {},
		`delete from register.access_change`:                      {},
		`select from consent.schema_version`:                      {portal, support, auditor},
		`select from sync.schema_version`:                         {worker, support, auditor},
		`select from register.schema_version`:                     {register, auditor},
		`delete from sync.schema_version`:                         {},
		`create table consent.own (id int)`:                       {},
		`create table sync.own (id int)`:                          {},
		`create role another`:                                     {},
		`set role contactsync_worker`:                             {worker},
		`insert into consent.audit (at, actor, action, root, extension, channel, ground, outcome, event_id) values (now(), '', '', '', '', '', '', '', '')`: {portal, support, auditor},
		// A row's place is PostgreSQL's to say: one that is put into a sealed link would hide behind it what is wrong further on.
		`insert into consent.audit (tx, at, actor, action, root, extension, channel, ground, outcome, event_id) values ('1', now(), '', '', '', '', '', '', '', '')`: {},
		`insert into sync.audit (tx, at, action, person_id, channel, ground, outcome, reason, version) values ('1', now(), '', 1, '', '', '', '', '')`:               {},
		`insert into sync.audit (era, at, action, person_id, channel, ground, outcome, reason, version) values (2, now(), '', 1, '', '', '', '', '')`:                {},
		`insert into register.access_log (tx, at, caller, original, correlation, unit, actor, root, extension, contract, action, ground, outcome, version, log_id, mac)
			values ('1', now(), '', '', '', '', '', '', '', '', '', '', '', '', gen_random_uuid(), '')`: {},
		`select ground from consent.audit`:                                                {auditor},
		`select mac from consent.audit`:                                                   {portal, auditor},
		`update consent.audit set mac = ''`:                                               {},
		`insert into consent.audit_link values (9, 1, '1', 1, '1', 1, 1, 1, now(), '')`:   {portal},
		`update consent.audit_link set hash = ''`:                                         {},
		`delete from consent.audit_link`:                                                  {},
		`insert into consent.audit_head values ('x', 1, '')`:                              {portal},
		`update consent.audit_head set number = 1`:                                        {portal},
		`update consent.audit_head set era = 2`:                                           {},
		`delete from consent.audit_head`:                                                  {},
		`select hash from consent.audit_link`:                                             {portal, auditor},
		`select hash from consent.audit_head`:                                             {portal, auditor},
		`select ground from sync.audit`:                                                   {auditor},
		`select mac from sync.audit`:                                                      {worker, auditor},
		`update sync.audit set mac = ''`:                                                  {},
		`insert into sync.audit_link values (9, 1, '1', 1, '1', 1, 1, 1, now(), '')`:      {worker},
		`update sync.audit_link set hash = ''`:                                            {},
		`delete from sync.audit_link`:                                                     {},
		`update sync.audit_head set number = 1`:                                           {worker},
		`update sync.audit_head set era = 2`:                                              {},
		`delete from sync.audit_head`:                                                     {},
		`select extension from sync.person`:                                               {worker, support, auditor},
		`select written_version from sync.person`:                                         {worker, support},
		`select caller from register.access_log`:                                          {auditor},
		`select mac from register.access_log`:                                             {register, auditor},
		`update register.access_log set caller = ''`:                                      {},
		`delete from register.access_log`:                                                 {},
		`truncate register.access_log`:                                                    {},
		`insert into register.access_link values (9, 1, '1', 1, '1', 1, 1, 1, now(), '')`: {register},
		`update register.access_link set hash = ''`:                                       {},
		`delete from register.access_link`:                                                {},
		`update register.audit_head set number = 1`:                                       {register},
		`delete from register.audit_head`:                                                 {},
	} {
		for _, role := range everybody {
			may, wanted := attempt(t, pool, role, statement), slices.Contains(allowed, role)
			if may != wanted {
				t.Errorf("%s: %s: %t, want %t", role, statement, may, wanted)
			}
		}
	}
}

// attempt tells whether the role may do it; nothing stays changed.
func attempt(t *testing.T, pool *pgxpool.Pool, role, statement string) bool {
	t.Helper()
	undo := errors.New("undo")
	denied := false
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		// Unlike "set role", a session authorisation takes the superuser's rights away altogether.
		if _, err := tx.Exec(t.Context(), `set local session authorization `+role); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), statement)
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "42501" {
			denied = true
			return undo
		}
		return errors.Join(err, undo)
	})
	if !errors.Is(err, undo) || err.Error() != "undo" {
		t.Fatalf("%s: %s: %v", role, statement, err)
	}
	return !denied
}

func TestRoleLogsInWithItsPassword(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	if err := pgschema.SetPassword(t.Context(), pool, pgschema.RoleWorker, "correct horse"); err != nil {
		t.Fatal(err)
	}
	for password, fits := range map[string]bool{"correct horse": true, "correct": false, "": false} {
		c := pool.Config().ConnConfig.Copy()
		c.User, c.Password = pgschema.RoleWorker, password
		conn, err := pgx.ConnectConfig(t.Context(), c)
		if (err == nil) != fits {
			t.Errorf("password of %d characters: %v", len(password), err)
		}
		if err == nil {
			_ = conn.Close(t.Context())
		}
	}
}

func TestMigrationsSideBySide(t *testing.T) {
	t.Parallel()
	pool := pgtest.Database(t)
	ended := make(chan error)
	for range 4 {
		go func() { ended <- database.Migrate(t.Context(), pool, map[string]string{pgschema.RoleSupport: "a"}) }()
	}
	for range 4 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	for _, schema := range database.Schemas() {
		if err := schema.Check(t.Context(), pool); err != nil {
			t.Error(err)
		}
	}
}

func TestServiceIsToldOfASchemaThatIsBehind(t *testing.T) {
	t.Parallel()
	for sentence, row := range map[string]struct {
		spoil string
		want  error
	}{
		"no schema":           {`drop schema sync cascade`, pgschema.ErrBehind},
		"an older schema":     {`delete from sync.schema_version where version_id > 1`, pgschema.ErrBehind},
		"no right to read it": {`revoke all on sync.schema_version from ` + pgschema.RoleWorker, pgschema.ErrRights},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			pool := migrated(t)
			if _, err := pool.Exec(t.Context(), row.spoil); err != nil {
				t.Fatal(err)
			}
			config := pool.Config()
			config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
				_, err := c.Exec(ctx, `set session authorization `+pgschema.RoleWorker)
				return err
			}
			worker, err := pgxpool.NewWithConfig(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			defer worker.Close()
			if err := database.Schemas()[1].Check(t.Context(), worker); !errors.Is(err, row.want) {
				t.Errorf("%v, want %v", err, row.want)
			}
		})
	}
}

func TestClockFollowsPostgreSQL(t *testing.T) {
	t.Parallel()
	pool := pgtest.Database(t)
	for sentence, off := range map[string]time.Duration{"an hour behind": -time.Hour, "an hour ahead": time.Hour, "right": 0} {
		clock := database.NewClock(pool, slog.New(slog.DiscardHandler), func() time.Time { return time.Now().Add(off) })
		if err := clock.Measure(t.Context()); err != nil {
			t.Fatal(err)
		}
		if wrong := time.Until(clock.Now()).Abs(); wrong > time.Second {
			t.Errorf("%s: wrong by %v", sentence, wrong)
		}
	}
}
