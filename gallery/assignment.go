package gallery

import "math"

// assign gives each row at most one column and each column at most one row, so
// that the sum of the gains is the greatest. Gain is [rows][columns]float64; a
// negative gain forbids the pair. It returns each row's column, or -1. Of equal
// sums one with more pairs is preferred.
//
// It is the shortest augmenting path algorithm (Kuhn 1955, Munkres 1957, in the
// form of Jonker and Volgenant, "A Shortest Augmenting Path Algorithm for Dense and
// Sparse Linear Assignment Problems", 1987, without its heuristics), in O(rows^2 *
// (rows+columns)): one photo has some dozens of rows. A row can stay without a
// column, because there is also one idle column for each row.
func assign(gain [][]float64) []int {
	if len(gain) == 0 {
		return nil
	}
	a := newAssignment(gain)
	for row := range gain {
		a.place(row)
	}
	taken := make([]int, len(gain))
	for row := range taken {
		taken[row] = -1
	}
	for col, row := range a.row[:len(gain[0])] {
		if row >= 0 {
			taken[row] = col
		}
	}
	return taken
}

const (
	// idleCost is what a row without a column costs. It is so small that it decides
	// only between equal sums, and yet far larger than rounding errors.
	idleCost = 1e-9

	// forbidden costs more than any idle column, so it is never chosen.
	forbidden = 1
)

// assignment is a partial assignment that is optimal for the rows placed so far.
// The potentials prove that: no pair's cost is below the sum of its potentials, and
// the chosen ones equal it.
type assignment struct {
	gain     [][]float64
	cols     int       // with the idle ones
	row      []int     // by column; -1: free
	rowPrice []float64 // potentials
	colPrice []float64

	// Of one search for a path, by column.
	dist    []float64 // length of the shortest path found
	from    []int     // the column before it on that path; -1: the new row
	settled []bool
}

func newAssignment(gain [][]float64) *assignment {
	cols := len(gain[0]) + len(gain)
	a := &assignment{
		gain: gain, cols: cols,
		row:      make([]int, cols),
		rowPrice: make([]float64, len(gain)),
		colPrice: make([]float64, cols),
		dist:     make([]float64, cols),
		from:     make([]int, cols),
		settled:  make([]bool, cols),
	}
	for col := range a.row {
		a.row[col] = -1
	}
	return a
}

func (a *assignment) cost(row, col int) float64 {
	switch {
	case col >= len(a.gain[row]):
		return idleCost
	case a.gain[row][col] < 0:
		return forbidden
	}
	return -a.gain[row][col]
}

// place adds a row: along the shortest path, in reduced costs, to a free column,
// each row on the path moves to the next column.
func (a *assignment) place(row int) {
	for col := range a.dist {
		a.dist[col], a.from[col], a.settled[col] = math.Inf(1), -1, false
	}
	last, lastDist, current := -1, 0.0, row
	for {
		next := -1
		for col := range a.cols {
			if a.settled[col] {
				continue
			}
			d := lastDist + a.cost(current, col) - a.rowPrice[current] - a.colPrice[col]
			if d < a.dist[col] {
				a.dist[col], a.from[col] = d, last
			}
			if next < 0 || a.dist[col] < a.dist[next] {
				next = col
			}
		}
		last, lastDist = next, a.dist[next]
		if a.row[next] < 0 { // there always is one: an idle column
			break
		}
		a.settled[next] = true
		current = a.row[next]
	}
	a.rowPrice[row] += lastDist
	for col, settled := range a.settled {
		if settled {
			a.rowPrice[a.row[col]] += lastDist - a.dist[col]
			a.colPrice[col] -= lastDist - a.dist[col]
		}
	}
	for last >= 0 {
		before := a.from[last]
		if before < 0 {
			a.row[last] = row
		} else {
			a.row[last] = a.row[before]
		}
		last = before
	}
}
