package index

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"
)

// checkGeneration checks what holds for a generation that nobody uses: rows aligned and where
// the tables say, codes that say what the rows say, nothing left of deleted
// vectors, links that lead somewhere, and none twice.
func checkGeneration(t *testing.T, c *generation) {
	t.Helper()
	s := c.now.Load()
	if s.used != s.written || len(c.dead) != 0 {
		t.Fatalf("%d slots used, %d written, %d to be wiped", s.used, s.written, len(c.dead))
	}
	live := 0
	for id, slot := range s.slots.all() {
		if !s.lives(slot) {
			continue
		}
		live++
		ch, at := s.at(slot)
		row := s.row(slot)
		if ch.ids[at] != id {
			t.Fatalf("ID %d is at slot %d, which holds %d", id, slot, ch.ids[at])
		}
		if uintptr(unsafe.Pointer(&row[0]))%64 != 0 {
			t.Fatalf("row of %d is not aligned", id)
		}
		codes := make([]int8, c.width)
		scale, err := encodeRow(row[:c.dim], codes)
		if !slices.Equal(codes, s.code(slot)) || ch.scales[at] != scale || ch.errs[at] != err {
			t.Fatalf("codes of %d are not those of its row", id)
		}
	}
	if live != s.live() {
		t.Fatalf("%d live, counted as %d", live, s.live())
	}
	for slot := range s.used {
		if s.lives(slot) || c.graph != nil {
			continue
		}
		if slices.ContainsFunc(s.row(slot), func(x float32) bool { return x != 0 }) {
			t.Fatalf("a vector lingers at slot %d", slot)
		}
		if slices.ContainsFunc(s.code(slot), func(x int8) bool { return x != 0 }) {
			t.Fatalf("codes linger at slot %d", slot)
		}
	}
	if int(s.deaths) >= minDead && int(s.deaths)*deadShare >= s.live() {
		t.Fatalf("%d dead, %d live", s.deaths, s.live())
	}
	if g, ok := c.graph.(*hnsw); ok {
		checkGraph(t, g, s)
	}
}

func checkGraph(t *testing.T, g *hnsw, s *state) {
	t.Helper()
	v := g.view(s)
	top, level, ok := g.top()
	if !ok && s.live() > 0 {
		t.Fatalf("there is no entry to %d nodes", s.live())
	}
	if ok && levelOf(v, top) != level {
		t.Fatalf("the entry's level is %d, it says %d", levelOf(v, top), level)
	}
	for slot := range s.used {
		if s.lives(slot) && levelOf(v, slot) > level {
			t.Fatalf("slot %d reaches above the entry", slot)
		}
		for layer := range levelOf(v, slot) + 1 {
			links := linked(v.neighbours(slot, layer))
			for i, to := range links {
				if to >= s.used || to == slot || slices.Contains(links[:i], to) || levelOf(v, to) < layer {
					t.Fatalf("link %d of slot %d on layer %d leads to slot %d", i, slot, layer, to)
				}
			}
		}
	}
}

// settle waits for the work in the background to end.
func settle(t *testing.T, e *engine) {
	t.Helper()
	for range 3000 {
		e.writer.Lock()
		busy := e.writer.wiping || e.writer.touched != nil
		e.writer.Unlock()
		if !busy && !e.guard.sampling.Load() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("the work in the background does not end")
}

// TestInsides changes engines at random, and checks their insides whenever the work
// in the background has ended.
func TestInsides(t *testing.T) {
	forEachEngine(t, func(t *testing.T, name string) {
		t.Parallel()
		const dim = 20
		ids := map[string]int{exactName: 3000, hnswName: 2000, coderName: 500}[name]
		rng := rand.New(rand.NewPCG(41, uint64(len(name))))
		e, model := mustNew(t, name, dim).(*engine), model{}
		for step := range 24 {
			var batch []ID
			var vectors [][]float32
			for range rng.IntN(ids / 7) {
				id, v := ID(rng.IntN(ids)), hardUnit(rng, dim, nil)
				if slices.Contains(batch, id) {
					continue
				}
				batch, vectors = append(batch, id), append(vectors, v)
				if got, want := e.Delete(id), model[id] != nil; got != want {
					t.Fatalf("Delete(%d) is %v", id, got)
				}
				model[id] = v
			}
			e.Reserve(rng.IntN(ids))
			if err := e.Add(batch, vectors); err != nil {
				t.Fatal(err)
			}
			// Now and then most of it goes, so that holes outnumber the rest.
			for range []int{0, 100, 2 * ids}[min(2, step%8)] {
				id := ID(rng.IntN(ids))
				_, want := model[id]
				if got := e.Delete(id); got != want {
					t.Fatalf("Delete(%d) is %v", id, got)
				}
				delete(model, id)
			}
			if step%3 == 0 {
				settle(t, e)
				checkGeneration(t, e.generation.Load())
			}
			model.checkState(t, e)
			for range 5 {
				model.checkSearch(t, e, randomQuery(rng, dim, ids, model))
			}
		}
	})
}

// The chunks of an arena that knows how much is to come never grow.
func TestReserve(t *testing.T) {
	const dim, n = 500, 1300
	for _, reserved := range []int{0, n} {
		t.Run(fmt.Sprint(reserved), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(43, 44))
			e, m := mustNew(t, exactName, dim).(*engine), model{}
			e.Reserve(reserved)
			sizes := map[*float32]int{} // of chunks, by where their rows begin
			for id := range ID(n) {
				m[id] = randomUnit(rng, dim)
				put(t, e, id, m[id])
				for _, c := range e.generation.Load().now.Load().chunks {
					sizes[&c.rows[0]] = len(c.ids)
				}
			}
			m.checkState(t, e)
			if got, want := len(sizes), (n+1023)/1024; reserved == n && got != want || reserved == 0 && got == want {
				t.Errorf("%d chunks of rows were made for %d", got, want)
			}
		})
	}
}

// levelOf returns the highest layer of the node at slot.
func levelOf(v *view, slot uint32) int {
	c, i := v.node(slot)
	if upper := c.upper[i].Load(); upper != nil {
		return len(*upper) / graphM
	}
	return 0
}
