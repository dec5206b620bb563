package storage

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The tests of this file hold for every backend.

// onEvery runs the test on a new store of each backend. reopen closes a store
// and opens it again, where the backend keeps anything.
func onEvery(t *testing.T, test func(t *testing.T, s *Store, reopen func(*Store) *Store)) {
	t.Run("memory", func(t *testing.T) {
		test(t, closeAtEnd(t, OpenMemory(Faults{})), func(s *Store) *Store { return s })
	})
	t.Run("pebble", func(t *testing.T) {
		fs := vfs.NewMem()
		test(t, openMem(t, fs), func(s *Store) *Store {
			closeNow(t, s)
			return openMem(t, fs)
		})
	})
	t.Run("sealed", func(t *testing.T) {
		fs, key := vfs.NewMem(), testKey(t, 1)
		test(t, openSealed(t, fs, key), func(s *Store) *Store {
			closeNow(t, s)
			return openSealed(t, fs, key)
		})
	})
}

// TestRandom compares partitions side by side with a model of each over random
// changes, which drop other partitions too, with conflicts, flushes and reopenings
// between them.
func TestRandom(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			onEvery(t, func(t *testing.T, s *Store, reopen func(*Store) *Store) {
				rng := rand.New(rand.NewPCG(seed, 1))
				ids := []string{"a", "a\x00", "b", ServerPartition}
				models := map[string]*model{}
				for _, id := range ids {
					models[id] = newModel()
				}
				for range 150 {
					id := pick(rng, ids)
					m, p := models[id], partition(t, s, id)
					after := m.sequence()
					if rng.IntN(4) == 0 {
						wrong := after + 1 + rng.Uint64N(math.MaxUint64)
						wantError(t, "Commit after another", p.Commit(t.Context(), wrong, m.clone().next(rng)), ErrConflict)
					}
					changes := m.next(rng)
					if other := pick(rng, ids); other != id && rng.IntN(8) == 0 {
						changes[rng.IntN(len(changes))].Drop = other
						models[other] = newModel()
					}
					if err := p.Commit(t.Context(), after, changes); err != nil {
						t.Fatal(err)
					}
					if b := onPebble(s); b != nil && rng.IntN(10) == 0 {
						if err := b.db.Flush(); err != nil {
							t.Fatal(err)
						}
					}
					if rng.IntN(20) == 0 {
						s = reopen(s)
					}
					id = pick(rng, ids)
					models[id].compare(t, partition(t, s, id), rng)
					if t.Failed() {
						t.FailNow()
					}
				}
				var want []string
				for _, id := range slices.Sorted(maps.Keys(models)) {
					models[id].compare(t, partition(t, s, id), rng)
					if models[id].sequence() > 0 {
						want = append(want, id)
					}
				}
				got, err := s.Partitions(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "Partitions", got, want)
			})
		})
	}
}

// TestConcurrent has writers that commit to one partition, each deciding anew
// when another one was first, beside writers with a partition of their own and
// readers. Nothing is lost, and every read is of one moment.
func TestConcurrent(t *testing.T) {
	const writers, each = 4, 30
	onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
		var running, readers sync.WaitGroup
		var done atomic.Bool
		shared := partition(t, s, "shared")
		for w := range writers {
			running.Go(func() {
				for range each {
					increment(t, shared)
				}
			})
			running.Go(func() {
				m, rng, own := newModel(), rand.New(rand.NewPCG(uint64(w), 2)), partition(t, s, fmt.Sprint("own-", w))
				for range each {
					if err := own.Commit(t.Context(), m.sequence(), m.next(rng)); err != nil {
						t.Error(err)
					}
					m.compare(t, own, rng)
				}
			})
		}
		readers.Go(func() {
			for !done.Load() {
				var counts []int
				for r, err := range shared.Load(t.Context()) {
					if err != nil {
						t.Error(err)
						return
					}
					counts = append(counts, r.(Model).Dimension)
				}
				if len(counts) > 0 && (len(counts) != 2 || counts[0] != counts[1]) {
					t.Errorf("half of a commit is visible: %d", counts)
				}
				if err := last(shared.Changes(t.Context(), 0)); err != nil {
					t.Error(err)
				}
			}
		})
		running.Wait()
		done.Store(true)
		readers.Wait()
		equal(t, "count", load(t, shared), []Record{
			Model{Name: "x", Dimension: writers * each}, Model{Name: "y", Dimension: writers * each},
		})
		sequence, err := shared.Sequence(t.Context())
		if err != nil || sequence != writers*each {
			t.Errorf("Sequence = %d, %v", sequence, err)
		}
	})
}

// increment adds one to two records in one commit, and tries until it is first.
func increment(t *testing.T, p *Partition) {
	for {
		after, err := p.Sequence(t.Context())
		if err != nil {
			t.Error(err)
			return
		}
		records, err := p.Fetch(t.Context(), Model{Name: "x"}.Ref())
		if err != nil {
			t.Error(err)
			return
		}
		n := 1
		if len(records) > 0 {
			n += records[0].(Model).Dimension
		}
		err = p.Commit(t.Context(), after, []Change{change(Model{Name: "x", Dimension: n}, Model{Name: "y", Dimension: n})})
		if err == nil {
			return
		}
		if wantError(t, "Commit", err, ErrConflict); t.Failed() {
			return
		}
	}
}

// TestLoadIsOneView commits within a loop over the partition.
func TestLoadIsOneView(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
		p := partition(t, s, "school")
		put(t, p, Student{ID: "a"}, Student{ID: "c"}, Crop{ID: "z"})
		var seen []Ref
		for r, err := range p.Load(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, r.Ref())
			put(t, p, Student{ID: "b"}, Crop{ID: fmt.Sprint(len(seen))})
		}
		equal(t, "the view", seen, []Ref{{Kind: KindStudent, ID: "a"}, {Kind: KindStudent, ID: "c"}, {Kind: KindCrop, ID: "z"}})
		n := 0
		for _, err := range p.Changes(t.Context(), 0) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			put(t, p, Student{ID: "d"})
		}
		if n != 4 {
			t.Errorf("%d changes in the view, want 4", n)
		}
	})
}

// TestScanIsOneView commits between two spans of one scan.
func TestScanIsOneView(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
		p := partition(t, s, "school")
		put(t, p, Student{ID: "a"})
		n := 0
		for _, err := range s.backend.scan(t.Context(), p.keys.headOnly(), p.keys.linesFrom(1), p.keys.records()) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			put(t, p, Student{ID: fmt.Sprint(n)})
		}
		if n != 3 {
			t.Errorf("the scan had %d steps, want the head, a line and a record", n)
		}
	})
}

// TestRefused commits what must not be stored, and reads by wrong names.
func TestRefused(t *testing.T) {
	long := strings.Repeat("x", MaxIDBytes+1)
	late := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	invalid := map[string]Write{
		"no kind":            {},
		"kind of the head":   {Ref: Ref{Kind: kindHead}},
		"kind of a line":     {Ref: Ref{Kind: kindLine, ID: "a"}},
		"no id":              {Ref: Student{}.Ref()},
		"long id":            {Ref: Crop{ID: long}.Ref()},
		"settings with id":   {Ref: Ref{Kind: KindSettings, ID: "a"}},
		"crop with model":    {Ref: Ref{Kind: KindCrop, ID: "a", Model: "m"}},
		"embedding without":  {Ref: Ref{Kind: KindEmbedding, ID: "a"}},
		"long student":       {Ref: Crop{ID: "a"}.Ref(), Put: Crop{ID: "a", StudentID: long}},
		"long parent":        {Ref: Token{ID: "a"}.Ref(), Put: Token{ID: "a", Parent: long}},
		"another record":     {Ref: Crop{ID: "a"}.Ref(), Put: Crop{ID: "b"}},
		"another before":     {Ref: Crop{ID: "a"}.Ref(), Before: Student{ID: "a"}},
		"vector for the log": {Ref: Embedding{CropID: "a", Model: "m"}.Ref(), Before: Embedding{CropID: "a", Model: "m"}},
	}
	unencodable := map[string]Record{
		"late student":     Student{ID: "a", Updated: late},
		"late crop":        Crop{ID: "a", Updated: late},
		"late embedding":   Embedding{CropID: "a", Model: "m", Created: late},
		"late model":       Model{Name: "m", Created: late},
		"late settings":    Settings{Updated: late},
		"late gallery":     Gallery{ID: "a", Created: late},
		"late token":       Token{ID: "a", Expires: late},
		"name not UTF-8":   Token{ID: "a", Name: "\xff"},
		"group not UTF-8":  Student{ID: "a", Groups: []string{"\xff"}},
		"digest not UTF-8": Embedding{CropID: "a", Model: "m", Digest: "\xff"},
	}
	onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
		p := partition(t, s, "school")
		m := newModel()
		first := change(Student{ID: "ann"})
		m.apply(first)
		if err := p.Commit(t.Context(), 0, []Change{first}); err != nil {
			t.Fatal(err)
		}
		for what, w := range invalid {
			good := change(Student{ID: "bob"})
			err := p.Commit(t.Context(), 1, []Change{good, {Time: noon, Writes: []Write{w}}})
			wantError(t, what, err, ErrInvalidID)
			if err != nil && strings.Contains(err.Error(), "xxx") {
				t.Errorf("%s: the error repeats the id", what)
			}
			if w.Put == nil && w.Before == nil {
				_, err := p.Fetch(t.Context(), w.Ref)
				wantError(t, "Fetch: "+what, err, ErrInvalidID)
			}
		}
		for what, r := range unencodable {
			if err := p.Commit(t.Context(), 1, []Change{change(r)}); err == nil {
				t.Errorf("%s: Commit accepted it", what)
			}
		}
		if err := p.Commit(t.Context(), 1, []Change{{Time: late}}); err == nil {
			t.Error("Commit accepted a change of the year 10000")
		}
		for _, id := range []string{"", long} {
			_, err := s.Partition(id)
			wantError(t, "Partition", err, ErrInvalidID)
		}
		if err := p.Commit(t.Context(), 7, nil); err != nil {
			t.Errorf("Commit of nothing: %v", err)
		}
		wantError(t, "Changes after the newest", last(p.Changes(t.Context(), 2)), ErrTrimmed)
		wantError(t, "Changes of an empty partition", last(partition(t, s, "empty").Changes(t.Context(), 1)), ErrTrimmed)
		m.compare(t, p, rand.New(rand.NewPCG(1, 1)))
	})
}

// TestKeepsEveryBit puts values at the edges of their types.
func TestKeepsEveryBit(t *testing.T) {
	nan := math.Float32frombits(0x7fc12345)
	first := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	final := time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
	crop := Crop{ID: "\xff", StudentID: "\x00\xff\x00", Created: first, Updated: final}
	want := Embedding{
		CropID: "\x00\xff", Model: "m", Digest: "d", Recipe: "r", Created: final,
		Vector:  []float32{0, float32(math.Copysign(0, -1)), math.MaxFloat32, math.SmallestNonzeroFloat32, float32(math.Inf(-1)), nan},
		Quality: Quality{LocatorScore: 1, EyeDistance: -1, Width: math.MaxInt, Height: math.MinInt},
	}
	onEvery(t, func(t *testing.T, s *Store, reopen func(*Store) *Store) {
		put(t, partition(t, s, "school"), crop, want, Student{ID: "ann", Groups: []string{"2b", "1a", "2b", "10"}})
		p := partition(t, reopen(s), "school")
		got, err := p.Fetch(t.Context(), crop.Ref(), Ref{Kind: KindStudent, ID: "nobody"}, want.Ref(), Student{ID: "ann"}.Ref())
		if err != nil || len(got) != 3 {
			t.Fatal(got, err)
		}
		equal(t, "crop", got[0], crop)
		e := got[1].(Embedding)
		for i, x := range want.Vector {
			if math.Float32bits(e.Vector[i]) != math.Float32bits(x) {
				t.Errorf("element %d: %x, want %x", i, e.Vector[i], x)
			}
		}
		rest := want
		e.Vector, rest.Vector = nil, nil
		equal(t, "embedding", e, rest)
		equal(t, "groups", got[2].(Student).Groups, []string{"10", "1a", "2b"})
	})
}

// TestTrim makes 24 changes in the time that the log is kept.
func TestTrim(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store, reopen func(*Store) *Store) {
		const changes, apart = 100, DefaultKeepChanges * 24 * time.Hour / 24
		for i := range uint64(changes) {
			p := partition(t, s, "school")
			c := change(Student{ID: fmt.Sprint(i)})
			c.Time = noon.Add(time.Duration(i) * apart)
			if err := p.Commit(t.Context(), i, []Change{c}); err != nil {
				t.Fatal(err)
			}
			oldest := max(i, 24) - 24 // the number of the change before the oldest that is kept
			for after := range i + 2 {
				n := 0
				for c, err := range p.Changes(t.Context(), after) {
					if err == nil && c.Sequence != after+uint64(n)+1 {
						t.Errorf("change %d after %d others and %d", c.Sequence, n, after)
					}
					if n++; (err == nil) != (after >= oldest) {
						t.Errorf("after %d of %d: %v", after, i+1, err)
					} else if err != nil {
						wantError(t, "Changes", err, ErrTrimmed)
						n = int(i + 1 - after)
					}
				}
				if n != int(i+1-after) {
					t.Errorf("%d changes after %d of %d", n, after, i+1)
				}
			}
			if i%30 == 0 {
				s = reopen(s)
			}
		}
		// After a long holiday each commit trims some lines, and they all go.
		p := partition(t, s, "school")
		for i := range uint64(12) {
			c := change(Student{ID: "late"})
			c.Time = noon.Add((200 + 30*time.Duration(i)) * apart)
			if err := p.Commit(t.Context(), changes+i, []Change{c}); err != nil {
				t.Fatal(err)
			}
		}
		equal(t, "changes after the holiday", len(collect(t, p.Changes(t.Context(), changes+11))), 1)
		wantError(t, "Changes from before", last(p.Changes(t.Context(), changes+10)), ErrTrimmed)
	})
}

// TestContext ends the context before and within.
func TestContext(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
		p := partition(t, s, "school")
		put(t, p, Student{ID: "a"}, Student{ID: "b"})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		for _, err := range p.Load(ctx) {
			if n++; n == 1 {
				cancel()
			} else {
				wantError(t, "Load", err, context.Canceled)
			}
		}
		if n != 2 {
			t.Errorf("the loop had %d steps", n)
		}
		_, sequence := p.Sequence(ctx)
		_, fetch := p.Fetch(ctx, Student{ID: "a"}.Ref())
		for what, err := range map[string]error{
			"Sequence": sequence, "Fetch": fetch, "Load": last(p.Load(ctx)), "Changes": last(p.Changes(ctx, 0)),
			"Commit": p.Commit(ctx, 1, []Change{change(Student{ID: "c"})}), "Lines": last(p.Lines(ctx, 0)), "Days": last(p.Days(ctx)),
		} {
			wantError(t, what, err, context.Canceled)
		}
		equal(t, "students", len(load(t, p)), 2)
	})
}

func TestClosed(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
		p := partition(t, s, "school")
		put(t, p, Student{ID: "ann"})
		closeNow(t, s)
		_, sequence := p.Sequence(t.Context())
		_, fetch := p.Fetch(t.Context(), Student{ID: "ann"}.Ref())
		for what, err := range map[string]error{
			"Sequence": sequence, "Fetch": fetch, "Load": last(p.Load(t.Context())), "Changes": last(p.Changes(t.Context(), 0)),
			"Commit": p.Commit(t.Context(), 1, []Change{change()}), "Close": s.Close(),
			"Lines": last(p.Lines(t.Context(), 0)), "Days": last(p.Days(t.Context())),
		} {
			wantError(t, what, err, ErrClosed)
		}
	})
}

// TestCloseWaitsForLoops closes the store within a loop: the loop goes on to its
// end, and nothing else begins.
func TestCloseWaitsForLoops(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
		p := partition(t, s, "school")
		put(t, p, Student{ID: "a"}, Student{ID: "b"}, Student{ID: "c"})
		closed := make(chan error, 1)
		n := 0
		for _, err := range p.Load(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 1 {
				go func() { closed <- s.Close() }()
				for err = nil; err == nil; _, err = p.Sequence(t.Context()) {
				}
				wantError(t, "Sequence beside Close", err, ErrClosed)
			}
			select {
			case err := <-closed:
				t.Fatalf("Close returned %v within the loop", err)
			default:
			}
		}
		if err := <-closed; n != 3 || err != nil {
			t.Error(n, err)
		}
	})
}

// TestLoopsAreLeft leaves loops in every way: nothing keeps the store open.
func TestLoopsAreLeft(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store, reopen func(*Store) *Store) {
		p := partition(t, s, "school")
		put(t, p, Student{ID: "a"}, Student{ID: "b"})
		put(t, p, Student{ID: "c"})
		p = partition(t, reopen(s), "school")
		for range p.Load(t.Context()) {
			break
		}
		for range p.Changes(t.Context(), 0) {
			break
		}
		func() {
			defer func() { _ = recover() }()
			for range p.Load(t.Context()) {
				panic("out of the loop")
			}
		}()
		closeNow(t, p.store)
	})
}

// TestRecordsAreTheirOwn keeps the records of a loop, and those that were put.
func TestRecordsAreTheirOwn(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
		p := partition(t, s, "school")
		groups, vector := []string{"1a"}, []float32{1, 2}
		put(t, p, Student{ID: "a", Groups: groups}, Embedding{CropID: "a", Model: "m", Vector: vector},
			Embedding{CropID: "b", Model: "m", Vector: []float32{3, 4}})
		groups[0], vector[0] = "overwritten", 9
		want := []Record{
			Student{ID: "a", Groups: []string{"1a"}}, Embedding{CropID: "a", Model: "m", Vector: []float32{1, 2}},
			Embedding{CropID: "b", Model: "m", Vector: []float32{3, 4}},
		}
		equal(t, "Load", load(t, p), want)
		refs := []Ref{want[0].Ref(), want[1].Ref(), want[2].Ref()}
		fetched, err := p.Fetch(t.Context(), refs...)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "Fetch", fetched, want)
		fetched[0].(Student).Groups[0], fetched[1].(Embedding).Vector[0] = "overwritten", 9
		equal(t, "Load after what was fetched is overwritten", load(t, p), want)
	})
}
