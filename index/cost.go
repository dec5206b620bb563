package index

import (
	"math"
	"sync/atomic"
	"time"
)

// costs say when a search of the graph is cheaper than an exact one, in the unit
// of an exact search: one row of a scan. They are measured: by every sample of the
// guard, which does both; and until there is one by what was measured elsewhere.
type costs struct {
	graph atomic.Uint64 // rows that a search costs for each node of its effort, as float64 bits; 0 while not measured
}

const (
	// graphGuess is what a search of the graph costs in rows for each node of its
	// effort, before it has been measured: see BenchmarkCutover.
	graphGuess = 120

	// worthFactor is how much cheaper than exact ones searches must become for a graph
	// to be built: it costs memory and makes insertions slower.
	worthFactor = 2

	// worthGraph is with how many vectors an engine gets a graph.
	worthGraph = worthFactor * graphGuess * graphSearch
)

// graphRows returns what a search by the given effort costs.
func (c *costs) graphRows(effort int) int {
	if bits := c.graph.Load(); bits != 0 {
		return int(math.Float64frombits(bits) * float64(effort))
	}
	return graphGuess * effort
}

// note takes up what one search for one hit took, by the graph and by a scan.
func (c *costs) note(core *core, graph, scan time.Duration) {
	if scan <= 0 || graph <= 0 {
		return
	}
	rows := float64(graph) / float64(scan) * float64(core.used.Load()) / float64(core.graph.effort(1))
	if bits := c.graph.Load(); bits != 0 {
		const weight = 1. / 32
		rows = math.Float64frombits(bits)*(1-weight) + rows*weight
	}
	c.graph.Store(math.Float64bits(rows))
}
