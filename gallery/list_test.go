package gallery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rollcall/storage"
)

// serverLog returns the causes in the log of the server's partition.
func serverLog(t testing.TB, store *storage.Store) (causes []string) {
	t.Helper()
	own, err := store.Partition(storage.ServerPartition)
	if err != nil {
		t.Fatal(err)
	}
	for c, err := range own.Changes(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		causes = append(causes, c.Cause)
	}
	return causes
}

// TestListAgainstModel makes random changes of the list, with enrolments and starts in
// between, and compares with a model: which galleries there are, and what is in each.
func TestListAgainstModel(t *testing.T) {
	for name, backend := range backends {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s seed=%d", name, seed), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 25))
				open := backend(t)
				s := openGalleries(t, open(), Options{}, int64(rng.IntN(2))) // with evictions or without
				model := map[string]map[string]bool{DefaultGallery: {}}      // crops
				ids := []string{DefaultGallery, "a", "aa", "b", "École"}
				for i := range 150 {
					id := ids[rng.IntN(len(ids))]
					in := model[id]
					switch rng.IntN(6) {
					case 0:
						var want error
						if model[id] != nil {
							want = ErrGalleryExists
						} else {
							model[id] = map[string]bool{}
						}
						if err := s.Create(ctx, id); !errors.Is(err, want) || (err == nil) != (want == nil) {
							t.Fatalf("create %q: %v, want %v", id, err, want)
						}
					case 1:
						var want error
						switch {
						case id == DefaultGallery:
							want = ErrDefaultGallery
						case model[id] == nil:
							want = ErrGalleryNotFound
						}
						if err := s.Delete(ctx, id); !errors.Is(err, want) || (err == nil) != (want == nil) {
							t.Fatalf("delete %q: %v, want %v", id, err, want)
						}
						if want == nil {
							delete(model, id)
						}
					case 2:
						if rng.IntN(5) == 0 {
							if err := s.Close(); err != nil {
								t.Fatal(err)
							}
							s = openGalleries(t, open(), Options{}, 0)
						}
					default:
						g, release, err := s.Use(ctx, id)
						if in == nil {
							if !errors.Is(err, ErrGalleryNotFound) {
								t.Fatalf("use %q: %v", id, err)
							}
							continue
						}
						if err != nil {
							t.Fatal(err)
						}
						crop := fmt.Sprint(i)
						mustEnroll(t, g, Enrolment{CropID: crop, StudentID: crop, Embedding: made(plain, base(plain, i%16)), AllowDuplicate: true})
						in[crop] = true
						if got := g.Stats().Crops; got != len(in) {
							t.Fatalf("%q has %d crops, want %d", id, got, len(in))
						}
						release()
					}
					var want []string
					for id := range model {
						want = append(want, id)
					}
					slices.Sort(want)
					if got := s.List(); !slices.Equal(got, want) {
						t.Fatalf("step %d: %q, want %q", i, got, want)
					}
				}
				for id, crops := range model {
					with(t, s, id, func(g *Gallery) {
						if got := g.Stats().Crops; got != len(crops) {
							t.Errorf("%q has %d crops, want %d", id, got, len(crops))
						}
						mustBeConsistent(t, g)
					})
				}
				if left, err := s.LeftOver(ctx); err != nil || len(left) > 0 {
					t.Errorf("left over: %q, %v", left, err)
				}
			})
		}
	}
}

// A deletion waits for the calls that use the gallery, lets nobody new in, and closes it
// when they end.
func TestDeleteWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := storage.OpenMemory(storage.Faults{})
		s := openGalleries(t, store, Options{}, 0)
		mustCreate(t, s, "a")
		g, release, err := s.Use(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		cancelled, cancel := context.WithCancel(ctx)
		deleted := make(chan error, 1)
		go func() { deleted <- s.Delete(cancelled, "a") }()
		synctest.Wait()
		cancel() // who asked gives up; the deletion goes on
		for what, err := range map[string]error{
			"use":    func() error { _, _, err := s.Use(ctx, "a"); return err }(),
			"delete": s.Delete(ctx, "a"),
		} {
			if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "being deleted") {
				t.Errorf("%s meanwhile: %v", what, err)
			}
		}
		if err := s.Create(ctx, "a"); !errors.Is(err, ErrGalleryExists) {
			t.Errorf("create meanwhile: %v", err)
		}
		mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "s", Embedding: made(plain, base(plain, 0))})
		select {
		case err := <-deleted:
			t.Fatalf("deleted under a call: %v", err)
		default:
		}
		release()
		if err := <-deleted; err != nil {
			t.Error(err)
		}
		if _, err := g.Settings(ctx); !errors.Is(err, ErrClosed) {
			t.Errorf("a gallery that was deleted answers: %v", err)
		}
		mustCreate(t, s, "a")
		with(t, s, "a", func(g *Gallery) {
			if stats := g.Stats(); stats.Crops != 0 || stats.Sequence != 1 {
				t.Errorf("made anew: %+v", stats)
			}
		})
		want := []string{"make gallery", "make gallery", "delete gallery", "make gallery"}
		if got := serverLog(t, store); !slices.Equal(got, want) {
			t.Errorf("in the log: %q", got)
		}
	})
}

// A call that does not end keeps nobody from deleting: it gets ErrClosed.
func TestDeleteWaitsNotForEver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := openGalleries(t, storage.OpenMemory(storage.Faults{}), Options{}, 1)
		mustCreate(t, s, "a")
		g, release, err := s.Use(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := s.Delete(ctx, "a"); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != leaveTime {
			t.Errorf("it took %v", took)
		}
		if err := enrolling(g, "c", "s", plain, base(plain, 0))(); !errors.Is(err, ErrClosed) {
			t.Errorf("an enrolment after it: %v", err)
		}
		mustCreate(t, s, "a")
		with(t, s, "a", func(*Gallery) {})
		release() // of the deleted one: it does not count for the new one
		with(t, s, "a", func(g *Gallery) { mustBeAsStored(t, g) })
	})
}

// A deletion that fails leaves the gallery as it was, or deleted; whoever asks again is
// told which.
func TestDeleteFails(t *testing.T) {
	var d disk
	store := d.open()
	s := openGalleries(t, store, Options{}, 0)
	mustCreate(t, s, "a", "b")
	for _, id := range []string{"a", "b"} {
		with(t, s, id, func(g *Gallery) {
			mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "s", Embedding: made(plain, base(plain, 0))})
		})
	}
	for _, c := range []struct {
		with, want error
	}{{storage.ErrReadOnly, ErrReadOnly}, {errDisk, ErrUnavailable}} {
		d.before.Store(new(func() error { return c.with }))
		if err := s.Delete(ctx, "a"); !errors.Is(err, c.want) || errors.Is(err, errDisk) {
			t.Errorf("%v, want %v", err, c.want)
		}
		d.before.Store(nil)
		with(t, s, "a", func(g *Gallery) {
			if g.Stats().Crops != 1 {
				t.Errorf("not deleted, and has %+v", g.Stats())
			}
			mustBeAsStored(t, g)
		})
	}
	d.after.Store(new(func() error { return errDisk }))
	if err := s.Delete(ctx, "b"); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	d.after.Store(nil)
	if err := s.Delete(ctx, "b"); err != nil && !errors.Is(err, ErrGalleryNotFound) {
		t.Error(err)
	}
	if got := s.List(); !slices.Equal(got, []string{"a", DefaultGallery}) {
		t.Errorf("%q", got)
	}
	mustCreate(t, s, "b")
	with(t, s, "b", func(g *Gallery) {
		if g.Stats().Crops != 0 {
			t.Errorf("made anew, with %+v", g.Stats())
		}
	})
}

// TestListBesideOthers changes the list while somebody else writes to the server's
// partition all the time: nothing is lost on either side.
func TestListBesideOthers(t *testing.T) {
	for name, backend := range backends {
		t.Run(name, func(t *testing.T) {
			store := backend(t)()
			s := openGalleries(t, store, Options{}, 0)
			own, err := store.Partition(storage.ServerPartition)
			if err != nil {
				t.Fatal(err)
			}
			const each = 30
			var writing sync.WaitGroup
			for w := range 2 {
				writing.Go(func() {
					for i := range each {
						id := fmt.Sprint(w, "-", i)
						if err := s.Create(ctx, id); err != nil {
							t.Error(err)
						}
						if i%2 == 0 {
							if err := s.Delete(ctx, id); err != nil {
								t.Error(err)
							}
						}
					}
				})
			}
			writing.Go(func() {
				for n := 0; n < each; {
					seq, err := own.Sequence(ctx)
					if err == nil {
						record := storage.Settings{Model: fmt.Sprint(n), KeepChanges: storage.DefaultKeepChanges}
						err = own.Commit(ctx, seq, []storage.Change{{Time: time.Now(), Cause: "other", Writes: []storage.Write{{Ref: record.Ref(), Put: record}}}})
					}
					switch {
					case err == nil:
						n++
					case !errors.Is(err, storage.ErrConflict):
						t.Error(err)
						return
					}
				}
			})
			writing.Wait()
			if got := len(s.List()); got != 1+2*each/2 {
				t.Errorf("%d galleries", got)
			}
			counts := map[string]int{}
			for _, cause := range serverLog(t, store) {
				counts[cause]++
			}
			if counts["other"] != each || counts["make gallery"] != 1+2*each || counts["delete gallery"] != each {
				t.Errorf("%v", counts)
			}
		})
	}
}

// What is left of a gallery that the list has lost can be seen, taken up again, and erased.
func TestLeftOver(t *testing.T) {
	fs := vfs.NewMem()
	store := openPebble(t, fs)
	s := openGalleries(t, store, Options{}, 0)
	for _, id := range []string{"lost", "found"} {
		partition, err := store.Partition(id)
		if err != nil {
			t.Fatal(err)
		}
		g, err := Open(ctx, partition, Options{Models: everyModel})
		if err != nil {
			t.Fatal(err)
		}
		mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "s", Embedding: made(plain, base(plain, 0))})
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
	left := func(want ...string) {
		t.Helper()
		if got, err := s.LeftOver(ctx); err != nil || !slices.Equal(got, want) {
			t.Errorf("left over: %q, %v; want %q", got, err, want)
		}
	}
	left("found", "lost")
	if _, _, err := s.Use(ctx, "lost"); !errors.Is(err, ErrGalleryNotFound) {
		t.Error(err)
	}
	mustCreate(t, s, "found")
	left("lost")
	with(t, s, "found", func(g *Gallery) {
		if g.Stats().Crops != 1 {
			t.Errorf("taken up again with %+v", g.Stats())
		}
	})
	if err := s.Delete(ctx, "lost"); err != nil {
		t.Fatal(err)
	}
	left()
	if err := s.Delete(ctx, "lost"); !errors.Is(err, ErrGalleryNotFound) {
		t.Error(err)
	}
}
