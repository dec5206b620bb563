package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"

	"github.com/spf13/pflag"

	"rollcall/index"
)

// indexOptions are the flags of "bench index".
type indexOptions struct {
	flags *pflag.FlagSet // these

	galleryFile, queriesFile      string
	students, crops, dim, queries int
	scope, duringBuild, rounds    int
	readMiB                       int
	engines                       []string
	seed                          uint64
	inOrder                       bool
}

func indexBench() Bench {
	return newBench("index", "recall, speed and memory of the index, engine by engine",
		`Fills each engine with the vectors of a gallery and asks it for the 10 nearest of
each query, one query at a time. The vectors are those of two files (float32,
little-endian, nothing else) or are generated: a random centre for each student,
crops and queries around them.

What the figures mean:
  recall_at_1, recall_at_10   of the engine's answers, on which verdicts rest
  exact_share                 the share of these answers that are exact
  exact_recall_at_10          of the answers where an exact one is demanded
  p50_us, p99_us, qps_1       searches one after the other
  qps_2                       the same from two goroutines at once
  exact_p50_us, exact_gb_s    a search that demands an exact answer, and the bytes
                              that it reads in a second
  many_us                     the same of 40 queries in one call, for each: on all
                              processors if the vectors are many
  read_gb_s                   what one core of this machine can read in a second
  build_s, build_2_s          insertion of all vectors with one thread and with two

Right is what a plain comparison of every query with every vector, in float64, finds. A hit
is right if it is as similar, whichever of equals it is.`,
		new(indexOptions))
}

func (o *indexOptions) addFlags(set *pflag.FlagSet) {
	o.flags = set
	set.StringVar(&o.galleryFile, "gallery", "", "file with the vectors of the gallery; empty: they are generated")
	set.StringVar(&o.queriesFile, "queries", "", "file with the vectors to ask for")
	set.IntVar(&o.dim, "dimension", 128, "components of a vector")
	set.IntVar(&o.students, "students", 2000, "students of a generated gallery")
	set.IntVar(&o.crops, "crops", 5, "crops of each of them")
	set.IntVar(&o.queries, "queries-count", 1000, "queries to generate, or to take from the file at most")
	set.Uint64Var(&o.seed, "seed", 1, "seed of every random choice")
	set.StringSliceVar(&o.engines, "engine", []string{"exact", "hnsw"}, fmt.Sprintf("engines to measure, of %v", index.Engines))
	set.IntVar(&o.rounds, "rounds", 5, "rounds, in which the engines take turns")
	set.BoolVar(&o.inOrder, "in-order", false, "insert the vectors in the order of the gallery instead of a random one")
	set.IntVar(&o.scope, "scope", 30, "also search among so many random vectors of the gallery; 0: do not")
	set.IntVar(&o.duringBuild, "during-build", 0, "also search while so many vectors more are inserted; 0: do not")
	set.IntVar(&o.readMiB, "read-mib", bandwidthMiB, "MiB of memory to read for read_gb_s: many times what the cache holds")
}

func (o *indexOptions) validate() error {
	if (o.galleryFile == "") != (o.queriesFile == "") {
		return errors.New("--gallery and --queries go together")
	}
	for _, generated := range []string{"students", "crops"} {
		if o.galleryFile != "" && o.flags.Changed(generated) {
			return fmt.Errorf("--%s is for generated galleries, not for --gallery", generated)
		}
	}
	if o.students < 1 || o.crops < 1 || o.queries < 1 || o.rounds < 1 || o.readMiB < 1 {
		return errors.New("--students, --crops, --queries-count, --rounds and --read-mib must be more than 0")
	}
	if o.dim < 1 || o.dim > maxIndexDim {
		return fmt.Errorf("--dimension must be 1 to %d", maxIndexDim)
	}
	if int64(o.students)*int64(o.crops) > maxIndexVectors || o.duringBuild > maxIndexVectors {
		return fmt.Errorf("more than %d vectors", maxIndexVectors)
	}
	if o.scope < 0 || o.duringBuild < 0 {
		return errors.New("--scope and --during-build must not be negative")
	}
	if len(o.engines) == 0 {
		return errors.New("--engine names none")
	}
	for _, name := range o.engines {
		if !slices.Contains(index.Engines, name) {
			return fmt.Errorf("--engine: there is no %q; there are %v", name, index.Engines)
		}
	}
	return nil
}

const (
	// maxIndexDim is the largest dimension that an index takes.
	maxIndexDim = 1 << 16

	// maxIndexVectors is far above what fits into memory here; it keeps the product
	// of two flags from overflowing.
	maxIndexVectors = 1 << 30
)

func (o *indexOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	gallery, queries, err := o.vectors()
	if err != nil {
		return nil, err
	}
	r := &indexRun{options: o, progress: progress, gallery: gallery, queries: queries}
	rows, err := r.measure(ctx)
	if err != nil {
		return nil, err
	}
	return indexResult{rows}, nil
}

// vectors reads or generates the gallery and the queries.
func (o *indexOptions) vectors() (gallery, queries vectors, err error) {
	if o.galleryFile == "" {
		rng := rand.New(rand.NewPCG(o.seed, 0))
		gallery, queries = generate(rng, o.students, o.crops, o.queries, o.dim)
		return gallery, queries, nil
	}
	if gallery, err = readVectors(o.galleryFile, o.dim); err != nil {
		return vectors{}, vectors{}, err
	}
	if queries, err = readVectors(o.queriesFile, o.dim); err != nil {
		return vectors{}, vectors{}, err
	}
	if o.flags.Changed("queries-count") {
		queries = queries.first(o.queries)
	}
	return gallery, queries, nil
}
