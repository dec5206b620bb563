package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"rollcall/gallery"
	"rollcall/terminal"
)

func studentID(i int) string { return fmt.Sprintf("student-%d", i) }
func className(i int) string { return fmt.Sprintf("class-%d", i/classSize) }

// unit returns a random vector of unit length.
func unit(rng *rand.Rand, dimension int) []float32 {
	v := make([]float32, dimension)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return normalise(v)
}

// near returns a vector that is about 0.89 similar to v: another picture of the
// same student.
func near(rng *rand.Rand, v []float32) []float32 {
	noise := unit(rng, len(v))
	for i := range noise {
		noise[i] = v[i] + noise[i]/2
	}
	return normalise(noise)
}

func normalise(v []float32) []float32 {
	var square float64
	for _, x := range v {
		square += float64(x) * float64(x)
	}
	scale := 1 / math.Sqrt(square)
	for i := range v {
		v[i] = float32(float64(v[i]) * scale)
	}
	return v
}

// enrol stores a student's only crop.
func (b *galleryRun) enrol(ctx context.Context, i int, v []float32, allowDuplicate bool) error {
	_, err := b.gallery.Enroll(ctx, gallery.Enrolment{
		CropID: fmt.Sprintf("crop-%d", i), StudentID: studentID(i), Groups: []string{className(i)},
		Model: b.model, Vector: v, AllowDuplicate: allowDuplicate,
	})
	return err
}

// fill enrols the students. Nobody is compared with the others here: that is
// measured later.
func (b *galleryRun) fill(ctx context.Context, progress io.Writer) error {
	rng := rand.New(rand.NewPCG(b.options.seed, 0))
	b.vectors = make([][]float32, b.options.students)
	for i := range b.vectors {
		b.vectors[i] = unit(rng, b.options.dimension)
	}
	m := terminal.NewMeter(progress, "enrolling", "students")
	defer m.End()
	_, err := b.write(b.options.writers, b.options.students, func(i int) error {
		defer m.Add(b.options.students)
		return b.enrol(ctx, i, b.vectors[i], true)
	})
	return err
}

// write does n writes with some writers at once and returns how long each took.
func (b *galleryRun) write(writers, n int, do func(i int) error) ([]time.Duration, error) {
	times := make([]time.Duration, n)
	errs := make([]error, writers)
	var next atomic.Int64
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				start := time.Now()
				if errs[w] = do(int(i)); errs[w] != nil {
					return
				}
				times[i] = time.Since(start)
			}
		})
	}
	group.Wait()
	return times, errors.Join(errs...)
}

// A query is a kind of probe.
type query struct {
	name              string
	stranger, inClass bool
}

var queries = []query{
	{name: "student, among everybody"},
	{name: "stranger, among everybody", stranger: true},
	{name: "student, in a class", inClass: true},
	{name: "stranger, in a class", stranger: true, inClass: true},
}

// measure lets the kinds of queries and of writing take turns.
func (b *galleryRun) measure(ctx context.Context, progress io.Writer) (galleryResult, error) {
	o := b.options
	res := galleryResult{Stats: galleryFacts{Students: o.students, Dimension: o.dimension}}
	rng := rand.New(rand.NewPCG(o.seed, 1))
	times := make([][]time.Duration, len(queries))
	writings := []*writing{{writers: 1}, {writers: o.writers}}
	fmt.Fprintf(progress, "%d rounds …\n", o.rounds)
	for range o.rounds {
		for k, q := range queries {
			for range o.queries {
				took, err := b.identify(ctx, rng, q)
				if err != nil {
					return res, err
				}
				times[k] = append(times[k], took)
			}
		}
		for _, w := range writings {
			if err := b.replace(ctx, rng, w); err != nil {
				return res, err
			}
		}
	}
	for _, m := range b.gallery.Stats().Models {
		res.Stats.Engine, res.Stats.IndexBytes = m.Engine, m.Bytes
	}
	for k, q := range queries {
		res.Identify = append(res.Identify, queryResult{q.name, summarise(times[k])})
	}
	for _, w := range writings {
		res.Enroll = append(res.Enroll, w.result())
	}
	return res, nil
}

// identify asks for one probe, and fails where the verdict is wrong: fast and wrong
// is no result.
func (b *galleryRun) identify(ctx context.Context, rng *rand.Rand, q query) (time.Duration, error) {
	i := rng.IntN(len(b.vectors))
	p := gallery.Probe{Model: b.model}
	if q.stranger {
		p.Vector = unit(rng, b.options.dimension)
	} else {
		p.Vector = near(rng, b.vectors[i])
	}
	if q.inClass {
		p.Scope.Groups = []string{className(i)}
	}
	start := time.Now()
	found, err := b.gallery.Identify(ctx, p)
	took := time.Since(start)
	if err != nil {
		return 0, err
	}
	right := found.Verdict == gallery.Match && found.StudentID == studentID(i)
	if q.stranger {
		right = found.Verdict == gallery.Unknown
	}
	if !right {
		return 0, fmt.Errorf("%s: the verdict is %v at similarity %.3f, which is wrong", q.name, found.Verdict, found.Similarity)
	}
	return took, nil
}

// writing is what some writers at once have done so far.
type writing struct {
	writers int
	times   []time.Duration
	rates   []float64 // enrolments a second, by round
	syncs   int64
}

// replace gives students new vectors, each of which is searched for duplicates and
// brought to disk.
func (b *galleryRun) replace(ctx context.Context, rng *rand.Rand, w *writing) error {
	n := b.options.writes
	fresh := make(map[int][]float32, n)
	var order []int
	for len(order) < min(n, len(b.vectors)) {
		i := rng.IntN(len(b.vectors))
		if fresh[i] == nil {
			fresh[i] = near(rng, b.vectors[i])
			order = append(order, i)
		}
	}
	before, start := b.syncs.Load(), time.Now()
	times, err := b.write(w.writers, len(order), func(k int) error {
		return b.enrol(ctx, order[k], fresh[order[k]], false)
	})
	if err != nil {
		return err
	}
	w.rates = append(w.rates, float64(len(order))/time.Since(start).Seconds())
	w.syncs += b.syncs.Load() - before
	w.times = append(w.times, times...)
	for i, v := range fresh {
		b.vectors[i] = v
	}
	return nil
}

func (w *writing) result() writeResult {
	return writeResult{
		Writers: w.writers, Rate: median(w.rates), Latency: summarise(w.times),
		SyncsPerWrite: float64(w.syncs) / float64(max(len(w.times), 1)),
	}
}
