package gallery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall/storage"
)

// rebuild fills the state from storage.
//
// A record that does not fit (an embedding that names a model of another digest,
// a crop whose student is gone) is left out and logged, so that one bad record
// does not keep a school from checking in; CheckConsistency names each of them.
// A record that cannot be read ends it.
func (g *Gallery) rebuild(ctx context.Context) error {
	start := time.Now()
	s := &g.state
	s.seq = g.store.Sequence()
	for m, err := range g.store.Models() {
		if err != nil {
			return fmt.Errorf("read models: %w", err)
		}
		sp, err := newSpace(m, g.opts.Engine)
		if err != nil {
			return fmt.Errorf("new index of model %q: %w", m.Name, err)
		}
		s.spaces[m.Name] = sp
	}
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
			g.opts.Logger.Error("crop left out of the index: its student has no record", "crop", c.ID)
		default:
			s.enrol(c.ID, c.StudentID)
		}
	}
	indexed, err := g.rebuildIndexes(ctx)
	if err != nil {
		return err
	}
	g.opts.Logger.Info("gallery open", "students", len(s.students), "crops", s.stored,
		"embeddings", indexed, "models", len(s.spaces), "took", time.Since(start))
	return nil
}

// progressEvery is after how many crops progress is reported and ctx is looked
// at: a few milliseconds' work.
const progressEvery = 1000

// rebuildIndexes inserts the embeddings of the enrolled crops.
func (g *Gallery) rebuildIndexes(ctx context.Context) (indexed int, err error) {
	total, done, last := g.state.stored, 0, ""
	for e, err := range g.store.Embeddings() { // by crop
		if err != nil {
			return indexed, fmt.Errorf("read embeddings: %w", err)
		}
		if e.CropID != last {
			if done%progressEvery == 0 {
				if err := ctx.Err(); err != nil {
					return indexed, err
				}
				g.progress(done, total)
			}
			last = e.CropID
			done++
		}
		c := g.state.crops[e.CropID]
		if c == nil {
			continue
		}
		if err := g.restore(c, e); err != nil {
			g.opts.Logger.Error("embedding left out of the index", "crop", e.CropID, "model", e.Model, "error", err)
			continue
		}
		indexed++
	}
	g.progress(total, total)
	return indexed, nil
}

func (g *Gallery) progress(done, total int) {
	if g.opts.Progress != nil {
		g.opts.Progress(done, total)
	}
}

// errOtherDigest says that an embedding on disk was made by another file than
// the gallery's other ones under the model.
var errOtherDigest = errors.New("made by another file of the model")

// restore puts a stored embedding into the index of its model.
func (g *Gallery) restore(c *crop, e storage.Embedding) error {
	sp := g.state.spaces[e.Model]
	if sp != nil && sp.model.Digest != e.Digest {
		return errOtherDigest
	}
	id, err := sp.insert(e.Vector)
	if err != nil {
		return err
	}
	g.state.place(c, place{sp, id})
	return nil
}
