package bench

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"rollcall/index"
)

// An indexRun is one run of the bench.
type indexRun struct {
	options          *indexOptions
	progress         io.Writer
	gallery, queries vectors
	more             vectors // to insert while others search; their IDs follow the gallery's

	ids    []index.ID  // of the gallery's vectors, in the order of insertion
	rows   [][]float32 // the vectors, in that order
	right  rightAnswers
	scope  *index.Set   // nil: none is searched
	inside rightAnswers // in the scope
	memory *memoryReader
	reads  []float64 // bytes per second, by round
}

// A rival is an engine with the whole gallery, and what it was seen to do.
type rival struct {
	row                     indexRow
	engine                  index.Engine
	own, pair, exact, scope speeds
	many                    []float64 // microseconds a query, by round
}

// searchMany is how many queries are asked in one call: the faces of a class.
const searchMany = 40

// speeds are the figures of rounds of searches.
type speeds struct{ p50, p99, rate []float64 } // microseconds; searches a second

func (s *speeds) add(times []time.Duration, took time.Duration) {
	s.rate = append(s.rate, float64(len(times))/took.Seconds())
	s.p50 = append(s.p50, microseconds(median(times)))
	s.p99 = append(s.p99, microseconds(quantile(times, 0.99)))
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// measure builds the engines and lets them take turns.
func (r *indexRun) measure(ctx context.Context) ([]indexRow, error) {
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	var rivals []*rival
	for _, name := range r.options.engines {
		built, err := r.build(ctx, name)
		if err != nil {
			return nil, err
		}
		rivals = append(rivals, built)
	}
	for _, c := range rivals { // warms up, too
		if err := r.judge(ctx, c); err != nil {
			return nil, err
		}
	}
	for round := range r.options.rounds {
		fmt.Fprintf(r.progress, "round %d of %d …\n", round+1, r.options.rounds)
		r.reads = append(r.reads, r.memory.measure())
		for _, c := range rivals {
			if err := r.round(ctx, c); err != nil {
				return nil, err
			}
		}
	}
	r.memory = nil // makes room
	var rows []indexRow
	for _, c := range rivals {
		if err := r.finish(ctx, c); err != nil {
			return nil, err
		}
		rows = append(rows, c.row)
	}
	return rows, nil
}

// prepare finds out the right answers and draws what is random.
func (r *indexRun) prepare(ctx context.Context) (err error) {
	n := r.gallery.len()
	order := make([]int, n)
	rng := rand.New(rand.NewPCG(r.options.seed, 1))
	for i := range order {
		order[i] = i
	}
	shuffled := rng.Perm(n)
	if !r.options.inOrder {
		order = shuffled
	}
	for _, i := range order {
		r.ids, r.rows = append(r.ids, index.ID(i)), append(r.rows, r.gallery.at(i))
	}
	fmt.Fprintf(r.progress, "comparing %d queries with %d vectors …\n", r.queries.len(), n)
	if r.right, err = newRightAnswers(ctx, r.gallery, r.gallery, r.queries); err != nil {
		return err
	}
	if size := min(r.options.scope, n); size > 0 {
		among := newVectors(size, r.gallery.dim)
		r.scope = index.NewSet()
		for k, i := range rng.Perm(n)[:size] {
			r.scope.Add(index.ID(i))
			copy(among.at(k), r.gallery.at(i))
		}
		if r.inside, err = newRightAnswers(ctx, r.gallery, among, r.queries); err != nil {
			return err
		}
	}
	r.more = newVectors(r.options.duringBuild, r.gallery.dim)
	for i := range r.more.len() {
		drawCrop(rng, r.gallery.at(rng.IntN(n)), r.more.at(i))
	}
	r.memory = newMemoryReader(r.options.readMiB * mib)
	return nil
}

// build fills two engines, with one thread and with two, and keeps the second.
func (r *indexRun) build(ctx context.Context, name string) (*rival, error) {
	c := &rival{row: indexRow{
		Engine: name, N: r.gallery.len(), Dim: r.gallery.dim, Queries: r.queries.len(),
	}}
	for threads, took := range []*float64{1: &c.row.Build, 2: &c.row.Build2} {
		if took == nil {
			continue
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		fmt.Fprintf(r.progress, "%s: inserting %d vectors, threads: %d …\n", name, r.gallery.len(), threads)
		c.engine = nil
		runtime.GC()
		seconds, err := c.fill(name, threads, r)
		if err != nil {
			return nil, err
		}
		*took = seconds
	}
	c.row.BytesPerVector = float64(c.engine.Bytes()) / float64(c.row.N)
	return c, nil
}

// fill makes a new engine with all vectors, on some threads, and returns how many
// seconds that took.
func (c *rival) fill(name string, threads int, r *indexRun) (float64, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
	start := time.Now()
	engine, err := index.New(name, r.gallery.dim)
	if err != nil {
		return 0, err
	}
	engine.Reserve(len(r.ids))
	if err := engine.Add(r.ids, r.rows); err != nil {
		return 0, err
	}
	c.engine = engine
	return time.Since(start).Seconds(), nil
}

// judge compares the engine's answers with the right ones.
func (r *indexRun) judge(ctx context.Context, c *rival) error {
	fmt.Fprintf(r.progress, "%s: comparing its answers with the right ones …\n", c.row.Engine)
	var own1, own10, exact10, scope1 hitCount
	exact := 0
	var answers [][]index.Hit // exact
	for q := range r.queries.len() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		query := index.Query{Vector: r.queries.at(q), K: searchK}
		own, err := c.engine.Search(query)
		if err != nil {
			return err
		}
		own1.add(r.right.recall(q, own.Hits, 1))
		own10.add(r.right.recall(q, own.Hits, searchK))
		if own.Exact {
			exact++
		}
		query.Exact = true
		demanded, err := c.engine.Search(query)
		if err != nil {
			return err
		}
		if !demanded.Exact {
			return fmt.Errorf("%s: an exact answer was demanded, and it says that its answer is not", c.row.Engine)
		}
		exact10.add(r.right.recall(q, demanded.Hits, searchK))
		answers = append(answers, demanded.Hits)
		if r.scope == nil {
			continue
		}
		query.Exact, query.Allow = false, r.scope
		inside, err := c.engine.Search(query)
		if err != nil {
			return err
		}
		for _, hit := range inside.Hits {
			if !r.scope.Has(hit.ID) {
				return fmt.Errorf("%s: vector %d is a hit and outside of the scope", c.row.Engine, hit.ID)
			}
		}
		scope1.add(r.inside.recall(q, inside.Hits, 1))
	}
	same, err := r.searchTogether(ctx, c.engine)
	if err != nil {
		return err
	}
	for q, hits := range answers {
		if !slices.Equal(same[q].Hits, hits) {
			return fmt.Errorf("%s: query %d has another answer where many are asked in one call", c.row.Engine, q)
		}
	}
	c.row.Recall1, c.row.Recall10, c.row.ExactRecall10 = own1.share(), own10.share(), exact10.share()
	c.row.ExactShare = ratioOf(exact, r.queries.len()).Share
	if r.scope != nil {
		c.row.Scope = &scopeRow{Size: r.scope.Len(), Recall1: scope1.share()}
	}
	return nil
}

// hitCount counts right hits.
type hitCount struct{ right, of int }

func (t *hitCount) add(right, of int) { t.right += right; t.of += of }

func (t *hitCount) share() float64 { return ratioOf(t.right, t.of).Share }

// round asks the engine for everything once, in each way.
func (r *indexRun) round(ctx context.Context, c *rival) error {
	for _, way := range []struct {
		to      *speeds
		query   index.Query
		threads int
		left    bool
	}{
		{to: &c.own, threads: 1},
		{to: &c.pair, threads: 2},
		{to: &c.exact, threads: 1, query: index.Query{Exact: true}},
		{to: &c.scope, threads: 1, query: index.Query{Allow: r.scope}, left: r.scope == nil},
	} {
		if way.left {
			continue
		}
		way.query.K = searchK
		times, took, err := r.searchAll(ctx, c.engine, way.query, way.threads)
		if err != nil {
			return err
		}
		way.to.add(times, took)
	}
	start := time.Now()
	if _, err := r.searchTogether(ctx, c.engine); err != nil {
		return err
	}
	c.many = append(c.many, microseconds(time.Since(start))/float64(r.queries.len()))
	return nil
}

// finish writes the medians of the rounds to the row, and measures what changes the
// engine.
func (r *indexRun) finish(ctx context.Context, c *rival) error {
	row := &c.row
	row.P50, row.P99 = median(c.own.p50), median(c.own.p99)
	row.QPS1, row.QPS2 = median(c.own.rate), median(c.pair.rate)
	row.ExactP50, row.ExactP99 = median(c.exact.p50), median(c.exact.p99)
	row.Many = median(c.many)
	row.ReadGB = median(r.reads) / 1e9
	row.ExactGB = float64(scanBytes(row.N, row.Dim)) / (row.ExactP50 / 1e6) / 1e9
	if row.Scope != nil {
		row.Scope.P50, row.Scope.P99 = median(c.scope.p50), median(c.scope.p99)
	}
	return r.crowd(ctx, c)
}

// codeAlign is the unit of a coded vector in memory, in bytes.
const codeAlign = 64

// scanBytes is how much memory an exact search has to read at least: of each vector
// one byte for each component, padded, and two float32, the scale and the error of
// these codes.
func scanBytes(n, dim int) int64 {
	return int64(n) * int64((dim+codeAlign-1)/codeAlign*codeAlign+8)
}
