package worker_test

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"contactsync/consent/event"
	"contactsync/consent/kafkatest"
	"contactsync/consent/pgschema"
	"contactsync/consent/stream"
)

// TestPostgreSQLInTrouble: while PostgreSQL has no connection left, or no room on its disk, a worker records nothing and loses nothing; it
// goes on when there is, without a restart.
func TestPostgreSQLInTrouble(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]struct{ begins, ends, logged string }{
		"no connection is left": {`do $$ begin execute format('alter database %I connection limit 0', current_database());
			perform pg_terminate_backend(pid) from pg_stat_activity where usename = 'contactsync_worker' and datname = current_database(); end $$`,
			`do $$ begin execute format('alter database %I connection limit -1', current_database()); end $$`, "53300"},
		"no room is left": {`create function sync.full() returns trigger language plpgsql as $$ begin
			raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
			create trigger disk before insert or update on sync.channel execute function sync.full();
			create trigger disk before insert or update on sync.due execute function sync.full()`,
			`drop trigger disk on sync.channel; drop trigger disk on sync.due`, "53100"},
	} {
		t.Run(name, func(t *testing.T) { // not beside each other: the role is the whole cluster's
			kafkatest.Each(t, func(t *testing.T, c stream.Config) {
				w := newWorld(t, c)
				owner := w.pool
				w.pool = asWorker(t, owner)
				run := func(sql string) {
					t.Helper()
					if _, err := owner.Exec(t.Context(), sql); err != nil {
						t.Fatal(err)
					}
				}
				k := kafkatest.Client(t, c, kgo.ConsumeTopics(c.Prefix+event.TopicOutcomes))
				seen := map[string]event.Outcome{}
				told := make(chan struct{}, 1)
				w.startsWith(t, slog.New(slog.NewTextHandler(&bell{trouble.logged, told}, nil)), prometheus.NewRegistry())
				now := time.Now().UnixMicro()
				before, after := decision(w.persons[0], now, true), decision(w.persons[1], now, true)
				no := decision(w.persons[0], now+1, false)
				w.publish(t, before)
				w.outcomes(t, k, seen, before)
				run(trouble.begins)
				w.publish(t, after, no)
				select {
				case <-told:
				case <-time.After(time.Minute):
					t.Fatal("the log says nothing")
				}
				run(trouble.ends)
				w.outcomes(t, k, seen, after, no)
				if got := w.shared(t); got != 1 {
					t.Errorf("%d numbers are in the register", got)
				}
			})
		})
	}
}

// asWorker is the same database with the rights of a worker: an owner has connections kept for it.
func asWorker(t *testing.T, owner *pgxpool.Pool) *pgxpool.Pool {
	t.Helper()
	if err := pgschema.SetPassword(t.Context(), owner, pgschema.RoleWorker, "secret"); err != nil {
		t.Fatal(err)
	}
	config := owner.Config().Copy()
	config.ConnConfig.User, config.ConnConfig.Password = pgschema.RoleWorker, "secret"
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// bell rings when a text stands in a line of the log.
type bell struct {
	text string
	told chan struct{}
}

func (b *bell) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(b.text)) {
		select {
		case b.told <- struct{}{}:
		default:
		}
	}
	return len(line), nil
}
