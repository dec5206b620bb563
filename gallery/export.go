package gallery

import (
	"context"
	"fmt"
	"iter"

	"rollcall/storage"
)

// Record is one line of an export: one of the four is set.
type Record struct {
	Settings *Settings
	Model    *ModelRecord
	Student  *StudentRecord
	Crop     *CropRecord
}

// What a gallery keeps, for exports.
type (
	// ModelRecord is the model that made the vectors of a name.
	ModelRecord = storage.Model
	// StudentRecord is a student.
	StudentRecord = storage.Student
	// EmbeddingRecord is the vector of a crop under one model.
	EmbeddingRecord = storage.Embedding
)

// CropRecord is a crop with its embeddings, in the order of their models.
type CropRecord struct {
	storage.Crop
	Groups     []string // of an import: to add to the student's
	Embeddings []EmbeddingRecord
}

// Export yields all that the gallery keeps, as it is when the loop begins: the settings,
// the models, the students and the crops, each by their ids. Without vectors the
// embeddings have none. The errors are ErrClosed, ctx's and those of storage.
func (g *Gallery) Export(ctx context.Context, vectors bool) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var x exporter
		for r, err := range g.writer.partition.Load(ctx) {
			if err != nil {
				yield(Record{}, fmt.Errorf("export: %w", err))
				return
			}
			if !x.add(r, vectors, yield) {
				return
			}
		}
		x.crops(nil, yield)
	}
}

// exporter holds the crops until their embeddings come: both come by the ids of the crops.
type exporter struct{ waiting []*CropRecord }

func (x *exporter) add(r storage.Record, vectors bool, yield func(Record, error) bool) bool {
	switch r := r.(type) {
	case storage.Settings:
		s := settingsOf(r)
		return yield(Record{Settings: &s}, nil)
	case storage.Model:
		return yield(Record{Model: &r}, nil)
	case storage.Student:
		return yield(Record{Student: &r}, nil)
	case storage.Crop:
		x.waiting = append(x.waiting, &CropRecord{Crop: r})
	case storage.Embedding:
		if !x.crops(&r.CropID, yield) {
			return false
		}
		r.Vector = append([]float32(nil), r.Vector...) // it is valid until the next step only
		if !vectors {
			r.Vector = nil
		}
		if len(x.waiting) > 0 && x.waiting[0].ID == r.CropID {
			x.waiting[0].Embeddings = append(x.waiting[0].Embeddings, r)
		}
	}
	return true
}

// crops yields the crops before the one with this id; nil: all of them.
func (x *exporter) crops(before *string, yield func(Record, error) bool) bool {
	for len(x.waiting) > 0 && (before == nil || x.waiting[0].ID < *before) {
		c := x.waiting[0]
		x.waiting = x.waiting[1:]
		if !yield(Record{Crop: c}, nil) {
			return false
		}
	}
	return true
}
