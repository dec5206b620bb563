package bench

import (
	"context"
	"errors"
	"time"

	"rollcall/index"
)

// searchAll searches every query once, from some goroutines at once, and returns
// how long each search took and how long all did.
func (r *indexRun) searchAll(ctx context.Context, engine index.Engine, like index.Query, threads int) ([]time.Duration, time.Duration, error) {
	n := r.queries.len()
	times, errs := make([]time.Duration, n), make([]error, threads)
	done := make(chan struct{})
	start := time.Now()
	for w := range threads {
		go func() {
			defer func() { done <- struct{}{} }()
			query := like
			for q := w; q < n && errs[w] == nil; q += threads {
				if ctx.Err() != nil {
					errs[w] = context.Cause(ctx)
					return
				}
				query.Vector = r.queries.at(q)
				start := time.Now()
				_, errs[w] = engine.Search(query)
				times[q] = time.Since(start)
			}
		}()
	}
	for range threads {
		<-done
	}
	return times, time.Since(start), errors.Join(errs...)
}

// searchTogether searches every query once, exactly, searchMany in a call.
func (r *indexRun) searchTogether(ctx context.Context, engine index.Engine) ([]index.Result, error) {
	var all []index.Result
	var vectors [][]float32
	for q := range r.queries.len() {
		if vectors = append(vectors, r.queries.at(q)); len(vectors) < searchMany && q < r.queries.len()-1 {
			continue
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		results, err := engine.SearchMany(vectors, index.Query{K: searchK, Exact: true})
		if err != nil {
			return nil, err
		}
		all, vectors = append(all, results...), vectors[:0]
	}
	return all, nil
}
