package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/storage"
)

// list changes the server's list of galleries.
func list(t *testing.T, store *storage.Store, galleries ...storage.Write) {
	t.Helper()
	if err := change(t, store, storage.Change{Time: time.Now(), Writes: galleries}); err != nil {
		t.Fatal(err)
	}
}

// change commits to the server's partition.
func change(t *testing.T, store *storage.Store, c storage.Change) error {
	t.Helper()
	own, err := store.Partition(Server)
	if err != nil {
		return err
	}
	seq, err := own.Sequence(t.Context())
	if err != nil {
		return err
	}
	return own.Commit(t.Context(), seq, []storage.Change{c})
}

func listed(id string) storage.Write {
	g := storage.Gallery{ID: id}
	return storage.Write{Ref: g.Ref(), Put: g}
}

// on runs a test in a bubble with its own time, on journals in memory.
func on(t *testing.T, faults storage.Faults, test func(t *testing.T, j *Journals, log *strings.Builder)) {
	synctest.Test(t, func(t *testing.T) {
		store := storage.OpenMemory(faults)
		list(t, store, listed("g"), listed("gallery 0"), listed("gallery 1"), listed("gallery 2"))
		var log strings.Builder
		j := Open(store, slog.New(slog.NewTextHandler(&log, nil)))
		test(t, j, &log)
		if err := j.Close(); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}

// of returns the journal of a gallery.
func of(t *testing.T, j *Journals, gallery string) *Journal {
	t.Helper()
	one, err := j.Of(gallery)
	if err != nil {
		t.Fatal(err)
	}
	return one
}

// all returns the lines of a journal.
func all(t *testing.T, j *Journals, gallery string, after uint64) (lines []*pb.Line) {
	t.Helper()
	for line, err := range of(t, j, gallery).Lines(t.Context(), after) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

func verdict(student string) *pb.Line {
	return &pb.Line{Kind: pb.LineKind_LINE_KIND_VERDICT, Verdict: pb.Verdict_VERDICT_MATCH, StudentId: student}
}

// TestRandom compares journals with a model over random notes, recorded lines, erased
// students and time that passes.
func TestRandom(t *testing.T) {
	for seed := range uint64(6) {
		on(t, storage.Faults{}, func(t *testing.T, j *Journals, _ *strings.Builder) {
			rng := rand.New(rand.NewPCG(seed, 25))
			want := map[string][]*pb.Line{}
			requests := map[string]uint64{}
			noted := func(gallery string, line *pb.Line) *pb.Line {
				line.Number = uint64(len(want[gallery])) + 1
				want[gallery] = append(want[gallery], line)
				return proto.CloneOf(line)
			}
			for range 300 {
				gallery, student := fmt.Sprint("gallery ", rng.IntN(3)), fmt.Sprint("student ", rng.IntN(4))
				switch rng.IntN(10) {
				case 0:
					time.Sleep(time.Duration(rng.Int64N(int64(2 * time.Second))))
				case 1:
					if _, err := of(t, j, gallery).Erase(t.Context(), student); err != nil {
						t.Fatal(err)
					}
					for _, l := range want[gallery] {
						if l.GetStudentId() == student {
							l.StudentId = ""
							for key, n := range requests {
								if key[:len(gallery)] == gallery && n == l.GetNumber() {
									delete(requests, key)
								}
							}
						}
					}
				case 2:
					key := ""
					if rng.IntN(2) == 0 {
						key = gallery + fmt.Sprint(rng.IntN(9))
					}
					line := &pb.Line{Kind: pb.LineKind_LINE_KIND_CHECK_IN, StudentId: student, By: "Ms Gray", Method: pb.Method_METHOD_PIN}
					n := requests[key]
					if n == 0 {
						line = noted(gallery, line)
						n = uint64(len(want[gallery]))
					}
					if key != "" {
						requests[key] = n
					}
					if got, err := of(t, j, gallery).Record(line, key); err != nil || got != n {
						t.Fatalf("Record = %d, %v; want %d", got, err, n)
					}
				default:
					line := noted(gallery, &pb.Line{
						Kind: pb.LineKind_LINE_KIND_VERDICT, StudentId: student, Token: "the door", Address: "::1", Procedure: "/Identify",
						Verdict: pb.Verdict(rng.IntN(5)), Similarity: rng.Float32(), Fpir: rng.Float64(), Recipe: "small", StudentsInScope: rng.Int32(),
					})
					line.Number = rng.Uint64() // the journal sets its own
					of(t, j, gallery).Note(line)
				}
			}
			time.Sleep(time.Second)
			for gallery, lines := range want {
				got := all(t, j, gallery, 0)
				if len(got) != len(lines) {
					t.Fatalf("seed %d: %d lines, want %d", seed, len(got), len(lines))
				}
				for i, l := range got {
					l.Time, l.Erased = nil, false
					if !proto.Equal(l, lines[i]) {
						t.Fatalf("seed %d: line %v, want %v", seed, l, lines[i])
					}
				}
			}
			if s := j.Stats(); s != (Stats{}) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestConcurrent notes and records by many at once: each line is written once, in the
// order of its caller, with the number that Record returned, and a watcher sees all.
func TestConcurrent(t *testing.T) {
	const callers, each = 8, 50
	on(t, storage.Faults{}, func(t *testing.T, j *Journals, _ *strings.Builder) {
		var running sync.WaitGroup
		var seen []*pb.Line
		running.Go(func() {
			for len(seen) < 2*callers*each {
				grown := of(t, j, "g").Grown()
				if more := all(t, j, "g", uint64(len(seen))); len(more) > 0 {
					seen = append(seen, more...)
					continue
				}
				<-grown
			}
		})
		var numbers [callers][each]uint64
		for c := range callers {
			running.Go(func() {
				for i := range each {
					of(t, j, "g").Note(&pb.Line{Kind: pb.LineKind_LINE_KIND_VERDICT, StudentId: fmt.Sprint(c), StudentsInScope: int32(i)})
					n, err := of(t, j, "g").Record(&pb.Line{Kind: pb.LineKind_LINE_KIND_CHECK_IN, StudentId: fmt.Sprint(c), StudentsInScope: int32(i)}, "")
					if err != nil {
						t.Error(err)
					}
					numbers[c][i] = n
				}
			})
		}
		running.Wait()
		next := [callers]int{}
		for i, l := range seen {
			var c int
			if _, err := fmt.Sscan(l.GetStudentId(), &c); err != nil || l.GetNumber() != uint64(i)+1 {
				t.Fatal(l, err)
			}
			at := next[c]
			next[c]++
			if int(l.GetStudentsInScope()) != at/2 || at%2 == 1 && numbers[c][at/2] != l.GetNumber() {
				t.Fatalf("line %v is caller %d's %d. line", l, c, at)
			}
		}
	})
}

// TestNoteNeverWaits notes while the disk does not answer. The first flush hangs; nothing
// else does, and all is written when the disk is back, within a second of each note.
func TestNoteNeverWaits(t *testing.T) {
	var hang atomic.Pointer[chan struct{}]
	faults := storage.Faults{BeforeCommit: func() error {
		if c := hang.Load(); c != nil {
			<-*c
		}
		return nil
	}}
	on(t, faults, func(t *testing.T, j *Journals, _ *strings.Builder) {
		c := make(chan struct{})
		hang.Store(&c)
		start := time.Now()
		for i := range 100 {
			of(t, j, "g").Note(verdict(fmt.Sprint(i)))
			time.Sleep(20 * time.Millisecond)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("100 notes took %v of their own", took-2*time.Second)
		}
		if s := j.Stats(); s.Held != 100 || s.Lost != 0 {
			t.Errorf("%+v", s)
		}
		hang.Store(nil)
		close(c)
		time.Sleep(time.Second)
		if lines := all(t, j, "g", 0); len(lines) != 100 {
			t.Errorf("%d lines", len(lines))
		}
		of(t, j, "g").Note(verdict("a"))
		time.Sleep(flushAfter)
		synctest.Wait()
		if len(all(t, j, "g", 100)) != 1 {
			t.Error("a line is not on disk within a second")
		}
	})
}

// TestFullDisk notes more than memory holds while the disk takes nothing. No line is
// there twice, their order is kept, and those that are missing are counted in a line.
func TestFullDisk(t *testing.T) {
	for what, failure := range map[string]error{"full": ErrReadOnly, "broken": errors.New("injected")} {
		t.Run(what, func(t *testing.T) {
			var failing atomic.Bool
			faults := storage.Faults{BeforeCommit: func() error {
				if failing.Load() {
					return failure
				}
				return nil
			}}
			on(t, faults, func(t *testing.T, j *Journals, log *strings.Builder) {
				const many = mostHeld + 500
				of(t, j, "g").Note(verdict("before"))
				time.Sleep(time.Second)
				failing.Store(true)
				for i := range many {
					of(t, j, "g").Note(verdict(fmt.Sprint(i)))
				}
				if _, err := of(t, j, "g").Record(verdict("recorded"), ""); !errors.Is(err, failure) {
					t.Errorf("Record: %v", err)
				}
				time.Sleep(5 * time.Second)
				if held := j.Stats().Held; held > mostHeld {
					t.Errorf("%d lines are held", held)
				}
				failing.Store(false)
				time.Sleep(time.Second)
				of(t, j, "g").Note(verdict("after"))
				time.Sleep(time.Second)
				lines := all(t, j, "g", 0)
				lost, last := uint64(0), -1
				for _, l := range lines {
					lost += l.GetOmitted()
					var n int
					if _, err := fmt.Sscan(l.GetStudentId(), &n); err == nil {
						if n <= last {
							t.Fatalf("line %d after %d", n, last)
						}
						last = n
					}
				}
				written := len(lines) - 3 // before, after, and the line about those that were lost
				wantLost := 500
				if failure != ErrReadOnly {
					wantLost = many // nobody knows what was stored: none is written again
				}
				if int(lost) != wantLost || written != many-wantLost || j.Stats() != (Stats{Lost: lost}) {
					t.Errorf("%d lines, %d lost, %+v; want %d lost of %d", written, lost, j.Stats(), wantLost, many)
				}
				for _, said := range []string{"the journal cannot be written", "the journal is written again"} {
					if strings.Count(log.String(), said) != 1 {
						t.Errorf("the log says %d times that %s", strings.Count(log.String(), said), said)
					}
				}
			})
		})
	}
}

// TestRefusalsAreLimited refuses a thousand calls at once: they do not fill the disk, do
// not take the room of verdicts, and a later one says how many are missing.
func TestRefusalsAreLimited(t *testing.T) {
	on(t, storage.Faults{}, func(t *testing.T, j *Journals, _ *strings.Builder) {
		refusal := func() { of(t, j, "g").Note(&pb.Line{Kind: pb.LineKind_LINE_KIND_REFUSAL, Code: "unauthenticated"}) }
		for range 1000 {
			refusal()
			of(t, j, "g").Note(verdict("a"))
		}
		time.Sleep(refusalPause)
		refusal()
		time.Sleep(time.Second)
		refusals, omitted, verdicts := 0, uint64(0), 0
		for _, l := range all(t, j, "g", 0) {
			if l.GetKind() == pb.LineKind_LINE_KIND_REFUSAL {
				refusals, omitted = refusals+1, omitted+l.GetOmitted()
			} else {
				verdicts++
			}
		}
		if refusals != refusalsAtOnce+1 || omitted != 1000-refusalsAtOnce || verdicts != 1000 {
			t.Errorf("%d refusals and %d omitted, %d verdicts", refusals, omitted, verdicts)
		}
	})
}

// TestSweep lets half a year pass: lines leave by the setting of their gallery, also of a
// gallery that nobody uses, and of the server's own journal. Numbers go on.
func TestSweep(t *testing.T) {
	on(t, storage.Faults{}, func(t *testing.T, j *Journals, _ *strings.Builder) {
		keep := map[string]int{"short": 7, "long": 100, Server: storage.DefaultKeepVerdicts}
		for id, days := range keep {
			if id == Server {
				continue
			}
			list(t, j.store, listed(id))
			p, err := j.store.Partition(id)
			if err != nil {
				t.Fatal(err)
			}
			s := storage.Settings{KeepVerdicts: days, KeepChanges: 1}
			if err := p.Commit(t.Context(), 0, []storage.Change{{Time: time.Now(), Writes: []storage.Write{{Ref: s.Ref(), Put: s}}}}); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		for day := range 200 {
			for id, days := range keep {
				of(t, j, id).Note(verdict("a"))
				time.Sleep(time.Second)
				from := uint64(max(0, day-days)) // the line of each day has the number of its day, from 1
				lines := all(t, j, id, from)
				if want := day + 1 - int(from); len(lines) != want && len(lines) != want-1 || lines[len(lines)-1].GetNumber() != uint64(day+1) {
					t.Fatalf("%q: %d lines after %d on day %d", id, len(lines), from, day)
				}
				var trimmed *TrimmedError
				for _, err := range of(t, j, id).Lines(t.Context(), 0) {
					if errors.As(err, &trimmed); (trimmed != nil) != (from > 0) && day != days {
						t.Fatalf("%q on day %d: %v", id, day, err)
					}
					break
				}
			}
			time.Sleep(time.Until(start.Add(time.Duration(day+1) * 24 * time.Hour)))
		}
	})
}

// gone is the change that deletes a gallery.
func gone(id string) storage.Change {
	return storage.Change{Time: time.Now(), Drop: id, Writes: []storage.Write{{Ref: storage.Gallery{ID: id}.Ref()}}}
}

// TestDeletedGalleries deletes a gallery whose lines wait. Nothing of it comes back, who
// waits for its lines is told, and one that is made again under its name begins anew, also
// for those who know the former one.
func TestDeletedGalleries(t *testing.T) {
	on(t, storage.Faults{}, func(t *testing.T, j *Journals, log *strings.Builder) {
		one := of(t, j, "g")
		for _, key := range []string{"1", "2"} {
			if _, err := one.Record(verdict("a"), key); err != nil {
				t.Fatal(err)
			}
		}
		one.Note(verdict("a"))
		grown := one.Grown()
		failure := errors.New("injected")
		if err := j.Delete("g", func() error { return failure }); err != failure || one != of(t, j, "g") {
			t.Errorf("a deletion that fails: %v", err)
		}
		select {
		case <-grown:
			t.Error("a deletion that fails ends the journal")
		default:
		}
		read := make(chan error)
		if err := j.Delete("g", func() error {
			err := change(t, j.store, gone("g"))
			go func() { // the lines are gone, and the journal has not ended yet
				for _, err := range one.Lines(t.Context(), 2) {
					read <- err
				}
				close(read)
			}()
			for range 100 { // not a sleep: in a bubble it would wait for who waits for a lock
				runtime.Gosched()
			}
			return err
		}); err != nil {
			t.Error(err)
		}
		if err := <-read; !errors.Is(err, ErrNoGallery) {
			t.Errorf("who reads while the gallery is deleted: %v", err)
		}
		<-grown
		<-one.Grown()
		ended := func(one *Journal) {
			t.Helper()
			one.Note(verdict("a"))
			if _, err := one.Record(verdict("a"), "3"); !errors.Is(err, ErrNoGallery) {
				t.Errorf("Record: %v", err)
			}
			for _, err := range one.Lines(t.Context(), 0) {
				if !errors.Is(err, ErrNoGallery) {
					t.Errorf("Lines: %v", err)
				}
			}
			if _, err := one.Days(t.Context()); !errors.Is(err, ErrNoGallery) {
				t.Errorf("Days: %v", err)
			}
			if n, err := one.Erase(t.Context(), "b"); len(n) != 0 || err != nil {
				t.Errorf("Erase: %v, %v", n, err)
			}
		}
		ended(one)
		if _, err := j.Of("g"); !errors.Is(err, ErrNoGallery) {
			t.Errorf("Of: %v", err)
		}
		time.Sleep(time.Second)
		if ids, err := j.store.Partitions(t.Context()); err != nil || slices.Contains(ids, "g") || j.Stats() != (Stats{}) || log.Len() > 0 {
			t.Errorf("%q, %v, %+v, %s", ids, err, j.Stats(), log)
		}
		list(t, j.store, listed("g"))
		again := of(t, j, "g")
		if n, err := again.Record(verdict("b"), "1"); n != 1 || err != nil {
			t.Error(n, err) // the key of the first gallery's request is gone as well
		}
		ended(one)
		time.Sleep(time.Second)
		if lines := all(t, j, "g", 0); len(lines) != 1 || lines[0].GetStudentId() != "b" {
			t.Errorf("in the journal of the gallery that was made again: %v", lines)
		}
		// Somebody makes it again at once.
		again.Note(verdict("b"))
		if err := j.Delete("g", func() error {
			return errors.Join(change(t, j.store, gone("g")), change(t, j.store, storage.Change{Time: time.Now(), Writes: []storage.Write{listed("g")}}))
		}); err != nil {
			t.Error(err)
		}
		ended(again)
		time.Sleep(time.Second)
		if lines := all(t, j, "g", 0); len(lines) > 0 {
			t.Errorf("in the journal of the third gallery: %v", lines)
		}
	})
}

// TestDeleteBesideWriters deletes and makes galleries again while many write to their
// journals: nothing is left on disk of a gallery that is not in the list, and no line of one
// gallery is in the journal of a later one of the same name.
func TestDeleteBesideWriters(t *testing.T) {
	const rounds = 60
	store := storage.OpenMemory(storage.Faults{})
	j := Open(store, slog.New(slog.DiscardHandler))
	var writing sync.WaitGroup
	for round := range rounds {
		list(t, store, listed("g"))
		one, name := of(t, j, "g"), fmt.Sprint(round)
		started := make(chan struct{}, 3)
		for range 3 {
			writing.Go(func() {
				for i := 0; ; i++ {
					one.Note(verdict(name))
					if i == 2 {
						started <- struct{}{}
					}
					if _, err := one.Record(verdict(name), ""); err != nil {
						if !errors.Is(err, ErrNoGallery) {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		for range 3 {
			<-started
		}
		for _, l := range all(t, j, "g", 0) {
			if l.GetStudentId() != name {
				t.Fatalf("in round %s there is a line of round %s", name, l.GetStudentId())
			}
		}
		if err := j.Delete("g", func() error { return change(t, store, gone("g")) }); err != nil {
			t.Fatal(err)
		}
		if round%2 == 0 { // in the other rounds the old writers meet the new gallery
			writing.Wait()
			if ids, err := store.Partitions(t.Context()); err != nil || slices.Contains(ids, "g") {
				t.Fatalf("round %d leaves %q on disk (%v)", round, ids, err)
			}
		}
	}
	writing.Wait()
	if err := errors.Join(j.Close(), store.Close()); err != nil || j.Stats() != (Stats{}) {
		t.Error(err, j.Stats())
	}
}

// TestClose writes what waits, or says how much could not be written.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failing atomic.Bool
		store := storage.OpenMemory(storage.Faults{BeforeCommit: func() error {
			if failing.Load() {
				return ErrReadOnly
			}
			return nil
		}})
		list(t, store, listed("g"))
		j := Open(store, slog.New(slog.DiscardHandler))
		of(t, j, "g").Note(verdict("a"))
		if err := j.Close(); err != nil {
			t.Error(err)
		}
		j = Open(store, slog.New(slog.DiscardHandler))
		if lines := all(t, j, "g", 0); len(lines) != 1 {
			t.Errorf("%d lines", len(lines))
		}
		failing.Store(true)
		of(t, j, "g").Note(verdict("a"))
		if err := j.Close(); err == nil || !strings.Contains(err.Error(), "1 lines") {
			t.Errorf("Close: %v", err)
		}
		time.Sleep(time.Second) // the timer finds nothing
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}
