package storage

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestRecordsKeepEveryBit puts values at the edges of their types.
func TestRecordsKeepEveryBit(t *testing.T) {
	s := closeAtEnd(t, openMem(t, vfs.NewMem()))
	nan := math.Float32frombits(0x7fc12345)
	first := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	last := time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
	want := Embedding{
		CropID: "\x00\xff", Model: "m", Digest: "d", Created: last, Seq: 1,
		Vector:  []float32{0, float32(math.Copysign(0, -1)), math.MaxFloat32, math.SmallestNonzeroFloat32, float32(math.Inf(-1)), nan},
		Quality: Quality{LocatorScore: 1, EyeDistance: -1, Width: math.MaxInt, Height: math.MinInt},
	}
	crop := Crop{ID: "\xff", StudentID: "\x00\xff\x00", Created: first}
	var c Change
	c.PutEmbedding(want)
	c.PutCrop(crop)
	apply(t, s, &c)

	got, err := s.Embedding(want.CropID, want.Model)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want.Vector {
		if math.Float32bits(got.Vector[i]) != math.Float32bits(want.Vector[i]) {
			t.Errorf("element %d: %x, want %x", i, got.Vector[i], want.Vector[i])
		}
	}
	got.Vector, want.Vector = nil, nil
	equal(t, "embedding", got, want)
	gotCrop, err := s.Crop(crop.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "crop", gotCrop, crop)
}

func TestStudentGroupsAreSortedOnce(t *testing.T) {
	s := closeAtEnd(t, openMem(t, vfs.NewMem()))
	given := []string{"2b", "1a", "2b", "10"}
	var c Change
	c.PutStudent(Student{ID: "ann", Groups: given})
	apply(t, s, &c)
	got, err := s.Student("ann")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "groups", got.Groups, []string{"10", "1a", "2b"})
	equal(t, "the caller's slice", given, []string{"2b", "1a", "2b", "10"})
}

func TestUnencodableRecords(t *testing.T) {
	late := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, put := range map[string]func(*Change){
		"late student":     func(c *Change) { c.PutStudent(Student{ID: "a", Updated: late}) },
		"late crop":        func(c *Change) { c.PutCrop(Crop{ID: "a", Updated: late}) },
		"late embedding":   func(c *Change) { c.PutEmbedding(Embedding{CropID: "a", Model: "m", Created: late}) },
		"late model":       func(c *Change) { c.PutModel(Model{Name: "m", Created: late}) },
		"group not UTF-8":  func(c *Change) { c.PutStudent(Student{ID: "a", Groups: []string{"\xff"}}) },
		"digest not UTF-8": func(c *Change) { c.PutModel(Model{Name: "m", Digest: "\xff"}) },
		"long student id":  func(c *Change) { c.PutCrop(Crop{ID: "a", StudentID: strings.Repeat("x", MaxIDBytes+1)}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := closeAtEnd(t, openMem(t, vfs.NewMem()))
			var c Change
			put(&c)
			if _, err := s.Apply(&c); err == nil {
				t.Error("Apply accepted it")
			}
			newOracle().compare(t, s)
		})
	}
}

// TestCorruptRecords plants values that do not parse and reads them by every
// method. The error tells the kind and nothing of the content.
func TestCorruptRecords(t *testing.T) {
	s := closeAtEnd(t, openMem(t, vfs.NewMem()))
	const secret = "\xffsecret"
	for _, k := range []kind{kindStudent, kindCrop, kindModel} {
		plant(t, s, k, secret, "x")
	}
	plant(t, s, kindEmbedding, secret, "x", "m")
	plant(t, s, kindEnrolled, secret, "x", "y", "z") // the key is wrong

	errs := map[string]error{}
	_, errs["student"] = s.Student("x")
	_, errs["crop"] = s.Crop("x")
	_, errs["model"] = s.Model("x")
	_, errs["embedding"] = s.Embedding("x", "m")
	var c Change
	c.DeleteCrop("x")
	_, errs["crop "] = s.Apply(&c)
	errs["student "], errs["crop  "] = only(s.Students("")), only(s.Crops(""))
	errs["embedding "], errs["embedding  "] = only(s.Embeddings()), only(s.EmbeddingsOf("x"))
	errs["model "], errs["enrolled"] = only(s.Models()), only(s.CropsOf("x"))
	for what, err := range errs {
		wantError(t, what, err, ErrCorrupt)
		if err == nil {
			continue
		}
		if text := err.Error(); !strings.Contains(text, strings.TrimSpace(what)) || strings.Contains(text, "secret") {
			t.Errorf("%s: the error says %q", what, text)
		}
	}
}

// only returns the error of a sequence that consists of it.
func only[T any](seq func(func(T, error) bool)) error {
	var all []error
	for _, err := range seq {
		all = append(all, err)
	}
	if len(all) != 1 {
		return errors.New("not one pair")
	}
	return all[0]
}

// plant writes a value past the encoders.
func plant(t *testing.T, s *Store, k kind, value string, ids ...string) {
	t.Helper()
	key, err := makeKey(k, ids...)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.Set(key, []byte(value), pebble.Sync); err != nil {
		t.Fatal(err)
	}
}

// FuzzRecords reads any bytes as a value of every kind: it parses, and then
// comes back the same after a round trip, or it is ErrCorrupt.
func FuzzRecords(f *testing.F) {
	f.Add([]byte(nil))
	for _, encode := range []func() ([]byte, error){
		func() ([]byte, error) {
			return encodeStudent(Student{Groups: []string{"1a", "2b"}, Created: time.Unix(1, 2)})
		},
		func() ([]byte, error) { return encodeCrop(Crop{StudentID: "s", Corrected: true}) },
		func() ([]byte, error) {
			return encodeEmbedding(Embedding{Digest: "d", Vector: []float32{1, 2}, Quality: Quality{Width: 3}, Seq: 4})
		},
		func() ([]byte, error) { return encodeModel(Model{Digest: "d", Dimension: 128}) },
	} {
		value, err := encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		roundTrip(t, value, decodeStudent, encodeStudent, kindStudent, "id")
		roundTrip(t, value, decodeCrop, encodeCrop, kindCrop, "id")
		roundTrip(t, value, decodeEmbedding, encodeEmbedding, kindEmbedding, "id", "model")
		roundTrip(t, value, decodeModel, encodeModel, kindModel, "id")
		if _, err := decodeLogged(loggedKey(7), value); err != nil {
			wantError(t, "decoding", err, ErrCorrupt)
		}
	})
}

func roundTrip[T any](t *testing.T, value []byte, decode decoder[T], encode func(T) ([]byte, error), k kind, ids ...string) {
	t.Helper()
	key, err := makeKey(k, ids...)
	if err != nil {
		t.Fatal(err)
	}
	record, err := decode(key, value)
	if err != nil {
		wantError(t, "decoding", err, ErrCorrupt)
		return
	}
	again, err := encode(record)
	if err != nil {
		t.Fatalf("%s was read but cannot be written: %v", k, err)
	}
	back, err := decode(key, again)
	if err != nil {
		t.Fatalf("%s was written but cannot be read: %v", k, err)
	}
	if !reflect.DeepEqual(bits(record), bits(back)) {
		t.Fatalf("%s came back as another:\n%+v\n%+v", k, record, back)
	}
}

// bits maps a record to what a round trip must keep: NaN is not equal to
// itself, and groups are put into order by the encoder.
func bits(record any) any {
	switch r := record.(type) {
	case Student:
		r.Groups = slices.Compact(slices.Sorted(slices.Values(r.Groups)))
		return r
	case Embedding:
		q := r.Quality
		floats := []uint32{}
		for _, f := range append(r.Vector, q.LocatorScore, q.EyeDistance, q.Brightness, q.Sharpness) {
			floats = append(floats, math.Float32bits(f))
		}
		r.Vector, r.Quality = nil, Quality{Width: q.Width, Height: q.Height}
		return []any{r, floats}
	}
	return record
}
