package run

import (
	"context"
	"log/slog"
	"time"
)

const (
	awaitEvery  = 500 * time.Millisecond
	repeatEvery = time.Minute // how often the same trouble is told
)

// Await asks until what the process needs is there. It tells trouble when it is new, and then once a minute: a process that
// waits says why, and does not end only to be started again. It returns the context's error if that ends first.
func Await(ctx context.Context, log *slog.Logger, part string, ask Check) error {
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	trouble := Trouble{Log: log, Now: time.Now}
	for {
		asking, cancel := context.WithTimeout(ctx, checkTimeout)
		err := ask(asking)
		cancel()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		trouble.Tell(part, err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Trouble tells the same thing once a minute at most.
type Trouble struct {
	Log  *slog.Logger
	Now  func() time.Time
	told map[string]toldAt
}

type toldAt struct {
	text string
	at   time.Time
}

// Tell logs why a part is not ready, if that is news; nil: it is ready again.
func (t *Trouble) Tell(part string, err error) {
	before, known := t.told[part]
	if t.told == nil {
		t.told = map[string]toldAt{}
	}
	switch {
	case err == nil && known:
		t.Log.Info("ready again", "part", part)
		delete(t.told, part)
	case err == nil:
	case !known || before.text != err.Error() || t.Now().Sub(before.at) >= repeatEvery:
		t.Log.Warn("not ready", "part", part, "error", err.Error())
		t.told[part] = toldAt{err.Error(), t.Now()}
	}
}
