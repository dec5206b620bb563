package gallery

import (
	"errors"
	"fmt"

	"rollcall/index"
	"rollcall/storage"
)

// A face is enrolled under one student. The check has two halves, so that the
// long one needs no lock that other writers wait for: a search of the index,
// and, under the writer's lock, a look at what was applied since that search.
// Whose a similar crop is, storage says, under the writer's lock too: so of two
// enrolments of one face at the same time, one sees the other.

// lookalikes are the crops that a search found to be the same face.
type lookalikes struct {
	seq       uint64 // of the last change that the search saw
	threshold float32
	crops     []Candidate // StudentID not filled in: storage knows it later
}

// lookalikes searches the index, exactly, for crops that show the same face as
// the vector. StudentID is whose enrolment it is ("" where not yet known).
func (g *Gallery) lookalikes(m Model, vector []float32, studentID string) (lookalikes, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	sp := g.state.spaces[m.Name]
	found := lookalikes{seq: g.state.seq}
	others := 0
	if sp != nil {
		if err := m.agrees(sp.model); err != nil {
			return lookalikes{}, err
		}
		others = sp.owned
		if st := g.state.students[studentID]; st != nil {
			others -= sp.students[st]
		}
	}
	found.threshold = m.duplicateThreshold(others, g.opts.FPIR)
	if sp == nil {
		return found, nil
	}
	hits, err := reaching(sp.engine, vector, found.threshold)
	if err != nil {
		return lookalikes{}, fmt.Errorf("search for duplicates: %w", err)
	}
	for _, h := range hits {
		if c := sp.owner(h.ID); c != nil {
			found.crops = append(found.crops, Candidate{CropID: c.id, Similarity: h.Similarity})
		}
	}
	return found, nil
}

// reaching returns all vectors of the engine that reach the floor.
func reaching(engine index.Engine, vector []float32, floor float32) ([]index.Hit, error) {
	for k := firstHits; ; k *= moreHits {
		res, err := engine.Search(index.Query{Vector: vector, K: k, Exact: true})
		if err != nil {
			return nil, err
		}
		for i, h := range res.Hits {
			if h.Similarity < floor {
				return res.Hits[:i], nil
			}
		}
		if len(res.Hits) < k {
			return res.Hits, nil
		}
	}
}

// refuseDuplicate returns a DuplicateError if the face is enrolled under another
// student than studentID. Seen is what a search found before; nil, or too old to
// tell what was applied since, and it searches itself.
// REQUIRES: the writer's lock is held.
func (g *Gallery) refuseDuplicate(e *Enrolment, studentID string, seen *lookalikes) error {
	recent := &g.writer.recent
	if seen == nil || seen.seq < recent.forgotten {
		found, err := g.lookalikes(e.Model, e.Vector, studentID)
		if err != nil {
			return err
		}
		seen = &found
	}
	since := recent.since(seen.seq, e.Model.Name)
	crops := make([]Candidate, 0, len(seen.crops))
	for _, c := range seen.crops {
		if _, replaced := since[c.CropID]; !replaced {
			crops = append(crops, c)
		}
	}
	for cropID, vector := range since {
		if s := dot(vector, e.Vector); s >= seen.threshold {
			crops = append(crops, Candidate{CropID: cropID, Similarity: s})
		}
	}

	var worst *DuplicateError
	for _, c := range crops {
		if c.CropID == e.CropID || worst != nil && c.Similarity <= worst.Similarity {
			continue
		}
		record, err := g.store.Crop(c.CropID)
		if errors.Is(err, storage.ErrNotFound) {
			continue // deleted since
		}
		if err != nil {
			return fmt.Errorf("read crop %q: %w", c.CropID, err)
		}
		if record.StudentID != "" && record.StudentID != studentID {
			worst = &DuplicateError{StudentID: record.StudentID, Similarity: c.Similarity}
		}
	}
	if worst != nil {
		return worst
	}
	return nil
}

// dot returns the similarity of two vectors of one model.
func dot(a, b []float32) float32 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return float32(max(-1, min(sum, 1)))
}

// recentVectors remembers the vectors of the last changes: of all that may not
// be searchable yet, and of some before, for searches that are under way.
// The writer's lock guards it.
type recentVectors struct {
	entries   []recentVector // by sequence number
	forgotten uint64         // the last number of which something is left out
}

type recentVector struct {
	seq           uint64
	model, cropID string
	vector        []float32 // shared with the index's input: never modified
}

// recentKept is how many vectors it keeps for searches under way: more than
// there are cores, by far; 1 MiB at 512 dimensions.
const recentKept = 512

// add remembers the vectors of a change, and forgets old ones, once in a while,
// that are searchable: those up to the given number.
func (r *recentVectors) add(s *step, searchable uint64) {
	for _, c := range s.crops {
		for _, e := range c.vectors {
			r.entries = append(r.entries, recentVector{s.seq, e.Model, c.id, e.Vector})
		}
	}
	if len(r.entries) < 2*recentKept {
		return
	}
	n := 0
	for n < len(r.entries)-recentKept && r.entries[n].seq <= searchable {
		n++
	}
	if n > 0 {
		r.forgotten = r.entries[n-1].seq
		r.entries = append([]recentVector(nil), r.entries[n:]...)
	}
}

// since returns the vectors under the model that came after the given number, by
// crop: the last one of each.
func (r *recentVectors) since(seq uint64, model string) map[string][]float32 {
	found := make(map[string][]float32)
	for i := len(r.entries) - 1; i >= 0 && r.entries[i].seq > seq; i-- {
		e := &r.entries[i]
		if _, later := found[e.cropID]; !later && e.model == model {
			found[e.cropID] = e.vector
		}
	}
	return found
}
