package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/jpeg"
	"slices"
	"strings"
	"testing"
)

// withoutTables drops the Huffman tables of a JPEG that uses the standard ones: a frame of MJPEG.
func withoutTables(jpegData []byte) []byte {
	rest, out := jpegData[2:], append([]byte{}, jpegData[:2]...)
	for rest[1] != markerSOS {
		end := 2 + int(binary.BigEndian.Uint16(rest[2:]))
		if rest[1] != markerDHT {
			out = append(out, rest[:end]...)
		}
		rest = rest[end:]
	}
	return append(out, rest...)
}

// TestStandardTables: frames of webcams, which leave the Huffman tables out, are what they are with them.
// Go's encoder writes the standard tables.
func TestStandardTables(t *testing.T) {
	gray := image.NewGray(image.Rect(0, 0, 77, 51))
	for i := range gray.Pix {
		gray.Pix[i] = byte(i * i % 251)
	}
	for _, quality := range []int{1, 50, 100} {
		for name, m := range map[string]image.Image{"colours": mixed(91, 53), "gray": gray} {
			var b bytes.Buffer
			if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
				t.Fatal(err)
			}
			frame := withoutTables(b.Bytes())
			if bytes.Contains(frame, standardTables[2:30]) {
				t.Fatal("the tables are still there")
			}
			want, _ := decode(t, b.Bytes())
			got, _ := decode(t, frame)
			if !bytes.Equal(got.Pix, want.Pix) {
				t.Errorf("%s, quality %d: other pixels", name, quality)
			}
			for n := 0; n < len(frame); n += 31 {
				if _, _, err := Decode(frame[:n], Limits{}); err == nil {
					t.Fatalf("cut to %d of %d bytes", n, len(frame))
				}
			}
		}
	}
	// Nothing was agreed upon for progressive frames, even where the standard tables would fit: one block of one
	// code of two bits.
	progressive := slices.Concat([]byte("\xff\xd8\xff\xdb\x00\x43\x00"), bytes.Repeat([]byte{1}, 64),
		[]byte("\xff\xc2\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00\x3f\xff\xd9"))
	if _, _, err := Decode(progressive, Limits{}); !errors.Is(err, ErrBroken) {
		t.Errorf("progressive without tables: %v", err)
	}
	decode(t, slices.Concat(progressive[:2], standardTables, progressive[2:]))
}

// TestJPEGReasons: what the decoder cannot read is called by its name, before anything else is complained about.
func TestJPEGReasons(t *testing.T) {
	for marker, want := range map[byte]string{
		0xc3: "lossless", 0xf7: "lossless", 0xc5: "hierarchical", 0xc6: "hierarchical", 0xc7: "hierarchical", 0xde: "hierarchical",
		0xc9: "arithmetic coding is not supported", 0xca: "arithmetic coding is not supported", 0xcb: "arithmetic coding is not supported",
		0xcd: "arithmetic coding is not supported", 0xce: "arithmetic coding is not supported", 0xcf: "arithmetic coding is not supported",
	} {
		for _, name := range []string{"420.jpg", "progressive.jpg"} {
			data := fixture(t, name)
			for _, sof := range []byte{markerSOF0, markerSOF2} {
				data = bytes.Replace(data, []byte{0xff, sof, 0, 17}, []byte{0xff, marker, 0, 17}, 1)
			}
			p, _, err := Decode(data, Limits{})
			if p != nil || !errors.Is(err, ErrNotImage) || !isSentinel(err) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s with marker %#x: %v, want %q", name, marker, err, want)
			}
		}
	}
	for _, test := range []struct {
		name string
		sof  byte
	}{{"420.jpg", markerSOF0}, {"420.jpg", markerSOF1}, {"progressive.jpg", markerSOF2}} {
		data := bytes.Replace(fixture(t, test.name), []byte{0xff, markerSOF0, 0, 17}, []byte{0xff, test.sof, 0, 17}, 1)
		decode(t, data)
		_, _, err := Decode(bytes.Replace(data, []byte{0xff, test.sof, 0, 17, 8}, []byte{0xff, test.sof, 0, 17, 12}, 1), Limits{})
		if !errors.Is(err, ErrNotImage) || !strings.Contains(err.Error(), "12 bits") {
			t.Errorf("%s with marker %#x and 12 bits: %v", test.name, test.sof, err)
		}
	}
}

// TestRestarts: restart markers that the decoder would lose count of are named; it does not call the file damaged.
func TestRestarts(t *testing.T) {
	data := fixture(t, "restarts-reduced.jpg")
	if p, _, err := Decode(data, Limits{}); p != nil || !errors.Is(err, ErrNotImage) || !strings.Contains(err.Error(), "restart markers") {
		t.Errorf("%v", err)
	}
	// An interval of 32 blocks is the whole picture: no marker is written. (restarts-none.jpg is decoded elsewhere.)
	for _, test := range []struct {
		interval byte
		fine     bool
	}{{0, true}, {1, false}, {31, false}, {32, true}} {
		data := fixture(t, "restarts-none.jpg")
		for at, from := 0, 0; ; from = at + 6 {
			next := bytes.Index(data[from:], []byte{0xff, markerDRI, 0, 4})
			if next < 0 {
				if from == 0 {
					t.Fatal("no interval is defined")
				}
				break
			}
			at = from + next
			data[at+5] = test.interval
		}
		if _, _, err := Decode(data, Limits{}); errors.Is(err, ErrNotImage) == test.fine {
			t.Errorf("an interval of %d: %v", test.interval, err)
		}
	}
	// 33 pixels are 5 blocks of the first component, which has all samples, 3 of the second, which has every other,
	// and 2 of the third; of the last the decoder counts the blocks.
	frame := []byte{8, 0, 8, 0, 33, 3, 1, 0x41, 0, 2, 0x21, 0, 3, 0x11, 0}
	for component, blocks := range map[byte]byte{1: 5, 2: 3, 3: 0} {
		for interval := range byte(8) {
			want := interval > 0 && interval < blocks
			if got := miscounted(frame, []byte{0, interval}, []byte{1, component, 0, 0, 63, 0}); got != want {
				t.Errorf("component %d, an interval of %d: %v", component, interval, got)
			}
		}
	} // A single component counts blocks, whatever factors it is given.
	if miscounted([]byte{8, 0, 64, 0, 64, 1, 1, 0x22, 0}, []byte{0, 1}, []byte{1, 1, 0, 0, 63, 0}) {
		t.Error("of a gray picture no block is miscounted")
	}
}
