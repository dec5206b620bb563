package bench

import "fmt"

// galleryResult is what "bench gallery" prints.
type galleryResult struct {
	oneGallery
	Sealed *oneGallery `json:"sealed,omitempty"` // of the same gallery in a sealed folder
}

// oneGallery is what was measured of one gallery.
type oneGallery struct {
	Stats galleryFacts `json:"gallery"`
	Costs []callCost   `json:"costs"`

	// Beside is how long replacing a crop takes while CheckConsistency runs.
	Beside      latency `json:"replace_beside_check"`
	LongestWait float64 `json:"longest_beside_check_ms"`
}

// galleryFacts are the gallery's size.
type galleryFacts struct {
	Crops      int    `json:"crops"`
	Students   int    `json:"students"`
	Dimension  int    `json:"dimension"`
	Engine     string `json:"engine"`
	IndexBytes int64  `json:"index_bytes"`
	HeapBytes  int64  `json:"heap_bytes"` // what the gallery takes of Go's memory, with the index
}

// callCost is what a kind of call costs. All but latency and rate are means.
type callCost struct {
	Call    string  `json:"call"`
	AtOnce  int     `json:"at_once"`
	Latency latency `json:"latency"`
	Rate    float64 `json:"per_second"` // median of the rounds

	// Of the whole process, so with what goes on in the background; processor time
	// of all cores together, 0 where the system does not tell it.
	CPU         float64 `json:"cpu_ms"`
	Allocations float64 `json:"allocations"`
	Written     float64 `json:"written_bytes"`

	// Syncs are fsyncs: below 1 a call where writers share them.
	Syncs float64 `json:"fsyncs"`
}

func (r galleryResult) tables() []table {
	tables := []table{r.oneGallery.table()}
	if r.Sealed == nil {
		return tables
	}
	sealed := r.Sealed.table()
	sealed.title = "in a sealed folder: " + sealed.title
	share := table{title: "sealed, as a share of what is not sealed", header: []string{"call", "at once", "calls a second", "processor"}}
	for i, c := range r.Costs {
		s := r.Sealed.Costs[i]
		share.row(c.Call, fmt.Sprint(c.AtOnce), percent(s.Rate/c.Rate), percent(s.CPU/c.CPU))
	}
	return append(tables, sealed, share)
}

func (r oneGallery) table() table {
	s := r.Stats
	t := table{
		title: fmt.Sprintf("%d crops of %d students, %d-D, engine %s: memory %s, of which the index %s",
			s.Crops, s.Students, s.Dimension, s.Engine, inMegabytes(s.HeapBytes), inMegabytes(s.IndexBytes)),
		header: []string{"call", "at once", "median", "p99", "a second", "processor", "allocations", "written", "fsyncs", "calls"},
		notes: []string{fmt.Sprintf("replace a crop beside CheckConsistency: median %.2f ms, p99 %.2f ms, longest %.2f ms of %d",
			r.Beside.Median, r.Beside.P99, r.LongestWait, r.Beside.Calls)},
	}
	for _, c := range r.Costs {
		t.row(c.Call, fmt.Sprint(c.AtOnce), fmt.Sprintf("%.3f ms", c.Latency.Median), fmt.Sprintf("%.3f ms", c.Latency.P99), fmt.Sprintf("%.1f", c.Rate),
			fmt.Sprintf("%.3f ms", c.CPU), fmt.Sprintf("%.0f", c.Allocations), fmt.Sprintf("%.1f kB", c.Written/1000), fmt.Sprintf("%.2f", c.Syncs), fmt.Sprint(c.Latency.Calls))
	}
	return t
}
