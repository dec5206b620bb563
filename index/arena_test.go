package index

import (
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// TestArena grows and shrinks an arena of few rows per chunk against a map, and
// checks its invariants: rows aligned and where the tables say, chunks that
// stay where they are, and nothing left behind where no row is.
func TestArena(t *testing.T) {
	const dim = 4001 // padded to 4,016; 64 rows per chunk
	rng := rand.New(rand.NewPCG(41, 42))
	a, model := newArena(dim), map[ID]float32{}
	vector := func(x float32) []float32 { return slices.Repeat([]float32{x}, dim) }
	for step := range 1500 {
		id := ID(rng.IntN(400))
		// Growth for 500 steps, then a decline, so that chunks come and go.
		if growing := step/500%2 == 0; (rng.IntN(4) == 0) == growing {
			_, want := model[id]
			if got := a.remove(id); got != want {
				t.Fatalf("remove(%d) is %v", id, got)
			}
			delete(model, id)
		} else {
			first := slices.Clone(a.chunks)
			model[id] = rng.Float32()
			a.put(id, vector(model[id]))
			for i := range first {
				if &first[i][0] != &a.chunks[i][0] {
					t.Fatalf("chunk %d moved", i)
				}
			}
		}
		if step%50 == 0 || step == 1499 {
			checkArena(t, a, model)
		}
	}
	for id := range model {
		a.remove(id)
	}
	checkArena(t, a, nil)
}

func checkArena(t *testing.T, a *arena, model map[ID]float32) {
	t.Helper()
	if a.len() != len(model) {
		t.Fatalf("%d rows, want %d", a.len(), len(model))
	}
	perChunk := 1 << a.shift
	if used := (a.len() + perChunk - 1) / perChunk; len(a.chunks) < used || len(a.chunks) > used+1 {
		t.Fatalf("%d chunks for %d rows of %d per chunk", len(a.chunks), a.len(), perChunk)
	}
	for id, x := range model {
		row := a.get(id)
		if row == nil || slices.ContainsFunc(row[:a.dim], func(y float32) bool { return y != x }) {
			t.Fatalf("row of %d is not what was put", id)
		}
		if uintptr(unsafe.Pointer(&row[0]))%64 != 0 {
			t.Fatalf("row of %d is not aligned", id)
		}
	}
	for slot := range len(a.chunks) * perChunk {
		row, from := a.row(slot), a.dim
		if slot >= a.len() {
			from = 0
		} else if got, ok := a.slots.get(a.ids[slot]); !ok || int(got) != slot {
			t.Fatalf("slot %d holds %d, which the table has at %d", slot, a.ids[slot], got)
		}
		if slices.ContainsFunc(row[from:], func(y float32) bool { return y != 0 }) {
			t.Fatalf("slot %d of %d: not zero from %d on", slot, a.len(), from)
		}
	}
}
