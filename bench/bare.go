package bench

import (
	"context"
	"math/rand/v2"
	"time"

	"rollcall/embedder"
	"rollcall/models"
)

// bareLoops run nothing but ONNX Runtime: the most that the machine can do. Each
// goroutine has sessions of its own.
type bareLoops struct {
	loops   []loop
	workers []*bareWorker
}

// A bareWorker is one goroutine's sessions and how long their runs took in all.
type bareWorker struct {
	locator, embedder *embedder.Session // locator may be nil
	looks             int               // runs of the locator that a crop takes
	steps             int
	locate, embed     time.Duration
}

// newBareLoops returns n loops that run the embedder, after the locator where that
// is asked for. The caller closes them.
func newBareLoops(w *workbench, locate bool, n int) (_ *bareLoops, err error) {
	b := new(bareLoops)
	for range n {
		worker := &bareWorker{looks: 1}
		b.workers = append(b.workers, worker)
		b.loops = append(b.loops, loop{worker.work})
	}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	embedders, err := bareSessions(w.embedder, n)
	if err != nil {
		return nil, err
	}
	for i, s := range embedders {
		b.workers[i].embedder = s
	}
	if !locate {
		return b, nil
	}
	m, err := w.library.Model(w.locator)
	if err != nil {
		return nil, err
	}
	locators, err := bareSessions(m, n)
	if err != nil {
		return nil, err
	}
	for i, s := range locators {
		b.workers[i].locator = s
		if m.Contract.SecondLook > 0 {
			b.workers[i].looks = 2
		}
	}
	return b, nil
}

// bareSessions returns sessions whose input is random pixels.
func bareSessions(m models.Model, n int) ([]*embedder.Session, error) {
	sessions, err := embedder.OpenSessions(m, n)
	for _, s := range sessions {
		fillRandomly(s.Input(), m.Contract.Input)
	}
	return sessions, err
}

// fillRandomly writes random pixels.
func fillRandomly(values []float32, in models.Input) {
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range values {
		// Any channel's mean and scale will do: only the size of the numbers matters.
		values[i] = (255*rng.Float32() - in.Mean[i%3]) / in.Std[i%3]
	}
}

// means returns the mean times of a crop's runs so far, in milliseconds.
func (b *bareLoops) means() (embedder, locator float64) {
	var sum bareWorker
	for _, w := range b.workers {
		sum.steps += w.steps
		sum.embed += w.embed
		sum.locate += w.locate
	}
	n := float64(max(sum.steps, 1))
	return milliseconds(sum.embed) / n, milliseconds(sum.locate) / n
}

func (b *bareLoops) close() {
	for _, w := range b.workers {
		for _, s := range []*embedder.Session{w.embedder, w.locator} {
			if s != nil {
				s.Close()
			}
		}
	}
	b.workers = nil
}

// work does what a crop takes at the least.
func (w *bareWorker) work(context.Context) error {
	start := time.Now()
	if w.locator != nil {
		for range w.looks {
			if err := w.locator.Run(); err != nil {
				return err
			}
		}
		located := time.Now()
		w.locate += located.Sub(start)
		start = located
	}
	if err := w.embedder.Run(); err != nil {
		return err
	}
	w.embed += time.Since(start)
	w.steps++
	return nil
}
