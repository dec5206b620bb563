package gallery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall/storage"
)

// CropInfo is what the gallery keeps of a crop: never the image, and the
// embeddings without their vectors.
type CropInfo struct {
	storage.Crop                 // StudentID "": stored, but not enrolled
	Embeddings   []EmbeddingInfo // one for each model that embedded it, by model name
}

// EmbeddingInfo is where one embedding came from.
type EmbeddingInfo struct {
	Model   string
	Digest  string // SHA-256 of the model's file, in hex
	Quality Quality
	Created time.Time
}

// Crop returns what the gallery keeps of a crop. The errors are ErrInvalidID,
// ErrCropNotFound and ErrClosed.
func (g *Gallery) Crop(ctx context.Context, id string) (CropInfo, error) {
	if err := g.readable(ctx); err != nil {
		return CropInfo{}, err
	}
	if err := checkID("crop", id); err != nil {
		return CropInfo{}, err
	}
	return g.cropInfo(id)
}

func (g *Gallery) cropInfo(id string) (CropInfo, error) {
	crop, err := g.findCrop(id)
	if err != nil {
		return CropInfo{}, err
	}
	info := CropInfo{Crop: crop}
	for e, err := range g.store.EmbeddingsOf(id) {
		if err != nil {
			return CropInfo{}, fmt.Errorf("read embeddings of crop %q: %w", id, err)
		}
		info.Embeddings = append(info.Embeddings, EmbeddingInfo{e.Model, e.Digest, e.Quality, e.Created})
	}
	return info, nil
}

// findCrop returns the crop's record, or ErrCropNotFound.
func (g *Gallery) findCrop(id string) (storage.Crop, error) {
	crop, err := g.store.Crop(id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return storage.Crop{}, fmt.Errorf("%w: %q", ErrCropNotFound, id)
	case err != nil:
		return storage.Crop{}, fmt.Errorf("read crop %q: %w", id, err)
	}
	return crop, nil
}

// AssignCrop corrects whose face a crop is: the student's, who comes into being
// if new, or nobody's ("": stored, but never matched). The correction sticks: a
// later [Gallery.Enroll] of the crop does not change it, and says so; only
// another AssignCrop does, or deleting the crop. It is a person's decision, so
// no duplicate check is made. The errors are ErrInvalidID, ErrCropNotFound,
// ErrReadOnly and ErrClosed.
func (g *Gallery) AssignCrop(ctx context.Context, cropID, studentID string) (CropInfo, error) {
	if err := checkID("crop", cropID); err != nil {
		return CropInfo{}, err
	}
	if studentID != "" {
		if err := checkID("student", studentID); err != nil {
			return CropInfo{}, err
		}
	}
	var info CropInfo
	_, err := g.change(ctx, func(c *storage.Change, s *step) (err error) {
		info, err = g.assign(c, s, cropID, studentID)
		return err
	})
	if err != nil {
		return CropInfo{}, fmt.Errorf("assign crop %q: %w", cropID, err)
	}
	return info, nil
}

// assign decides a correction.
// REQUIRES: the writer's lock is held.
func (g *Gallery) assign(c *storage.Change, s *step, cropID, studentID string) (CropInfo, error) {
	now := time.Now().UTC()
	info, err := g.cropInfo(cropID)
	if err != nil {
		return CropInfo{}, err
	}
	next := cropStep{id: cropID, student: studentID}
	if info.StudentID == "" && studentID != "" { // its embeddings become searchable
		for e, err := range g.store.EmbeddingsOf(cropID) {
			if err != nil {
				return CropInfo{}, fmt.Errorf("read embeddings of crop %q: %w", cropID, err)
			}
			next.vectors = append(next.vectors, e)
		}
	}
	info.StudentID, info.Corrected, info.Updated = studentID, true, now
	c.PutCrop(info.Crop)
	if studentID != "" {
		if _, err := g.joinGroups(c, s, studentID, nil, now); err != nil {
			return CropInfo{}, err
		}
	}
	s.crops = append(s.crops, next)
	return info, nil
}

// DeleteCrop erases a crop with its embeddings, and a correction of it. Its
// student stays, be it without crops. The errors are ErrInvalidID,
// ErrCropNotFound, ErrReadOnly and ErrClosed.
func (g *Gallery) DeleteCrop(ctx context.Context, id string) error {
	if err := checkID("crop", id); err != nil {
		return err
	}
	_, err := g.change(ctx, func(c *storage.Change, s *step) error {
		if _, err := g.findCrop(id); err != nil {
			return err
		}
		c.DeleteCrop(id)
		s.crops = append(s.crops, cropStep{id: id})
		s.stored--
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete crop %q: %w", id, err)
	}
	return nil
}
