package gallery

import (
	"fmt"
	"slices"

	"rollcall/index"
	"rollcall/storage"
)

// A face is enrolled under one student only. An enrolment is refused if the face is
// probably enrolled under another student; a person can allow it, for twins. If it is only
// somewhat similar, the answer says to whom. The two thresholds do not follow the FPIR that
// the gallery wants of its searches: a wrong refusal costs a look, and a wrong match a false
// entry in the register. An enrolment is refused too if it is unlike the student's other
// crops: see unlike.go.
//
// The check has two parts, so that the slow one does not keep other edits waiting.
// First the caller searches the index. Then the writer looks at what was applied
// since that search, and at what the same commit writes. So if one face is enrolled
// twice at the same time, one enrolment sees the other.

// lookalikes are the crops that a search found to be the same face.
type lookalikes struct {
	seq       uint64      // of the last change that the search saw
	threshold float32     // of a duplicate
	floor     float32     // of a face that the answer tells of: at most threshold
	reach     float32     // crops are those that are this similar: at most floor
	crops     []Candidate // without StudentID: the writer looks it up later
}

// lookalikes searches the index, exactly, for crops that show the same face as
// the vector, or resemble it more than the student's own. StudentID is whose
// enrolment it is; ofStudent compares the vector with that student's other crops.
//
// A search of the index takes long, so the memory is not locked meanwhile:
// enrolments that search do not hold up the one that is applied. Changes made
// meanwhile do no harm: they come after seq, and the writer compares their vectors
// itself.
func (m *memory) lookalikes(model Model, vector []float32, studentID string, ofStudent func(*memory) own) (lookalikes, error) {
	found, sp, err := m.beginLookalikes(model, studentID, ofStudent)
	if err != nil || sp == nil {
		return found, err
	}
	hits, err := reaching(sp.engine, vector, found.reach)
	if err != nil {
		return lookalikes{}, fmt.Errorf("search for duplicates: %w", err)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, h := range hits {
		if c := sp.owner(h.ID); c != nil {
			found.crops = append(found.crops, Candidate{CropID: c.ID, Similarity: h.Similarity})
		}
	}
	return found, nil
}

// beginLookalikes returns what to search for, and where; nil: there is nothing yet.
func (m *memory) beginLookalikes(model Model, studentID string, ofStudent func(*memory) own) (found lookalikes, sp *space, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	found.seq, sp = m.seq, m.spaces[model.Name]
	others := 0
	if sp != nil {
		if err := model.agrees(sp.Model); err != nil {
			return lookalikes{}, nil, err
		}
		others = sp.owned
		if e := sp.students[m.students[studentID]]; e != nil {
			others -= e.vectors
		}
	}
	model = m.calibrated(model)
	found.threshold = model.duplicateThreshold(others)
	found.floor = model.resembleThreshold(others)
	found.reach = found.reachFor(model, ofStudent(m))
	return found, sp, nil
}

// reachFor returns how similar another student's crop must be to decide anything
// about an enrolment of a student with these crops.
func (l *lookalikes) reachFor(model Model, o own) float32 {
	if o.crops == 0 {
		return l.floor
	}
	return min(l.floor, max(o.best, model.unlikeFloor(o.crops)))
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

// refuse returns a DuplicateError if the face is enrolled under another student than
// studentID, and an UnlikeError if it is unlike the student's other crops. If it may
// be another student's, refuse notes whom it resembles.
func (d *enrolDecision) refuse(e *edit, studentID string) error {
	model := e.batch.memory.calibrated(d.model)
	o := d.own(e, studentID)
	if d.AllowDuplicate {
		return d.refuseUnlike(model, o, Candidate{})
	}
	other, err := d.nearestOther(e, model, studentID, o)
	if err != nil {
		return err
	}
	if other.StudentID != "" && other.Similarity >= d.seen.threshold {
		return &DuplicateError{StudentID: other.StudentID, Similarity: other.Similarity}
	}
	if err := d.refuseUnlike(model, o, other); err != nil {
		return err
	}
	if other.StudentID != "" && other.Similarity >= d.seen.floor {
		d.out.Resembles = other
	}
	return nil
}

// nearestOther returns the crop of another student that the face resembles most, as
// far as that decides anything; it has no student if there is none. The model is
// calibrated.
func (d *enrolDecision) nearestOther(e *edit, model Model, studentID string, o own) (Candidate, error) {
	recent := &d.gallery.writer.recent
	if d.seen == nil || d.seen.seq < recent.forgotten || d.seen.reach > d.seen.reachFor(model, o) {
		// Nothing was searched before, or too long ago to tell what came since, or the
		// student has lost the crop that was nearest then.
		found, err := e.batch.memory.lookalikes(d.model, d.Embedding.Vector, studentID, func(*memory) own { return o })
		if err != nil {
			return Candidate{}, err
		}
		d.seen = &found
	}
	since := recent.since(d.seen.seq, d.model.Name)
	for ref, r := range e.changes() {
		if r, ok := r.(storage.Embedding); ok && ref.Model == d.model.Name {
			since[ref.ID] = r.Vector
		}
	}
	crops := make([]Candidate, 0, len(d.seen.crops))
	for _, c := range d.seen.crops {
		if _, replaced := since[c.CropID]; !replaced {
			crops = append(crops, c)
		}
	}
	for cropID, vector := range since {
		if s := dot(vector, d.Embedding.Vector); s >= d.seen.reach {
			crops = append(crops, Candidate{CropID: cropID, Similarity: s})
		}
	}

	worst := Candidate{Similarity: -1}
	for _, c := range crops {
		if c.CropID == d.CropID || c.Similarity <= worst.Similarity {
			continue
		}
		if !slices.Contains(e.embeddingsOf(c.CropID), embeddingRef(c.CropID, d.model.Name)) { // deleted since, though the crop may be back
			continue
		}
		record, _ := lookup[storage.Crop](e, cropRef(c.CropID))
		if record.StudentID != "" && record.StudentID != studentID {
			worst = Candidate{record.StudentID, c.CropID, c.Similarity}
		}
	}
	return worst, nil
}

// dot returns the similarity of two vectors of one model.
func dot(a, b []float32) float32 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return float32(max(-1, min(sum, 1)))
}

// recentVectors remembers the vectors of the last changes, for searches that are
// under way. Only the writer uses it.
type recentVectors struct {
	entries   []recentVector // by sequence number
	forgotten uint64         // the last number whose vectors are not all kept
}

type recentVector struct {
	seq           uint64
	model, cropID string
	vector        []float32 // shared with what was written: never modified
}

// recentKept is how many vectors it keeps: far more than there are cores. At 512
// dimensions they are 1 MiB.
const recentKept = 512

// add remembers the vectors of a commit, and forgets old ones, once in a while.
func (r *recentVectors) add(seq uint64, writes []storage.Write) {
	for _, w := range writes {
		if e, ok := w.Put.(storage.Embedding); ok {
			r.entries = append(r.entries, recentVector{seq, e.Model, e.CropID, e.Vector})
		}
	}
	if n := len(r.entries) - recentKept; n >= recentKept {
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
