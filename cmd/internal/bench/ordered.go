package bench

import "context"

// ordered: the same as throughput, against a loop for each partition. Where each decision is another person's, nothing can be out of
// order: so the worker carries once more as many, several of each person, of which only what went wrong is counted.
func ordered(ctx context.Context, r *rig, sc scenario) (figures, error) {
	f, err := r.drain(ctx, sc, ours())
	if err != nil {
		return nil, err
	}
	p, err := r.drain(ctx, sc, sc.plainEach())
	if err != nil {
		return nil, err
	}
	f[baselinePerS], f[baselineDecisions] = p[ratePerS], p[decisions]
	several := sc
	several.persons = max(1, sc.decisions/severalOfEach)
	o, err := r.drain(ctx, several, ours())
	if err != nil {
		return nil, err
	}
	for _, wrong := range []name{outOfOrder, duplicates, refusedCalls} {
		f[wrong] += o[wrong]
	}
	return f, nil
}

const severalOfEach = 10
