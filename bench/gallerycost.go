package bench

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"
)

// A spending is what all calls of a kind cost so far.
type spending struct {
	times       []time.Duration
	rates       []float64 // calls a second, by round
	cpu         time.Duration
	allocations uint64
	written     int64 // bytes
	syncs       int64
}

// make makes the calls of one round.
func (s *spending) make(ctx context.Context, disk *diskUse, atOnce int, calls []do) error {
	var before, after runtime.MemStats
	written, syncs := disk.bytes.Load(), disk.syncs.Load()
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
	times, err := together(atOnce, len(calls), func(i int) error { return calls[i](ctx) })
	if err != nil {
		return err
	}
	s.rates = append(s.rates, float64(len(calls))/time.Since(start).Seconds())
	s.cpu += cpuTime() - cpu
	runtime.ReadMemStats(&after)
	s.allocations += after.Mallocs - before.Mallocs
	s.written += disk.bytes.Load() - written
	s.syncs += disk.syncs.Load() - syncs
	s.times = append(s.times, times...)
	return nil
}

func (s *spending) result(k kind) callCost {
	n := float64(max(len(s.times), 1))
	return callCost{
		Call: k.name, AtOnce: k.atOnce, Latency: summarise(s.times), Rate: median(s.rates), CPU: milliseconds(s.cpu) / n,
		Allocations: float64(s.allocations) / n, Written: float64(s.written) / n, Syncs: float64(s.syncs) / n,
	}
}

// galleryCosts are what the calls of a run cost so far.
type galleryCosts struct {
	*galleryRun
	rng   *rand.Rand
	kinds []kind
	spent []spending // by kind
	waits []time.Duration
}

// measureGalleries lets the kinds of calls take turns, and within a kind the runs.
func measureGalleries(ctx context.Context, progress io.Writer, runs []*galleryRun) (res galleryResult, err error) {
	o := runs[0].options
	var all []*galleryCosts
	for _, b := range runs {
		kinds := b.kinds()
		all = append(all, &galleryCosts{galleryRun: b, rng: rand.New(rand.NewPCG(o.seed, 1)), kinds: kinds, spent: make([]spending, len(kinds))})
	}
	for round := range o.rounds {
		fmt.Fprintf(progress, "round %d of %d …\n", round+1, o.rounds)
		for i, k := range all[0].kinds {
			for _, c := range all {
				if err := c.round(ctx, c.rng, c.kinds[i], &c.spent[i]); err != nil {
					return res, fmt.Errorf("%s: %w", k.name, err)
				}
			}
		}
		for _, c := range all {
			beside, err := c.enrolBesideCheck(ctx, c.rng)
			if err != nil {
				return res, err
			}
			c.waits = append(c.waits, beside...)
		}
		slices.Reverse(all) // nobody is always first
	}
	for _, c := range all {
		if c.key == nil {
			res.oneGallery = c.result()
		} else {
			r := c.result()
			res.Sealed = &r
		}
	}
	return res, nil
}

func (c *galleryCosts) result() (res oneGallery) {
	o := c.options
	res.Stats = galleryFacts{Crops: o.crops, Students: c.students(), Dimension: o.dimension, Engine: o.engine, HeapBytes: median(c.heap), IndexBytes: c.index}
	for i, k := range c.kinds {
		res.Costs = append(res.Costs, c.spent[i].result(k))
	}
	res.Beside = summarise(c.waits)
	res.LongestWait = milliseconds(quantile(c.waits, 1))
	return res
}

// round makes the calls of a kind in one round.
func (b *galleryRun) round(ctx context.Context, rng *rand.Rand, k kind, s *spending) error {
	calls, err := k.prepare(rng, k.calls)
	if err != nil {
		return err
	}
	if err := s.make(ctx, &b.disk, k.atOnce, calls); err != nil {
		return err
	}
	if k.after == nil {
		return nil
	}
	return k.after(ctx)
}

// enrolBesideCheck replaces one crop after the other while disk and memory are
// compared, and returns how long each took.
func (b *galleryRun) enrolBesideCheck(ctx context.Context, rng *rand.Rand) (waits []time.Duration, err error) {
	checks, err := b.checks(rng, 1)
	if err != nil {
		return nil, err
	}
	checked := make(chan error, 1)
	go func() { checked <- checks[0](ctx) }()
	for {
		select {
		case err := <-checked:
			return waits, err
		default:
		}
		calls, err := b.replacements(rng, 1)
		if err == nil {
			start := time.Now()
			err = calls[0](ctx)
			waits = append(waits, time.Since(start))
		}
		if err != nil {
			<-checked
			return nil, err
		}
	}
}
