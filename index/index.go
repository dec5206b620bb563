// Package index finds the nearest neighbours of a unit-length vector among stored
// ones. It knows vectors and the IDs that its caller gives them, and not what
// they stand for. It knows no disk either: at the start the caller adds its
// vectors again.
//
// Use [New] to get an [Engine] by name, [Engine.Add] and [Engine.Delete] to keep
// it in step with what the caller stores, and [Engine.Search] to answer a
// [Query], or [Engine.SearchMany] for many vectors at once. A [Set] in the query
// restricts the answer to some IDs.
//
// Similarity is the cosine, which for unit vectors is the dot product: 1 for
// equal vectors, -1 for opposite ones. It is summed in float32 (index/kernel says
// how, and how large the error is). Within one process a stored vector and a
// query always give the same similarity, bit for bit: in every engine, in every
// scope, and wherever the vector lies in memory.
//
// # Exact and approximate
//
// The engine "exact" suits most callers. It bounds the similarity of every vector
// by its int8 code, and scores in float32 those that the bound cannot exclude:
// code.go has the proof, scan.go the search.
//
// The engines "hnsw" and "coder-hnsw" also have a graph, which proposes near
// vectors without looking at most of them. [Result.Exact] says whether the answer
// is exact. An approximate answer may lack the nearest vector; a caller that
// cannot accept this asks with [Query.Exact]. While a graph serves, a guard
// answers some of the real queries exactly too, and compares the answers
// (guard.go). If the recall is below the guard's aim, searches make more effort.
// If it is below the target, exact searches answer until the graph is good again.
// [Engine.Recall] returns the recall.
//
// # Concurrency
//
// Engines are safe for concurrent use. A search takes no lock ("coder-hnsw" waits
// for one insertion at most). It sees what was stored at one moment, however long
// it takes (arena.go). Changes are made one at a time, large ones in portions.
// Deleted vectors are cleared (wipe.go), and the others copied together
// (rebuild.go), in the background.
package index

import (
	"errors"
	"fmt"
	"iter"
	"strings"
)

// An ID names one vector. The caller chooses it, and should choose densely.
// Engines and sets keep tables up to the largest ID, in pages of 4,096 IDs. So an
// ID costs a few bytes if it has neighbours, and a page of up to 16 KiB if it is
// alone.
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

	// Least is the similarity, above 0, below which the caller has no use for hits:
	// they are left out. Default: none is. With it, a large K costs little.
	Least float32

	// Threshold is the similarity from which on the caller accepts a hit. The
	// guard of an approximate engine compares the answers near it and above it.
	// Default: none, and the guard does not sample this query.
	Threshold float32
}

// A Result answers a [Query].
type Result struct {
	// Hits, best first; of equal similarity the lower ID first. At most K, and
	// fewer only if fewer vectors are stored (and allowed, and reach Query.Least).
	Hits []Hit

	// Exact says that no stored (and allowed) vector can beat the hits.
	Exact bool
}

// An Engine stores vectors and searches them. It is safe for concurrent use by
// several goroutines. An answer shows the state at one moment, with every change
// that returned before the search began.
type Engine interface {
	// Name returns the name of the engine, one of [Engines].
	Name() string

	// Dim returns the dimension of the vectors.
	Dim() int

	// Len returns the number of stored vectors.
	Len() int

	// Add stores copies of vectors, [dim]float32 of unit length each, each under
	// the ID at the same place in ids. It uses all processors for many vectors;
	// with a graph it leaves one to searches, if there are any. Searches may see
	// some of the vectors before the others. The errors are [ErrDimension],
	// [ErrNotUnit] and [ErrExists]; after an error nothing is stored.
	Add(ids []ID, vectors [][]float32) error

	// Delete removes the vector under id, and reports false if there is none. The
	// vector is in no answer from then on. The engine "exact" leaves the vector's
	// memory to the garbage collector within moments. The others do that when
	// they make a new graph: once a quarter of their vectors is deleted.
	Delete(id ID) bool

	// Search answers q. The errors are [ErrDimension], [ErrNotUnit] and [ErrK].
	Search(q Query) (Result, error)

	// SearchMany answers, for each of vectors, [dim]float32 of unit length each, the query
	// that has this vector and is otherwise like the given one. Each answer is that of
	// [Engine.Search], all at one moment. Exact answers come several times faster so: the
	// stored vectors are read once for all, and if they are many, on all processors. The
	// vectors are not kept and not modified. The errors are those of Search; there is no answer then.
	SearchMany(vectors [][]float32, like Query) ([]Result, error)

	// Vector copies the vector stored under id into the slice, [dim]float32, and
	// reports false if there is none.
	Vector(id ID, into []float32) bool

	// Similarities puts the similarities of the vector, [dim]float32 of unit length, to
	// those that are stored under ids into the slice, [len(ids)]float32: the ones that
	// Search finds. It is NaN where nothing is stored under an ID.
	Similarities(vector []float32, ids []ID, into []float32)

	// Vectors iterates over the vectors that are stored when the iteration
	// begins, in ascending order of ID. It skips an ID whose vector was deleted,
	// and added again, before the iteration reaches it. Each vector is a copy,
	// [dim]float32, that the caller may keep. The caller may use the engine
	// meanwhile.
	Vectors() iter.Seq2[ID, []float32]

	// Reserve says that there will be n vectors in all. Memory for them is then
	// taken in large pieces, instead of small ones that grow.
	Reserve(n int)

	// Recall returns the share, 0 to 1, of the last samples in which the
	// approximate search and an exact one agreed on the hits near
	// [Query.Threshold] and above; false if there is no approximate search, or
	// too few samples yet.
	Recall() (recall float64, ok bool)

	// Bytes estimates the memory that the engine holds, in bytes: vectors,
	// tables and links.
	Bytes() int64
}

var (
	// ErrDimension says that a vector has another length than the engine's, or that
	// there are not as many vectors as IDs.
	ErrDimension = errors.New("wrong vector dimension")

	// ErrNotUnit says that a vector's length differs from 1 by more than 1e-4, or
	// that it has a NaN or an infinity.
	ErrNotUnit = errors.New("vector is not of unit length")

	// ErrExists says that a vector is stored under an ID already, or that an ID
	// occurs twice. To replace a vector, delete it first.
	ErrExists = errors.New("there is a vector under this ID already")

	// ErrK says that a query asks for fewer than one hit.
	ErrK = errors.New("fewer than one hit asked for")
)

const (
	exactName = "exact"
	hnswName  = "hnsw"
	coderName = "coder-hnsw"
)

// Engines are the names that [New] knows: "exact" searches everything; "hnsw" has a
// graph of our own; "coder-hnsw" is github.com/coder/hnsw, which often misses the
// nearest vector, for comparison.
var Engines = []string{exactName, hnswName, coderName}

// maxDim is far above any embedding (512 is common, 4,096 large); it keeps a
// mistaken dimension from asking for absurd amounts of memory.
const maxDim = 1 << 16

// New returns an empty engine for vectors of dim float32 each, 1 to 65,536; the
// error is [ErrDimension]. Engine is one of [Engines]; the error for any other name
// lists them.
func New(engine string, dim int) (Engine, error) {
	if dim < 1 || dim > maxDim {
		return nil, fmt.Errorf("new index of dimension %d, not in 1 to %d: %w", dim, maxDim, ErrDimension)
	}
	switch engine {
	case exactName:
		return newEngine(exactName, dim, nil), nil
	case hnswName:
		return newEngine(hnswName, dim, newHNSW), nil
	case coderName:
		return newEngine(coderName, dim, newCoder), nil
	}
	return nil, fmt.Errorf("unknown index engine %q; known are %s", engine, strings.Join(Engines, ", "))
}
