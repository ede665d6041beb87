package syncpg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/sync/push"
)

// Slots share a register's calls a second out among all workers. See push.Slots.
type Slots struct {
	pool  *pgxpool.Pool
	calls int           // a second
	hold  time.Duration // a slot is gone for so long with whoever has it, unless it is given back
}

var _ push.Slots = (*Slots)(nil)

// afterAnswer is how long a slot stays taken after its call was answered: a second, and a little because no two clocks agree.
const afterAnswer = time.Second + 2*time.Millisecond

// whileAllCall is how often to look for a slot while each is taken by a call that is under way.
const whileAllCall = 50 * time.Millisecond

// NewSlots returns as many slots as calls may be made in a second. All workers must be told the same number: of different ones the
// highest counts.
func NewSlots(pool *pgxpool.Pool, calls int, callTimeout time.Duration) *Slots {
	return &Slots{pool, calls, callTimeout + 2*time.Second}
}

// Take implements push.Slots. The slot that has been free longest goes first. None is held for a minute, unless the database's clock was set back.
func (s *Slots) Take(ctx context.Context) (slot push.Slot, wait time.Duration, err error) {
	err = s.pool.QueryRow(ctx, `
		with free as (select number from sync.call_slot where number <= $2 and (free_at <= clock_timestamp() or free_at > clock_timestamp() + interval '1 minute')
			order by free_at limit 1 for update skip locked)
		update sync.call_slot s set free_at = clock_timestamp() + $1 from free where s.number = free.number
		returning s.number, s.free_at`, s.hold, s.calls).Scan(&slot.Number, &slot.Ends)
	if errors.Is(err, pgx.ErrNoRows) {
		wait, err = s.untilFree(ctx)
	}
	if err != nil {
		err = fmt.Errorf("take a register call: %w", err)
	}
	return slot, wait, err
}

// untilFree also makes the slots that there are not yet.
func (s *Slots) untilFree(ctx context.Context) (wait time.Duration, err error) {
	var there int
	err = s.pool.QueryRow(ctx, `
		select count(*), coalesce(greatest(min(free_at) - clock_timestamp(), '1 ms'), '0') from sync.call_slot where number <= $1`,
		s.calls).Scan(&there, &wait)
	if wait > afterAnswer { // all calls are under way, and any of them may be over long before its slot runs out
		wait = whileAllCall
	}
	if err != nil || there == s.calls {
		return wait, err
	}
	_, err = s.pool.Exec(ctx, `
		insert into sync.call_slot (number, free_at) select n, now() from generate_series(1, $1) as n on conflict (number) do nothing`, s.calls)
	return 0, err
}

// Give implements push.Slots.
func (s *Slots) Give(ctx context.Context, slot push.Slot) error {
	_, err := s.pool.Exec(ctx, `update sync.call_slot set free_at = clock_timestamp() + $3 where number = $1 and free_at = $2`,
		slot.Number, slot.Ends, afterAnswer)
	if err != nil {
		return fmt.Errorf("give a register call back: %w", err)
	}
	return nil
}
