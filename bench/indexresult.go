package bench

import "fmt"

// indexRow is what "bench index" finds out about one engine. The long help says
// what the figures mean.
type indexRow struct {
	Engine  string `json:"engine"`
	N       int    `json:"n"`
	Dim     int    `json:"dim"`
	Queries int    `json:"queries"`

	Recall1       float64 `json:"recall_at_1"`
	Recall10      float64 `json:"recall_at_10"`
	ExactShare    float64 `json:"exact_share"`
	ExactRecall10 float64 `json:"exact_recall_at_10"` // anything but 1 is a defect

	// Medians of the rounds; percentiles in microseconds, rates in searches a second.
	P50      float64 `json:"p50_us"`
	P99      float64 `json:"p99_us"`
	QPS1     float64 `json:"qps_1"`
	QPS2     float64 `json:"qps_2"`
	ExactP50 float64 `json:"exact_p50_us"`
	ExactP99 float64 `json:"exact_p99_us"`
	Many     float64 `json:"many_us"`

	Build          float64 `json:"build_s"`
	Build2         float64 `json:"build_2_s"`
	BytesPerVector float64 `json:"bytes_per_vector"`

	// Read is what the machine can do, Exact what the exact search gets of it, in
	// 10^9 bytes a second.
	ReadGB  float64 `json:"read_gb_s"`
	ExactGB float64 `json:"exact_gb_s"`

	Scope       *scopeRow `json:"scope,omitempty"`
	DuringBuild *crowdRow `json:"during_build,omitempty"`
}

// scopeRow is about searches in a scope.
type scopeRow struct {
	Size    int     `json:"size"`
	Recall1 float64 `json:"recall_at_1"`
	P50     float64 `json:"p50_us"`
	P99     float64 `json:"p99_us"`
}

// crowdRow is about searches while vectors are inserted.
type crowdRow struct {
	Inserted   int     `json:"inserted"`
	InsertRate float64 `json:"inserted_per_second"`
	Searches   int     `json:"searches"`
	IdleP99    float64 `json:"idle_p99_us"`
	P50        float64 `json:"p50_us"`
	P99        float64 `json:"p99_us"`
}

// indexResult is what "bench index" prints.
type indexResult struct {
	Rows []indexRow `json:"rows"`
}

func (r indexResult) tables() []table {
	first := r.Rows[0]
	search := table{
		title:  fmt.Sprintf("%d nearest of %d vectors of %d components, %d queries", searchK, first.N, first.Dim, first.Queries),
		header: []string{"engine", "recall@1", "recall@10", "exact answers", "p50", "p99", "a second", "2 threads", "demanded exact: recall@10", "p50", "p99", fmt.Sprintf("%d in one call, each", searchMany)},
		notes:  []string{fmt.Sprintf("one core of this machine reads %.1f GB/s", first.ReadGB)},
	}
	build := table{
		title:  "memory and insertion",
		header: []string{"engine", "bytes a vector", "of float32", "built in", "2 threads", "exact scan reads"},
	}
	for _, row := range r.Rows {
		search.row(row.Engine, recall(row.Recall1), recall(row.Recall10), percent(row.ExactShare),
			inMicroseconds(row.P50), inMicroseconds(row.P99), fmt.Sprintf("%.0f", row.QPS1), fmt.Sprintf("%.0f", row.QPS2),
			recall(row.ExactRecall10), inMicroseconds(row.ExactP50), inMicroseconds(row.ExactP99), inMicroseconds(row.Many))
		build.row(row.Engine, fmt.Sprintf("%.0f", row.BytesPerVector), percent(row.BytesPerVector/float64(4*row.Dim)),
			inSeconds(row.Build), inSeconds(row.Build2), fmt.Sprintf("%.1f GB/s (%s)", row.ExactGB, percent(row.ExactGB/row.ReadGB)))
	}
	return append([]table{search, build}, r.special()...)
}

// special returns the tables that are not always there.
func (r indexResult) special() (tables []table) {
	if first := r.Rows[0].Scope; first != nil {
		t := table{
			title:  fmt.Sprintf("within a scope of %d vectors", first.Size),
			header: []string{"engine", "recall@1", "p50", "p99"},
		}
		for _, row := range r.Rows {
			t.row(row.Engine, recall(row.Scope.Recall1), inMicroseconds(row.Scope.P50), inMicroseconds(row.Scope.P99))
		}
		tables = append(tables, t)
	}
	if first := r.Rows[0].DuringBuild; first != nil {
		t := table{
			title:  fmt.Sprintf("while %d vectors are inserted", first.Inserted),
			header: []string{"engine", "inserted a second", "searches", "p50", "p99", "p99 when idle"},
		}
		for _, row := range r.Rows {
			d := row.DuringBuild
			t.row(row.Engine, fmt.Sprintf("%.0f", d.InsertRate), fmt.Sprint(d.Searches),
				inMicroseconds(d.P50), inMicroseconds(d.P99), inMicroseconds(d.IdleP99))
		}
		tables = append(tables, t)
	}
	return tables
}

func recall(share float64) string { return fmt.Sprintf("%.4f", share) }

func inMicroseconds(us float64) string { return fmt.Sprintf("%.1f µs", us) }

func inSeconds(s float64) string { return fmt.Sprintf("%.2f s", s) }
