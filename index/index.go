// Package index finds the nearest neighbours of a unit-length vector among
// stored ones. It knows vectors and the IDs that its caller gives them, and
// nothing of what they stand for.
//
// Use [New] to get an [Engine] by name, [Engine.Upsert] and [Engine.Delete] to
// keep it in step with whatever the caller stores, and [Engine.Search] with a
// [Query] to ask. A [Set] in the query restricts the answer to some IDs.
//
// Similarity is the cosine, which for unit vectors is the dot product: 1 for
// equal vectors, -1 for opposite ones. It is summed in float32 (kernel.go says
// how, and what the error is), so that within one process a stored vector and a
// query give the same similarity, bit for bit, from every engine, in whatever
// scope, wherever the vector lies in memory.
//
// # Exact and approximate
//
// An exact search bounds the similarity of every vector from its coding in int8
// and scores in float32 what the bound cannot exclude: code.go has the proof,
// scan.go the search. The engines "hnsw" and "auto" have a graph beside that
// (graph.go), which finds the nearest vectors without looking at most of them, as
// a rule. [Result.Exact] says which it was. The rule for callers: an approximate
// answer may only say yes. Who is about to say no asks again with [Query.Exact].
//
// A graph is worth its memory from some size on. BenchmarkCutover measured, on an
// AMD EPYC (Zen 3) in November 2026, that a search of the graph costs as much as a
// scan of 15,000 vectors of 128 dimensions when there are 10,000, and of 22,000
// when there are 40,000, since it waits for memory and a scan does not; 9,000 of
// 512 dimensions. So "auto" builds one at 30,000 vectors, and then takes for each
// search what is cheaper by the costs that it has measured itself (cost.go); so
// do "auto" and "hnsw" for a search within a [Set]. While the graph serves, a
// guard compares its answers with exact ones now and then (guard.go): short of its
// aim, searches make more effort; under its target, exact searches answer until a
// new graph is there. [Engine.Recall] tells.
//
// # Concurrency
//
// Searches take no lock that a change holds for more than a microsecond: a scan
// shares a lock with whoever writes one vector (or hides one) among the 256 that
// it bounds at that moment; a search of the graph takes none, since links are
// atomic numbers and a slot is written again only when no search can be looking at
// it (epoch.go). Changes come one at a time, a bulk in portions, spread over the
// processors but for one where there are searches; what they entail, the repair
// of the graph around deleted vectors (tend.go), compaction and a new graph
// (rebuild.go), happens in the background.
//
// The index is disposable: it holds nothing that its caller cannot put in again.
// [WriteSnapshot] and [ReadSnapshot] spare a start the trouble.
package index

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// An ID names one vector. The caller chooses it, and should choose densely:
// engines and sets keep tables that reach up to the largest ID in pages of
// 4,096 IDs, so an ID costs a few bytes beside its neighbours and a page of up
// to 16 KiB when it stands alone.
type ID uint32

// A Hit is one stored vector of an answer.
type Hit struct {
	ID         ID
	Similarity float32 // in [-1, 1]
}

// A Query asks for the stored vectors most similar to one vector.
type Query struct {
	Vector []float32 // [dim]float32, unit length; not kept, not modified
	K      int       // how many hits at most; >= 1
	Allow  *Set      // only these IDs may be hits; nil allows every stored one
	Exact  bool      // demand an exact answer, also from an approximate engine

	// Effort is how many vectors an approximate search of the engine "hnsw" or
	// "auto" considers at once, the ef of the literature: more find more and take
	// longer. Default: as many as the recall of late asks for.
	Effort int
}

// A Result answers a [Query].
type Result struct {
	// Hits, best first; of equal similarity the lower ID first. At most K, and
	// fewer only if fewer vectors are stored (and allowed).
	Hits []Hit

	// Exact says that no stored (and allowed) vector can beat the hits.
	Exact bool
}

// An Engine stores vectors and searches them. It is safe for concurrent use by
// several goroutines; an answer reflects every change that returned before the
// search began.
type Engine interface {
	// Name returns the name of the engine, one of [Engines].
	Name() string

	// Dim returns the dimension of the vectors.
	Dim() int

	// Len returns the number of stored vectors.
	Len() int

	// Upsert stores a copy of vector, [dim]float32 of unit length, under id, in
	// place of what was there. The errors are [ErrDimension] and [ErrNotUnit];
	// after an error the engine is as it was.
	Upsert(id ID, vector []float32) error

	// UpsertAll does what Upsert does with each pair of ids and vectors, in less
	// time than one by one, and on all processors but for one that it leaves to
	// searches while there are some. Other changes and searches may see it half
	// done. After an error nothing is stored.
	UpsertAll(ids []ID, vectors [][]float32) error

	// Delete removes the vector under id. It reports false if none was there, or if
	// the engine found it gone from its [Source] before and removed it itself.
	Delete(id ID) bool

	// Search answers q. The errors are [ErrDimension], [ErrNotUnit], [ErrK], and
	// those of a [Source].
	Search(q Query) (Result, error)

	// Vectors iterates over the stored vectors in ascending order of ID. Each
	// vector is a copy, [dim]float32, that the caller may keep. No lock is held
	// while the caller has control: it may use the engine meanwhile, from this
	// goroutine too. Every vector that stays throughout is met exactly once;
	// one that is stored, replaced or deleted meanwhile is met once at most, as
	// it was either before or after. What a [Source] cannot give is left out.
	Vectors() iter.Seq2[ID, []float32]

	// Recall returns the share, 0 to 1, of recent samples in which the approximate
	// search found the nearest vector; false while there is no approximate search
	// or too little is known.
	Recall() (recall float64, ok bool)

	// Bytes estimates the memory that the engine holds, in bytes: vectors,
	// tables and links.
	Bytes() int64
}

var (
	// ErrDimension says that a vector has another length than the engine's.
	ErrDimension = errors.New("wrong vector dimension")

	// ErrNotUnit says that a vector is not of unit length, by more than the
	// tolerance of 1e-4; so are a zero vector and one with a NaN or an infinity.
	ErrNotUnit = errors.New("vector is not of unit length")

	// ErrK says that a query asks for fewer than one hit.
	ErrK = errors.New("fewer than one hit asked for")
)

const (
	autoName  = "auto"
	exactName = "exact"
	hnswName  = "hnsw"
	coderName = "coder-hnsw"
)

// Engines are the names that [New] knows: "exact" searches everything; "hnsw" has a
// graph from the first vector on; "auto", which suits most callers, is exact while
// that is cheaper; "coder-hnsw" is github.com/coder/hnsw, which often misses the
// nearest vector, for comparison.
var Engines = []string{autoName, exactName, hnswName, coderName}

// maxDim is far above any embedding (512 is common, 4,096 large); it keeps a
// mistaken dimension from asking for absurd amounts of memory.
const maxDim = 1 << 16

// A Source has the vectors of an engine that does not keep them: it fills vector,
// [dim]float32, with what was stored under id, bit for bit, and reports false if
// that is gone, because a deletion reaches the engine after it. Searches call it,
// side by side, for a few dozen vectors each; its errors become theirs.
type Source func(id ID, vector []float32) (ok bool, err error)

// Options configure an engine. The zero value is a good choice.
type Options struct {
	// Source, if any, has the float32 vectors, so that the engine keeps them coded
	// in int8 alone: a little more than a quarter of the memory. Answers are the
	// same and take as much longer as the source takes. The engine "coder-hnsw"
	// cannot do without its own vectors and ignores it.
	Source Source
}

// New returns an empty engine for vectors of dim float32 each, 1 to 65,536.
// Engine is one of [Engines]; the error for any other name lists them.
func New(engine string, dim int, opts Options) (Engine, error) {
	if dim < 1 || dim > maxDim {
		return nil, fmt.Errorf("new index of dimension %d, not in 1 to %d: %w", dim, maxDim, ErrDimension)
	}
	switch engine {
	case autoName:
		return newEngine(autoName, dim, itPays, opts.Source), nil
	case exactName:
		return newEngine(exactName, dim, never, opts.Source), nil
	case hnswName:
		return newEngine(hnswName, dim, always, opts.Source), nil
	case coderName:
		return newCoder(dim), nil
	}
	names := slices.Sorted(slices.Values(Engines))
	return nil, fmt.Errorf("unknown index engine %q; known are %s", engine, strings.Join(names, ", "))
}
