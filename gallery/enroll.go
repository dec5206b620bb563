package gallery

import (
	"context"
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

	// StudentID is the student on the crop. Empty leaves that as it is: a new crop
	// is stored without a student, and never matched; an enrolled crop keeps its
	// student, also when it is embedded again, say with another model.
	// ([Gallery.AssignCrop] takes a crop away from its student.)
	StudentID string

	Groups         []string // to add to the student's; not used without a StudentID
	Embedding      Embedding
	Quality        Quality
	AllowDuplicate bool // enrol even where another student's crop looks like the same person
	AllowUnlike    bool // enrol even where the student's other crops look like another person
}

// Enrolled is the result of an [Enrolment].
type Enrolled struct {
	Crop      storage.Crop
	Student   storage.Student // whose the crop is; zero when nobody's
	Replaced  bool            // an embedding of this crop and model was there before
	Corrected bool            // an earlier correction stands, against the StudentID given
	Crops     int             // that the student is enrolled with now
	Resembles Candidate       // another student, whom the face could be taken for; zero: there is none, or nobody looked for one
	Warnings  []string        // WarningOtherRecipe, …
	Seq       uint64          // sequence number of the change
}

// Enroll stores an embedding and enrols the crop under the student. The embedding
// replaces the one that the crop had under the model. A student that does not exist
// is created. A crop of another student moves, unless a correction put it there.
// When Enroll returns, the crop is on disk and searchable. Doing it again changes
// only the times.
//
// The first embedding of a gallery chooses its model, where the settings name none.
//
// The errors are ErrInvalidID, ErrInvalidModel, ErrInvalidVector, a
// *NoConsentError, a *DuplicateError, an *UnlikeError, a *DigestError, those of [Options.Models], ErrReadOnly,
// ErrUnavailable and ErrClosed. Nothing was stored, except perhaps after
// ErrUnavailable.
//
// A crop that was corrected is not checked for duplicates and unlike crops (a person
// has looked at it), nor is one that has the same vector and student already, so that an import
// can be repeated.
func (g *Gallery) Enroll(ctx context.Context, e Enrolment) (Enrolled, error) {
	d, err := g.decision(ctx, e)
	if err != nil {
		return Enrolled{}, err
	}
	seq, err := g.writer.do(ctx, "enrol", d.decide)
	if err != nil {
		return Enrolled{}, fmt.Errorf("enrol crop %q: %w", e.CropID, err)
	}
	d.out.Seq = seq
	return d.out, nil
}

// decision checks an enrolment, and makes what is decided about it.
func (g *Gallery) decision(ctx context.Context, e Enrolment) (*enrolDecision, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	model, err := g.modelOf(e.Embedding)
	if err != nil {
		return nil, err
	}
	e.Embedding.Vector = slices.Clone(e.Embedding.Vector) // it is kept a while
	d := &enrolDecision{Enrolment: e, model: model, gallery: g}
	if e.StudentID != "" && !e.AllowDuplicate {
		return d, d.search(ctx)
	}
	return d, nil
}

// check checks the request, and turns its ids and groups into the form that is
// stored.
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

	// Of an import.
	pictured time.Time // when the picture was first stored; zero: now
	assigned bool      // a person assigned the crop
}

// search looks for the same face in the index, before it is the enrolment's turn.
func (d *enrolDecision) search(ctx context.Context) error {
	m, release, err := d.gallery.read(ctx)
	if err != nil {
		return err
	}
	release()
	found, err := m.lookalikes(d.model, d.Embedding.Vector, d.StudentID, func(m *memory) own {
		return m.ownOf(d.StudentID, d.model.Name, d.CropID, d.Embedding.Vector)
	})
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
	old, err := d.replaced(e)
	if err != nil {
		return err
	}
	if !known || old != nil && old.Recipe == d.Embedding.Recipe && !slices.Equal(old.Vector, d.Embedding.Vector) {
		// Another recipe makes another vector of the same picture.
		crop.Pictured = e.now
		if !known && !d.pictured.IsZero() {
			crop.Pictured = d.pictured
		}
	}
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
		Replaced:  old != nil,
	}
	if locked.Recipe != d.Embedding.Recipe {
		d.out.Warnings = append(d.out.Warnings, WarningOtherRecipe)
	}
	if crop.StudentID != "" {
		if err := e.mayEnrol(crop.StudentID); err != nil {
			return err
		}
	}
	if crop.StudentID != "" && !crop.Corrected && !(d.AllowDuplicate && d.AllowUnlike) {
		repeated := old != nil && before.StudentID == crop.StudentID && slices.Equal(old.Vector, d.Embedding.Vector)
		if !repeated {
			if err := d.refuse(e, crop.StudentID); err != nil {
				return err
			}
		}
	}
	if d.assigned && crop.StudentID != "" && crop.StudentID == d.StudentID {
		crop.Corrected = true
	}
	e.put(crop)
	e.put(record)
	if crop.StudentID == "" {
		return nil
	}
	d.out.Crops = len(e.cropsOf(crop.StudentID))
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

// replaced returns the embedding that the crop has under the model, or nil.
func (d *enrolDecision) replaced(e *edit) (*storage.Embedding, error) {
	ref := embeddingRef(d.CropID, d.model.Name)
	if !slices.Contains(e.embeddingsOf(d.CropID), ref) {
		return nil, nil
	}
	old, err := e.read(ref)
	if err != nil || len(old) == 0 {
		return nil, err
	}
	return &old[0], nil
}

// lockModel checks that an embedding comes from the same file of the model as the
// gallery's other ones. The first embedding decides which file that is. If the
// gallery has chosen no model yet, lockModel chooses this one.
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

// joinGroups adds groups, sorted and checked, to those of the student, and returns
// the student. It creates a student that does not exist.
func (e *edit) joinGroups(id string, groups []string) (storage.Student, error) {
	st, known, err := e.student(id)
	if err != nil {
		return storage.Student{}, err
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

// bringIn writes embeddings again, unchanged. A crop that gets a student must
// become searchable by all of them, and memory learns vectors only from writes.
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
