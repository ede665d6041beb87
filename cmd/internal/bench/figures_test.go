package bench

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"contactsync/consent/contact"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(i + 1)
	}
	for _, row := range []struct {
		name   string
		values []float64
		p      float64
		want   float64
	}{
		{"of nothing", nil, 50, 0},
		{"of one value", []float64{7}, 99, 7},
		{"the median of two is the lower one", []float64{1, 2}, 50, 1},
		{"the median of three", []float64{1, 2, 3}, 50, 2},
		{"99 of a hundred", hundred, 99, 99},
		{"all of a hundred", hundred, 100, 100},
		{"none of a hundred", hundred, 0, 1},
		{"99 of a few is the greatest", []float64{1, 2, 3, 4, 5}, 99, 5},
	} {
		if got := percentile(row.values, row.p); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		values []float64
		want   spread
	}{
		{[]float64{3}, spread{median: 3, least: 3, most: 3, sum: 3}},
		{[]float64{3, 1, 2}, spread{median: 2, least: 1, most: 3, sum: 6}},
		{[]float64{4, 1, 3, 2}, spread{median: 2.5, least: 1, most: 4, sum: 10}},
	} {
		if diff := cmp.Diff(row.want, spreadOf(row.values), cmp.AllowUnexported(spread{})); diff != "" {
			t.Error("(-want +got)\n" + diff)
		}
	}
}

func TestWindowIsAnySecond(t *testing.T) {
	t.Parallel()
	var w window
	begin := time.Unix(100, 0)
	for _, row := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {900 * time.Millisecond, 2}, {999 * time.Millisecond, 3}, {time.Second, 3}, {1950 * time.Millisecond, 3}, {5 * time.Second, 1}} {
		if got := w.add(begin.Add(row.after)); got != row.want {
			t.Errorf("after %v: %d within a second, want %d", row.after, got, row.want)
		}
	}
}

func TestCallsAboveTheLimitAreRefused(t *testing.T) {
	t.Parallel()
	c := &calls{limit: 2}
	now := time.Unix(100, 0)
	for i, want := range []bool{true, true, false, false} {
		if got := c.take(now); got != want {
			t.Errorf("call %d: taken %v, want %v", i, got, want)
		}
	}
	if !c.take(now.Add(time.Second)) {
		t.Error("a refused call counts against the limit")
	}
	if total, refused, most := c.counts(); total != 5 || refused != 2 || most != 4 {
		t.Errorf("total %d, refused %d, most %d: want 5, 2, 4", total, refused, most)
	}
}

// Everything about a decision follows from its number, both ways.
func TestLoadIsComputed(t *testing.T) {
	t.Parallel()
	persons := []digits{digitsOf("198507099805"), digitsOf("201701012393"), digitsOf("197205179802")}
	for _, channels := range []int{1, 2} {
		l := load{persons: persons, channels: channels, decisions: 50, began: time.Unix(1000, 0)}
		newest := map[int]int{}
		for i := range l.decisions {
			d, m := l.decision(i), l.message(i)
			key, step := l.key(i)
			person, channel := l.place(key)
			if d.Person != persons[person].id() || d.Channel != channel {
				t.Fatalf("decision %d is about another person or channel", i)
			}
			if got, ok := stepOf(channel, d.Value.Reveal()); !ok || got != step || l.number(key, step) != i {
				t.Fatalf("decision %d: the value says step %d, want %d", i, got, step)
			}
			if got, ok := numberOf(d.EventID); !ok || got != i {
				t.Fatalf("decision %d: the event id says %d", i, got)
			}
			if _, err := channel.Parse(d.Value.Reveal()); err != nil {
				t.Fatalf("decision %d has a value that would be refused: %v", i, err)
			}
			if len(m.Key) == 0 || len(m.Value) == 0 {
				t.Fatalf("decision %d has no message", i)
			}
			newest[key] = step
		}
		for key := range l.keys() {
			if l.lastStep(key) != newest[key] {
				t.Errorf("pair %d ends with step %d, want %d", key, l.lastStep(key), newest[key])
			}
		}
	}
}

func TestValuesThatNobodyDecided(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		channel contact.Channel
		text    string
	}{
		{contact.Mobile, "+46701740604"}, {contact.Mobile, "+46701740700"}, {contact.Mobile, ""}, {contact.Mobile, "x"},
		{contact.Email, "resident95@example.se"}, {contact.Email, "resident-1@example.se"}, {contact.Email, "other@example.se"},
	} {
		if _, ok := stepOf(row.channel, row.text); ok {
			t.Errorf("%q is taken for a decided value", row.text)
		}
	}
}

func TestFirstSecondWithTheFullRate(t *testing.T) {
	t.Parallel()
	back := time.Unix(100, 0)
	var r rhythm
	for _, after := range []int{-500, 300, 1400, 1500, 1600, 1700, 2900} { // ms; in any order they may come
		r.add(back.Add(time.Duration(after) * time.Millisecond))
	}
	for _, row := range []struct {
		name   string
		now    time.Duration
		pushes float64
		want   time.Duration // -1: none
	}{
		{"at once", 3 * time.Second, 1, 0},
		{"a second that begins at a push", 3 * time.Second, 4, 1400 * time.Millisecond},
		{"more than there ever are", 9 * time.Second, 5, -1},
		{"a second that is not over does not count", 2300 * time.Millisecond, 4, -1},
	} {
		at, ok := r.firstSecond(back, back.Add(row.now), row.pushes)
		if ok != (row.want >= 0) || ok && at.Sub(back) != row.want {
			t.Errorf("%s: after %v, %v; want %v", row.name, at.Sub(back), ok, row.want)
		}
	}
	if n := r.between(back, back.Add(1500*time.Millisecond)); n != 2 {
		t.Errorf("%d pushes within 1.5 s, want 2", n)
	}
}

func TestStoredPersonsAreMeasuredEach(t *testing.T) {
	t.Parallel()
	var got []int
	for _, s := range (Config{Scenarios: []string{"register", "latency"}, Persons: []int{500, 2000}}).chosen() {
		got = append(got, s.decisions, s.persons)
	}
	if diff := cmp.Diff([]int{5000, 500, 500, 0, 2000, 0}, got); diff != "" {
		t.Error("decisions and persons (-want +got)\n" + diff)
	}
}
