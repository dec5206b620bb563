package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"rollcall/gallery"
	"rollcall/index"
	"rollcall/storage"
)

// galleryOptions are the flags of "bench gallery".
type galleryOptions struct {
	crops, cropsEach, dimension, queries, writes, writers, rounds int

	sealed       bool
	engine, data string
	seed         uint64
}

func galleryBench() Bench {
	return newBench("gallery", "what each call costs in a gallery of a given size, on a real disk",
		`Fills a gallery with students, whose crops are random vectors, and measures its
calls without the embedder: the start, Identify and RollCall in several scopes,
lists, enrolments that replace a crop's vector (from one writer and from several,
who share fsyncs), deletions, and the comparison of disk and memory. Prints time,
processor time, allocations and what is written to disk, each a mean of its calls.
Verdicts that are wrong end it. It needs no model.

One group holds every student: as a scope it is everybody, listed. The start is
that of a server which has just ended: the folder is in the system's cache. With --sealed a gallery
in a sealed folder takes turns with it, and what sealing costs is printed too.`,
		new(galleryOptions))
}

func (o *galleryOptions) addFlags(set *pflag.FlagSet) {
	set.IntVar(&o.crops, "crops", 10000, "crops in the gallery")
	set.IntVar(&o.cropsEach, "crops-each", 5, "how many crops a student has")
	set.IntVar(&o.dimension, "dimension", 128, "components of a vector")
	set.IntVar(&o.queries, "queries", 200, "calls of each kind of question in a round")
	set.IntVar(&o.writes, "writes", 200, "calls of each kind of change in a round")
	set.IntVar(&o.writers, "writers", 16, "writers at once, where several write")
	set.IntVar(&o.rounds, "rounds", 5, "rounds, in which everything takes turns")
	set.BoolVar(&o.sealed, "sealed", false, "measure the same gallery in a sealed folder too")
	set.StringVar(&o.engine, "index-engine", gallery.DefaultEngine, fmt.Sprintf("how vectors are searched: one of %v", index.Engines))
	set.StringVar(&o.data, "data", "", "folder on the disk to measure, where a gallery is made and removed; empty: the system's folder for temporary files")
	set.Uint64Var(&o.seed, "seed", 1, "seed of every random choice")
}

func (o *galleryOptions) validate() error {
	if o.crops < 1 || o.cropsEach < 1 || o.queries < 1 || o.writes < 1 || o.writers < 1 || o.rounds < 1 {
		return errors.New("--crops, --crops-each, --queries, --writes, --writers and --rounds must be more than 0")
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

func (o *galleryOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	keys := []*storage.SealKey{nil}
	if o.sealed {
		key, err := storage.ParseSealKey([]byte(strings.Repeat("5e", storage.SealKeyBytes)))
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	var runs []*galleryRun
	for _, key := range keys {
		dir, err := os.MkdirTemp(o.data, "rollcall-bench-data-")
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		b := newGalleryRun(o, dir, key)
		defer func() { err = errors.Join(err, b.close()) }()
		if err := b.open(ctx); err != nil {
			return nil, err
		}
		if err := b.fill(ctx, progress); err != nil {
			return nil, err
		}
		runs = append(runs, b)
	}
	res, err := measureGalleries(ctx, progress, runs)
	if err != nil {
		return nil, err
	}
	return res, nil
}
