package gallery

import (
	"context"
	"fmt"
	"slices"

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

	Groups         []string // to add to the student's; not used without a StudentID
	Embedding      Embedding
	Quality        Quality
	AllowDuplicate bool // enrol even where another student's crop looks like the same person
}

// Enrolled is what an [Enrolment] came to.
type Enrolled struct {
	Crop      storage.Crop
	Student   storage.Student // whose the crop is; zero when nobody's
	Replaced  bool            // an embedding of this crop and model was there before
	Corrected bool            // an earlier correction stands, against the StudentID given
	Resembles Candidate       // of another student, whom the face could be taken for; zero: of none, or it was not looked for
	Warnings  []string        // WarningOtherRecipe, …
	Seq       uint64          // sequence number of the change
}

// Enroll stores an embedding, in place of the one that the crop had under the
// model, and enrols the crop under the student, who comes into being if new. A
// crop of another student moves, unless a correction put it there. When Enroll
// returns, the crop is on disk and searchable. Doing it again changes but the times.
//
// The first embedding of a gallery chooses its model, where the settings name none.
//
// The errors are ErrInvalidID, ErrInvalidModel, ErrInvalidVector, a
// *DuplicateError, a *DigestError, those of [Options.Models], ErrReadOnly,
// ErrUnavailable and ErrClosed; but for ErrUnavailable nothing was stored. The
// duplicate check is left out for a crop that was corrected (a person has looked
// at it), and where the same vector is enrolled under the same student already, so
// that an import can be repeated.
func (g *Gallery) Enroll(ctx context.Context, e Enrolment) (Enrolled, error) {
	if err := e.check(); err != nil {
		return Enrolled{}, err
	}
	model, err := g.modelOf(e.Embedding)
	if err != nil {
		return Enrolled{}, err
	}
	e.Embedding.Vector = slices.Clone(e.Embedding.Vector) // it is kept a while
	d := enrolDecision{Enrolment: e, model: model, gallery: g}
	if e.StudentID != "" && !e.AllowDuplicate {
		if err := d.search(ctx); err != nil {
			return Enrolled{}, err
		}
	}
	seq, err := g.writer.do(ctx, "enrol", d.decide)
	if err != nil {
		return Enrolled{}, fmt.Errorf("enrol crop %q: %w", e.CropID, err)
	}
	d.out.Seq = seq
	return d.out, nil
}

// check checks the request, and brings its ids and groups into the form that is kept.
func (e *Enrolment) check() (err error) {
	if e.CropID, err = parseID("crop", e.CropID); err != nil {
		return err
	}
	if e.StudentID, err = parseIfAny("student", e.StudentID); err != nil {
		return err
	}
	e.Groups, err = groupSet(e.Groups...)
	return err
}

// enrolDecision is an enrolment on its way.
type enrolDecision struct {
	Enrolment
	model   Model
	gallery *Gallery
	seen    *lookalikes // what a search found before; nil: none was made
	out     Enrolled
}

// search looks for the same face in the index, before it is the enrolment's turn.
func (d *enrolDecision) search(ctx context.Context) error {
	m, release, err := d.gallery.read(ctx)
	if err != nil {
		return err
	}
	release()
	found, err := m.lookalikes(d.model, d.Embedding.Vector, d.StudentID)
	d.seen = &found
	return err
}

// decide decides the enrolment.
func (d *enrolDecision) decide(e *edit) error {
	locked, err := e.lockModel(d.model, d.Embedding.Recipe)
	if err != nil {
		return err
	}
	before, known := lookup[storage.Crop](e, cropRef(d.CropID))
	crop := before
	if !known {
		crop = storage.Crop{ID: d.CropID, Created: e.now}
	}
	crop.Updated = e.now
	if d.StudentID != "" && !crop.Corrected {
		crop.StudentID = d.StudentID
	}
	stored := e.embeddingsOf(d.CropID)
	record := storage.Embedding{
		CropID: d.CropID, Model: d.model.Name, Digest: d.model.Digest, Recipe: d.Embedding.Recipe,
		Vector: d.Embedding.Vector, Quality: d.Quality, Created: e.now,
	}
	d.out = Enrolled{
		Crop:      crop,
		Corrected: d.StudentID != "" && d.StudentID != crop.StudentID,
		Replaced:  slices.Contains(stored, record.Ref()),
	}
	if locked.Recipe != d.Embedding.Recipe {
		d.out.Warnings = append(d.out.Warnings, WarningOtherRecipe)
	}
	if crop.StudentID != "" && !d.AllowDuplicate && !crop.Corrected {
		repeated, err := d.repeats(e, before, crop)
		if err != nil {
			return err
		}
		if !repeated {
			if err := d.refuseDuplicate(e, crop.StudentID); err != nil {
				return err
			}
		}
	}
	e.put(crop)
	e.put(record)
	if crop.StudentID == "" {
		return nil
	}
	var groups []string
	if d.StudentID == crop.StudentID {
		groups = d.Groups // they are about the student that was given, nobody else
	}
	if d.out.Student, err = e.joinGroups(crop.StudentID, groups); err != nil {
		return err
	}
	if known && before.StudentID == "" { // its other embeddings become searchable too
		return e.bringIn(slices.DeleteFunc(stored, func(ref storage.Ref) bool { return ref == record.Ref() }))
	}
	return nil
}

// repeats reports whether the same vector is enrolled under the same student
// already.
func (d *enrolDecision) repeats(e *edit, before, crop storage.Crop) (bool, error) {
	if !d.out.Replaced || before.StudentID != crop.StudentID {
		return false, nil
	}
	old, err := e.read(embeddingRef(d.CropID, d.model.Name))
	if err != nil {
		return false, err
	}
	return len(old) == 1 && slices.Equal(old[0].Vector, d.Embedding.Vector), nil
}

// lockModel holds an embedding to the model of the gallery's other ones, or makes
// it the first. It chooses the model for a gallery that has chosen none.
func (e *edit) lockModel(m Model, recipe string) (storage.Model, error) {
	locked, ok := lookup[storage.Model](e, modelRef(m.Name))
	if ok {
		if err := m.agrees(locked); err != nil {
			return storage.Model{}, err
		}
	} else {
		locked = storage.Model{Name: m.Name, Digest: m.Digest, Dimension: m.Dimension, Recipe: recipe, Created: e.now}
		e.put(locked)
	}
	if r, ok := lookup[storage.Settings](e, settingsRef); ok && r.Model == "" {
		s := settingsOf(r)
		s.Model = m.Name
		e.putSettings(s)
	}
	return locked, nil
}

// joinGroups adds groups, sorted and checked, to the student's, who comes into
// being if new, and returns the student.
func (e *edit) joinGroups(id string, groups []string) (storage.Student, error) {
	st, known := lookup[storage.Student](e, studentRef(id))
	if !known {
		st = storage.Student{ID: id, Created: e.now}
	}
	all, err := groupSet(append(slices.Clone(st.Groups), groups...)...)
	if err != nil {
		return storage.Student{}, err
	}
	if !known || !slices.Equal(all, st.Groups) {
		st.Groups, st.Updated = all, e.now
		e.put(st)
	}
	return st, nil
}

// bringIn writes embeddings again, as they are: a crop that gets a student becomes
// searchable by all of them, and memory has only what was written.
func (e *edit) bringIn(refs []storage.Ref) error {
	list, err := e.read(refs...)
	if err != nil {
		return err
	}
	for _, embedding := range list {
		e.put(embedding)
	}
	return nil
}
