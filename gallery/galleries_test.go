package gallery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"rollcall/storage"
)

// openGalleries returns the galleries of a store, closed with it when the test ends.
func openGalleries(t testing.TB, store *storage.Store, opts Options, budget int64) *Galleries {
	t.Helper()
	if opts.Models == nil {
		opts.Models = everyModel
	}
	s, err := OpenGalleries(ctx, store, opts, budget)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		if err := store.Close(); err != nil && !errors.Is(err, storage.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

func mustCreate(t testing.TB, s *Galleries, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := s.Create(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
}

// with calls do with the gallery in use.
func with(t testing.TB, s *Galleries, id string, do func(g *Gallery)) {
	t.Helper()
	g, release, err := s.Use(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	do(g)
}

// loaded returns the ids of the galleries in memory, sorted.
func loaded(s *Galleries) []string {
	var ids []string
	for id := range s.Stats() {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func TestGalleriesAreListed(t *testing.T) {
	for name, backend := range backends {
		t.Run(name, func(t *testing.T) {
			openStore := backend(t)
			s := openGalleries(t, openStore(), Options{}, 0)
			if got := s.List(); !slices.Equal(got, []string{DefaultGallery}) {
				t.Errorf("a new store has %q", got)
			}
			mustCreate(t, s, "b-school", "a-school")
			if got := s.List(); !slices.Equal(got, []string{"a-school", "b-school", DefaultGallery}) {
				t.Errorf("%q", got)
			}
			for id, want := range map[string]error{"": ErrInvalidID, "a\x00": ErrInvalidID, storage.ServerPartition: ErrInvalidID,
				"a-school": ErrGalleryExists, DefaultGallery: ErrGalleryExists} {
				if err := s.Create(ctx, id); !errors.Is(err, want) {
					t.Errorf("create %q: %v, want %v", id, err, want)
				}
			}
			for _, id := range []string{"", "c-school", storage.ServerPartition} {
				if _, _, err := s.Use(ctx, id); !errors.Is(err, ErrGalleryNotFound) {
					t.Errorf("use %q: %v", id, err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if again := openGalleries(t, openStore(), Options{}, 0); !slices.Equal(again.List(), s.List()) || len(loaded(again)) > 0 {
				t.Errorf("opened again: %q, %q loaded", again.List(), loaded(again))
			}
		})
	}
}

// Two galleries know nothing of each other, with the same ids in both.
// What a new gallery starts with is what was asked for, before it is loaded and
// after; no margin is not the default one.
func TestNewGalleryHasTheSettingsGiven(t *testing.T) {
	for _, given := range []Settings{{}, {Margin: -1}, {FPIR: 0.01, Margin: 0.2}} {
		s := openGalleries(t, storage.OpenMemory(storage.Faults{}), Options{New: given}, 0)
		want, err := given.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		list, err := s.Overview(ctx)
		if err != nil || len(list) != 1 || list[0].Settings != want {
			t.Errorf("%+v: the overview is %+v, %v; want %+v", given, list, err, want)
		}
		with(t, s, DefaultGallery, func(g *Gallery) { mustHaveSettings(t, g, want) })
	}
}

func TestGalleriesAreApart(t *testing.T) {
	for name, backend := range backends {
		t.Run(name, func(t *testing.T) {
			openStore := backend(t)
			s := openGalleries(t, openStore(), Options{}, 0)
			mustCreate(t, s, "other")
			with(t, s, DefaultGallery, func(g *Gallery) {
				mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "s", Groups: []string{"x"}, Embedding: made(plain, base(plain, 0))})
				mustEnroll(t, g, Enrolment{CropID: "d", StudentID: "s", Embedding: made(small, base(small, 0))})
			})
			with(t, s, "other", func(g *Gallery) {
				mustHaveSettings(t, g, Settings{FPIR: DefaultFPIR, Margin: DefaultMargin})
				got, err := g.Identify(ctx, Probe{Embedding: made(plain, base(plain, 0))})
				if err != nil || got.Verdict != Unknown || got.Students != 0 {
					t.Errorf("%+v, %v", got, err)
				}
				mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "t", Groups: []string{"y"}, Embedding: made(plain, base(plain, 0))})
				if _, err := g.UpdateSettings(ctx, SettingsChange{FPIR: new(0.5)}); err != nil {
					t.Error(err)
				}
				if err := g.DeleteCrop(ctx, "d"); !errors.Is(err, ErrCropNotFound) {
					t.Error(err)
				}
			})
			check := func(s *Galleries) {
				t.Helper()
				for id, want := range map[string]string{DefaultGallery: "s", "other": "t"} {
					with(t, s, id, func(g *Gallery) {
						crop, err := g.Crop(ctx, "c")
						if err != nil || crop.StudentID != want {
							t.Errorf("%s: %+v, %v", id, crop, err)
						}
						if st, err := g.Settings(ctx); err != nil || (st.FPIR == DefaultFPIR) != (id == DefaultGallery) {
							t.Errorf("%s: %+v, %v", id, st, err)
						}
						mustBeConsistent(t, g)
						mustBeAsStored(t, g)
					})
				}
			}
			check(s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			check(openGalleries(t, openStore(), Options{}, 0))
		})
	}
}

// However many ask for a gallery at first, it is loaded once; a caller may give up
// waiting, and the load goes on.
func TestFirstUseLoadsOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := storage.OpenMemory(storage.Faults{})
		var loads atomic.Int64
		goOn := make(chan struct{})
		s := openGalleries(t, store, Options{Progress: func(int, int) {
			loads.Add(1)
			<-goOn
		}}, 0)
		impatient, cancel := context.WithCancel(ctx)
		galleries := make([]*Gallery, 10)
		errs := make([]error, len(galleries))
		for i := range galleries {
			go func() {
				ctx := ctx
				if i == 0 {
					ctx = impatient
				}
				var release func()
				if galleries[i], release, errs[i] = s.Use(ctx, DefaultGallery); errs[i] == nil {
					release()
				}
			}()
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !errors.Is(errs[0], context.Canceled) || len(loaded(s)) > 0 {
			t.Errorf("gave up: %v; in memory: %q", errs[0], loaded(s))
		}
		close(goOn)
		synctest.Wait()
		for i, g := range galleries[1:] {
			if g == nil || g != galleries[1] || errs[i+1] != nil {
				t.Errorf("caller %d: %p, %v", i, g, errs[i+1])
			}
		}
		if loads.Load() != 1 {
			t.Errorf("loaded %d times", loads.Load())
		}
	})
}

// A load that fails is the error of those who wait for it; the next use tries again.
func TestFailedLoadIsTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var d disk
		s := openGalleries(t, d.open(), Options{}, 1)
		for _, want := range []error{ErrReadOnly, ErrUnavailable} {
			release := d.hold()
			errs := make([]error, 3)
			for i := range errs {
				go func() { _, _, errs[i] = s.Use(ctx, DefaultGallery) }()
			}
			synctest.Wait()
			d.after.Store(new(func() error { return want })) // the gallery cannot be made
			release()
			synctest.Wait()
			d.after.Store(nil)
			for _, err := range errs {
				if want == ErrReadOnly && !errors.Is(err, ErrReadOnly) || want != ErrReadOnly && err != nil {
					t.Errorf("%v, want %v", err, want)
				}
			}
			if want == ErrReadOnly && len(loaded(s)) > 0 {
				t.Errorf("in memory: %q", loaded(s))
			}
		}
		with(t, s, DefaultGallery, func(g *Gallery) { mustBeAsStored(t, g) })
	})
}

// A gallery whose making failed may have been made: asking again says so, and others
// can still be made.
func TestCreateFails(t *testing.T) {
	var d disk
	s := openGalleries(t, d.open(), Options{}, 0)
	fail := func(at *atomic.Pointer[func() error], with error, id string, want error) {
		t.Helper()
		at.Store(new(func() error { return with }))
		if err := s.Create(ctx, id); !errors.Is(err, want) || errors.Is(err, errDisk) {
			t.Errorf("create %q: %v, want %v", id, err, want)
		}
		at.Store(nil)
	}
	fail(&d.before, errDisk, "a", ErrUnavailable)
	mustCreate(t, s, "a")
	fail(&d.before, storage.ErrReadOnly, "b", ErrReadOnly)
	mustCreate(t, s, "b")
	fail(&d.after, errDisk, "c", ErrUnavailable)
	if err := s.Create(ctx, "c"); !errors.Is(err, ErrGalleryExists) {
		t.Errorf("made, though nobody was told: %v", err)
	}
	mustCreate(t, s, "d")
	if got := s.List(); !slices.Equal(got, []string{"a", "b", "c", "d", DefaultGallery}) {
		t.Errorf("%q", got)
	}
}

// Under a budget galleries leave memory when nobody uses them, that of the least
// recent use first, and come back with what they had.
func TestEviction(t *testing.T) { bubble(t, testEviction) }

func testEviction(t *testing.T) {
	store := storage.OpenMemory(storage.Faults{})
	ids := []string{"a", "b", "c"}
	all := openGalleries(t, store, Options{}, 0)
	mustCreate(t, all, ids...)
	var size int64
	for _, id := range ids {
		with(t, all, id, func(g *Gallery) {
			mustEnroll(t, g, Enrolment{CropID: id + "1", StudentID: id, Embedding: made(plain, base(plain, 0))})
			size = g.Stats().Bytes()
		})
	}
	if got := loaded(all); !slices.Equal(got, ids) {
		t.Errorf("without a budget: %q", got)
	}
	if err := all.Close(); err != nil {
		t.Fatal(err)
	}

	s := openGalleries(t, store, Options{}, 2*size+size/2) // two fit
	want := func(ids ...string) {
		t.Helper()
		synctest.Wait() // a load has a user of its own until it ends
		if got := loaded(s); !slices.Equal(got, ids) {
			t.Errorf("in memory: %q, want %q", got, ids)
		}
	}
	use := func(id string) {
		t.Helper()
		with(t, s, id, func(g *Gallery) {
			if _, err := g.Student(ctx, id); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		})
		synctest.Wait()
	}
	use("a")
	use("b")
	want("a", "b")
	use("c")
	want("b", "c")
	use("b")
	use("a")
	want("a", "b")

	// One that is in use stays, however long ago it was taken.
	a, release, err := s.Use(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	use("b")
	use("c")
	want("a", "c")
	b, releaseB, err := s.Use(ctx, "b")
	if err != nil {
		t.Fatal(err)
	}
	c, releaseC, err := s.Use(ctx, "c")
	if err != nil {
		t.Fatal(err)
	}
	want("a", "b", "c") // all in use: more than the budget
	for _, g := range []*Gallery{a, b, c} {
		if _, err := g.Settings(ctx); err != nil {
			t.Error(err)
		}
	}
	releaseC()
	want("a", "b")
	release()
	releaseB()
	want("a", "b")
	if _, err := c.Settings(ctx); !errors.Is(err, ErrClosed) {
		t.Errorf("used after it was given back: %v", err)
	}
}

// TestGalleriesConcurrently has many use few galleries, of which one fits into
// memory. Nothing that was acknowledged may be lost on the way.
func TestGalleriesConcurrently(t *testing.T) {
	for name, backend := range backends {
		t.Run(name, func(t *testing.T) {
			s := openGalleries(t, backend(t)(), Options{}, 1)
			ids := []string{"a", "b", "c"}
			mustCreate(t, s, ids...)
			var wg sync.WaitGroup
			var mu sync.Mutex
			enrolled := map[string][]string{}
			for w := range 6 {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(w), 1))
					for i := range 30 {
						id, crop := ids[rng.IntN(3)], fmt.Sprint(w, "-", i)
						with(t, s, id, func(g *Gallery) {
							_, err := g.Enroll(ctx, Enrolment{CropID: crop, StudentID: crop, Embedding: made(plain, face(rng, i, plain.Dimension, 1)), AllowDuplicate: true})
							if err != nil {
								t.Error(err)
							}
						})
						mu.Lock()
						enrolled[id] = append(enrolled[id], crop)
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			for _, id := range ids {
				with(t, s, id, func(g *Gallery) {
					for _, crop := range enrolled[id] {
						if _, err := g.Crop(ctx, crop); err != nil {
							t.Errorf("%s: %v", id, err)
						}
					}
					if got := g.Stats().Crops; got != len(enrolled[id]) {
						t.Errorf("%s: %d crops, want %d", id, got, len(enrolled[id]))
					}
					mustBeAsStored(t, g)
				})
			}
		})
	}
}

// Close lets nobody in, and waits for edits that are under way and for loads.
func TestGalleriesClose(t *testing.T) {
	for range 10 { // in whatever order it closes them
		bubble(t, testGalleriesClose)
	}
}

func testGalleriesClose(t *testing.T) {
	var d disk
	s := openGalleries(t, d.open(), Options{}, 0)
	mustCreate(t, s, "loading")
	g, release, err := s.Use(ctx, DefaultGallery)
	if err != nil {
		t.Fatal(err)
	}
	goOn := d.hold()
	var enrolled, used error
	go func() { enrolled = enrolling(g, "c", "s", plain, base(plain, 0))() }()
	go func() {
		var releaseOther func()
		if _, releaseOther, used = s.Use(ctx, "loading"); used == nil {
			releaseOther()
		}
	}()
	synctest.Wait()
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	synctest.Wait()
	select {
	case err := <-closed:
		t.Fatalf("closed beside an edit under way: %v", err)
	default:
	}
	for name, err := range map[string]error{
		"create": s.Create(ctx, "new"),
		"use":    func() error { _, _, err := s.Use(ctx, DefaultGallery); return err }(),
		"close":  s.Close(),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s while it closes: %v", name, err)
		}
	}
	goOn()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	synctest.Wait()
	if enrolled != nil || used != nil {
		t.Errorf("the edit under way: %v; the load: %v", enrolled, used)
	}
	if _, err := g.Settings(ctx); !errors.Is(err, ErrClosed) {
		t.Errorf("a gallery still held: %v", err)
	}
	release()
}

func TestOpenGalleriesRefusesBadOptions(t *testing.T) {
	store := storage.OpenMemory(storage.Faults{})
	defer store.Close()
	for name, opts := range map[string]Options{
		"no models": {},
		"settings":  {Models: everyModel, New: Settings{FPIR: 7}},
		"engine":    {Models: everyModel, Engine: "faster"},
	} {
		if _, err := OpenGalleries(ctx, store, opts, 0); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	own, err := store.Partition(storage.ServerPartition)
	if err != nil {
		t.Fatal(err)
	}
	if seq, err := own.Sequence(ctx); err != nil || seq != 0 {
		t.Errorf("something was stored: %d, %v", seq, err)
	}
}
