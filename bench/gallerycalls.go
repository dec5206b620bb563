package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"

	"rollcall/gallery"
)

// do is one call of a gallery, ready to be made. It fails where the answer is
// wrong: fast and wrong is no result.
type do func(ctx context.Context) error

// A kind of call is what is measured together.
type kind struct {
	name   string
	calls  int // in a round
	atOnce int

	// prepare returns the calls of a round.
	prepare func(rng *rand.Rand, n int) ([]do, error)

	// after, if any, puts things right after a round, and is not measured.
	after func(ctx context.Context) error
}

// kinds returns what is measured, in the order of a round.
func (b *galleryRun) kinds() []kind {
	o, all := b.options, gallery.Scope{Groups: []string{everybody}}
	class := func(student int) gallery.Scope { return gallery.Scope{Groups: []string{className(student)}} }
	none := func(int) gallery.Scope { return gallery.Scope{} }
	remove, putBack := b.deletions()
	return []kind{
		{name: "start: open and load", calls: 1, atOnce: 1, prepare: b.restart, after: b.weigh},
		{name: "Identify a student, among everybody", calls: o.queries, atOnce: 1, prepare: b.identifyStudents(none)},
		{name: "Identify a stranger, among everybody", calls: o.queries, atOnce: 1, prepare: b.identifyStrangers(none)},
		{name: "Identify a student, in a class", calls: o.queries, atOnce: 1, prepare: b.identifyStudents(class)},
		{name: "Identify a stranger, in a class", calls: o.queries, atOnce: 1, prepare: b.identifyStrangers(class)},
		{name: "Identify a student, in the group of everybody", calls: o.queries, atOnce: 1, prepare: b.identifyStudents(func(int) gallery.Scope { return all })},
		{name: "RollCall of a class, in the group of everybody", calls: max(o.queries/classSize, 1), atOnce: 1, prepare: b.rollCalls(all)},
		{name: "first page of the group of everybody", calls: o.queries, atOnce: 1, prepare: b.lists},
		{name: "replace a crop", calls: o.writes, atOnce: 1, prepare: b.replacements},
		{name: "replace a crop", calls: o.writes * o.writers, atOnce: o.writers, prepare: b.replacements},
		{name: "delete a crop", calls: o.writes, atOnce: 1, prepare: remove, after: putBack},
		{name: "CheckConsistency", calls: 1, atOnce: 1, prepare: b.checks},
	}
}

// restart closes the gallery and returns how to open it again.
func (b *galleryRun) restart(*rand.Rand, int) ([]do, error) {
	if err := b.close(); err != nil {
		return nil, err
	}
	b.heap = append(b.heap, -heapBytes())
	return []do{b.open}, nil
}

// weigh ends what restart began: it finds out how much memory the gallery takes.
func (b *galleryRun) weigh(context.Context) error {
	b.heap[len(b.heap)-1] += heapBytes()
	b.index = b.gallery.Stats().Models[0].Bytes
	return nil
}

// heapBytes is how much of Go's memory is in use.
func heapBytes() int64 {
	runtime.GC()
	runtime.GC() // what is in a sync.Pool outlives one
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// identifyStudents asks for probes of students in a scope that depends on them.
func (b *galleryRun) identifyStudents(scope func(student int) gallery.Scope) func(*rand.Rand, int) ([]do, error) {
	return func(rng *rand.Rand, n int) (calls []do, err error) {
		for range n {
			crop := rng.IntN(len(b.vectors))
			student := b.student(crop)
			p := gallery.Probe{Embedding: b.embedding(near(rng, b.vectors[crop])), Scope: scope(student)}
			calls = append(calls, b.identify(p, gallery.Match, studentID(student)))
		}
		return calls, nil
	}
}

// identifyStrangers asks for probes of strangers in a scope that depends on some
// student.
func (b *galleryRun) identifyStrangers(scope func(student int) gallery.Scope) func(*rand.Rand, int) ([]do, error) {
	return func(rng *rand.Rand, n int) (calls []do, err error) {
		for range n {
			p := gallery.Probe{Embedding: b.embedding(unit(rng, b.options.dimension)), Scope: scope(rng.IntN(b.students()))}
			calls = append(calls, b.identify(p, gallery.Unknown, ""))
		}
		return calls, nil
	}
}

func (b *galleryRun) identify(p gallery.Probe, want gallery.Verdict, student string) do {
	return func(ctx context.Context) error {
		found, err := b.gallery.Identify(ctx, p)
		if err != nil {
			return err
		}
		if found.Verdict != want || found.StudentID != student {
			return fmt.Errorf("the verdict is %v at similarity %.3f, which is wrong", found.Verdict, found.Similarity)
		}
		return nil
	}
}

// rollCalls asks for a probe of each student of a class.
func (b *galleryRun) rollCalls(scope gallery.Scope) func(*rand.Rand, int) ([]do, error) {
	return func(rng *rand.Rand, n int) (calls []do, err error) {
		for range n {
			size := min(classSize, b.students())
			first := rng.IntN(b.students() - size + 1)
			var probes []gallery.Embedding
			for i := range size {
				probes = append(probes, b.embedding(near(rng, b.vectors[(first+i)*b.options.cropsEach])))
			}
			calls = append(calls, func(ctx context.Context) error {
				roll, err := b.gallery.RollCall(ctx, b.model.Name, probes, scope, 0)
				if err != nil {
					return err
				}
				for i, seat := range roll.Seats {
					if seat.StudentID != studentID(first+i) {
						return fmt.Errorf("seat %d: the verdict is %v, which is wrong", i, seat.Verdict)
					}
				}
				return nil
			})
		}
		return calls, nil
	}
}

// lists asks for the first students of all.
func (b *galleryRun) lists(_ *rand.Rand, n int) (calls []do, err error) {
	for range n {
		calls = append(calls, func(ctx context.Context) error {
			_, _, total, err := b.gallery.Students(ctx, "", 0, everybody)
			if err == nil && total != b.students() {
				err = fmt.Errorf("%d students are listed of %d", total, b.students())
			}
			return err
		})
	}
	return calls, nil
}

// replacements give crops new vectors, each of which is searched for duplicates
// and brought to disk. No crop is among them twice.
func (b *galleryRun) replacements(rng *rand.Rand, n int) (calls []do, err error) {
	for _, crop := range b.some(rng, n) {
		v := near(rng, b.vectors[crop])
		calls = append(calls, func(ctx context.Context) error {
			if err := b.enrol(ctx, crop, v, false); err != nil {
				return err
			}
			b.vectors[crop] = v
			return nil
		})
	}
	return calls, nil
}

// some returns n different crops, or all if there are no more.
func (b *galleryRun) some(rng *rand.Rand, n int) []int {
	return rng.Perm(len(b.vectors))[:min(n, len(b.vectors))]
}

// deletions returns how to delete crops and how to enrol them again.
func (b *galleryRun) deletions() (remove func(*rand.Rand, int) ([]do, error), putBack func(context.Context) error) {
	var gone []int
	remove = func(rng *rand.Rand, n int) (calls []do, err error) {
		gone = b.some(rng, n)
		for _, crop := range gone {
			calls = append(calls, func(ctx context.Context) error { return b.gallery.DeleteCrop(ctx, cropID(crop)) })
		}
		return calls, nil
	}
	putBack = func(ctx context.Context) error {
		_, err := together(fillWriters, len(gone), func(i int) error { return b.enrol(ctx, gone[i], b.vectors[gone[i]], true) })
		return err
	}
	return remove, putBack
}

// checks compare the disk with the memory.
func (b *galleryRun) checks(_ *rand.Rand, n int) (calls []do, err error) {
	for range n {
		calls = append(calls, func(ctx context.Context) error {
			report, err := b.gallery.CheckConsistency(ctx)
			if err != nil {
				return err
			}
			if report.Total > 0 || report.Indexed != len(b.vectors) {
				return errors.New("disk and memory differ")
			}
			return nil
		})
	}
	return calls, nil
}
