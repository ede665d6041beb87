package database

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	measureEvery   = 10 * time.Second
	measureTimeout = 2 * time.Second
	// offBy is how far this machine's clock may be off before the log says so.
	offBy = time.Second
)

// Clock tells PostgreSQL's time, which all processes share. A worker whose own clock were behind would refuse shares for good
// as too far ahead, and a portal whose clock were ahead would send such.
type Clock struct {
	pool   *pgxpool.Pool
	log    *slog.Logger
	now    func() time.Time // this machine's
	offset atomic.Int64     // nanoseconds to add
}

// NewClock returns a clock that shows this machine's time until it is first measured.
func NewClock(pool *pgxpool.Pool, log *slog.Logger, now func() time.Time) *Clock {
	return &Clock{pool: pool, log: log, now: now}
}

// Now is PostgreSQL's time, as far as it is known.
func (c *Clock) Now() time.Time { return c.now().Add(c.Offset()) }

// Offset is what this machine's clock lacks: positive if it is behind.
func (c *Clock) Offset() time.Duration { return time.Duration(c.offset.Load()) }

// Run measures again and again until ctx ends. PostgreSQL being away changes nothing.
func (c *Clock) Run(ctx context.Context) {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = c.Measure(ctx) // PostgreSQL's own absence is told elsewhere
		}
	}
}

// Measure asks PostgreSQL for the time.
func (c *Clock) Measure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, measureTimeout)
	defer cancel()
	var theirs time.Time
	began := c.now()
	if err := c.pool.QueryRow(ctx, `select clock_timestamp()`).Scan(&theirs); err != nil {
		return fmt.Errorf("ask PostgreSQL for the time: %w", err)
	}
	took := c.now().Sub(began)
	before := c.Offset()
	offset := theirs.Sub(began.Round(0).Add(took / 2)) // Round: by the wall clock, which may have been set
	c.offset.Store(int64(offset))
	if offset.Abs() > offBy && (before-offset).Abs() > offBy {
		c.log.Warn("this machine's clock is off: PostgreSQL's counts", "behind_seconds", offset.Seconds())
	}
	return nil
}
