package gallery

import (
	"reflect"
	"strings"
	"testing"
)

// FuzzNote reads any bytes as a note: it parses and comes back the same, or it
// is an error.
func FuzzNote(f *testing.F) {
	long := note{model: "m", digest: "d", origin: 1 << 63, owners: []ownedCrop{
		{0, "a"}, {1, strings.Repeat("x", 128)}, {300, "\x00\xff"}, {1<<32 - 1, "last"}}}
	for _, n := range []note{{owners: []ownedCrop{}}, long} {
		got, err := decodeNote(n.encode())
		if err != nil || !reflect.DeepEqual(got, n) {
			f.Fatalf("%+v, %v", got, err)
		}
		f.Add(n.encode())
	}
	f.Add([]byte{noteVersion + 1})
	f.Add(append(long.encode(), 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := decodeNote(b)
		if err != nil {
			return
		}
		again, err := decodeNote(n.encode())
		if err != nil || !reflect.DeepEqual(again, n) {
			t.Fatalf("%+v came back as %+v, %v", n, again, err)
		}
		for i := 1; i < len(n.owners); i++ {
			if n.owners[i-1].id >= n.owners[i].id {
				t.Fatal("IDs out of order")
			}
		}
	})
}

// Every cut of a note is refused, and so is a version that is not known.
func TestCutNote(t *testing.T) {
	n := note{model: "model", digest: "d", owners: []ownedCrop{{3, "a"}, {7, "b"}}}
	b := n.encode()
	for i := range b {
		if _, err := decodeNote(b[:i]); err == nil {
			t.Errorf("cut to %d of %d bytes it parses", i, len(b))
		}
	}
	b[0]++
	if _, err := decodeNote(b); err == nil {
		t.Error("another version parses")
	}
}
