package gallery

import (
	"context"
	"fmt"
	"hash/maphash"
)

// A Difference is one thing that storage and memory disagree on.
type Difference struct {
	Kind      string // what is wrong, for a person: "missing in index"
	Model     string // whose index it is in; "" where it is about no model
	CropID    string // "" where it is about no crop
	StudentID string // "" where it is about no student
}

// The kinds of differences.
const (
	diffMissingVector     = "missing in index"
	diffExtraVector       = "in index, but not enrolled on disk"
	diffUnownedVector     = "in index, but nobody's"
	diffVector            = "vector in index differs"
	diffCropStudent       = "crop is another student's in memory"
	diffMissingStudent    = "student missing in memory"
	diffExtraStudent      = "student in memory, but not on disk"
	diffGroups            = "groups in memory differ"
	diffCropCount         = "number of crops in memory differs"
	diffSequence          = "sequence number in memory differs"
	diffNoStudentRecord   = "student of the crop has no record"
	diffNoCropRecord      = "embedding of a crop without a record"
	diffModel             = "model in memory differs"
	diffNoModelRecord     = "embedding under a model without a record"
	diffEmbeddingOfOthers = "embedding made by another file of the model"
)

// MaxDifferences is how many differences a report lists: enough to see what is
// wrong, where everything is.
const MaxDifferences = 1000

// A Report is what CheckConsistency found.
type Report struct {
	Sequence    uint64       // of the last change in the comparison
	Stored      int          // embeddings of enrolled crops on disk
	Indexed     int          // vectors in the indexes
	Differences []Difference // the first MaxDifferences; there should be none
	Total       int          // how many differences there are
}

func (r *Report) add(d Difference) {
	if r.Total++; r.Total <= MaxDifferences {
		r.Differences = append(r.Differences, d)
	}
}

// CheckConsistency compares what is on disk with what is searched: students,
// groups, whose the crops are, and each vector bit for bit (by a keyed 64-bit
// hash of its bits, so that no second copy of the gallery is held).
//
// It may be called on a live server: searches go on, and so do changes. Only if
// it finds differences, which may be changes under way, it looks again with
// changes held back, for as long as it takes to read the embeddings once; what
// it then finds is real. Then no snapshots are kept any more, so that the next
// Open builds the indexes from storage. The errors are ErrClosed, ctx's and the store's.
func (g *Gallery) CheckConsistency(ctx context.Context) (Report, error) {
	if err := g.readable(ctx); err != nil {
		return Report{}, err
	}
	r, err := g.compare(ctx)
	if err == nil && r.Total > 0 {
		r, err = g.compareQuietly(ctx)
		if r.Total > 0 && g.snapshots != nil {
			g.snapshots.distrust()
		}
	}
	if err != nil {
		return Report{}, fmt.Errorf("check consistency: %w", err)
	}
	return r, nil
}

// compareQuietly compares while nothing changes.
func (g *Gallery) compareQuietly(ctx context.Context) (Report, error) {
	g.writer.Lock()
	defer g.writer.Unlock()
	if g.closed.Load() {
		return Report{}, ErrClosed
	}
	g.quiet()
	r, err := g.compare(ctx)
	if err == nil && r.Sequence != g.store.Sequence() {
		r.add(Difference{Kind: diffSequence})
	}
	return r, err
}

// compare makes the comparison.
func (g *Gallery) compare(ctx context.Context) (Report, error) {
	c := comparison{ctx: ctx, store: g.store, seed: maphash.MakeSeed()}
	engines := c.copyState(g)
	for name, engine := range engines {
		if err := c.hashVectors(name, engine); err != nil {
			return Report{}, err
		}
	}
	for _, check := range []func() error{c.checkModels, c.checkStudents, c.checkCrops, c.checkEmbeddings} {
		if err := check(); err != nil {
			return Report{}, err
		}
	}
	return c.report, nil
}
