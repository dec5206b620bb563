package bench

import (
	"context"
	"fmt"
	"time"

	"rollcall/index"
)

// crowd searches while many vectors are inserted at once, as when a school is
// enrolled while another checks in. It comes last, for it changes the engine.
func (r *indexRun) crowd(ctx context.Context, c *rival) error {
	n := r.more.len()
	if n == 0 {
		return nil
	}
	ids, rows := make([]index.ID, n), make([][]float32, n)
	for i := range n {
		ids[i], rows[i] = index.ID(r.gallery.len()+i), r.more.at(i)
	}
	var idle []time.Duration
	for range crowdIdleRounds {
		times, _, err := r.searchAll(ctx, c.engine, index.Query{K: searchK}, 1)
		if err != nil {
			return err
		}
		idle = append(idle, times...)
	}
	fmt.Fprintf(r.progress, "%s: searching while %d vectors are inserted …\n", c.row.Engine, n)
	inserted := make(chan error, 1)
	start := time.Now()
	go func() { inserted <- c.engine.Add(ids, rows) }()
	var busy []time.Duration
	for q := 0; ; q++ {
		select {
		case err := <-inserted:
			if err != nil {
				return err
			}
			c.row.DuringBuild = &crowdRow{
				Inserted: n, InsertRate: float64(n) / time.Since(start).Seconds(), Searches: len(busy),
				IdleP99: microseconds(quantile(idle, 0.99)), P50: microseconds(median(busy)), P99: microseconds(quantile(busy, 0.99)),
			}
			return nil
		default:
		}
		began := time.Now()
		if _, err := c.engine.Search(index.Query{Vector: r.queries.at(q % r.queries.len()), K: searchK}); err != nil {
			return err
		}
		busy = append(busy, time.Since(began))
	}
}

// crowdIdleRounds is how often all queries are asked for an idle percentile.
const crowdIdleRounds = 3
