package run

import (
	"context"
	"log/slog"
	"time"

	"contactsync/consent/trouble"
)

const awaitEvery = 500 * time.Millisecond

// Await asks until what the process needs is there, and says why it waits: a process that ended instead would only be started
// again. It returns the context's error if that ends first.
func Await(ctx context.Context, log *slog.Logger, part string, ask Check) error {
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	told := trouble.New(log)
	for {
		asking, cancel := context.WithTimeout(ctx, checkTimeout)
		err := ask(asking)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			told.Over(part, "ready again", "part", part)
			return nil
		}
		told.Warn(part, "not ready", err, "part", part)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
