package portal

// Waiting is how many pages wait for news; a person who is kept though nobody waits counts too.
func (p *Portal) Waiting() int {
	p.waits.mu.Lock()
	defer p.waits.mu.Unlock()
	n := 0
	for _, w := range p.waits.open {
		n += max(1, w.waiting)
	}
	return n
}
