// Package trouble logs what goes wrong again and again: a broker that is away is tried twice a second, and one line a minute
// says as much about it as a hundred.
//
// A text is logged when it is new and then once a minute, and that the trouble is over is logged once. Several parts, such as
// partitions, may share a Log: it is over when it is over for all of them. Start with Log.Warn and Log.Over.
package trouble

import (
	"errors"
	"log/slog"
	"maps"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	again = time.Minute
	texts = 20 // different ones in a minute; what comes on top varies too much to be worth a line
)

// Log tells of one trouble, by whatever names it comes.
type Log struct {
	log  *slog.Logger
	mu   sync.Mutex
	in   map[string]bool      // parts that are in trouble
	said map[string]time.Time // when each text was logged
}

// New returns a Log that writes to log.
func New(log *slog.Logger) *Log {
	return &Log{log: log, in: map[string]bool{}, said: map[string]time.Time{}}
}

// Warn tells that a part is in trouble.
func (l *Log) Warn(part, message string, err error, args ...any) {
	text := lasting(err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in[part] = true
	now := time.Now()
	maps.DeleteFunc(l.said, func(_ string, at time.Time) bool { return now.Sub(at) >= again })
	key := message + ": " + text
	if _, said := l.said[key]; said || len(l.said) >= texts {
		return
	}
	l.said[key] = now
	l.log.Warn(message, append(args, "error", text)...)
}

// Over tells that a part is well. If all are, and something was said, message is logged.
func (l *Log) Over(part, message string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.in, part)
	if len(l.in) == 0 && len(l.said) > 0 {
		clear(l.said)
		l.log.Info(message, args...)
	}
}

// Leave forgets a part that is no longer ours, well or not.
func (l *Log) Leave(part string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.in, part)
}

// lasting is the error's text without what is another with every attempt: our own port.
func lasting(err error) string {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Source == nil || op.Addr == nil {
		return err.Error()
	}
	return strings.Replace(err.Error(), op.Source.String()+"->", "", 1)
}
