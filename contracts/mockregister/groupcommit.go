package mockregister

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// maxCommit bounds the entries of one statement, unless a single call has more.
	maxCommit = 4000
	// maxWaiting bounds the rows that wait to be written: what comes beyond is refused.
	maxWaiting = 50_000
	// commitsAtOnce is how many statements may be on their way. Another one begins only for worthOneMore rows: fewer are better written together
	// with those that come meanwhile, for hardly more. These statements wait for nobody.
	commitsAtOnce = 2
	worthOneMore  = 500
	// commitTimeout bounds one statement. It is nobody's request in particular that it serves.
	commitTimeout = 5 * time.Second
)

// errBusy says that more comes than can be written.
var errBusy = errors.New("too much waits to be written")

// groupCommit writes the rows of many calls in one statement: while some are on their way to the disk, the next ones gather. So the
// disk is synced some hundred times a second however many calls there are. Rows are entries of the access log, or updates.
//
// Goroutines run while there is something to write, and only then.
type groupCommit[Row any] struct {
	write  func(context.Context, []Row) error // one statement, durable when it returns
	most   int                                // rows of one statement, unless a single call has more
	atOnce int                                // statements; 0: one
	beside int                                // rows that must wait for another statement beside those on their way

	mu      sync.Mutex
	waiting []*waitingRows[Row]
	rows    int             // waiting
	writing int             // goroutines
	ended   []chan struct{} // closed when nothing is left to write
}

// waitingRows are the rows of one call.
type waitingRows[Row any] struct {
	rows []Row
	ctx  context.Context // of the call, for its values
	done chan error      // has room for the one answer
}

// commit returns when the rows are durable. If ctx ends before, they may be written all the same.
func (g *groupCommit[Row]) commit(ctx context.Context, rows ...Row) error {
	w := &waitingRows[Row]{rows, ctx, make(chan error, 1)}
	if err := g.enqueue(w); err != nil {
		return err
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *groupCommit[Row]) enqueue(w *waitingRows[Row]) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.rows > 0 && g.rows+len(w.rows) > maxWaiting {
		return errBusy
	}
	g.waiting, g.rows = append(g.waiting, w), g.rows+len(w.rows)
	if g.writing < max(1, g.atOnce) && g.worthOneMore(g.writing) {
		g.writing++
		go g.run()
	}
	return nil
}

func (g *groupCommit[Row]) worthOneMore(others int) bool { return others == 0 || g.rows >= g.beside }

// run writes until nothing waits.
func (g *groupCommit[Row]) run() {
	for {
		calls := g.next()
		if len(calls) == 0 {
			return
		}
		err := g.writeAll(calls)
		for _, w := range calls {
			w.done <- err
		}
	}
}

// next takes whole calls, the oldest first.
func (g *groupCommit[Row]) next() []*waitingRows[Row] {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, rows := 0, 0
	for g.worthOneMore(g.writing-1) && n < len(g.waiting) && (n == 0 || rows+len(g.waiting[n].rows) <= g.most) {
		rows += len(g.waiting[n].rows)
		n++
	}
	calls := g.waiting[:n:n]
	g.waiting, g.rows = g.waiting[n:], g.rows-rows
	if len(g.waiting) == 0 {
		g.waiting = nil
	}
	if n == 0 {
		g.writing--
	}
	if g.writing == 0 {
		for _, ended := range g.ended {
			close(ended)
		}
		g.ended = nil
	}
	return calls
}

func (g *groupCommit[Row]) writeAll(calls []*waitingRows[Row]) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(calls[0].ctx), commitTimeout)
	defer cancel()
	var rows []Row
	for _, w := range calls {
		rows = append(rows, w.rows...)
	}
	return g.write(ctx, rows)
}

// wait returns when nothing is being written, or ctx ends.
func (g *groupCommit[Row]) wait(ctx context.Context) error {
	g.mu.Lock()
	if g.writing == 0 {
		g.mu.Unlock()
		return nil
	}
	ended := make(chan struct{})
	g.ended = append(g.ended, ended)
	g.mu.Unlock()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
