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
	for id := range set.All() {
		if id != want[0] {
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
		if rng.IntN(3) == 0 {
			table.remove(id)
			delete(model, id)
		} else {
			n := uint32(rng.IntN(3)) * (math.MaxUint32 - 1) / 2
			table.set(id, n)
			model[id] = n
		}
		probe := spreadID(rng)
		got, ok := table.get(probe)
		want, wantOK := model[probe]
		if ok != wantOK || ok && got != want {
			t.Fatalf("get(%d) is %d, %v; want %d, %v", probe, got, ok, want, wantOK)
		}
	}
	for _, from := range []uint64{0, 1, pageIDs - 1, pageIDs, 1 << 19, math.MaxUint32 - 20, math.MaxUint32, math.MaxUint32 + 1} {
		var want, got []ID
		for id := range model {
			if uint64(id) >= from {
				want = append(want, id)
			}
		}
		slices.Sort(want)
		for id, n := range table.ascend(from) {
			if n != model[id] {
				t.Errorf("ascend(%d) has %d for %d, want %d", from, n, id, model[id])
			}
			got = append(got, id)
		}
		if !slices.Equal(got, want) {
			t.Errorf("ascend(%d) has %d IDs, want %d", from, len(got), len(want))
		}
	}
}
