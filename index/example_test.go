package index_test

import (
	"fmt"

	"rollcall/index"
)

// The nearest of some vectors, everywhere and within a set.
func Example() {
	engine, err := index.New("exact", 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	ids := []index.ID{1, 2, 3}
	if err := engine.Add(ids, [][]float32{{1, 0}, {0.6, 0.8}, {0, 1}}); err != nil {
		fmt.Println(err)
		return
	}
	query := index.Query{Vector: []float32{0.8, 0.6}, K: 2}
	for _, query.Allow = range []*index.Set{nil, index.NewSet(1, 3)} {
		result, err := engine.Search(query)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, hit := range result.Hits {
			fmt.Printf("%d %.2f\n", hit.ID, hit.Similarity)
		}
	}
	// Output:
	// 2 0.96
	// 1 0.80
	// 1 0.80
	// 3 0.60
}

// A vector is replaced by deleting it first.
func ExampleEngine_replace() {
	engine, err := index.New("exact", 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range [][]float32{{1, 0}, {0, 1}} {
		engine.Delete(7)
		if err := engine.Add([]index.ID{7}, [][]float32{v}); err != nil {
			fmt.Println(err)
			return
		}
	}
	v := make([]float32, engine.Dim())
	fmt.Println(engine.Vector(7, v), v, engine.Len())
	// Output: true [0 1] 1
}

// A set of everybody is made of sets that are kept up to date.
func ExampleSet_Or() {
	morning, evening := index.NewSet(1, 2, 5000), index.NewSet(2, 3)
	both := morning.Clone()
	both.Or(evening)
	for id := range both.All() {
		fmt.Print(id, " ")
	}
	fmt.Println(both.Len(), morning.Len())
	// Output: 1 2 3 5000 4 3
}
