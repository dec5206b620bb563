package storage

import (
	"bytes"
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func wantError(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

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

// TestKeyOrder proves that keys sort as their ids, that no two are equal, and
// that none is a prefix of another.
func TestKeyOrder(t *testing.T) {
	ids := adversarialIDs()
	slices.Sort(ids)
	var last []byte
	for i, id := range ids {
		key, err := makeKey(kindCrop, id)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && bytes.Compare(last, key) >= 0 {
			t.Fatalf("key of %q does not sort before the key of %q", ids[i-1], id)
		}
		if i > 0 && bytes.HasPrefix(key, last) {
			t.Fatalf("key of %q is a prefix of the key of %q", ids[i-1], id)
		}
		last = key
	}
}

// TestKeyPairs proves it for two ids, where a plain concatenation would let
// ("a", "bc") collide with ("ab", "c").
func TestKeyPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	ids := adversarialIDs()
	type pair struct {
		ids [2]string
		key string
	}
	var pairs []pair
	for range 20000 {
		p := pair{ids: [2]string{pick(rng, ids), pick(rng, ids)}}
		key, err := makeKey(kindEmbedding, p.ids[:]...)
		if err != nil {
			t.Fatal(err)
		}
		p.key = string(key)
		pairs = append(pairs, p)
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.key, b.key) })
	for i, p := range pairs[1:] {
		before := pairs[i]
		if got := slices.Compare(before.ids[:], p.ids[:]); got > 0 || (got == 0) != (before.key == p.key) {
			t.Fatalf("keys of %q and %q are in the wrong order", before.ids, p.ids)
		}
	}
}

// TestSpans checks the ranges that scans use against the definition of what
// they hold.
func TestSpans(t *testing.T) {
	within := func(s span, key []byte) bool {
		return bytes.Compare(key, s.lower) >= 0 && bytes.Compare(key, s.upper) < 0
	}
	rng := rand.New(rand.NewPCG(9, 9))
	ids := adversarialIDs()
	for range 20000 {
		k := kind(rng.IntN(6))
		at, id, second := pick(rng, ids), pick(rng, ids), pick(rng, ids)
		key, err := makeKey(k, id, second)
		if err != nil {
			t.Fatal(err)
		}
		after, err := kindSpan(kindCrop, at)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := within(after, key), k == kindCrop && id > at; got != want {
			t.Fatalf("key of %s %q after %q: %v, want %v", k, id, at, got, want)
		}
		of, err := idSpan(kindCrop, at)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := within(of, key), k == kindCrop && id == at; got != want {
			t.Fatalf("key of %s %q under %q: %v, want %v", k, id, at, got, want)
		}
	}
}

func TestInvalidIDs(t *testing.T) {
	for _, id := range []string{"", strings.Repeat("x", MaxIDBytes+1), strings.Repeat("\x00", 4096)} {
		_, err := makeKey(kindStudent, id)
		wantError(t, "makeKey", err, ErrInvalidID)
		if err != nil && strings.Contains(err.Error(), "xxx") {
			t.Error("the error repeats the id")
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	good, err := makeKey(kindEmbedding, "crop", "mod\x00el")
	if err != nil {
		t.Fatal(err)
	}
	var a, b, c string
	if err := parseKey(kindEmbedding, good, &a, &b); err != nil || a != "crop" || b != "mod\x00el" {
		t.Fatalf("parseKey = %q, %q, %v", a, b, err)
	}
	wantError(t, "fewer ids", parseKey(kindEmbedding, good, &a), ErrCorrupt)
	wantError(t, "more ids", parseKey(kindEmbedding, good, &a, &b, &c), ErrCorrupt)
	wantError(t, "another kind", parseKey(kindEnrolled, good, &a, &b), ErrCorrupt)
	for i := range good {
		wantError(t, "cut short", parseKey(kindEmbedding, good[:i], &a, &b), ErrCorrupt)
	}
	wantError(t, "bad escape", parseKey(kindCrop, []byte{keyVersion, byte(kindCrop), 'a', 0, 7, 0, 1}, &a), ErrCorrupt)
	wantError(t, "empty id", parseKey(kindCrop, []byte{keyVersion, byte(kindCrop), 0, 1}, &a), ErrCorrupt)
}

// FuzzKeys makes a key of two ids and reads it back, and reads any bytes as a
// key: what is read must be what makes the same key.
func FuzzKeys(f *testing.F) {
	f.Add("crop", "model", []byte{keyVersion, byte(kindEnrolled), 'a', 0, 1, 'b', 0, 1})
	f.Add("\x00\xff", "\x00\x01", []byte{keyVersion, byte(kindEnrolled), 0, 0xff, 0, 1})
	f.Fuzz(func(t *testing.T, a, b string, raw []byte) {
		var gotA, gotB string
		key, err := makeKey(kindEmbedding, a, b)
		if valid := min(len(a), len(b)) >= 1 && max(len(a), len(b)) <= MaxIDBytes; valid != (err == nil) {
			t.Fatalf("makeKey of %d and %d bytes: %v", len(a), len(b), err)
		}
		if err == nil {
			if err := parseKey(kindEmbedding, key, &gotA, &gotB); err != nil || gotA != a || gotB != b {
				t.Fatalf("parseKey(makeKey(%q, %q)) = %q, %q, %v", a, b, gotA, gotB, err)
			}
		}
		if parseKey(kindEnrolled, raw, &gotA, &gotB) == nil {
			again, err := makeKey(kindEnrolled, gotA, gotB)
			if err != nil || !bytes.Equal(again, raw) {
				t.Fatalf("%x was read as %q, %q, whose key is %x (%v)", raw, gotA, gotB, again, err)
			}
		}
	})
}
