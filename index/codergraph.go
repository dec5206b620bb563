package index

import (
	"slices"

	"github.com/coder/hnsw"
)

const (
	// coderM and coderWidth are the neighbours per node and the hits that a
	// search asks of the graph before the best are taken. More of either finds
	// more: of 10,282 real face embeddings, M and width of 16 and 50 found the
	// nearest in 9 % of the searches, 32 and 200 in 22 %, 64 and 400 in 42 %.
	// EfSearch made no difference, so it keeps its default.
	coderM     = 64
	coderWidth = 400

	// A graph is rebuilt when one node in deadShare is dead: then it has lost
	// little of its recall, and a deletion costs four insertions on average.
	// Below minDead a rebuild is not worth its while.
	deadShare = 4
	minDead   = 64
)

// coderGraph keeps [hnsw.Graph] to what it does right. Its Delete corrupts the
// graph, and so does adding a key twice, which deletes: so every vector gets a
// key of its own, and a replaced or deleted one stays as a dead node that routes
// but is no hit. Its searches only read and may run side by side.
type coderGraph struct {
	graph *hnsw.Graph[uint32]
	ids   []ID    // by key
	keys  idTable // the live key of an ID
	live  int
}

func newCoderGraph() *coderGraph {
	g := hnsw.NewGraph[uint32]()
	g.M = coderM
	g.Distance = func(a, b hnsw.Vector) float32 { return 1 - dot(a, b) }
	return &coderGraph{graph: g}
}

func (g *coderGraph) nodes() int { return len(g.ids) }

func (g *coderGraph) dead() int { return len(g.ids) - g.live }

// add inserts a copy of row, padded, as the live vector of id. After it reports
// false the graph is broken.
func (g *coderGraph) add(id ID, row []float32) bool {
	g.bury(id)
	key := uint32(len(g.ids))
	g.ids = append(g.ids, id)
	g.keys.set(id, key)
	g.live++
	return survives(func() { g.graph.Add(hnsw.MakeNode(key, slices.Clone(row))) })
}

// bury makes the node of id, if there is one, a dead one.
func (g *coderGraph) bury(id ID) {
	if _, ok := g.keys.get(id); ok {
		g.keys.remove(id)
		g.live--
	}
}

// search returns the IDs of the live among the max(k, coderWidth) nodes that the
// graph takes for the nearest to query, padded, in no order; none if it panics.
func (g *coderGraph) search(query []float32, k int) []ID {
	var nodes []hnsw.Node[uint32]
	survives(func() { nodes = g.graph.Search(query, max(k, coderWidth)) })
	ids := make([]ID, 0, len(nodes))
	for _, node := range nodes {
		id := g.ids[node.Key]
		if key, ok := g.keys.get(id); ok && key == node.Key {
			ids = append(ids, id)
		}
	}
	return ids
}

// bytes estimates the memory of the graph, whose rows have stride floats.
func (g *coderGraph) bytes(stride int) int64 {
	// A link is an entry of a Go map of eight-byte pointers by four-byte keys:
	// 16 bytes, and about as much again in spare room.
	const perLink = 32
	perNode := int64(stride)*4 + coderM*perLink
	return int64(len(g.ids))*(perNode+4) + g.keys.bytes()
}

// survives runs f and reports whether it returned rather than panicked: the
// graph panics when it finds its own invariants broken, and the caller can do
// without it.
func survives(f func()) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	f()
	return true
}
