package portal

// Waiting is how many pages wait for news.
func (p *Portal) Waiting() int {
	p.waits.mu.Lock()
	defer p.waits.mu.Unlock()
	n := 0
	for _, w := range p.waits.open {
		n += w.waiting
	}
	return n
}
