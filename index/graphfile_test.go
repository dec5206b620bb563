package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
)

// reread writes e and reads it back.
func reread(t *testing.T, e Engine) *engine {
	t.Helper()
	path := filepath.Join(t.TempDir(), "snapshot")
	mustWrite(t, path, e, Snapshot{})
	got, _, err := ReadSnapshot(path, e.Name(), e.Dim(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return got.(*engine)
}

// encoded returns the graph of an engine.
func encoded(e *engine) []byte {
	e.writer.Lock()
	defer e.writer.Unlock()
	c := e.core.Load()
	var slots []uint32
	for slot := range c.used.Load() {
		if _, ok := c.id(slot); ok {
			slots = append(slots, slot)
		}
	}
	return c.graph.encode(slots)
}

// TestGraphSurvives reads a graph back as it was, and inserts into both: the two
// stay equal.
func TestGraphSurvives(t *testing.T) {
	const dim, n = 8, 600
	rng := rand.New(rand.NewPCG(91, 92))
	insert := func(from ID, engines ...Engine) {
		var ids []ID
		var vectors [][]float32
		for i := range ID(n) {
			ids, vectors = append(ids, from+i), append(vectors, randomUnit(rng, dim))
		}
		for _, e := range engines {
			if err := e.UpsertAll(ids, vectors); err != nil {
				t.Fatal(err)
			}
		}
	}
	e := newEngine(hnswName, dim, always, nil)
	insert(0, e)
	again := reread(t, e)
	if !bytes.Equal(encoded(again), encoded(e)) {
		t.Fatal("the graph is another one")
	}
	insert(n, e, again)
	if !bytes.Equal(encoded(again), encoded(e)) {
		t.Error("after the same insertions the graphs differ")
	}
}

// TestGraphOfTheLiving deletes most nodes and writes at once, before a repair can
// have begun: no deleted node is in the file, and the others are found.
func TestGraphOfTheLiving(t *testing.T) {
	const dim, n = 16, 600
	rng := rand.New(rand.NewPCG(93, 94))
	e, m := newEngine(hnswName, dim, always, nil), model{}
	for id := range ID(n) {
		m[id] = randomUnit(rng, dim)
	}
	var vectors [][]float32
	ids := make([]ID, n)
	for i := range ids {
		ids[i] = ID(i)
		vectors = append(vectors, m[ID(i)])
	}
	if err := e.UpsertAll(ids, vectors); err != nil {
		t.Fatal(err)
	}
	top, _, _ := e.core.Load().graph.top()
	entry, _ := e.core.Load().id(top)
	for id := range ID(n) {
		if id%3 > 0 || id == entry {
			e.Delete(id)
			delete(m, id)
		}
	}
	got := reread(t, e)
	m.checkState(t, got)
	c := got.core.Load()
	if used := int(c.used.Load()); used != len(m) {
		t.Errorf("%d slots for %d vectors", used, len(m))
	}
	found, asked := 0, 300
	for range asked {
		q := randomUnit(rng, dim)
		hits, ok := c.graph.nearest(q, 1, nil, 0)
		if want, err := c.exactly(q, 1, nil); err == nil && ok && len(hits) == 1 && hits[0].ID == want[0].ID {
			found++
		}
	}
	if found < asked*98/100 {
		t.Errorf("the graph finds %d of %d", found, asked)
	}
}

// TestWrongGraph decodes graphs in which one thing is wrong.
func TestWrongGraph(t *testing.T) {
	const dim, n = 4, 200
	rng := rand.New(rand.NewPCG(95, 96))
	e := newEngine(hnswName, dim, always, nil)
	for id := range ID(n) {
		if err := e.Upsert(id, randomUnit(rng, dim)); err != nil {
			t.Fatal(err)
		}
	}
	whole := encoded(e)
	levels := graphHeadBytes
	first := levels + n // the first node's list on the bottom layer: a count, then links
	if whole[first] < 2 {
		t.Fatal("the first node has too few links for this test")
	}
	link := func(to uint32) func([]byte) []byte {
		return func(b []byte) []byte { binary.LittleEndian.PutUint32(b[first+1:], to); return b }
	}
	set := func(at int, x byte) func([]byte) []byte {
		return func(b []byte) []byte { b[at] = x; return b }
	}
	upper := slices.IndexFunc(whole[levels:first], func(level byte) bool { return level > 0 })
	cases := map[string]func([]byte) []byte{
		"nothing":         func([]byte) []byte { return nil },
		"head alone":      func(b []byte) []byte { return b[:levels] },
		"other M":         set(0, 17),
		"other M0":        set(4, 31),
		"no entry":        func(b []byte) []byte { binary.LittleEndian.PutUint32(b[16:], noSlot); return b },
		"entry beyond":    func(b []byte) []byte { binary.LittleEndian.PutUint32(b[16:], n); return b },
		"high level":      set(levels, maxLevel+1),
		"lower level":     set(levels+upper, whole[levels+upper]-1),
		"too many links":  set(first, graphM0+1),
		"one link fewer":  set(first, whole[first]-1),
		"link beyond":     link(n),
		"link to no slot": link(noSlot),
		"link to itself":  link(0),
		"link twice": func(b []byte) []byte {
			copy(b[first+1:first+5], b[first+5:first+9])
			return b
		},
		"cut":    func(b []byte) []byte { return b[:len(b)-1] },
		"longer": func(b []byte) []byte { return append(b, 0) },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			if err := decodeFresh(change(slices.Clone(whole)), dim, n); !errors.Is(err, ErrSnapshot) {
				t.Errorf("%v", err)
			}
		})
	}
	if err := decodeFresh(whole, dim, n); err != nil {
		t.Errorf("the graph as it was: %v", err)
	}
}

// decodeFresh decodes into a graph without links.
func decodeFresh(b []byte, dim, n int) error {
	c := newCore(dim, true, nil)
	for range n {
		c.extend()
	}
	c.used.Store(c.next)
	return c.graph.decode(b, n)
}

// A link has to lead to a node that reaches up to its layer.
func TestLinkAboveLevel(t *testing.T) {
	b := binary.LittleEndian.AppendUint32(nil, graphM)
	b = binary.LittleEndian.AppendUint32(b, graphM0)
	b = binary.LittleEndian.AppendUint64(b, 2)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = append(b, 1, 0)                              // levels
	b = append(b, 1, 1, 0, 0, 0 /**/, 1, 1, 0, 0, 0) // node 0 leads to node 1 on both layers
	b = append(b, 1, 0, 0, 0, 0)
	if err := decodeFresh(b, 4, 2); !errors.Is(err, ErrSnapshot) {
		t.Errorf("%v", err)
	}
	b[graphHeadBytes+1] = 1
	if err := decodeFresh(append(b, 0), 4, 2); err != nil {
		t.Errorf("with the level that it needs: %v", err)
	}
}

// TestOccupy compares with slots that are taken one by one.
func TestOccupy(t *testing.T) {
	const dim = 4001 // few rows a chunk
	one := newArena(dim, 0, nil)
	for n := range 1200 {
		if n > 0 {
			one.extend()
		}
		if n > 80 && n%53 > 1 {
			continue
		}
		at := newArena(dim, 0, nil)
		at.occupy(n)
		want, got := *one.chunks.Load(), *at.chunks.Load()
		if at.next != one.next || len(got) != len(want) {
			t.Fatalf("%d slots lie in %d chunks, next %d; want %d, %d", n, len(got), at.next, len(want), one.next)
		}
		for i := range want {
			if len(got[i].ids) != len(want[i].ids) {
				t.Fatalf("with %d slots, chunk %d has %d rows, want %d", n, i, len(got[i].ids), len(want[i].ids))
			}
		}
	}
}
