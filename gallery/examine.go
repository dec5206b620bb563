package gallery

import (
	"context"
	"errors"
	"fmt"
	"math"

	"rollcall/storage"
)

// An Examination is what [Examine] found in a gallery on disk.
type Examination struct {
	Students, Crops, Embeddings int // records that were read

	// Verified says what the log of changes and the journal hold.
	storage.Verified

	Differences []Difference // records that do not fit each other; at most MaxDifferences
	Total       int          // how many there are
}

// The kinds of differences between records.
const (
	diffDimension  = "embedding has another dimension than its model"
	diffLength     = "embedding is not of unit length"
	diffNoSettings = "the gallery's model has no record"
)

// lengthTolerance is far above the rounding of float32 sums, which is some 1e-6, and far
// below what a search would notice.
const lengthTolerance = 1e-3

// Examine reads a whole gallery from disk and compares its records with each other, without
// loading it: each crop's student and each embedding's crop and model are there, and each
// embedding has the dimension of its model and unit length. It verifies the log of changes and
// the journal. The error is that of the disk, all of them where there are several; what could
// be read is returned with it.
func Examine(ctx context.Context, partition *storage.Partition) (Examination, error) {
	x := examining{models: map[string]storage.Model{}, students: map[string]bool{}, crops: map[string]string{}}
	err := x.records(ctx, partition)
	verified, failed := partition.Verify(ctx)
	x.found.Verified = verified
	return x.found, errors.Join(err, failed)
}

type examining struct {
	settings storage.Settings
	models   map[string]storage.Model
	students map[string]bool
	crops    map[string]string // to their students
	found    Examination
}

// records reads the records. A crop comes after all students, and an embedding after all
// crops and models.
func (x *examining) records(ctx context.Context, partition *storage.Partition) error {
	for r, err := range partition.Load(ctx) {
		if err != nil {
			return fmt.Errorf("after %d students, %d crops and %d embeddings: %w", x.found.Students, x.found.Crops, x.found.Embeddings, err)
		}
		switch r := r.(type) {
		case storage.Settings:
			x.settings = r
		case storage.Model:
			x.models[r.Name] = r
		case storage.Student:
			x.students[r.ID] = true
			x.found.Students++
		case storage.Crop:
			x.crop(r)
		case storage.Embedding:
			x.embedding(r)
		}
	}
	if x.found.Embeddings > 0 && x.settings.Model != "" {
		if _, ok := x.models[x.settings.Model]; !ok {
			x.add(Difference{Kind: diffNoSettings, Model: x.settings.Model})
		}
	}
	return nil
}

func (x *examining) add(d Difference) {
	if x.found.Total++; x.found.Total <= MaxDifferences {
		x.found.Differences = append(x.found.Differences, d)
	}
}

func (x *examining) crop(c storage.Crop) {
	x.crops[c.ID] = c.StudentID
	x.found.Crops++
	if c.StudentID != "" && !x.students[c.StudentID] {
		x.add(Difference{Kind: diffNoStudentRecord, CropID: c.ID, StudentID: c.StudentID})
	}
}

func (x *examining) embedding(e storage.Embedding) {
	x.found.Embeddings++
	student, owned := x.crops[e.CropID]
	model, known := x.models[e.Model]
	kind := ""
	switch {
	case !owned:
		kind = diffNoCropRecord
	case !known:
		kind = diffNoModelRecord
	case model.Digest != e.Digest:
		kind = diffEmbeddingOfOthers
	case len(e.Vector) != model.Dimension:
		kind = diffDimension
	case !ofUnitLength(e.Vector):
		kind = diffLength
	}
	if kind != "" {
		x.add(Difference{Kind: kind, Model: e.Model, CropID: e.CropID, StudentID: student})
	}
}

// ofUnitLength is false for a vector that holds NaN.
func ofUnitLength(v []float32) bool {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Abs(math.Sqrt(sum)-1) <= lengthTolerance
}
