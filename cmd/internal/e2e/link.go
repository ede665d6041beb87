package e2e

import (
	"net"
	"sync"
	"testing"
	"time"
)

// dialTimeout bounds how long a connection's other half takes.
const dialTimeout = 5 * time.Second

// Link is a way between two parts, on which connections can be cut, refused, slowed down and silenced. It does not hang on a library:
// toxiproxy waits for ever if what slows a connection down is taken away as the connection ends.
type Link struct {
	t           testing.TB
	to, address string

	mu       sync.Mutex
	listener net.Listener // nil: cut
	ways     map[*way]struct{}
	slow     time.Duration
	silent   bool
	cleared  chan struct{} // closed by Clear
	running  sync.WaitGroup
}

// way is one connection, by its two halves.
type way struct {
	halves [2]net.Conn // of who has come, and of whom it goes to
	ended  chan struct{}
	end    func()
}

// NewLink opens a way to an address.
func NewLink(t testing.TB, to string) *Link {
	t.Helper()
	l := &Link{t: t, to: to, address: local(freePort(t)), ways: map[*way]struct{}{}, cleared: make(chan struct{})}
	if err := l.listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Cut()
		l.running.Wait()
	})
	return l
}

func (l *Link) listen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	listener, err := net.Listen("tcp", l.address)
	if err != nil {
		return err
	}
	l.listener, l.address = listener, listener.Addr().String()
	l.running.Go(func() { l.accept(listener) })
	return nil
}

// Address is where the way begins.
func (l *Link) Address() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.address
}

// Cut cuts every connection; new ones are refused until Mend.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != nil {
		_ = l.listener.Close()
		l.listener = nil
	}
	l.endAll()
}

// Mend lets connections through again.
func (l *Link) Mend() {
	if err := l.listen(); err != nil {
		l.t.Error(err)
	}
}

// Slow holds everything that is sent in either direction back for so long, until Clear.
func (l *Link) Slow(by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slow += by
}

// Silence lets connections stand, and nothing through to who has made them, until Clear: what was on its way is lost, and the connections
// are closed then.
func (l *Link) Silence() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent = true
}

// Clear ends Slow and Silence.
func (l *Link) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.silent {
		l.endAll()
	}
	l.slow, l.silent = 0, false
	close(l.cleared)
	l.cleared = make(chan struct{})
}

// endAll is called under the lock.
func (l *Link) endAll() {
	for w := range l.ways {
		w.end()
	}
}

func (l *Link) accept(listener net.Listener) {
	for {
		from, err := listener.Accept()
		if err != nil {
			return // cut
		}
		l.running.Go(func() { l.connect(listener, from) })
	}
}

// connect carries a connection until either end closes it, or the link is cut.
func (l *Link) connect(listener net.Listener, from net.Conn) {
	to, err := net.DialTimeout("tcp", l.to, dialTimeout)
	if err != nil {
		_ = from.Close()
		return
	}
	w := &way{halves: [2]net.Conn{from, to}, ended: make(chan struct{})}
	w.end = sync.OnceFunc(func() {
		close(w.ended)
		_, _ = from.Close(), to.Close()
	})
	defer w.end()
	if !l.enter(listener, w) {
		return
	}
	defer l.leave(w)
	var back sync.WaitGroup
	defer back.Wait()
	back.Go(func() { l.carry(w, 1, 0) })
	l.carry(w, 0, 1)
}

// enter tells whether the link has not been cut meanwhile.
func (l *Link) enter(listener net.Listener, w *way) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener == listener {
		l.ways[w] = struct{}{}
	}
	return l.listener == listener
}

func (l *Link) leave(w *way) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ways, w)
}

func (l *Link) carry(w *way, from, to int) {
	defer w.end()
	buffer := make([]byte, 32<<10)
	for {
		n, err := w.halves[from].Read(buffer)
		if n > 0 && l.through(w, to == 0) {
			if _, err := w.halves[to].Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// through holds back what was read, and tells whether it may go on.
func (l *Link) through(w *way, back bool) bool {
	l.mu.Lock()
	slow, cleared := l.slow, l.cleared
	l.mu.Unlock()
	if slow > 0 {
		over := time.NewTimer(slow)
		defer over.Stop()
		select {
		case <-over.C:
		case <-cleared:
		case <-w.ended:
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return !back || !l.silent
}
