package mockregister

import (
	"sync"
	"time"

	"contactsync/contracts/personv4"
)

// maxPast bounds the replaced records that are kept, in bytes. Beyond it the oldest are forgotten: those reads lag less.
const maxPast = 64 << 20

// past keeps records that were replaced a moment ago, for reads that lag behind. The zero value keeps nothing.
//
// What has grown too old is forgotten at the next read that lags, or at the next write of anybody.
type past struct {
	mu       sync.Mutex
	span     time.Duration // how long a replaced record is kept; 0: not at all
	replaced []*replaced   // the oldest first
	of       map[personv4.ID][]*replaced
	bytes    int
}

// replaced is a record that a newer one has taken the place of.
type replaced struct {
	person person
	at     time.Time // zero: the write is under way
	undone bool      // the write was refused
}

func (r *replaced) bytes() int {
	const row = 512 // about what it takes beside the content
	return row + len(r.person.content)
}

// keepFor sets how long replaced records are kept. 0 forgets all.
func (p *past) keepFor(span time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.span = span
	if span == 0 {
		p.replaced, p.of, p.bytes = nil, nil, 0
	}
}

// forget drops all that is kept.
func (p *past) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replaced, p.of, p.bytes = nil, nil, 0
}

func (p *past) keeps() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.span > 0
}

// keep is told before a write what stands there. The function that it returns must be told after it whether that was
// replaced, and when.
func (p *past) keep(old person) (settle func(wasReplaced bool, now time.Time)) {
	r := &replaced{person: old}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		p.of = map[personv4.ID][]*replaced{}
	}
	p.replaced = append(p.replaced, r)
	p.of[old.id] = append(p.of[old.id], r)
	p.bytes += r.bytes()
	return func(wasReplaced bool, now time.Time) {
		p.mu.Lock()
		defer p.mu.Unlock()
		r.at, r.undone = now, !wasReplaced
		p.prune(now)
	}
}

// prune forgets what is too old, and the oldest of what is too much.
func (p *past) prune(now time.Time) {
	for len(p.replaced) > 0 {
		r := p.replaced[0]
		old := !r.at.IsZero() && now.Sub(r.at) >= p.span
		if !old && p.bytes <= maxPast {
			return
		}
		p.replaced = p.replaced[1:]
		p.bytes -= r.bytes()
		if p.of[r.person.id] = p.of[r.person.id][1:]; len(p.of[r.person.id]) == 0 {
			delete(p.of, r.person.id)
		}
	}
}

// before returns the person's record as it was so long ago; false when it is the same as now.
func (p *past) before(id personv4.ID, lag time.Duration, now time.Time) (person, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prune(now)
	for _, r := range p.of[personv4.ID{Root: id.Root, Extension: id.Extension}] {
		if !r.undone && (r.at.IsZero() || now.Sub(r.at) < lag) {
			return r.person, true
		}
	}
	return person{}, false
}
