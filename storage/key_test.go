package storage

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// adversarialIDs returns every id of up to 3 bytes over the bytes that the
// encoding treats specially and their neighbours, and long ones.
func adversarialIDs() []string {
	alphabet := []string{"\x00", "\x01", "\x02", "a", "\xfe", "\xff"}
	ids, last := []string(nil), []string{""}
	for range 3 {
		var longer []string
		for _, prefix := range last {
			for _, b := range alphabet {
				longer = append(longer, prefix+b)
			}
		}
		ids, last = append(ids, longer...), longer
	}
	for _, b := range alphabet {
		ids = append(ids, strings.Repeat(b, MaxIDBytes), strings.Repeat(b, MaxIDBytes-1))
	}
	return ids
}

func mustKeys(t testing.TB, partition string) keys {
	t.Helper()
	k, err := keysOf(partition)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestKeyOrder proves that encoded ids sort as the ids, that no two are equal,
// and that none is a prefix of another.
func TestKeyOrder(t *testing.T) {
	ids := adversarialIDs()
	slices.Sort(ids)
	var last keys
	for i, id := range ids {
		k := mustKeys(t, id)
		if i > 0 && bytes.Compare(last, k) >= 0 {
			t.Fatalf("key of %q does not sort before the key of %q", ids[i-1], id)
		}
		if i > 0 && bytes.HasPrefix(k, last) {
			t.Fatalf("key of %q is a prefix of the key of %q", ids[i-1], id)
		}
		last = k
	}
}

// TestKeys proves it for whole keys: they sort by partition, kind, id and model,
// where a plain concatenation would let ("a", "bc") collide with ("ab", "c").
// Each is in the spans that it belongs to, and is read back.
func TestKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	ids := adversarialIDs()
	within := func(s span, key []byte) bool {
		return bytes.Compare(key, s.lower) >= 0 && bytes.Compare(key, s.upper) < 0
	}
	type named struct {
		partition string
		ref       Ref
		key       []byte
	}
	var all []named
	for range 20000 {
		n := named{partition: pick(rng, ids), ref: randomRef(rng)}
		if count, _ := idsOf(n.ref.Kind); count > 0 {
			n.ref.ID = pick(rng, ids)
			if count > 1 {
				n.ref.Model = pick(rng, ids)
			}
		}
		k := mustKeys(t, n.partition)
		var err error
		if n.key, err = k.record(n.ref); err != nil {
			t.Fatal(err)
		}
		other := mustKeys(t, pick(rng, ids))
		if !within(k.records(), n.key) || within(other.records(), n.key) != bytes.Equal(k, other) {
			t.Fatalf("record %q of %q is in the wrong span", n.ref, n.partition)
		}
		if within(k.linesFrom(0), n.key) || within(k.headOnly(), n.key) {
			t.Fatalf("record %q of %q is in the log", n.ref, n.partition)
		}
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b named) int { return bytes.Compare(a.key, b.key) })
	for i, n := range all[1:] {
		before := all[i]
		got := cmp.Or(cmp.Compare(before.partition, n.partition), byKey(before.ref, n.ref))
		if got > 0 || (got == 0) != bytes.Equal(before.key, n.key) {
			t.Fatalf("keys of %q and %q are in the wrong order", before, n)
		}
	}
}

// TestLineKeys proves that the lines of a log sort by their numbers, and lie
// within the log of their partition alone, beside no record.
func TestLineKeys(t *testing.T) {
	k, other := mustKeys(t, "a"), mustKeys(t, "a\x00")
	numbers := []uint64{0, 1, 2, 255, 256, 1 << 32, 1<<64 - 1}
	for i, n := range numbers {
		got, ok := k.sequence(k.line(n))
		if !ok || got != n {
			t.Errorf("sequence(line(%d)) = %d, %v", n, got, ok)
		}
		if _, ok := other.sequence(k.line(n)); ok {
			t.Error("a line is read as one of another partition")
		}
		for j, from := range numbers {
			s := k.linesFrom(from)
			in := bytes.Compare(k.line(n), s.lower) >= 0 && bytes.Compare(k.line(n), s.upper) < 0
			if in != (i >= j) {
				t.Errorf("line %d within those from %d: %v", n, from, in)
			}
		}
		if r := k.records(); bytes.Compare(k.line(n), r.upper) < 0 {
			t.Error("a line is among the records")
		}
	}
}

// TestPairRefuses reads keys that are none of a record's.
func TestPairRefuses(t *testing.T) {
	k := mustKeys(t, "school")
	d := &decoder{keys: k}
	value, err := Embedding{Vector: []float32{1}}.encode()
	if err != nil {
		t.Fatal(err)
	}
	good, err := k.record(Ref{KindEmbedding, "crop", "mod\x00el"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.pair(pair{good, value})
	if err != nil || r.Ref() != (Ref{KindEmbedding, "crop", "mod\x00el"}) {
		t.Fatal(r, err)
	}
	refuse := func(what string, key []byte) {
		t.Helper()
		_, err := d.pair(pair{key, value})
		wantError(t, what, err, ErrCorrupt)
	}
	for i := range good {
		refuse("cut short", good[:i])
	}
	refuse("another partition", append(mustKeys(t, "schoom"), good[len(k):]...))
	refuse("longer", append(good, 'a', escape, terminator))
	refuse("bad escape", append(k.of(KindCrop), 'a', 0, 7, 0, 1))
	refuse("empty id", append(k.of(KindCrop), 0, 1))
	refuse("long id", append(append(k.of(KindCrop), strings.Repeat("x", MaxIDBytes+1)...), 0, 1))
	refuse("unknown kind", append(k.of(KindToken+1), 'a', 0, 1))
	refuse("head", k.head())
}

// FuzzKeys makes keys of any ids and reads them back, and reads any bytes as a
// key: what is read must be what makes the same key.
func FuzzKeys(f *testing.F) {
	f.Add("crop", "model", []byte{'a', 0, 1, 'b', 0, 1})
	f.Add("\x00\xff", "\x00\x01", []byte{0, 0xff, 0, 1})
	k, err := keysOf("school")
	if err != nil {
		f.Fatal(err)
	}
	value, err := Embedding{}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id, model string, raw []byte) {
		d := &decoder{keys: k}
		ref := Ref{KindEmbedding, id, model}
		key, err := k.record(ref)
		if valid := min(len(id), len(model)) >= 1 && max(len(id), len(model)) <= MaxIDBytes; valid != (err == nil) {
			t.Fatalf("key of %d and %d bytes: %v", len(id), len(model), err)
		}
		if err == nil {
			if r, err := d.pair(pair{key, value}); err != nil || r.Ref() != ref {
				t.Fatalf("%q was read as %v (%v)", ref, r, err)
			}
		}
		raw = append(k.of(KindEmbedding), raw...)
		if r, err := d.pair(pair{raw, value}); err == nil {
			again, err := k.record(r.Ref())
			if err != nil || !bytes.Equal(again, raw) {
				t.Fatalf("%x was read as %q, whose key is %x (%v)", raw, r.Ref(), again, err)
			}
		}
	})
}
