package index

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// spreadID returns an ID of one of several kinds: dense, scattered, at the seams
// of pages and words, at the end of the range.
func spreadID(rng *rand.Rand) ID {
	switch rng.IntN(4) {
	case 0:
		return ID(rng.IntN(300))
	case 1:
		return ID(pageIDs*rng.IntN(4) + rng.IntN(3) - 1) // wraps below zero to the last ID
	case 2:
		return ID(rng.IntN(1 << 20))
	default:
		return math.MaxUint32 - ID(rng.IntN(70))
	}
}

func TestSet(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	set, model := new(Set), map[ID]bool{}
	for range 3000 {
		id := spreadID(rng)
		if set.Has(id) != model[id] {
			t.Fatalf("Has(%d) is %v", id, !model[id])
		}
		set.Add(id)
		model[id] = true
		if !set.Has(id) || set.Len() != len(model) {
			t.Fatalf("after Add(%d): Has %v, Len %d, want %d", id, set.Has(id), set.Len(), len(model))
		}
	}
	var want []ID
	for id := range model {
		want = append(want, id)
	}
	slices.Sort(want)
	if got := slices.Collect(set.All()); !slices.Equal(got, want) {
		t.Errorf("All differs from the model: %d IDs, want %d", len(got), len(want))
	}
	if got := slices.Collect(NewSet(want...).All()); !slices.Equal(got, want) {
		t.Errorf("NewSet differs from the model: %d IDs, want %d", len(got), len(want))
	}
	other, sum := new(Set), set.Clone()
	for range 3000 {
		other.Add(spreadID(rng))
	}
	sum.Or(other)
	for range 1000 {
		id := spreadID(rng)
		set.Remove(id)
		delete(model, id)
	}
	if set.Len() != len(model) || len(slices.Collect(set.All())) != len(model) {
		t.Fatalf("after removals Len is %d, want %d", set.Len(), len(model))
	}
	for _, id := range want {
		if set.Has(id) != model[id] || !sum.Has(id) { // the clone did not change
			t.Fatalf("%d: in the set %v, want %v; in the sum %v", id, set.Has(id), model[id], sum.Has(id))
		}
		other.Add(id)
	}
	if !slices.Equal(slices.Collect(sum.All()), slices.Collect(other.All())) || sum.Len() != other.Len() {
		t.Errorf("the sum has %d IDs, want %d", sum.Len(), other.Len())
	}
	for id := range sum.All() {
		if id != min(want[0], slices.Min(slices.Collect(other.All()))) {
			t.Errorf("the first ID is %d, want %d", id, want[0])
		}
		break
	}
}

func TestIDTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	var table idTable
	model := map[ID]uint32{}
	for range 5000 {
		id := spreadID(rng)
		n := uint32(rng.IntN(3)) * (math.MaxUint32 - 1) / 2
		table.set(id, n)
		model[id] = n
		probe := spreadID(rng)
		got, ok := table.get(probe)
		want, wantOK := model[probe]
		if ok != wantOK || ok && got != want {
			t.Fatalf("get(%d) is %d, %v; want %d, %v", probe, got, ok, want, wantOK)
		}
	}
	var want, got []ID
	for id := range model {
		want = append(want, id)
	}
	slices.Sort(want)
	for id, n := range table.all() {
		if n != model[id] {
			t.Errorf("all has %d for %d, want %d", n, id, model[id])
		}
		got = append(got, id)
	}
	if !slices.Equal(got, want) {
		t.Errorf("all has %d IDs, want %d", len(got), len(want))
	}
}
