package gallery

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"rollcall/storage"
)

// exported returns the records of a gallery without what is of one gallery alone.
func exported(t *testing.T, g *Gallery) (records []Record, text []string) {
	t.Helper()
	for r, err := range g.Export(t.Context(), true) {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
		switch {
		case r.Student != nil:
			text = append(text, fmt.Sprintln("student", r.Student.ID, r.Student.Groups, r.Student.Consent, r.Student.DeleteAfter))
		case r.Crop != nil:
			text = append(text, fmt.Sprintln("crop", r.Crop.ID, r.Crop.StudentID, r.Crop.Corrected, r.Crop.Pictured))
			for _, e := range r.Crop.Embeddings {
				text = append(text, fmt.Sprintln("embedding", e.Model, e.Digest, e.Recipe, e.Quality, e.Vector))
			}
		}
	}
	return records, text
}

// TestImport exports random galleries and imports them, in parts and in part again, and until the
// disk is full: what goes out of the other gallery is what came in.
func TestImport(t *testing.T) {
	models := []Model{{Name: "a", Digest: "1", Dimension: 16, Threshold: .5}, {Name: "b", Digest: "2", Dimension: 8, Threshold: .5}}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 27))
			room := -1 // for so many more commits; less than 0: for all
			s := openGalleries(t, storage.OpenMemory(storage.Faults{BeforeCommit: func() error {
				if room == 0 {
					return storage.ErrReadOnly
				}
				room--
				return nil
			}}), Options{Models: catalogue(models...)}, 0)
			mustCreate(t, s, "from", "to")
			with(t, s, "from", func(g *Gallery) {
				for n := range 60 {
					m := models[rng.IntN(2)]
					e := Enrolment{CropID: fmt.Sprint("c", n/2), Embedding: made(m, unit(face(rng, rng.IntN(20), m.Dimension, .1))), AllowDuplicate: true, AllowUnlike: true}
					if person := rng.IntN(12); person > 0 {
						e.StudentID, e.Groups = fmt.Sprint("s", person), []string{fmt.Sprint("g", rng.IntN(3))}
					}
					mustEnroll(t, g, e)
				}
				for n := range 5 {
					if _, err := g.AssignCrop(t.Context(), fmt.Sprint("c", n), "s1"); err != nil {
						t.Fatal(err)
					}
				}
				for id, c := range map[string]Consent{"s2": {State: ConsentGiven, Date: "2026-09-01"}, "none": {State: ConsentRefused, Date: "2026-09-02"}} {
					if _, _, err := g.SetConsent(t.Context(), id, c); err != nil {
						t.Fatal(err)
					}
				}
				records, want := exported(t, g)
				with(t, s, "to", func(to *Gallery) {
					opts := ImportOptions{AllowDuplicate: true, AllowUnlike: true}
					take := func(part []Record) (stored int) {
						done, err := s.Import(t.Context(), to, "to", part, opts)
						if err = errors.Join(append(done.Errors, err)...); err != nil {
							t.Fatal(err)
						}
						return done.Stored
					}
					opts.DryRun = true
					take(records)
					if seq := sequence(t, to); seq != 1 {
						t.Errorf("a dry run made %d changes", seq-1)
					}
					opts.DryRun = false
					room = 1
					if done, err := s.Import(t.Context(), to, "to", records, opts); !errors.Is(err, ErrReadOnly) || done.Stored > 0 {
						t.Errorf("on a full disk: %+v, %v", done, err)
					}
					mustBeAsStored(t, to)
					room = -1
					cut := rng.IntN(len(records))
					take(records[:cut])
					take(records[cut/2:])
					_, got := exported(t, to)
					if !slices.Equal(got, want) {
						t.Errorf("it has\n%q\nand should have\n%q", got, want)
					}
					if again := take(records); again > 0 {
						t.Errorf("the second import stored %d records", again)
					}
					mustBeConsistent(t, to)
				})
			})
		})
	}
}

// TestImportRefuses what an enrolment would refuse, and what was erased here.
func TestImportRefuses(t *testing.T) {
	m := Model{Name: "a", Digest: "1", Dimension: 16, Threshold: .5, Calibration: []Calibration{{1, -1}, {1e-6, .5}}}
	store := storage.OpenMemory(storage.Faults{})
	list, err := store.Erasures(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	list.Note(list.Key.Student("default", "gone"), storage.Entry{Time: now})
	list.Note(list.Key.Crop("default", "gone crop"), storage.Entry{Time: now})
	list.Note(list.Key.Student("default", "zo\u00eb"), storage.Entry{Time: now})
	if _, err := store.Apply(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	s := openGalleries(t, store, Options{Models: catalogue(m)}, 0)
	rng := newRand(t, 27)
	crop := func(id, student string, change func(*CropRecord)) Record {
		c := &CropRecord{Embeddings: []EmbeddingRecord{{CropID: id, Model: "a", Digest: "1", Vector: unit(face(rng, rng.IntN(1e6), 16, 0))}}}
		c.ID, c.StudentID = id, student
		if change != nil {
			change(c)
		}
		return Record{Crop: c}
	}
	ann := crop("ann 1", "ann", nil)
	var duplicate *DuplicateError
	var digest *DigestError
	var unnoted *NoConsentError
	with(t, s, DefaultGallery, func(g *Gallery) {
		if _, _, err := g.SetConsent(t.Context(), "no", Consent{State: ConsentRefused}); err != nil {
			t.Fatal(err)
		}
		mustEnroll(t, g, Enrolment{CropID: "ann 1", StudentID: "ann", Embedding: Embedding{Model: "a", Digest: "1", Vector: ann.Crop.Embeddings[0].Vector}})
		for name, test := range map[string]struct {
			record Record
			is     func(error) bool
		}{
			"a duplicate":        {crop("x", "xen", func(c *CropRecord) { c.Embeddings[0].Vector = ann.Crop.Embeddings[0].Vector }), func(err error) bool { return errors.As(err, &duplicate) }},
			"marked corrected":   {crop("x", "xen", func(c *CropRecord) { c.Corrected, c.Embeddings[0].Vector = true, ann.Crop.Embeddings[0].Vector }), func(err error) bool { return errors.As(err, &duplicate) }},
			"another file":       {crop("x", "xen", func(c *CropRecord) { c.Embeddings[0].Digest = "2" }), func(err error) bool { return errors.As(err, &digest) }},
			"not of unit length": {crop("x", "xen", func(c *CropRecord) { c.Embeddings[0].Vector[0] += 1 }), func(err error) bool { return errors.Is(err, ErrInvalidVector) }},
			"too short":          {crop("x", "xen", func(c *CropRecord) { c.Embeddings[0].Vector = []float32{1} }), func(err error) bool { return errors.Is(err, ErrInvalidVector) }},
			"no vector":          {crop("x", "xen", func(c *CropRecord) { c.Embeddings = nil }), func(err error) bool { return errors.Is(err, ErrInvalidVector) }},
			"no consent":         {crop("x", "no", nil), func(err error) bool { return errors.As(err, &unnoted) }},
			"a bad id":           {crop("", "xen", nil), func(err error) bool { return errors.Is(err, ErrInvalidID) }},
			"an erased student":  {Record{Student: &StudentRecord{ID: "gone"}}, func(err error) bool { return errors.Is(err, ErrErased) }},
			"its crop":           {crop("x", "gone", nil), func(err error) bool { return errors.Is(err, ErrErased) }},
			"written otherwise":  {crop("x", "zoe\u0308", nil), func(err error) bool { return errors.Is(err, ErrErased) }},
			"an erased crop":     {crop("gone crop", "", nil), func(err error) bool { return errors.Is(err, ErrErased) }},
			"another model":      {Record{Model: &ModelRecord{Name: "a", Digest: "2", Dimension: 16}}, func(err error) bool { return errors.As(err, &digest) }},
		} {
			before := sequence(t, g)
			done, err := s.Import(t.Context(), g, DefaultGallery, []Record{test.record}, ImportOptions{})
			if err != nil || !test.is(done.Errors[0]) || sequence(t, g) != before {
				t.Errorf("%s: %v, %v, changes %d and %d", name, done.Errors, err, before, sequence(t, g))
			}
		}
		later := Record{Student: &StudentRecord{ID: "gone", Created: now.Add(time.Hour)}}
		if done, err := s.Import(t.Context(), g, DefaultGallery, []Record{later}, ImportOptions{}); err != nil || done.Stored != 1 {
			t.Errorf("who came after the erasure: %+v, %v", done, err)
		}
	})
}

// TestImportOfOtherConsent: a refusal here stays, one in the file counts unless the student has
// consented here on a later day, and a consent in the file counts where none is noted.
func TestImportOfOtherConsent(t *testing.T) {
	states := []ConsentState{"", ConsentGiven, ConsentRefused, ConsentWithdrawn}
	days := []Date{"2026-09-01", "2026-09-02", "2026-09-03"}
	for _, here := range states {
		for _, there := range states {
			for _, day := range days {
				s := openGalleries(t, storage.OpenMemory(storage.Faults{}), Options{}, 0)
				with(t, s, DefaultGallery, func(g *Gallery) {
					if here != "" {
						if _, _, err := g.SetConsent(ctx, "ann", Consent{State: here, Date: days[1]}); err != nil {
							t.Fatal(err)
						}
					}
					enrols := func() error {
						_, err := g.Enroll(ctx, Enrolment{CropID: "c", StudentID: "ann", Embedding: made(plain, base(plain, 0))})
						return err
					}
					before := enrols()
					record := Record{Student: &StudentRecord{ID: "ann", Created: time.Now(), Consent: Consent{State: there}}}
					if there != "" {
						record.Student.Consent.Date = day
					}
					done, err := s.Import(ctx, g, DefaultGallery, []Record{record}, ImportOptions{})
					if err != nil || done.Errors[0] != nil {
						t.Fatal(err, done.Errors)
					}
					want := here
					switch {
					case here == "", here == ConsentGiven && there != "" && there != ConsentGiven && day >= days[1]:
						want = there
					}
					no := want == ConsentRefused || want == ConsentWithdrawn
					st, err := g.Student(ctx, "ann")
					if err != nil || st.Consent.State != want || (st.CropCount == 0) != no || done.Erased != (no && before == nil) {
						t.Errorf("%q here, %q on %s in the file: %+v, %+v (%v), want %q", here, there, day, st, done, err, want)
					}
					if err := enrols(); (err != nil) != no {
						t.Errorf("%q here, %q on %s in the file: enrolled again: %v", here, there, day, err)
					}
					mustBeConsistent(t, g)
				})
			}
		}
	}
}

// TestImportOfRefusal: who refuses in an import is erased as by SetConsent: noted in the list, in
// the log, and with a record that stays.
func TestImportOfRefusal(t *testing.T) {
	m := Model{Name: "a", Digest: "1", Dimension: 16, Threshold: .5}
	store := storage.OpenMemory(storage.Faults{})
	s := openGalleries(t, store, Options{Models: catalogue(m)}, 0)
	rng := newRand(t, 27)
	with(t, s, DefaultGallery, func(g *Gallery) {
		vector := unit(face(rng, 1, 16, 0))
		mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "ann", Groups: []string{"1a"}, Embedding: Embedding{Model: "a", Digest: "1", Vector: vector}})
		refusal := []Record{{Student: &StudentRecord{ID: "ann", Created: time.Now(), Consent: Consent{State: ConsentRefused, Date: "2026-09-01"}}}}
		for _, dry := range []bool{true, false} {
			done, err := s.Import(t.Context(), g, DefaultGallery, refusal, ImportOptions{DryRun: dry})
			if err != nil || done.Errors[0] != nil || done.Stored != 1 || done.Erased == dry {
				t.Fatalf("dry run %v: %+v, %v", dry, done, err)
			}
		}
		st, err := g.Student(t.Context(), "ann")
		if err != nil || len(st.Crops) > 0 || len(st.Groups) > 0 || st.Consent.State != ConsentRefused {
			t.Errorf("%+v, %v", st, err)
		}
		p, err := store.Partition(DefaultGallery)
		if err != nil {
			t.Fatal(err)
		}
		erasures, err := p.Erasures(t.Context())
		if err != nil || !slices.ContainsFunc(erasures, func(e Erasure) bool {
			return e.Open && e.ErasedCrops == 1 && slices.Equal(e.Students, []string{"ann"}) && slices.Equal(e.Crops, []string{"c"})
		}) {
			t.Errorf("erasures %+v, %v", erasures, err)
		}
		list, err := store.Erasures(t.Context())
		if err != nil || !list.Crop(DefaultGallery, "c", time.Time{}) || list.Student(DefaultGallery, "ann", st.Created) {
			t.Errorf("the list of erasures: %+v, %v", list, err)
		}
		if done, err := s.Import(t.Context(), g, DefaultGallery, refusal, ImportOptions{}); err != nil || done.Erased {
			t.Errorf("again: %+v, %v", done, err)
		}
	})
}
