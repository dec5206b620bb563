package storage

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"
)

// TestXAES opens the two examples of the specification of XAES-256-GCM, one for each value
// of the first bit of CMAC's subkey.
func TestXAES(t *testing.T) {
	for _, c := range []struct {
		key                byte
		additional, sealed string
	}{
		{1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		x := newXAES(bytes.Repeat([]byte{c.key}, xaesKeyBytes))
		raw, err := hex.DecodeString(c.sealed)
		if err != nil {
			t.Fatal(err)
		}
		value, ok := x.open(nil, append([]byte("ABCDEFGHIJKLMNOPQRSTUVWX"), raw...), []byte(c.additional))
		if !ok || string(value) != "XAES-256-GCM" {
			t.Errorf("key %d: opened %q, %v", c.key, value, ok)
		}
	}
}

// BenchmarkXAES opens values of the size of a crop, of a line, and of an embedding.
func BenchmarkXAES(b *testing.B) {
	x, at := newXAES(bytes.Repeat([]byte{1}, xaesKeyBytes)), make([]byte, 40)
	for _, size := range []int{60, 250, 2200} {
		sealed := x.seal(make([]byte, size), at)
		buffer := make([]byte, 0, len(sealed))
		b.Run(fmt.Sprint("open/bytes=", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := x.open(buffer, sealed, at); !ok {
					b.Fatal("not opened")
				}
			}
		})
		b.Run(fmt.Sprint("seal/bytes=", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.seal(buffer[:size], at)
			}
		})
	}
}
