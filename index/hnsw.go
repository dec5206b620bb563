package index

import (
	"math/bits"
	"slices"
	"sync/atomic"
	"unsafe"

	"rollcall/index/kernel"
)

// hnsw is the hierarchical navigable small world of Malkov and Yashunin, "Efficient
// and robust approximate nearest neighbor search using Hierarchical Navigable Small
// World graphs" (IEEE TPAMI 2020; arXiv:1603.09320): each slot has a node on the
// bottom layer, and one in graphM nodes of a layer is also on the layer above.
// Every node is linked to some near ones of its layer, in different directions.
// Algorithm 2 is in hnswsearch.go, algorithm 1 in hnswinsert.go, algorithm 4 in
// hnswneighbours.go. Distances are those of the coded rows.
//
// Searches read links while the one writer changes them. Each link is one atomic
// number, so a list that is read in the middle of a change is still a list of
// nodes.
//
// The node of a deleted vector leads on and is no hit, until the graph is made anew
// (rebuild.go).

const (
	// graphM is the paper's M, the number of links that a new node gets on each
	// layer. On the bottom layer later nodes may add links, up to graphM0, twice as
	// many (section 4.1).
	graphM  = 16
	graphM0 = 2 * graphM

	// graphBuild is the paper's efConstruction: how many nodes an insertion
	// considers.
	graphBuild = 200

	// graphSearch is the paper's ef: how many nodes a search considers, unless the
	// guard asks for more, up to graphSearchMost. Among 10,282 real face
	// embeddings, ef = 100 found the nearest in 99.87 % of 1,520 searches, and ef =
	// 128 in all of them.
	graphSearch     = 128
	graphSearchMost = 512

	// maxLevel bounds the layers: graphM^12 nodes are more than there are slots.
	maxLevel = 12

	// graphSeed makes the layers of the nodes, and so the graph, the same each time.
	graphSeed = 0x9e3779b97f4a7c15
)

// noSlot ends a list of links that is not full.
const noSlot = ^uint32(0)

type hnsw struct {
	nodes    atomic.Pointer[[]nodeChunk] // by slot; replaced as a whole when one is added
	entry    atomic.Uint64               // where a search begins: level<<32 | slot+1; 0 while there is no node
	inserted uint64                      // how many nodes there are; decides the next one's level
	search   atomic.Int64                // ef
	lost     atomic.Bool                 // a new node met only deleted ones, so nothing leads to it: the graph has to be made anew
	scratch  scratchPool
}

// nodeChunk is the links of consecutive slots.
type nodeChunk struct {
	links []atomic.Uint32                   // [n*graphM0]: the neighbours on the bottom layer; noSlot after the last
	upper []atomic.Pointer[[]atomic.Uint32] // [n]: those on the layers above, nil for most
}

// nodeShift is log2 of the nodes per chunk, whose links are 64 KiB.
const nodeShift = 9

func newHNSW() graph {
	g := &hnsw{}
	g.nodes.Store(new([]nodeChunk))
	g.search.Store(graphSearch)
	return g
}

// extend makes room for the nodes before end.
func (g *hnsw) extend(end uint32) {
	nodes := slices.Clone(*g.nodes.Load())
	for uint32(len(nodes))<<nodeShift < end {
		c := nodeChunk{aligned[atomic.Uint32](graphM0 << nodeShift), make([]atomic.Pointer[[]atomic.Uint32], 1<<nodeShift)}
		for i := range c.links {
			c.links[i].Store(noSlot)
		}
		nodes = append(nodes, c)
	}
	g.nodes.Store(&nodes)
}

func (g *hnsw) strive(more bool) bool {
	effort := g.search.Load()
	if more {
		g.search.Store(min(effort*3/2, graphSearchMost))
	} else {
		g.search.Store(max(effort*4/5, graphSearch))
	}
	return g.search.Load() != effort
}

func (g *hnsw) broken() bool { return g.lost.Load() }

func (g *hnsw) bytes() int64 { return int64(len(*g.nodes.Load())) << nodeShift * (4*graphM0 + 8) }

// effort returns how many nodes a search for k hits considers: at least 2*k,
// because the last hits are the least certain.
func (g *hnsw) effort(k int) int { return max(int(g.search.Load()), 2*k) }

// top returns the node where a search begins, and its level.
func (g *hnsw) top() (slot uint32, level int, ok bool) {
	entry := g.entry.Load()
	return uint32(entry) - 1, int(entry >> 32), entry != 0
}

func (g *hnsw) setTop(slot uint32, level int) { g.entry.Store(uint64(level)<<32 | uint64(slot+1)) }

// view is what one search or insertion reads: a state and the links over it.
type view struct {
	*state
	nodes []nodeChunk
}

func (g *hnsw) view(s *state) *view { return &view{s, *g.nodes.Load()} }

func (v *view) node(slot uint32) (*nodeChunk, int) {
	return &v.nodes[slot>>nodeShift], int(slot & (1<<nodeShift - 1))
}

// neighbours returns the links of slot on a layer: noSlot after the last.
// REQUIRES: the node reaches up to the layer.
func (v *view) neighbours(slot uint32, layer int) []atomic.Uint32 {
	c, i := v.node(slot)
	if layer == 0 {
		return c.links[i*graphM0 : (i+1)*graphM0 : (i+1)*graphM0]
	}
	return (*c.upper[i].Load())[(layer-1)*graphM : layer*graphM : layer*graphM]
}

// prefetch fetches the links of slot on the bottom layer into the cache.
func (v *view) prefetch(slot uint32) {
	c, i := v.node(slot)
	kernel.Prefetch(unsafe.Pointer(&c.links[i*graphM0]))
}

// nextLevel draws the level of the next node: each layer has one in graphM of the
// nodes of the layer below, which is the paper's choice of mL (section 4.1).
func (g *hnsw) nextLevel() int {
	g.inserted++
	random := mix(g.inserted * graphSeed)
	const layerBits = 4 // log2 of graphM
	return min(bits.TrailingZeros64(random)/layerBits, maxLevel)
}

// mix scatters the bits of x: the finaliser of SplitMix64 (Steele, Lea and Flood,
// OOPSLA 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
