package gallery

import "rollcall/storage"

// A crop in the wrong folder, or of the wrong child, is unlike the student's other
// crops. Stored, it would give one child's name to another. So an enrolment is
// refused if its best similarity to the student's own crops is less than that to
// somebody else's, or less than the gallery's floor. A student's first crop has
// nothing to be compared with.
//
// It is decided together with the duplicates, by the same search: see duplicate.go.

// UnlikeRate is the share of wrong children whose crop reaches the floor of a
// student. Most wrong crops are found without the floor, because they resemble one
// of the others more: in a gallery of 245 students all of them, but in one of ten,
// with a crop each, only 94.2 %. There a rate of 2 % finds 98.2 %, one of 1 % finds
// 99.1 %, and neither refuses more right crops (0.5 %). A rate of 0.1 % finds 99.9 %
// and refuses 2.2 % of the right ones. (rollcall-base-2, people of test, 2026-11-26;
// "rollcall bench unlike" prints these figures.)
const UnlikeRate = 0.01

// unlikeFloor returns the similarity that a new crop must have to the best of the
// student's n other crops. Without a calibration it is half of the published
// threshold.
func (m Model) unlikeFloor(n int) float32 {
	if len(m.Calibration) == 0 {
		return m.Threshold / 2
	}
	return m.MatchThreshold(n, UnlikeRate)
}

// own is a student's crops beside one that is compared with them.
type own struct {
	crops int     // that have a vector under the model
	best  float32 // similarity of the nearest one; -1 without crops
}

func (o *own) compare(vector, other []float32) {
	o.crops++
	o.best = max(o.best, dot(vector, other))
}

// ownOf compares the vector with what is searchable of the student, but for the crop
// itself.
// REQUIRES: the lock is held.
func (m *memory) ownOf(studentID, model, cropID string, vector []float32) own {
	o := own{best: -1}
	for id := range m.cropsOf(studentID) {
		if other := m.vectorOf(id, model); id != cropID && other != nil {
			o.compare(vector, other)
		}
	}
	return o
}

// vectorOf returns a copy of the crop's vector under the model; nil: it is not
// searched.
// REQUIRES: the lock is held, or the writer calls it.
func (m *memory) vectorOf(cropID, model string) []float32 {
	c, sp := m.crops[cropID], m.spaces[model]
	if c == nil || sp == nil {
		return nil
	}
	p := c.place(sp)
	vector := make([]float32, sp.Dimension)
	if p == nil || !p.indexed || !sp.engine.Vector(p.id, vector) {
		return nil
	}
	return vector
}

// own compares the enrolment's vector with the student's other crops, as they are
// with what this commit has changed so far.
func (d *enrolDecision) own(e *edit, studentID string) own {
	o := own{best: -1}
	for _, id := range e.cropsOf(studentID) {
		if id == d.CropID {
			continue
		}
		// A crop that was nobody's until this commit has its vector among the changes.
		other := e.batch.memory.vectorOf(id, d.model.Name)
		if r, changed := e.changed(embeddingRef(id, d.model.Name)); changed {
			r, _ := r.(storage.Embedding)
			other = r.Vector
		}
		if other != nil {
			o.compare(d.Embedding.Vector, other)
		}
	}
	return o
}

// refuseUnlike returns an UnlikeError if the crop is unlike the student's others.
// Other is the crop of another student that it resembles most, as far as any
// reaches the floor. The model is calibrated.
func (d *enrolDecision) refuseUnlike(model Model, o own, other Candidate) error {
	if o.crops == 0 || d.AllowUnlike {
		return nil
	}
	if floor := model.unlikeFloor(o.crops); o.best < floor {
		return &UnlikeError{Similarity: o.best, Limit: floor}
	}
	if !d.AllowDuplicate && other.Similarity > o.best {
		return &UnlikeError{Similarity: o.best, Limit: other.Similarity, StudentID: other.StudentID}
	}
	return nil
}
