package storage

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// oracle is what a store must hold, in plain maps. A record of it is as the
// store returns it.
type oracle struct {
	students   map[string]Student
	crops      map[string]Crop
	embeddings map[[2]string]Embedding
	models     map[string]Model
	seq        uint64
	logged     map[uint64]map[string]bool // crops touched, by sequence number
}

func newOracle() *oracle {
	return &oracle{map[string]Student{}, map[string]Crop{}, map[[2]string]Embedding{}, map[string]Model{}, 0, map[uint64]map[string]bool{}}
}

func (o *oracle) clone() *oracle {
	return &oracle{maps.Clone(o.students), maps.Clone(o.crops), maps.Clone(o.embeddings), maps.Clone(o.models), o.seq, maps.Clone(o.logged)}
}

func (o *oracle) trim(before uint64) {
	maps.DeleteFunc(o.logged, func(seq uint64, _ map[string]bool) bool { return seq < before })
}

func (o *oracle) deleteCrop(id string) {
	delete(o.crops, id)
	maps.DeleteFunc(o.embeddings, func(k [2]string, _ Embedding) bool { return k[0] == id })
}

// ids that are easy to confuse: prefixes of one another, and every special byte.
var trickyIDs = []string{
	"a", "aa", "ab", "b", "a\x00", "a\x00\x01", "a\x00\xff", "a\x01", "a\xff", "\x00", "\x00\x00", "\x00\x01",
	"\x00\xff", "\x01", "\xff", "\xff\xff", "\xff\x00", "é", "student/7", "student/71",
}

func pick(rng *rand.Rand, ids []string) string { return ids[rng.IntN(len(ids))] }

func randomTime(rng *rand.Rand) time.Time {
	return time.Unix(rng.Int64N(4e9)-1e9, rng.Int64N(1e9)).UTC()
}

func randomVector(rng *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// step adds one random put or delete to c, and does the same to o, whose seq
// is already that of the change.
func (o *oracle) step(rng *rand.Rand, c *Change) {
	id, model := pick(rng, trickyIDs), pick(rng, []string{"sface", "sf", "arcface", "\x00m"})
	switch rng.IntN(10) {
	case 0:
		s := Student{ID: id, Created: randomTime(rng), Updated: randomTime(rng)}
		for range rng.IntN(4) {
			s.Groups = append(s.Groups, pick(rng, []string{"1a", "1b", "2a", "chess"}))
		}
		c.PutStudent(s)
		s.Groups = slices.Compact(slices.Sorted(slices.Values(s.Groups)))
		o.students[id] = s
	case 1:
		c.DeleteStudent(id)
		delete(o.students, id)
	case 2, 3, 4:
		crop := Crop{ID: id, Corrected: rng.IntN(2) == 0, Created: randomTime(rng), Updated: randomTime(rng)}
		if rng.IntN(4) > 0 {
			crop.StudentID = pick(rng, trickyIDs)
		}
		c.PutCrop(crop)
		o.logged[o.seq][id] = true
		o.crops[id] = crop
	case 5:
		c.DeleteCrop(id)
		o.logged[o.seq][id] = true
		o.deleteCrop(id)
	case 6, 7:
		e := Embedding{
			CropID: id, Model: model, Digest: fmt.Sprintf("%064x", rng.Uint64()),
			Vector:  randomVector(rng, 1+rng.IntN(64)),
			Quality: Quality{rng.Float32(), rng.Float32(), rng.Float32(), rng.Float32(), rng.IntN(5000), rng.IntN(5000)},
			Created: randomTime(rng), Seq: rng.Uint64(),
		}
		c.PutEmbedding(e)
		o.logged[o.seq][id] = true
		e.Seq = o.seq
		o.embeddings[[2]string{id, model}] = e
	case 8:
		c.DeleteEmbedding(id, model)
		o.logged[o.seq][id] = true
		delete(o.embeddings, [2]string{id, model})
	case 9:
		m := Model{Name: model, Digest: fmt.Sprintf("%064x", rng.Uint64()), Dimension: 1 + rng.IntN(512), Created: randomTime(rng)}
		if rng.IntN(3) == 0 {
			c.DeleteModel(model)
			delete(o.models, model)
			return
		}
		c.PutModel(m)
		o.models[model] = m
	}
}

// change makes a random change of up to 8 steps and carries it out on o.
func (o *oracle) change(rng *rand.Rand) *Change {
	c := new(Change)
	o.seq++
	o.logged[o.seq] = map[string]bool{}
	for range rng.IntN(9) {
		o.step(rng, c)
	}
	return c
}

// compare fails the test unless the store holds exactly what o does, by every
// way of reading.
func (o *oracle) compare(t *testing.T, s *Store) {
	t.Helper()
	if got := s.Sequence(); got != o.seq {
		t.Errorf("Sequence() = %d, want %d", got, o.seq)
	}
	equal(t, "Students", collect(t, s.Students("")), sorted(o.students))
	equal(t, "Crops", collect(t, s.Crops("")), sorted(o.crops))
	equal(t, "Models", collect(t, s.Models()), sorted(o.models))
	var embeddings []Embedding
	for _, k := range slices.SortedFunc(maps.Keys(o.embeddings), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		embeddings = append(embeddings, o.embeddings[k])
	}
	equal(t, "Embeddings", collect(t, s.Embeddings()), embeddings)
	for _, id := range trickyIDs {
		o.compareID(t, s, id, embeddings)
	}
	o.compareLog(t, s)
}

// compareLog reads the log of changes from every number on.
func (o *oracle) compareLog(t *testing.T, s *Store) {
	t.Helper()
	for from := uint64(0); from <= o.seq+1; from++ {
		if o.logged[from] == nil {
			wantError(t, fmt.Sprintf("LoggedChanges(%d)", from), only(s.LoggedChanges(from)), ErrNotFound)
			continue
		}
		next := from
		for _, c := range collect(t, s.LoggedChanges(from)) {
			crops := map[string]bool{}
			for _, id := range c.Crops {
				if crops[id] {
					t.Errorf("change %d names %q twice", c.Seq, id)
				}
				crops[id] = true
			}
			if c.Seq != next {
				t.Fatalf("change %d is logged where %d was to be", c.Seq, next)
			}
			equal(t, fmt.Sprintf("crops of change %d", c.Seq), crops, o.logged[c.Seq])
			next++
		}
		if next != o.seq+1 {
			t.Errorf("LoggedChanges(%d) ends before %d, want %d", from, next, o.seq+1)
		}
	}
}

// compareID compares what is read by one id.
func (o *oracle) compareID(t *testing.T, s *Store, id string, embeddings []Embedding) {
	t.Helper()
	student, found := o.students[id]
	got, err := s.Student(id)
	equalRecord(t, "Student", id, got, err, student, found)
	crop, found := o.crops[id]
	gotCrop, err := s.Crop(id)
	equalRecord(t, "Crop", id, gotCrop, err, crop, found)

	var crops []string
	for _, c := range sorted(o.crops) {
		if c.StudentID == id {
			crops = append(crops, c.ID)
		}
	}
	equal(t, fmt.Sprintf("CropsOf(%q)", id), collect(t, s.CropsOf(id)), crops)

	var of []Embedding
	for _, e := range embeddings {
		if e.CropID == id {
			of = append(of, e)
			one, err := s.Embedding(id, e.Model)
			equalRecord(t, "Embedding", id, one, err, e, true)
		}
	}
	equal(t, fmt.Sprintf("EmbeddingsOf(%q)", id), collect(t, s.EmbeddingsOf(id)), of)

	var after []Student
	for _, student := range sorted(o.students) {
		if student.ID > id {
			after = append(after, student)
		}
	}
	equal(t, fmt.Sprintf("Students(%q)", id), collect(t, s.Students(id)), after)
}

func sorted[T any](m map[string]T) []T {
	var records []T
	for _, id := range slices.SortedFunc(maps.Keys(m), cmp.Compare[string]) {
		records = append(records, m[id])
	}
	return records
}

func collect[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var all []T
	for record, err := range seq {
		if err != nil {
			t.Fatalf("iterating: %v", err)
		}
		all = append(all, record)
	}
	return all
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func equalRecord(t *testing.T, what, id string, got any, err error, want any, found bool) {
	t.Helper()
	if found && err != nil {
		t.Errorf("%s(%q): %v", what, id, err)
	}
	if !found {
		wantError(t, fmt.Sprintf("%s(%q)", what, id), err, ErrNotFound)
	}
	equal(t, fmt.Sprintf("%s(%q)", what, id), got, want)
}

// openMem opens the folder "gallery" of an in-memory file system.
func openMem(t testing.TB, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open("gallery", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// closeAtEnd closes s when the test ends, unless the test did.
func closeAtEnd(t testing.TB, s *Store) *Store {
	t.Cleanup(func() {
		if err := s.Close(); err != nil && err != ErrClosed {
			t.Error(err)
		}
	})
	return s
}

// apply applies and waits.
func apply(t testing.TB, s *Store, c *Change) uint64 {
	t.Helper()
	commit, err := s.Apply(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := commit.Wait(); err != nil {
		t.Fatal(err)
	}
	return commit.Seq
}
