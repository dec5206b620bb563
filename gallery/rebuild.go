package gallery

import (
	"context"
	"fmt"
	"time"
)

// rebuild fills the state from storage, and from snapshots where there are some.
//
// A record that does not fit (an embedding that names a model of another digest,
// a crop whose student is gone) is left out and logged, so that one bad record
// does not keep a school from checking in; CheckConsistency names each of them.
// A record that cannot be read ends it.
func (g *Gallery) rebuild(ctx context.Context) error {
	start := time.Now()
	s := &g.state
	s.seq = g.store.Sequence()
	r := newRestoring(g)
	for m, err := range g.store.Models() {
		if err != nil {
			return fmt.Errorf("read models: %w", err)
		}
		sp, err := g.newSpace(m)
		if err != nil {
			return fmt.Errorf("new index of model %q: %w", m.Name, err)
		}
		s.spaces[m.Name] = sp
	}
	await := r.load() // it reads files while the records are read here
	defer await()
	for st, err := range g.store.Students("") {
		if err != nil {
			return fmt.Errorf("read students: %w", err)
		}
		s.putStudent(st)
	}
	for c, err := range g.store.Crops("") {
		if err != nil {
			return fmt.Errorf("read crops: %w", err)
		}
		s.stored++
		switch {
		case c.StudentID == "":
		case s.students[c.StudentID] == nil:
			r.leftOut++
			g.opts.Logger.Error("crop left out of the index: its student has no record", "crop", c.ID)
		default:
			s.enrol(c.ID, c.StudentID)
		}
	}
	await()
	if err := r.restore(ctx); err != nil {
		return err
	}
	g.opts.Logger.Info("gallery open", "students", len(s.students), "crops", s.stored,
		"embeddings", g.vectors(), "models", len(s.spaces), "took", time.Since(start))
	return nil
}

// progressEvery is after how many crops progress is reported and ctx is looked
// at: a few milliseconds' work.
const progressEvery = 1000

func (g *Gallery) progress(done, total int) {
	if g.opts.Progress != nil {
		g.opts.Progress(done, total)
	}
}
