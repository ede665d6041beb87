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
	pool *pgxpool.Pool
	log  *slog.Logger
	now  func() time.Time // this machine's
	at   atomic.Pointer[measure]
}

// measure is one look at both clocks.
type measure struct {
	theirs time.Time
	ours   time.Time // with what counts on by itself: a step of this machine's clock does not move it
}

// NewClock returns a clock that shows this machine's time until it is first measured.
func NewClock(pool *pgxpool.Pool, log *slog.Logger, now func() time.Time) *Clock {
	return &Clock{pool: pool, log: log, now: now}
}

// Now is PostgreSQL's time, as far as it is known.
func (c *Clock) Now() time.Time {
	m := c.at.Load()
	if m == nil {
		return c.now()
	}
	return m.theirs.Add(c.now().Sub(m.ours))
}

// Offset is what this machine's clock lacks: positive if it is behind.
func (c *Clock) Offset() time.Duration { return c.Now().Sub(c.now().Round(0)) } // Round: by the wall clock, which may have been set

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
	before := c.at.Load()
	stepped := c.Now().Sub(theirs)
	middle := began.Add(c.now().Sub(began) / 2)
	c.at.Store(&measure{theirs, middle})
	switch {
	case before == nil && c.Offset().Abs() > offBy:
		c.log.Warn("this machine's clock is off: PostgreSQL's counts", "behind_seconds", c.Offset().Seconds())
	case before != nil && stepped.Abs() > offBy:
		c.log.Error("PostgreSQL's clock was set: what is due, and who is ahead, is judged by it", "back_seconds", stepped.Seconds())
	}
	return nil
}
