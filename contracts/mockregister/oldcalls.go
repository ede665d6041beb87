package mockregister

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"contactsync/contracts"
	"contactsync/contracts/rivta"
)

// otherCaller stands for callers whom the register does not know.
const otherCaller = "other"

// warnEvery is how often one caller of one deprecated contract is logged, however often it calls.
const warnEvery = time.Minute

// oldCalls counts who still calls deprecated contracts. Callers are those of verified certificates whom the register knows, so
// that they stay few.
type oldCalls struct {
	lives  map[contracts.Contract]contracts.Lifecycle // of those that have an end
	mu     sync.Mutex
	counts map[oldCaller]*oldCount
}

type oldCaller struct {
	contract contracts.Contract
	caller   string
}

type oldCount struct {
	calls  int
	warned time.Time
}

func newOldCalls() *oldCalls {
	o := &oldCalls{lives: map[contracts.Contract]contracts.Lifecycle{}, counts: map[oldCaller]*oldCount{}}
	for _, c := range contracts.All() {
		if life, _ := contracts.Of(c); !life.Deprecated.IsZero() {
			o.lives[c] = life
		}
	}
	return o
}

// note counts a call if its contract is deprecated, also one that was refused: its caller has not moved.
func (o *oldCalls) note(ctx context.Context, r *Register, x rivta.Exchange) {
	now := r.clock.now()
	contract := x.Operation.Contract()
	life, ends := o.lives[contract]
	if !ends || !life.IsDeprecated(now) {
		return
	}
	key := oldCaller{contract, otherCaller}
	if r.knows(x.Caller.HSAID) {
		key.caller = x.Caller.HSAID
	}
	if o.add(key, now) {
		r.log.LogAttrs(ctx, slog.LevelWarn, "deprecated contract called",
			slog.String("contract", contract.Name), slog.Int("major", contract.Major), slog.Int("successor", life.Successor),
			slog.String("caller", key.caller), slog.Time("sunset", life.Sunset), slog.Bool("past_sunset", life.IsPast(now)),
			slog.Bool("off", slices.Contains(r.off, contract)))
	}
}

// add tells whether it is time to warn.
func (o *oldCalls) add(key oldCaller, now time.Time) (warn bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	count, ok := o.counts[key]
	if !ok {
		count = &oldCount{}
		o.counts[key] = count
	}
	count.calls++
	if warn = count.warned.IsZero() || now.Sub(count.warned) >= warnEvery; warn {
		count.warned = now
	}
	return warn
}

// DeprecatedCalls tells how often a caller has called a deprecated contract since the register began.
type DeprecatedCalls struct {
	Contract contracts.Contract
	Caller   string // HSA-id, or "other" for all whom the register does not know
	Calls    int
}

// DeprecatedCalls lists the callers of deprecated contracts, by contract and caller.
func (r *Register) DeprecatedCalls() []DeprecatedCalls {
	r.old.mu.Lock()
	defer r.old.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(r.old.counts), func(a, b oldCaller) int {
		return cmp.Or(strings.Compare(a.contract.String(), b.contract.String()), strings.Compare(a.caller, b.caller))
	})
	var list []DeprecatedCalls
	for _, key := range keys {
		list = append(list, DeprecatedCalls{key.contract, key.caller, r.old.counts[key].calls})
	}
	return list
}
