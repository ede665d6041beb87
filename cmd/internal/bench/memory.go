package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// mayGrow is how much more memory the half and the end may take than the tenth part, and still be flat.
const mayGrow = 1.2

const sampleEvery = 20 * time.Millisecond

// memory: the same as throughput, with so many decisions that what is kept of each would show. The broker, which keeps them
// all, is another process.
func memory(ctx context.Context, r *rig, sc scenario) (_ figures, err error) {
	brokers, stop, err := r.brokerApart(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	s, err := r.newStage(ctx, sc, brokers...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r.cfg.Progress("producing")
	if err := s.fill(ctx); err != nil {
		return nil, err
	}
	debug.FreeOSMemory() // what producing took
	f, err := s.sampled(ctx)
	if err != nil {
		return nil, err
	}
	return f, s.verify(ctx)
}

// brokerApart starts a broker in another process, unless one is given, and bounds this one as a worker is.
func (r *rig) brokerApart(ctx context.Context) (brokers []string, stop func(), err error) {
	before := debug.SetMemoryLimit(r.cfg.WorkerMemory)
	if len(r.cfg.Kafka) > 0 {
		return nil, func() { debug.SetMemoryLimit(before) }, nil
	}
	r.stages++ // a folder of its own
	process, err := startBrokerProcess(ctx, r.cfg.BrokerCommand, filepath.Join(r.folder.Dir, fmt.Sprintf("kafka-process-%d", r.stages)))
	if err != nil {
		debug.SetMemoryLimit(before)
		return nil, nil, err
	}
	stop = func() {
		process.stop()
		debug.SetMemoryLimit(before)
	}
	return []string{process.address}, stop, nil
}

// sampled has the worker carry everything, and looks at the memory on the way.
func (s *stage) sampled(ctx context.Context) (figures, error) {
	samples := figures{}
	var ended time.Time
	began := time.Now()
	err := s.during(ctx, ours(), func(ctx context.Context) (err error) {
		sampling, stop := context.WithCancel(ctx)
		var sampler sync.WaitGroup
		sampler.Go(func() { s.sample(sampling, samples) })
		ended, err = s.settled(ctx, ours())
		stop()
		sampler.Wait()
		return err
	})
	if err != nil {
		return nil, err
	}
	f := s.figures(ended.Sub(began))
	for name, v := range samples {
		f[name] = v
	}
	return f, nil
}

// sample notes the memory when a tenth, a half and all of the decisions have an outcome, and the most that was seen. It returns
// after the last one, or when ctx ends, which is when everything is over.
func (s *stage) sample(ctx context.Context, samples figures) {
	points := []struct {
		percent   int
		rss, heap name
	}{{10, rssMB10, heapMB10}, {50, rssMB50, heapMB50}, {100, rssMB100, heapMB100}}
	look := func() float64 {
		now, _ := residentMB()
		samples[rssMB] = max(samples[rssMB], now)
		return now
	}
	for _, p := range points {
		for s.outcomes.told(s.load.decisions)*100 < s.load.decisions*p.percent && pause(ctx, sampleEvery) == nil {
			look()
		}
		samples[p.rss], samples[p.heap] = look(), liveHeapMB()
	}
}

// liveHeapMB is what the last garbage collection found in use.
func liveHeapMB() float64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return float64(sample[0].Value.Uint64()) / (1 << 20)
}
