// Command chromem is github.com/philippgille/chromem-go in the comparison of bench/peers.
// It is a module of its own, so that Rollcall's does not need chromem-go.
//
//	chromem GALLERY QUERIES DIMENSION
package main

import (
	"context"
	"strconv"

	"github.com/philippgille/chromem-go"

	"rollcall/bench/peers/turns"
)

func main() {
	turns.Main(func(int) (turns.Index, error) {
		all, err := chromem.NewDB().CreateCollection("gallery", nil, nil)
		return collection{all}, err
	})
}

type collection struct{ all *chromem.Collection }

func (c collection) Add(vectors [][]float32) error {
	documents := make([]chromem.Document, len(vectors))
	for i, vector := range vectors {
		documents[i] = chromem.Document{ID: strconv.Itoa(i), Embedding: vector}
	}
	return c.all.AddDocuments(context.Background(), documents, 1)
}

func (c collection) Search(query []float32, k int) ([]int, error) {
	found, err := c.all.QueryEmbedding(context.Background(), query, k, nil, nil)
	if err != nil {
		return nil, err
	}
	ids := make([]int, len(found))
	for i, hit := range found {
		if ids[i], err = strconv.Atoi(hit.ID); err != nil {
			return nil, err
		}
	}
	return ids, nil
}
