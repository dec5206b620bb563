package gallery

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"rollcall/index"
	"rollcall/storage"
)

// planted returns a gallery with three students of two crops each, a crop of
// nobody, and groups.
func planted(t *testing.T) *Gallery {
	g := openGallery(t, Options{})
	n := 0
	for _, st := range []string{"a", "b", "c"} {
		for _, crop := range []string{"1", "2"} {
			for _, m := range []Model{plain, small} {
				mustEnroll(t, g, Enrolment{CropID: st + crop, StudentID: st, Groups: []string{"g", "g" + st}, Model: m,
					Vector: base(m, n), AllowDuplicate: true})
			}
			n++
		}
	}
	mustEnroll(t, g, Enrolment{CropID: "loose", Model: plain, Vector: base(plain, 9)})
	mustBeConsistent(t, g)
	return g
}

// store applies a change behind the gallery's back.
func store(t *testing.T, g *Gallery, build func(c *storage.Change)) {
	t.Helper()
	var c storage.Change
	build(&c)
	commit, err := g.store.Apply(&c)
	if err != nil {
		t.Fatal(err)
	}
	if err := commit.Wait(); err != nil {
		t.Fatal(err)
	}
	g.state.seq = commit.Seq
}

func TestConsistencyFindsDifferences(t *testing.T) {
	placeOf := func(g *Gallery, crop, model string) place {
		for _, p := range g.state.crops[crop].places {
			if p.space.model.Name == model {
				return p
			}
		}
		t.Fatalf("no place of %q", crop)
		return place{}
	}
	for _, tc := range []struct {
		name  string
		plant func(g *Gallery)
		want  []Difference
	}{
		{"vector gone from the index", func(g *Gallery) {
			p := placeOf(g, "a1", "plain")
			p.space.engine.Delete(p.id)
		}, []Difference{{diffMissingVector, "plain", "a1", "a"}}},
		{"one bit of a vector", func(g *Gallery) {
			p := placeOf(g, "b2", "small")
			for id, v := range p.space.engine.Vectors() {
				if id == p.id {
					v[7] = 1e-30
					if err := p.space.engine.Upsert(id, v); err != nil {
						t.Fatal(err)
					}
				}
			}
		}, []Difference{{diffVector, "small", "b2", "b"}}},
		{"sign of a zero", func(g *Gallery) {
			e, err := g.store.Embedding("c1", "plain")
			if err != nil {
				t.Fatal(err)
			}
			i := slices.Index(e.Vector, 0)
			e.Vector[i] = -e.Vector[i]
			store(t, g, func(c *storage.Change) { c.PutEmbedding(e) })
		}, []Difference{{diffVector, "plain", "c1", "c"}}},
		{"nobody's vector in the index", func(g *Gallery) {
			if err := g.state.spaces["plain"].engine.Upsert(77, base(plain, 3)); err != nil {
				t.Fatal(err)
			}
		}, []Difference{{diffUnownedVector, "plain", "", ""}}},
		{"two crops exchanged", func(g *Gallery) {
			p, q := placeOf(g, "a1", "plain"), placeOf(g, "b1", "plain")
			a, b := g.state.crops["a1"], g.state.crops["b1"]
			p.space.own(p.id, b)
			p.space.own(q.id, a)
		}, []Difference{{diffVector, "plain", "a1", "a"}, {diffVector, "plain", "b1", "b"}}},
		{"crop under another student in memory", func(g *Gallery) { g.state.enrol("a1", "b") },
			[]Difference{{diffCropStudent, "plain", "a1", "a"}, {diffCropStudent, "small", "a1", "a"}}},
		{"crop gone from memory", func(g *Gallery) {
			for _, p := range g.state.withdraw("a2") {
				p.leave()
			}
		}, []Difference{{diffMissingVector, "plain", "a2", "a"}, {diffMissingVector, "small", "a2", "a"}}},
		{"crop gone from disk", func(g *Gallery) {
			store(t, g, func(c *storage.Change) { c.DeleteCrop("c2") })
		}, []Difference{{diffCropCount, "", "", ""}, {diffExtraVector, "plain", "c2", "c"}, {diffExtraVector, "small", "c2", "c"}}},
		{"embedding gone from disk", func(g *Gallery) {
			store(t, g, func(c *storage.Change) { c.DeleteEmbedding("c2", "small") })
		}, []Difference{{diffExtraVector, "small", "c2", "c"}}},
		{"crop nobody's on disk", func(g *Gallery) {
			store(t, g, func(c *storage.Change) { c.PutCrop(storage.Crop{ID: "c2"}) })
		}, []Difference{{diffExtraVector, "plain", "c2", "c"}, {diffExtraVector, "small", "c2", "c"}}},
		{"groups on disk", func(g *Gallery) {
			store(t, g, func(c *storage.Change) { c.PutStudent(storage.Student{ID: "a", Groups: []string{"g"}}) })
		}, []Difference{{diffGroups, "", "", "a"}}},
		{"group index in memory", func(g *Gallery) { delete(g.state.groups["g"], g.state.students["b"]) },
			[]Difference{{diffGroups, "", "", "b"}}},
		{"student only on disk", func(g *Gallery) {
			store(t, g, func(c *storage.Change) { c.PutStudent(storage.Student{ID: "new"}) })
		}, []Difference{{diffMissingStudent, "", "", "new"}}},
		{"student only in memory", func(g *Gallery) { g.state.putStudent(storage.Student{ID: "ghost"}) },
			[]Difference{{diffExtraStudent, "", "", "ghost"}}},
		{"crop without a student record", func(g *Gallery) {
			store(t, g, func(c *storage.Change) { c.DeleteStudent("c") })
			g.state.leaveGroups(g.state.students["c"])
			delete(g.state.students, "c")
		}, []Difference{{diffNoStudentRecord, "", "c1", "c"}, {diffNoStudentRecord, "", "c2", "c"}}},
		{"embedding without a crop record", func(g *Gallery) {
			store(t, g, func(c *storage.Change) {
				c.PutEmbedding(storage.Embedding{CropID: "void", Model: "plain", Digest: plain.Digest, Vector: base(plain, 1)})
			})
		}, []Difference{{diffNoCropRecord, "plain", "void", ""}}},
		{"embedding of another file", func(g *Gallery) {
			store(t, g, func(c *storage.Change) {
				c.PutEmbedding(storage.Embedding{CropID: "loose", Model: "plain", Digest: "other", Vector: base(plain, 9)})
			})
		}, []Difference{{diffEmbeddingOfOthers, "plain", "loose", ""}}},
		{"embedding under an unknown model", func(g *Gallery) {
			store(t, g, func(c *storage.Change) {
				c.PutEmbedding(storage.Embedding{CropID: "a1", Model: "mystery", Digest: "x", Vector: []float32{1}})
			})
		}, []Difference{{diffNoModelRecord, "mystery", "a1", ""}}},
		{"model record changed", func(g *Gallery) {
			store(t, g, func(c *storage.Change) {
				c.PutModel(storage.Model{Name: "plain", Digest: "other", Dimension: plain.Dimension})
			})
		}, []Difference{{diffModel, "plain", "", ""}}},
		{"model record gone", func(g *Gallery) {
			store(t, g, func(c *storage.Change) { c.DeleteModel("plain") })
		}, []Difference{{diffNoModelRecord, "", "", ""}}},
		{"somebody else writes", func(g *Gallery) {
			seq := g.state.seq
			store(t, g, func(c *storage.Change) { c.PutStudent(storage.Student{ID: "new"}) })
			g.state.seq = seq
		}, []Difference{{diffMissingStudent, "", "", "new"}, {diffSequence, "", "", ""}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := planted(t)
			tc.plant(g)
			r, err := g.CheckConsistency(ctx)
			if err != nil {
				t.Fatal(err)
			}
			sortDifferences(r.Differences)
			sortDifferences(tc.want)
			if !slices.Equal(r.Differences, tc.want) || r.Total != len(tc.want) {
				t.Errorf("found %v, want %v", r.Differences, tc.want)
			}
		})
	}
}

func sortDifferences(d []Difference) {
	slices.SortFunc(d, func(a, b Difference) int {
		return slices.Compare([]string{a.Kind, a.Model, a.CropID, a.StudentID}, []string{b.Kind, b.Model, b.CropID, b.StudentID})
	})
}

func TestReportCounts(t *testing.T) {
	g := planted(t)
	r, err := g.CheckConsistency(ctx)
	if err != nil || r.Stored != 12 || r.Indexed != 12 || r.Sequence != 13 || r.Differences != nil {
		t.Errorf("%+v, %v", r, err)
	}
	for i := range MaxDifferences + 5 {
		if err := g.state.spaces["plain"].engine.Upsert(index.ID(100+i), base(plain, 0)); err != nil {
			t.Fatal(err)
		}
	}
	r, err = g.CheckConsistency(ctx)
	if err != nil || r.Total != MaxDifferences+5 || len(r.Differences) != MaxDifferences {
		t.Errorf("%d differences, %d listed, %v", r.Total, len(r.Differences), err)
	}
}

// A bad record is left out at Open, logged, and named by the check.
func TestOpenLeavesBadRecordsOut(t *testing.T) {
	g := planted(t)
	store(t, g, func(c *storage.Change) {
		c.DeleteStudent("c")
		c.PutEmbedding(storage.Embedding{CropID: "a1", Model: "plain", Digest: "other", Vector: base(plain, 1)})
		c.PutEmbedding(storage.Embedding{CropID: "b1", Model: "plain", Digest: plain.Digest, Vector: []float32{0.5}})
		c.PutEmbedding(storage.Embedding{CropID: "b1", Model: "mystery", Digest: "x", Vector: []float32{1}})
	})
	fresh, err := Open(ctx, g.store, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := fresh.CheckConsistency(ctx)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, d := range r.Differences {
		kinds[d.Kind]++
	}
	want := map[string]int{diffNoStudentRecord: 2, diffEmbeddingOfOthers: 1, diffMissingVector: 1 + 4, diffNoModelRecord: 1}
	if fmt.Sprint(kinds) != fmt.Sprint(want) {
		t.Errorf("found %v, want %v", kinds, want)
	}
	got, err := fresh.Identify(ctx, Probe{Vector: base(plain, 1), Model: plain})
	if err != nil || got.StudentID != "a" {
		t.Errorf("the rest: %+v, %v", got, err)
	}
	var digest *DigestError
	_, err = fresh.IdentifyCrop(ctx, "a1", Probe{Model: plain})
	if !errors.As(err, &digest) || digest.Have != "other" {
		t.Errorf("a stored probe of another file: %v", err)
	}
}
