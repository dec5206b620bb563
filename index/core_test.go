package index

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"
)

// checkCore checks what holds for a core that nobody uses: rows aligned and where
// the tables say, codes that say what the rows say, nothing left where no row is,
// links to live nodes alone, and none twice.
func checkCore(t *testing.T, c *core) {
	t.Helper()
	live := 0
	for id, slot := range c.slots.ascend(0) {
		live++
		if got, ok := c.id(slot); !ok || got != id || slot >= c.used.Load() {
			t.Fatalf("ID %d is at slot %d, which holds %d", id, slot, got)
		}
		row, _ := c.row(slot, id, nil)
		if uintptr(unsafe.Pointer(&row[0]))%64 != 0 {
			t.Fatalf("row of %d is not aligned", id)
		}
		codes := make([]int8, c.width)
		scale, err := encodeRow(row[:c.dim], codes)
		v := c.view()
		ch, at := v.at(slot)
		if !slices.Equal(codes, v.code(slot)) || ch.scales[at] != scale || ch.errs[at] != err {
			t.Fatalf("codes of %d are not those of its row", id)
		}
	}
	if live != int(c.live.Load()) {
		t.Fatalf("%d live, counted as %d", live, c.live.Load())
	}
	if len(c.dead)+len(c.retired) != 0 || len(c.free)+live != int(c.used.Load()) {
		t.Fatalf("%d live, %d dead, %d retired, %d free of %d slots", live, len(c.dead), len(c.retired), len(c.free), c.used.Load())
	}
	for _, slot := range c.free {
		if row, _ := c.row(slot, 0, nil); slices.ContainsFunc(row, func(x float32) bool { return x != 0 }) {
			t.Fatalf("a vector lingers at slot %d", slot)
		}
		v := c.view()
		if slices.ContainsFunc(v.code(slot), func(x int8) bool { return x != 0 }) {
			t.Fatalf("codes linger at slot %d", slot)
		}
	}
	if c.graph != nil {
		checkGraph(t, c)
	}
}

func checkGraph(t *testing.T, c *core) {
	t.Helper()
	v := c.view()
	top, level, ok := c.graph.top()
	if ok != (c.live.Load() > 0) {
		t.Fatalf("there is an entry: %v, of %d nodes", ok, c.live.Load())
	}
	if ok && v.level(top) != level {
		t.Fatalf("the entry's level is %d, it says %d", v.level(top), level)
	}
	for id, slot := range c.slots.ascend(0) {
		if v.level(slot) > level {
			t.Fatalf("%d reaches above the entry", id)
		}
		for layer := range v.level(slot) + 1 {
			links := linked(v.neighbours(slot, layer))
			for i, to := range links {
				if _, live := c.id(to); !live || to == slot || slices.Contains(links[:i], to) || v.level(to) < layer {
					t.Fatalf("link %d of slot %d on layer %d leads to slot %d, live %v", i, slot, layer, to, live)
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
		busy := e.writer.tending || e.writer.touched != nil
		e.writer.Unlock()
		if !busy && !e.guard.sampling.Load() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("the work in the background does not end")
}

// TestCore changes engines at random, and checks their insides whenever the work
// in the background has ended.
func TestCore(t *testing.T) {
	for _, m := range []mode{never, always} {
		t.Run(fmt.Sprint("mode=", m), func(t *testing.T) {
			t.Parallel()
			const dim, ids = 20, 3000
			rng := rand.New(rand.NewPCG(41, uint64(m)))
			e, model := newEngine("test", dim, m, nil), model{}
			for step := range 24 {
				var batch []ID
				var vectors [][]float32
				for range rng.IntN(400) {
					batch = append(batch, ID(rng.IntN(ids)))
					vectors = append(vectors, hardUnit(rng, dim, nil))
				}
				if err := e.UpsertAll(batch, vectors); err != nil {
					t.Fatal(err)
				}
				for i, id := range batch {
					model[id] = vectors[i]
				}
				// Now and then most of it goes, so that holes outnumber the rest.
				for range []int{0, 100, 6000}[min(2, step%8)] {
					id := ID(rng.IntN(ids))
					_, want := model[id]
					if got := e.Delete(id); got != want {
						t.Fatalf("Delete(%d) is %v", id, got)
					}
					delete(model, id)
				}
				if step%3 == 0 {
					settle(t, e)
					checkCore(t, e.core.Load())
				}
				model.checkState(t, e)
				for range 5 {
					model.checkSearch(t, e, randomQuery(rng, dim, ids, model))
				}
			}
		})
	}
}
