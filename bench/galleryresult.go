package bench

import "fmt"

// galleryResult is what "bench gallery" prints.
type galleryResult struct {
	Stats    galleryFacts  `json:"gallery"`
	Identify []queryResult `json:"identify"`
	Enroll   []writeResult `json:"enroll"`
}

// galleryFacts are the gallery's size.
type galleryFacts struct {
	Students   int    `json:"students"`
	Dimension  int    `json:"dimension"`
	Engine     string `json:"engine"`
	IndexBytes int64  `json:"index_bytes"`
}

// queryResult is how long Identify takes for one kind of probe.
type queryResult struct {
	Probe   string  `json:"probe"`
	Latency latency `json:"latency"`
}

// writeResult is how fast some writers enrol.
type writeResult struct {
	Writers int     `json:"writers"`
	Rate    float64 `json:"per_second"` // median of the rounds
	Latency latency `json:"latency"`
	// SyncsPerWrite is below 1 where writers share them.
	SyncsPerWrite float64 `json:"fsyncs_per_enrolment"`
}

func (r galleryResult) tables() []table {
	search := table{
		title: fmt.Sprintf("Identify among %d students with one %d-D vector each, engine %s, index %s",
			r.Stats.Students, r.Stats.Dimension, r.Stats.Engine, inMegabytes(r.Stats.IndexBytes)),
		header: []string{"probe", "median", "p90", "p99", "calls"},
	}
	for _, q := range r.Identify {
		search.row(q.Probe, fmt.Sprintf("%.3f ms", q.Latency.Median), fmt.Sprintf("%.3f ms", q.Latency.P90), fmt.Sprintf("%.3f ms", q.Latency.P99), fmt.Sprint(q.Latency.Calls))
	}
	write := table{title: "enrolments, searched for duplicates and on disk", header: []string{"writers", "per second", "median", "p99", "fsyncs for each"}}
	for _, w := range r.Enroll {
		write.row(fmt.Sprint(w.Writers), fmt.Sprintf("%.0f", w.Rate), inMilliseconds(w.Latency.Median), inMilliseconds(w.Latency.P99), fmt.Sprintf("%.2f", w.SyncsPerWrite))
	}
	return []table{search, write}
}
