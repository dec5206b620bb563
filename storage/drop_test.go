package storage

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rollcall/storage/powertest"
)

// TestDrop drops a partition beside others whose ids are easy to confuse with its own.
// It leaves nothing but the line in the log of who dropped it, and a writer that still
// knows the dropped one stores nothing. The journal goes with it, and begins anew.
func TestDrop(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store, reopen func(*Store) *Store) {
		for _, id := range trickyIDs {
			put(t, partition(t, s, id), Student{ID: id}, Gallery{ID: id})
			for _, at := range []time.Time{noon, noon.Add(24 * time.Hour)} { // so that a day has ended
				if _, err := partition(t, s, id).Append(t.Context(), []Line{{Time: at, Student: id, Request: at.String()}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		server := partition(t, s, ServerPartition)
		put(t, server, Gallery{ID: "a\x00"})
		gone := change()
		gone.Cause, gone.Drop = "delete gallery", "a\x00"
		gone.Writes = []Write{{Ref: Gallery{ID: "a\x00"}.Ref(), Before: Gallery{ID: "a\x00"}}}
		if err := server.Commit(t.Context(), 1, []Change{gone}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			ids, err := s.Partitions(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := slices.DeleteFunc(append(slices.Clone(trickyIDs), ServerPartition), func(id string) bool { return id == "a\x00" })
			slices.Sort(want)
			equal(t, "partitions", ids, want)
			for _, id := range trickyIDs {
				wanted := []Record{Student{ID: id}, Gallery{ID: id}}
				if id == "a\x00" {
					wanted = nil
				}
				equal(t, fmt.Sprintf("partition %q", id), load(t, partition(t, s, id)), wanted)
				lines := len(collect(t, partition(t, s, id).Lines(t.Context(), 0)))
				equal(t, fmt.Sprintf("lines and days of %q", id), []int{lines, len(collect(t, partition(t, s, id).Days(t.Context())))}, []int{len(wanted), len(wanted)})
			}
			equal(t, "the list", load(t, partition(t, s, ServerPartition)), []Record(nil))
			lines := collect(t, partition(t, s, ServerPartition).Changes(t.Context(), 1))
			if len(lines) != 1 || lines[0].Cause != "delete gallery" || lines[0].Drop != "" {
				t.Errorf("in the log: %+v", lines)
			}
			s = reopen(s)
		}
		p := partition(t, s, "a\x00")
		wantError(t, "Commit of one that knows the dropped partition", p.Commit(t.Context(), 1, []Change{change(Student{ID: "b"})}), ErrConflict)
		put(t, p, Student{ID: "b"})
		equal(t, "made anew", load(t, p), []Record{Student{ID: "b"}})
		numbers, err := p.Append(t.Context(), []Line{{Time: noon, Student: "b", Request: noon.String()}})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "its journal", numbers, []uint64{1})
		equal(t, "its log", len(collect(t, p.Changes(t.Context(), 0))), 1)

		for _, bad := range []string{"a", string(make([]byte, MaxIDBytes+1))} {
			own := partition(t, s, "a")
			wantError(t, "Drop", own.Commit(t.Context(), 1, []Change{{Time: noon, Drop: bad}}), ErrInvalidID)
		}
	})
}

// TestCrashInDrop cuts the power at every step while partitions are dropped. After each
// crash the server's list and the partitions agree: each was dropped whole, or not at all.
func TestCrashInDrop(t *testing.T) {
	const galleries = 12
	cuts := powertest.New(vfs.NewCrashableMem(), 11)
	s := openMem(t, cuts.CutFS())
	server := partition(t, s, ServerPartition)
	for i := range galleries {
		id := fmt.Sprint(i)
		put(t, server, Gallery{ID: id})
		put(t, partition(t, s, id), Student{ID: id})
		if i%3 == 0 {
			if err := onPebble(s).db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	from := len(cuts.Left())
	for i := range galleries {
		drop := change()
		drop.Drop = fmt.Sprint(i)
		drop.Writes = []Write{{Ref: Gallery{ID: drop.Drop}.Ref()}}
		if err := server.Commit(t.Context(), uint64(galleries+i), []Change{drop}); err != nil {
			t.Fatal(err)
		}
	}
	cuts.Cut()
	counts := map[int]bool{}
	for _, c := range cuts.Left()[from:] {
		s := openMem(t, c.FS)
		left := load(t, partition(t, s, ServerPartition))
		counts[len(left)] = true
		want := []string{ServerPartition}
		for _, r := range left {
			want = append(want, r.Ref().ID)
		}
		got, err := s.Partitions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "partitions after the crash", got, want)
		closeNow(t, s)
	}
	if len(counts) < galleries/2 {
		t.Errorf("only %d different states were seen", len(counts))
	}
}
