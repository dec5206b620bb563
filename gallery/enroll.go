package gallery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollcall/storage"
)

// Quality is what was measured on a crop when it was embedded.
type Quality = storage.Quality

// An Enrolment stores a crop's embedding, and says whose it is.
type Enrolment struct {
	CropID string

	// StudentID is whose crop it is. Empty says nothing about that: a new crop is
	// stored without a student, and never matched; one that is enrolled already
	// stays so (embedding it again, say with another model, does not undo it:
	// that is [Gallery.AssignCrop]'s).
	StudentID string

	Groups         []string  // to add to the student's; not used without a StudentID
	Model          Model     // that made the vector
	Vector         []float32 // [Model.Dimension]float32, unit length
	Quality        Quality
	AllowDuplicate bool // enrol even where another student's crop looks like the same person
}

// Enrolled is what an [Enrolment] came to.
type Enrolled struct {
	Crop      storage.Crop
	Student   storage.Student // whose the crop is; zero when nobody's
	Replaced  bool            // an embedding of this crop and model was there before
	Corrected bool            // an earlier correction stands, against the StudentID given
	Seq       uint64          // sequence number of the change
}

// Enroll stores an embedding, in place of the one that the crop had under the
// model, and enrols the crop under the student, who comes into being if new. A
// crop of another student moves, unless a correction put it there. When Enroll
// returns, the crop is on disk and searchable. Doing it again changes but the times.
//
// The errors are ErrInvalidID, ErrInvalidModel, ErrInvalidVector, a
// *DuplicateError, a *DigestError, ErrReadOnly and ErrClosed; then nothing was
// stored. The duplicate check is left out for a crop that was corrected (a
// person has looked at it), and where the same vector is enrolled under the same
// student already, so that an import can be repeated.
func (g *Gallery) Enroll(ctx context.Context, e Enrolment) (Enrolled, error) {
	if err := e.check(); err != nil {
		return Enrolled{}, err
	}
	e.Vector = slices.Clone(e.Vector) // it is kept a while
	var seen *lookalikes
	if e.StudentID != "" && !e.AllowDuplicate {
		found, err := g.lookalikes(e.Model, e.Vector, e.StudentID)
		if err != nil {
			return Enrolled{}, err
		}
		seen = &found
	}
	var out Enrolled
	seq, err := g.change(ctx, func(c *storage.Change, s *step) (err error) {
		out, err = g.enroll(c, s, &e, seen)
		return err
	})
	if err != nil {
		return Enrolled{}, fmt.Errorf("enrol crop %q: %w", e.CropID, err)
	}
	out.Seq = seq
	return out, nil
}

// check checks the request, and sorts its groups.
func (e *Enrolment) check() (err error) {
	if err := checkID("crop", e.CropID); err != nil {
		return err
	}
	if e.StudentID != "" {
		if err := checkID("student", e.StudentID); err != nil {
			return err
		}
	}
	if e.Groups, err = groupSet(e.Groups...); err != nil {
		return err
	}
	if err := e.Model.check(); err != nil {
		return err
	}
	return e.Model.checkVector(e.Vector)
}

// enroll decides an enrolment.
// REQUIRES: the writer's lock is held.
func (g *Gallery) enroll(c *storage.Change, s *step, e *Enrolment, seen *lookalikes) (Enrolled, error) {
	now := time.Now().UTC()
	if err := g.lockModel(c, s, e.Model, now); err != nil {
		return Enrolled{}, err
	}
	before, err := g.findCrop(e.CropID)
	isNew := errors.Is(err, ErrCropNotFound)
	if err != nil && !isNew {
		return Enrolled{}, err
	}
	crop := before
	if isNew {
		crop = storage.Crop{ID: e.CropID, Created: now}
		s.stored++
	}
	crop.Updated = now
	if e.StudentID != "" && !crop.Corrected {
		crop.StudentID = e.StudentID
	}
	out := Enrolled{Crop: crop, Corrected: e.StudentID != "" && e.StudentID != crop.StudentID}

	old, err := g.store.Embedding(e.CropID, e.Model.Name)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return Enrolled{}, fmt.Errorf("read embedding of crop %q: %w", e.CropID, err)
	}
	out.Replaced = err == nil

	repeated := before.StudentID == crop.StudentID && slices.Equal(old.Vector, e.Vector)
	if crop.StudentID != "" && !e.AllowDuplicate && !crop.Corrected && !repeated {
		if err := g.refuseDuplicate(e, crop.StudentID, seen); err != nil {
			return Enrolled{}, err
		}
	}

	embedding := storage.Embedding{
		CropID: e.CropID, Model: e.Model.Name, Digest: e.Model.Digest,
		Vector: e.Vector, Quality: e.Quality, Created: now,
	}
	c.PutCrop(crop)
	c.PutEmbedding(embedding)
	if crop.StudentID == "" {
		return out, nil
	}
	var groups []string
	if e.StudentID == crop.StudentID {
		groups = e.Groups // they are about the student that was given, nobody else
	}
	if out.Student, err = g.joinGroups(c, s, crop.StudentID, groups, now); err != nil {
		return Enrolled{}, err
	}
	vectors := []storage.Embedding{embedding}
	if !isNew && before.StudentID == "" { // its other embeddings become searchable too
		for other, err := range g.store.EmbeddingsOf(e.CropID) {
			if err != nil {
				return Enrolled{}, fmt.Errorf("read embeddings of crop %q: %w", e.CropID, err)
			}
			if other.Model != e.Model.Name {
				vectors = append(vectors, other)
			}
		}
	}
	s.crops = append(s.crops, cropStep{id: crop.ID, student: crop.StudentID, vectors: vectors})
	return out, nil
}

// lockModel holds the vector to the model of the gallery's other ones, or makes
// it the first.
// REQUIRES: the writer's lock is held.
func (g *Gallery) lockModel(c *storage.Change, s *step, m Model, now time.Time) error {
	locked, err := g.store.Model(m.Name)
	if err == nil {
		return m.agrees(locked)
	}
	if !errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("read model %q: %w", m.Name, err)
	}
	locked = storage.Model{Name: m.Name, Digest: m.Digest, Dimension: m.Dimension, Created: now}
	c.PutModel(locked)
	s.models = append(s.models, locked)
	return nil
}

// joinGroups adds groups, sorted and checked, to the student's, who comes into
// being if new, and returns the student.
// REQUIRES: the writer's lock is held.
func (g *Gallery) joinGroups(c *storage.Change, s *step, id string, groups []string, now time.Time) (storage.Student, error) {
	st, err := g.findStudent(id)
	isNew := errors.Is(err, ErrStudentNotFound)
	if err != nil && !isNew {
		return storage.Student{}, err
	}
	if isNew {
		st = storage.Student{ID: id, Created: now}
	}
	all, err := groupSet(append(slices.Clone(st.Groups), groups...)...)
	if err != nil {
		return storage.Student{}, err
	}
	if isNew || !slices.Equal(all, st.Groups) {
		st.Groups, st.Updated = all, now
		c.PutStudent(st)
		s.students = append(s.students, st)
	}
	return st, nil
}
