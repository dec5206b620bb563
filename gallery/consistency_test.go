package gallery

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

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
				mustEnroll(t, g, Enrolment{CropID: st + crop, StudentID: st, Groups: []string{"g", "g" + st}, Embedding: made(m, base(m, n)), AllowDuplicate: true})
			}
			n++
		}
	}
	mustEnroll(t, g, Enrolment{CropID: "loose", Embedding: made(plain, base(plain, 9))})
	mustBeConsistent(t, g)
	return g
}

// store commits records behind the gallery's back, which gets the new number.
func store(t *testing.T, g *Gallery, writes ...storage.Write) {
	t.Helper()
	n := sequence(t, g)
	if err := g.writer.partition.Commit(ctx, n, []storage.Change{{Time: time.Now(), Cause: "test", Writes: writes}}); err != nil {
		t.Fatal(err)
	}
	g.writer.memory.Load().seq = n + 1
}

func put(r storage.Record) storage.Write { return storage.Write{Ref: r.Ref(), Put: r} }

func gone(ref storage.Ref) storage.Write { return storage.Write{Ref: ref} }

func TestConsistencyFindsDifferences(t *testing.T) {
	placeOf := func(m *memory, crop, model string) *place {
		if p := m.crops[crop].place(m.spaces[model]); p != nil {
			return p
		}
		t.Fatalf("no place of %q", crop)
		return nil
	}
	replace := func(sp *space, id index.ID, v []float32) {
		if !sp.engine.Delete(id) {
			t.Fatal("nothing to replace")
		}
		if err := sp.engine.Add([]index.ID{id}, [][]float32{v}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name  string
		plant func(t *testing.T, g *Gallery, m *memory)
		want  []Difference
	}{
		{"vector gone from the index", func(_ *testing.T, _ *Gallery, m *memory) {
			p := placeOf(m, "a1", "plain")
			p.space.engine.Delete(p.id)
		}, []Difference{{diffMissingVector, "plain", "a1", "a"}}},
		{"one bit of a vector", func(_ *testing.T, _ *Gallery, m *memory) {
			p := placeOf(m, "b2", "small")
			v := make([]float32, small.Dimension)
			p.space.engine.Vector(p.id, v)
			v[7] = 1e-30
			replace(p.space, p.id, v)
		}, []Difference{{diffVector, "small", "b2", "b"}}},
		{"sign of a zero", func(t *testing.T, g *Gallery, _ *memory) {
			records, err := g.writer.partition.Fetch(ctx, embeddingRef("c1", "plain"))
			if err != nil {
				t.Fatal(err)
			}
			e := records[0].(storage.Embedding)
			i := slices.Index(e.Vector, 0)
			e.Vector[i] = -e.Vector[i]
			store(t, g, put(e))
		}, []Difference{{diffVector, "plain", "c1", "c"}}},
		{"nobody's vector in the index", func(t *testing.T, _ *Gallery, m *memory) {
			if err := m.spaces["plain"].engine.Add([]index.ID{77}, [][]float32{base(plain, 3)}); err != nil {
				t.Fatal(err)
			}
		}, []Difference{{diffUnownedVector, "plain", "", ""}}},
		{"two crops exchanged", func(_ *testing.T, _ *Gallery, m *memory) {
			p, q := placeOf(m, "a1", "plain"), placeOf(m, "b1", "plain")
			p.id, q.id = q.id, p.id
			p.space.owners[p.id], q.space.owners[q.id] = m.crops["a1"], m.crops["b1"]
			for _, st := range []string{"a", "b"} { // so that the groups still agree
				v := m.groups["g"+st].vectorsIn(p.space)
				for id := range p.space.owners {
					v.ids.Remove(index.ID(id))
				}
				for place := range m.students[st].places() {
					if place.space == p.space {
						v.ids.Add(place.id)
					}
				}
			}
		}, []Difference{{diffVector, "plain", "a1", "a"}, {diffVector, "plain", "b1", "b"}}},
		{"crop under another student in memory", func(_ *testing.T, _ *Gallery, m *memory) {
			m.crops["a1"].enrol(m.students["b"])
		}, []Difference{{diffOwner, "", "a1", "a"}}},
		{"crop gone from memory", func(_ *testing.T, _ *Gallery, m *memory) {
			m.dropCrop("a2")
			for _, sp := range m.spaces {
				sp.release()
			}
		}, []Difference{{"crop" + diffMissing, "", "a2", ""}, {diffNoCropRecord, "plain", "a2", ""}, {diffNoCropRecord, "small", "a2", ""}}},
		{"embedding gone from memory", func(_ *testing.T, _ *Gallery, m *memory) {
			m.crops["a2"].forget(m.spaces["plain"])
			m.spaces["plain"].release()
		}, []Difference{{diffMissingVector, "plain", "a2", "a"}}},
		{"correction in memory", func(_ *testing.T, _ *Gallery, m *memory) { m.crops["a2"].Corrected = true },
			[]Difference{{"crop" + diffOther, "", "a2", "a"}}},
		{"crop gone from disk", func(t *testing.T, g *Gallery, _ *memory) {
			store(t, g, gone(cropRef("c2")))
		}, []Difference{{"crop" + diffExtra, "", "c2", "c"}}},
		{"crop gone from disk, with its embeddings", func(t *testing.T, g *Gallery, _ *memory) {
			store(t, g, gone(cropRef("c2")), gone(embeddingRef("c2", "plain")), gone(embeddingRef("c2", "small")))
		}, []Difference{{"crop" + diffExtra, "", "c2", "c"}, {diffExtraVector, "plain", "c2", "c"}, {diffExtraVector, "small", "c2", "c"}}},
		{"embedding gone from disk", func(t *testing.T, g *Gallery, _ *memory) {
			store(t, g, gone(embeddingRef("c2", "small")))
		}, []Difference{{diffExtraVector, "small", "c2", "c"}}},
		{"crop nobody's on disk", func(t *testing.T, g *Gallery, _ *memory) {
			store(t, g, put(storage.Crop{ID: "c2"}))
		}, []Difference{{"crop" + diffOther, "", "c2", "c"}}},
		{"nobody's crop searched", func(_ *testing.T, _ *Gallery, m *memory) {
			m.crops["loose"].embeddings[0].indexed = true
		}, []Difference{{diffExtraVector, "plain", "loose", ""}}},
		{"groups on disk", func(t *testing.T, g *Gallery, _ *memory) {
			store(t, g, put(storage.Student{ID: "a", Groups: []string{"g"}}))
		}, []Difference{{"student" + diffOther, "", "", "a"}}},
		{"member lost in memory", func(_ *testing.T, _ *Gallery, m *memory) {
			m.groups["g"].members = removeStudent(m.groups["g"].members, m.students["b"])
		}, []Difference{{diffGroups, "", "", "b"}}},
		{"a group's vector lost in memory", func(_ *testing.T, _ *Gallery, m *memory) {
			p := placeOf(m, "b1", "plain")
			m.groups["g"].vectors[p.space].ids.Remove(p.id)
		}, []Difference{{diffGroups, "", "", "b"}}},
		{"settings in memory", func(_ *testing.T, _ *Gallery, m *memory) { m.settings.Margin = 0.5 },
			[]Difference{{"settings" + diffOther, "", "", ""}}},
		{"student only on disk", func(t *testing.T, g *Gallery, _ *memory) {
			store(t, g, put(storage.Student{ID: "new"}))
		}, []Difference{{"student" + diffMissing, "", "", "new"}}},
		{"student only in memory", func(_ *testing.T, _ *Gallery, m *memory) { m.putStudent(storage.Student{ID: "ghost"}) },
			[]Difference{{"student" + diffExtra, "", "", "ghost"}}},
		{"crop without a student record", func(t *testing.T, g *Gallery, m *memory) {
			store(t, g, gone(studentRef("c")))
			delete(m.students, "c")
			m.byID = m.byID[:2]
		}, []Difference{{diffNoStudentRecord, "", "c1", "c"}, {diffNoStudentRecord, "", "c2", "c"}}},
		{"embedding without a crop record", func(t *testing.T, g *Gallery, _ *memory) {
			store(t, g, put(storage.Embedding{CropID: "void", Model: "plain", Digest: plain.Digest, Vector: base(plain, 1)}))
		}, []Difference{{diffNoCropRecord, "plain", "void", ""}}},
		{"embedding of another file", func(t *testing.T, g *Gallery, _ *memory) {
			store(t, g, put(storage.Embedding{CropID: "loose", Model: "plain", Digest: "other", Vector: base(plain, 9)}))
		}, []Difference{{diffEmbeddingOfOthers, "plain", "loose", ""}}},
		{"embedding under an unknown model", func(t *testing.T, g *Gallery, _ *memory) {
			store(t, g, put(storage.Embedding{CropID: "a1", Model: "mystery", Digest: "x", Vector: []float32{1}}))
		}, []Difference{{diffNoModelRecord, "mystery", "a1", "a"}}},
		{"model record changed", func(t *testing.T, g *Gallery, _ *memory) {
			store(t, g, put(storage.Model{Name: "plain", Digest: "other", Dimension: plain.Dimension}))
		}, []Difference{{"model" + diffOther, "plain", "", ""}}},
		{"model record gone", func(t *testing.T, g *Gallery, _ *memory) {
			store(t, g, gone(modelRef("plain")))
		}, []Difference{{"model" + diffExtra, "plain", "", ""}}},
		{"settings gone", func(t *testing.T, g *Gallery, _ *memory) {
			store(t, g, gone(settingsRef))
		}, []Difference{{"settings" + diffExtra, "", "", ""}}},
		{"somebody else writes", func(t *testing.T, g *Gallery, m *memory) {
			seq := m.seq
			store(t, g, put(storage.Student{ID: "new"}))
			m.seq = seq
		}, []Difference{{"student" + diffMissing, "", "", "new"}, {diffSequence, "", "", ""}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := planted(t)
			tc.plant(t, g, g.writer.memory.Load())
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
	if err != nil || r.Stored != 12 || r.Indexed != 12 || r.Sequence != 14 || r.Differences != nil {
		t.Errorf("%+v, %v", r, err)
	}
	for i := range MaxDifferences + 5 {
		if err := g.writer.memory.Load().spaces["plain"].engine.Add([]index.ID{index.ID(100 + i)}, [][]float32{base(plain, 0)}); err != nil {
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
	store(t, g, gone(studentRef("c")),
		put(storage.Embedding{CropID: "a1", Model: "plain", Digest: "other", Vector: base(plain, 1)}),
		put(storage.Embedding{CropID: "b1", Model: "plain", Digest: plain.Digest, Vector: []float32{0.5}}),
		put(storage.Embedding{CropID: "b1", Model: "mystery", Digest: "x", Vector: []float32{1}}))
	fresh, err := Open(ctx, g.writer.partition, Options{Models: everyModel})
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	r, err := fresh.CheckConsistency(ctx)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, d := range r.Differences {
		kinds[d.Kind]++
	}
	want := map[string]int{diffNoStudentRecord: 2, diffEmbeddingOfOthers: 1, diffMissingVector: 1, diffNoModelRecord: 1}
	if fmt.Sprint(kinds) != fmt.Sprint(want) {
		t.Errorf("found %v, want %v", kinds, want)
	}
	got, err := fresh.Identify(ctx, Probe{Embedding: made(plain, base(plain, 1))})
	if err != nil || got.StudentID != "a" {
		t.Errorf("the rest: %+v, %v", got, err)
	}
	var digest *DigestError
	_, err = fresh.IdentifyCrop(ctx, "a1", under(plain))
	if !errors.As(err, &digest) || digest.Want != "other" {
		t.Errorf("a stored probe of another file: %v", err)
	}
}
