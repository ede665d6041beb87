package stream

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	healthEvery   = time.Second
	healthTimeout = 2 * time.Second
)

// health is since when nothing that was handed over could be handled, on any partition.
type health struct {
	mu    sync.Mutex
	since time.Time // zero: it works
}

func (h *health) note(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil:
		h.since = time.Time{}
	case h.since.IsZero():
		h.since = time.Now()
	}
}

func (h *health) failingFor() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since.IsZero() {
		return 0
	}
	return time.Since(h.since)
}

// watchHealth returns when partitions should be left to others, or when ctx ends. That something fails is not enough: a batch that
// no member can handle would send the partitions round and round.
func (c *consumer) watchHealth(ctx context.Context) {
	for ctx.Err() == nil {
		if c.Healthy != nil && c.health.failingFor() > c.SessionTimeout {
			if err := c.ask(ctx); err != nil && ctx.Err() == nil {
				c.Log.Warn("the group is left until the handler works again", "group", c.Group, "error", err.Error())
				return
			}
		}
		pause(ctx, healthEvery)
	}
}

// awaitHealth waits until the handler can work; false if ctx ends before.
func (c *consumer) awaitHealth(ctx context.Context) bool {
	for c.Healthy != nil && ctx.Err() == nil {
		err := c.ask(ctx)
		if err == nil {
			break
		}
		c.trouble.Warn(ofGroup, "group not joined yet", err, "group", c.Group)
		pause(ctx, healthEvery)
	}
	c.health.note(nil)
	return ctx.Err() == nil
}

// watchHolds returns when the partitions must be assigned anew, or when ctx ends. A handler that cannot tell cannot go by what it has forgotten
// either.
func (g *generation) watchHolds(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, healthEvery)
		asking, cancel := context.WithTimeout(ctx, healthTimeout)
		err := g.Holds(asking, g.offsets.all())
		cancel()
		if errors.Is(err, ErrForgotten) {
			g.forgotten()
			return
		}
	}
}

func (g *generation) forgotten() {
	g.Log.Warn("the database was started again, or stands behind what was read: partitions are taken over anew", "group", g.Group)
}

func (c *consumer) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	return c.Healthy(ctx)
}
