package gallery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rollcall/storage"
)

// CropInfo is what the gallery keeps of a crop: never the image, and the
// embeddings without their vectors.
type CropInfo struct {
	storage.Crop                 // StudentID "": stored, but not enrolled
	Embeddings   []EmbeddingInfo // one for each model that embedded it, by model name
	Seq          uint64          // number of the change that it is the answer to; 0 otherwise
}

// EmbeddingInfo is where one embedding came from.
type EmbeddingInfo struct {
	Model   string
	Digest  string // SHA-256 of the model's file, in hex
	Recipe  string // see [Embedding]
	Quality Quality
	Created time.Time
}

// Crop returns what the gallery keeps of a crop. The errors are ErrInvalidID,
// ErrCropNotFound, ErrUnavailable and ErrClosed.
func (g *Gallery) Crop(ctx context.Context, id string) (CropInfo, error) {
	id, err := parseID("crop", id)
	if err != nil {
		return CropInfo{}, err
	}
	crops, err := g.cropInfos(ctx, id)
	if err != nil {
		return CropInfo{}, err
	}
	if len(crops) == 0 {
		return CropInfo{}, fmt.Errorf("%w: %q", ErrCropNotFound, id)
	}
	return crops[0], nil
}

// cropInfos returns what is kept of those crops that exist. It reads the disk,
// since memory does not hold what was measured.
func (g *Gallery) cropInfos(ctx context.Context, ids ...string) ([]CropInfo, error) {
	m, release, err := g.read(ctx)
	if err != nil {
		return nil, err
	}
	var crops []CropInfo
	var refs []storage.Ref
	at := make(map[string]int) // among crops
	for _, id := range ids {
		if c := m.crops[id]; c != nil {
			at[id] = len(crops)
			crops = append(crops, CropInfo{Crop: c.Crop})
			refs = slices.AppendSeq(refs, m.embeddingsOf(id))
		}
	}
	release()
	slices.SortFunc(refs, compareRefs)
	records, err := g.writer.partition.Fetch(ctx, refs...)
	if err != nil {
		return nil, fmt.Errorf("read embeddings: %w", err)
	}
	for _, r := range records {
		e := r.(storage.Embedding)
		crop := &crops[at[e.CropID]]
		crop.Embeddings = append(crop.Embeddings, EmbeddingInfo{e.Model, e.Digest, e.Recipe, e.Quality, e.Created})
	}
	return crops, nil
}

// AssignCrop corrects whose face a crop shows. A student that does not exist is
// created. With "" the crop is nobody's: stored, but never matched. The correction
// stays: a later [Gallery.Enroll] of the crop does not change it, and says so. Only
// another AssignCrop changes it, a merge, an undo, or deleting the crop. It is a person's
// decision, so no duplicate check is made. The errors are ErrInvalidID, ErrCropNotFound, a
// *NoConsentError, ErrReadOnly, ErrUnavailable and ErrClosed.
func (g *Gallery) AssignCrop(ctx context.Context, cropID, studentID string) (CropInfo, error) {
	return g.assign(ctx, cropID, studentID, func(string) error { return nil })
}

// ReassignCrop is AssignCrop of a crop that the caller takes to be the student from's; ""
// is nobody's. If it is somebody else's when its turn comes, the error is a
// *StudentChangedError.
func (g *Gallery) ReassignCrop(ctx context.Context, cropID, from, studentID string) (CropInfo, error) {
	from, err := parseIfAny("student", from)
	if err != nil {
		return CropInfo{}, err
	}
	return g.assign(ctx, cropID, studentID, func(present string) error {
		if present != from {
			return &StudentChangedError{StudentID: present}
		}
		return nil
	})
}

// assign assigns a crop if allow accepts its present student.
func (g *Gallery) assign(ctx context.Context, cropID, studentID string, allow func(present string) error) (CropInfo, error) {
	cropID, err := parseID("crop", cropID)
	if err != nil {
		return CropInfo{}, err
	}
	if studentID, err = parseIfAny("student", studentID); err != nil {
		return CropInfo{}, err
	}
	var crop storage.Crop
	seq, err := g.writer.do(ctx, causeAssign, func(e *edit) error {
		var ok bool
		if crop, ok = lookup[storage.Crop](e, cropRef(cropID)); !ok {
			return fmt.Errorf("%w: %q", ErrCropNotFound, cropID)
		}
		if err := allow(crop.StudentID); err != nil {
			return err
		}
		crop, err = e.assign(crop, studentID, true)
		return err
	})
	if err != nil {
		return CropInfo{}, fmt.Errorf("assign crop %q: %w", cropID, err)
	}
	info := CropInfo{Crop: crop}
	// The correction is made, whatever happened since.
	if crops, err := g.cropInfos(ctx, cropID); err == nil && len(crops) > 0 {
		info = crops[0]
	}
	info.Seq = seq
	return info, nil
}

// assign writes a crop with its new student, whom it creates if there is none; "": nobody.
func (e *edit) assign(crop storage.Crop, studentID string, corrected bool) (storage.Crop, error) {
	if studentID != "" {
		if err := e.mayEnrol(studentID); err != nil {
			return crop, err
		}
	}
	wasNobodys := crop.StudentID == ""
	crop.StudentID, crop.Corrected, crop.Updated = studentID, corrected, e.now
	e.put(crop)
	if studentID == "" {
		return crop, nil
	}
	st, err := e.joinGroups(studentID, nil)
	if err != nil {
		return crop, err
	}
	// Its record is written though only the crop has changed: so the log names the student.
	st.Updated = e.now
	e.put(st)
	if wasNobodys {
		return crop, e.bringIn(e.embeddingsOf(crop.ID))
	}
	return crop, nil
}

// DeleteCrop erases a crop with its embeddings and its correction, for good, and notes it
// in the list of erasures. Its student stays, even if it has no more crops. The erasure is
// open: the caller has it finished. The errors are ErrInvalidID, ErrCropNotFound,
// ErrReadOnly, ErrUnavailable and ErrClosed.
func (g *Gallery) DeleteCrop(ctx context.Context, id string) error {
	id, err := parseID("crop", id)
	if err != nil {
		return err
	}
	digests, err := g.digests(ctx)
	if err != nil {
		return fmt.Errorf("delete crop %q: %w", id, err)
	}
	_, err = g.writer.do(ctx, causeDeleteCrop, func(e *edit) error {
		if _, ok := lookup[storage.Crop](e, cropRef(id)); !ok {
			return fmt.Errorf("%w: %q", ErrCropNotFound, id)
		}
		e.erase(digests, nil, []string{id})
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete crop %q: %w", id, err)
	}
	return nil
}

// deleteCrop deletes a crop with its embeddings, and returns how many these were.
func (e *edit) deleteCrop(id string) (embeddings int) {
	refs := e.embeddingsOf(id)
	for _, ref := range refs {
		e.gone(ref)
	}
	e.gone(cropRef(id))
	return len(refs)
}
