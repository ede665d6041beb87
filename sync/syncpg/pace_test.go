package syncpg

import (
	"fmt"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	t.Parallel()
	p, at := &pace{calm: calm}, time.Now()
	send := func(source string, n int) (crowd int16) {
		for range n {
			crowd = p.crowd(source, at)
		}
		return crowd
	}
	if few, many := send("few", calm-1), send("many", 1024*calm); few != 0 || many != 11 {
		t.Errorf("few %d, many %d", few, many)
	}
	if again := send("few", 1); again != 1 {
		t.Errorf("one too many: %d", again)
	}
	at = at.Add(2 * paceOver)
	if few, many := send("few", 1), send("many", 1); few != 0 || many != 9 {
		t.Errorf("two minutes later: few %d, many %d", few, many)
	}
	at = at.Add(24 * time.Hour)
	if many := send("many", 1); many != 0 || len(p.sent) != 1 {
		t.Errorf("a day later: %d, %d counted", many, len(p.sent))
	}
	for i := range 3 * mostPaced {
		send(fmt.Sprint("invented ", i), 1)
	}
	if len(p.sent) > mostPaced+1 {
		t.Errorf("%d counted", len(p.sent))
	}
}
