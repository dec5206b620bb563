// Command ours is an engine of package index in the comparison of bench/peers.
//
//	ours ENGINE GALLERY QUERIES DIMENSION
package main

import (
	"os"

	"rollcall/bench/peers/turns"
	"rollcall/index"
)

func main() {
	turns.Main(func(dim int) (turns.Index, error) {
		engine, err := index.New(os.Args[1], dim)
		return ours{engine}, err
	})
}

type ours struct{ engine index.Engine }

func (o ours) Add(vectors [][]float32) error {
	ids := make([]index.ID, len(vectors))
	for i := range ids {
		ids[i] = index.ID(i)
	}
	o.engine.Reserve(len(ids))
	return o.engine.Add(ids, vectors)
}

func (o ours) Search(query []float32, k int) ([]int, error) {
	found, err := o.engine.Search(index.Query{Vector: query, K: k})
	ids := make([]int, len(found.Hits))
	for i, hit := range found.Hits {
		ids[i] = int(hit.ID)
	}
	return ids, err
}

func (o ours) SearchMany(queries [][]float32, k int) error {
	_, err := o.engine.SearchMany(queries, index.Query{K: k})
	return err
}
