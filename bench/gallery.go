package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/spf13/pflag"

	"rollcall/gallery"
	"rollcall/index"
	"rollcall/storage"
)

// galleryOptions are the flags of "bench gallery".
type galleryOptions struct {
	students, dimension, queries, writes, writers, rounds int
	engine, data                                          string
	seed                                                  uint64
}

func galleryBench() Bench {
	return newBench("gallery", "how long Identify takes in a gallery of a given size, and how many enrolments a second",
		`Fills a gallery with students, each with one random vector, and measures Identify
without the embedder: of students and of strangers, among everybody and within a
class of 30. Then it replaces vectors, as a new picture does, on a real disk: with
one writer and with several, who share fsyncs. It needs no model.`,
		new(galleryOptions))
}

func (o *galleryOptions) addFlags(set *pflag.FlagSet) {
	set.IntVar(&o.students, "students", 10000, "students in the gallery")
	set.IntVar(&o.dimension, "dimension", 128, "components of a vector")
	set.IntVar(&o.queries, "queries", 200, "calls of Identify of each kind in a round")
	set.IntVar(&o.writes, "writes", 200, "enrolments in a round, with one writer and with several")
	set.IntVar(&o.writers, "writers", 16, "how many several writers are")
	set.IntVar(&o.rounds, "rounds", 5, "rounds, in which everything takes turns")
	set.StringVar(&o.engine, "index-engine", "exact", fmt.Sprintf("how vectors are searched: one of %v", index.Engines))
	set.StringVar(&o.data, "data", "", "folder on the disk to measure, where a gallery is made and removed; empty: the system's folder for temporary files")
	set.Uint64Var(&o.seed, "seed", 1, "seed of every random choice")
}

func (o *galleryOptions) validate() error {
	if o.students < 1 || o.queries < 1 || o.writes < 1 || o.writers < 1 || o.rounds < 1 {
		return errors.New("--students, --queries, --writes, --writers and --rounds must be more than 0")
	}
	if o.dimension < minBenchDimension {
		return fmt.Errorf("--dimension must be %d or more: random vectors of fewer are too alike", minBenchDimension)
	}
	return nil
}

// minBenchDimension keeps random vectors well under benchThreshold: the spread of
// their similarity is 1/sqrt(dimension).
const minBenchDimension = 64

// benchThreshold is the similarity from which a probe of this bench is a student:
// over 4.8 spreads of strangers at 64 components, and under the 0.89 of probes.
const benchThreshold = 0.7

// classSize is the number of students in a class.
const classSize = 30

func (o *galleryOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	dir, err := os.MkdirTemp(o.data, "rollcall-bench-data-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &galleryRun{options: o, model: gallery.Model{
		Name: "bench", Digest: strings.Repeat("0", 64), Dimension: o.dimension, Threshold: benchThreshold,
	}}
	store, err := storage.Open(dir, storage.Options{FS: countingFS{vfs.Default, &b.syncs}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if b.gallery, err = gallery.Open(ctx, store, gallery.Options{Engine: o.engine}); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.gallery.Close()) }()
	if err := b.fill(ctx, progress); err != nil {
		return nil, err
	}
	res, err := b.measure(ctx, progress)
	if err != nil {
		return nil, err
	}
	return res, nil
}

// A galleryRun is one run of the bench.
type galleryRun struct {
	options *galleryOptions
	model   gallery.Model
	gallery *gallery.Gallery
	syncs   atomic.Int64
	vectors [][]float32 // by student
}
