package storage

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	storagev1 "rollcall/proto/rollcall/storage/v1"
)

// FuzzRecords reads any bytes as a value of every kind: it parses, and then
// comes back the same after a round trip, or it is ErrCorrupt. What is decoded by
// hand parses when, and only when, protobuf's own decoder takes it too.
func FuzzRecords(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 3))
	f.Add([]byte(nil))
	for range 20 {
		value, err := randomRecord(rng, randomRef(rng)).encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		for kind := KindSettings; kind <= KindToken; kind++ {
			ref := Ref{Kind: kind}
			if n, _ := idsOf(kind); n > 0 {
				ref.ID = "id"
				ref.Model = []string{"", "model"}[n-1]
			}
			roundTrip(t, ref, value)
		}
		if _, _, err := decodeLine(value, 7, nil); err != nil {
			wantError(t, "decoding a line", err, ErrCorrupt)
		}
	})
}

func roundTrip(t *testing.T, ref Ref, value []byte) {
	t.Helper()
	r, err := new(decoder).value(ref, value)
	if err != nil {
		wantError(t, "decoding", err, ErrCorrupt)
	}
	compareWithProtobuf(t, ref, value, r)
	if err != nil {
		return
	}
	again, err := r.encode()
	if err != nil {
		t.Fatalf("%s was read but cannot be written: %v", ref.Kind, err)
	}
	back, err := new(decoder).value(ref, again)
	if err != nil {
		t.Fatalf("%s was written but cannot be read: %v", ref.Kind, err)
	}
	third, err := back.encode()
	if err != nil || string(third) != string(again) || back.Ref() != ref {
		t.Fatalf("%s came back as another:\n%+v\n%+v", ref.Kind, r, back)
	}
}

// compareWithProtobuf fails the test unless the record (nil: it did not parse)
// is what protobuf's own decoder makes of the value.
func compareWithProtobuf(t *testing.T, ref Ref, value []byte, r Record) {
	t.Helper()
	valid := func(times ...interface{ CheckValid() error }) bool {
		for _, ts := range times {
			if !reflect.ValueOf(ts).IsNil() && ts.CheckValid() != nil {
				return false
			}
		}
		return true
	}
	var ok bool
	var want proto.Message
	switch ref.Kind {
	case KindCrop:
		m := new(storagev1.Crop)
		ok = proto.Unmarshal(value, m) == nil && valid(m.Created, m.Updated) && len(m.StudentId) <= MaxIDBytes
		want = m
	case KindEmbedding:
		m := new(storagev1.Embedding)
		ok = proto.Unmarshal(value, m) == nil && valid(m.Created) && len(m.Vector)%4 == 0
		want = m
	default:
		return
	}
	if ok != (r != nil) {
		t.Fatalf("%s: protobuf takes it: %v, we: %v", ref.Kind, ok, r != nil)
	}
	if ok {
		equal(t, "by hand and by protobuf", fmt.Sprint(texts(r)), fmt.Sprint(texts(want)))
	}
}

// texts returns what is in a record of a message, so that NaNs are equal to
// themselves.
func texts(r any) []any {
	at := func(ts interface{ AsTime() time.Time }) time.Time {
		if reflect.ValueOf(ts).IsNil() {
			return time.Time{}
		}
		return ts.AsTime()
	}
	switch r := r.(type) {
	case Crop:
		return []any{r.StudentID, r.Corrected, r.Created, r.Updated}
	case *storagev1.Crop:
		return []any{string(r.StudentId), r.Corrected, at(r.Created), at(r.Updated)}
	case Embedding:
		b := []byte{}
		for _, x := range r.Vector {
			u := math.Float32bits(x)
			b = append(b, byte(u), byte(u>>8), byte(u>>16), byte(u>>24))
		}
		q := r.Quality
		return []any{b, r.Digest, r.Recipe, q.LocatorScore, q.EyeDistance, q.Brightness, q.Sharpness, q.Width, q.Height, r.Created}
	case *storagev1.Embedding:
		q := r.GetQuality()
		return []any{r.Vector, r.Digest, r.Recipe, q.GetLocatorScore(), q.GetEyeDistance(), q.GetBrightness(), q.GetSharpness(),
			q.GetWidth(), q.GetHeight(), at(r.Created)}
	}
	return nil
}

// TestDecoderReuses decodes embeddings one after another with one decoder: the
// names that it shares between them are not mixed up.
func TestDecoderReuses(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	d := &decoder{keys: mustKeys(t, "school")}
	for range 500 {
		ref := randomRef(rng)
		want := randomRecord(rng, ref)
		value, err := want.encode()
		if err != nil {
			t.Fatal(err)
		}
		key, err := d.keys.record(ref)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.pair(pair{key, value})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "record", got, want)
	}
}

// TestCorruptRecords plants values that do not parse. The error tells the kind
// and nothing of the content.
func TestCorruptRecords(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
		for _, ref := range []Ref{
			{KindSettings, "", ""}, {KindModel, "x", ""}, {KindStudent, "x", ""},
			{KindCrop, "x", ""}, {KindEmbedding, "x", "m"}, {KindGallery, "x", ""}, {KindToken, "x", ""},
		} {
			p := partition(t, s, "school-"+ref.Kind.String())
			put(t, p, Student{ID: "a"})
			key, err := p.keys.record(ref)
			if err != nil {
				t.Fatal(err)
			}
			plant(t, p, key, []byte("\xffsecret"))
			_, fetch := p.Fetch(t.Context(), ref)
			for what, err := range map[string]error{"Fetch": fetch, "Load": last(p.Load(t.Context()))} {
				wantError(t, what, err, ErrCorrupt)
				if err == nil {
					continue
				}
				if text := err.Error(); !strings.Contains(text, ref.Kind.String()) || strings.Contains(text, "secret") {
					t.Errorf("%s: the error says %q", what, text)
				}
			}
		}
	})
}

// plant writes a value past the encoders; nil deletes.
func plant(t *testing.T, p *Partition, key, value []byte) {
	t.Helper()
	_, head, err := p.head()
	if err == nil {
		err = p.store.backend.commit(&batch{head: pair{p.keys.head(), head}, writes: []pair{{key, value}}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// BenchmarkDecode decodes an embedding by hand, and as protobuf's own decoder
// does.
func BenchmarkDecode(b *testing.B) {
	e := Embedding{
		Digest: fmt.Sprintf("%064d", 1), Recipe: "onnx locate align-1", Created: noon,
		Vector: randomVector(rand.New(rand.NewPCG(1, 1)), 512), Quality: Quality{0.9, 0.9, 40, 0.5, 0.2, 0.5, 1, 2, 3, 0.1, 112, 112},
	}
	value, err := e.encode()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("hand", func(b *testing.B) {
		var d decoder
		for b.Loop() {
			if _, err := d.value(Ref{KindEmbedding, "crop", "m"}, value); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("protobuf", func(b *testing.B) {
		for b.Loop() {
			var m storagev1.Embedding
			if err := proto.Unmarshal(value, &m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
