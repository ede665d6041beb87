package group_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"contactsync/consent/group"
)

var errOdd = errors.New("odd")

// doing takes some time.
type doing struct {
	odd         bool          // odd numbers cannot be done
	takes       time.Duration // 0: a second
	mu          sync.Mutex
	groups      [][]int
	now, atOnce int
}

func (d *doing) do(_ context.Context, all []int) error {
	d.mu.Lock()
	d.groups, d.now = append(d.groups, all), d.now+1
	d.atOnce = max(d.atOnce, d.now)
	d.mu.Unlock()
	<-time.After(cmp.Or(d.takes, time.Second))
	d.mu.Lock()
	d.now--
	d.mu.Unlock()
	if d.odd && slices.ContainsFunc(all, odd) {
		return errOdd
	}
	return nil
}

func odd(n int) bool { return n%2 == 1 }

// wait has so many done, each called a millisecond after the one before, and returns how long the slowest took.
func wait(t *testing.T, g *group.Group[int], n int) (longest time.Duration) {
	t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	for i := range n {
		all.Go(func() {
			<-time.After(time.Duration(i) * time.Millisecond)
			began := time.Now()
			err := g.Wait(t.Context(), i)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			longest = max(longest, time.Since(began))
			mu.Unlock()
		})
	}
	all.Wait()
	return longest
}

func TestWhatComesMeanwhileIsDoneTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &doing{}
		longest := wait(t, &group.Group[int]{Do: d.do, AtOnce: 2, Most: 100}, 20)
		if d.atOnce != 2 || len(d.groups) != 3 || !slices.Equal(d.groups[0], []int{0}) || longest >= 2*time.Second {
			t.Errorf("groups %v, %d at once, the slowest took %v", d.groups, d.atOnce, longest)
		}
		if got := slices.Concat(d.groups...); len(got) != 20 || !slices.IsSorted(got) {
			t.Errorf("done: %v", got)
		}
	})
}

// What is wrong with one keeps nobody back, but for ever it is not tried.
func TestOneThatCannotBeDone(t *testing.T) {
	t.Parallel()
	for about, tt := range map[string]struct {
		timeout time.Duration
		done    int
	}{"there is time": {time.Minute, 10}, "there is not": {500 * time.Millisecond, 1}} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &doing{odd: true}
				g := &group.Group[int]{Do: d.do, AtOnce: 1, Most: 100}
				var all sync.WaitGroup
				done := make([]bool, 20)
				for i := range done {
					all.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
						defer cancel() // as soon as it has its answer, while others wait for theirs
						<-time.After(time.Duration(i) * time.Millisecond)
						done[i] = g.Wait(ctx, i) == nil
					})
				}
				all.Wait()
				n := 0
				for i, ok := range done {
					if ok && odd(i) {
						t.Errorf("%d is done", i)
					}
					if ok {
						n++
					}
				}
				if n != tt.done {
					t.Errorf("%d are done, want %d", n, tt.done)
				}
			})
		})
	}
}

func TestAnotherOneBeginsOnlyForEnough(t *testing.T) {
	t.Parallel()
	for about, tt := range map[string]struct{ beside, atOnce int }{
		"few wait":    {100, 1},
		"enough wait": {10, 2},
		"any number":  {0, 2},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &doing{takes: 40 * time.Millisecond}
				wait(t, &group.Group[int]{Do: d.do, AtOnce: 2, Beside: tt.beside, Most: 100}, 60)
				if d.atOnce != tt.atOnce {
					t.Errorf("groups %v, %d at once, want %d", d.groups, d.atOnce, tt.atOnce)
				}
			})
		})
	}
}

// Whoever is stuck, with a row that somebody holds, say, does not stop the others.
func TestOneThatIsStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		g := &group.Group[int]{AtOnce: 3, Beside: 1000, Most: 1000, Do: func(_ context.Context, all []int) error {
			if slices.ContainsFunc(all, func(n int) bool { return n < 0 }) {
				<-free
			}
			return nil
		}}
		var stuck sync.WaitGroup
		for n := range 2 {
			stuck.Go(func() {
				if err := g.Wait(t.Context(), -1-n); err != nil {
					t.Error(err)
				}
			})
			<-time.After(100 * time.Millisecond)
		}
		if longest := wait(t, g, 200); longest > 200*time.Millisecond {
			t.Errorf("the others waited for %v", longest)
		}
		close(free)
		stuck.Wait()
	})
}

func TestAGroupIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &doing{}
		wait(t, &group.Group[int]{Do: d.do, AtOnce: 1, Most: 20, Size: func(n int) int { return n }}, 30)
		for _, g := range d.groups {
			sum := 0
			for _, n := range g {
				sum += n
			}
			if sum > 20 && len(g) > 1 {
				t.Errorf("a group of %v", g)
			}
		}
	})
}

func TestLingering(t *testing.T) {
	t.Parallel()
	for about, tt := range map[string]struct {
		more  bool
		first int // size of the first group
	}{
		"others are to come":    {true, 8},
		"nobody else is coming": {false, 1},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &doing{}
				g := &group.Group[int]{Do: d.do, AtOnce: 2, Most: 100, Worth: 8, More: func() bool { return tt.more }, LingerFor: 7500 * time.Microsecond}
				wait(t, g, 8)
				if len(d.groups[0]) != tt.first {
					t.Errorf("groups %v", d.groups)
				}
			})
		})
	}
}

// Nobody is forgotten, whoever comes when.
func TestEveryoneIsAnswered(t *testing.T) {
	t.Parallel()
	for _, atOnce := range []int{1, 2, 5} {
		t.Run(fmt.Sprint(atOnce), func(t *testing.T) {
			t.Parallel()
			var sum sync.Map
			g := &group.Group[int]{AtOnce: atOnce, Most: 7, Worth: 3, More: func() bool { return true }, LingerFor: time.Microsecond,
				Do: func(_ context.Context, all []int) error {
					for _, n := range all {
						if _, twice := sum.LoadOrStore(n, true); twice {
							t.Errorf("%d is done twice", n)
						}
					}
					return nil
				}}
			var all sync.WaitGroup
			for caller := range 50 {
				all.Go(func() {
					for i := range 200 {
						if err := g.Wait(t.Context(), caller*200+i); err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			for n := range 50 * 200 {
				if _, done := sum.Load(n); !done {
					t.Fatalf("%d is not done", n)
				}
			}
		})
	}
}
