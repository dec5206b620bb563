package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// byStandard decodes with image/jpeg; nil if that refuses the data.
func byStandard(data []byte, orientation int) *Picture {
	m, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	p, err := convert(m, m.Bounds().Size(), image.Point{}, jfif, orientation)
	if err != nil {
		return nil
	}
	return p
}

// compare decodes in both ways, and reports whether baseline did. It may leave any data to image/jpeg, but
// what it decodes has to be the same.
func compare(t *testing.T, data []byte, orientation int) bool {
	t.Helper()
	if !hasPrefix(data, signatureJPEG) {
		return false
	}
	found, err := inspectJPEG(data)
	if err != nil {
		return false
	}
	if int64(found.size.X)*int64(found.size.Y) > 1<<20 {
		return false // as too many pixels: it would only be slow
	}
	got := decodeBaseline(found.data, found.size, orientation)
	if got == nil {
		return false
	}
	want := byStandard(found.data, orientation)
	if want == nil {
		t.Fatal("image/jpeg refuses it")
	}
	if got.Width != want.Width || got.Height != want.Height || !bytes.Equal(got.Pix, want.Pix) {
		t.Fatalf("%d x %d pixels, orientation %d: they are not those of image/jpeg", got.Width, got.Height, orientation)
	}
	got.Release()
	want.Release()
	return true
}

// drawnJPEG writes random coefficients as a JPEG: of every kind that baseline decodes, and with values that no
// picture has.
type drawnJPEG struct {
	rng  *rand.Rand
	out  []byte
	bits uint64
	n    int
}

func (w *drawnJPEG) segment(marker byte, body ...byte) {
	w.out = append(w.out, 0xff, marker)
	w.out = binary.BigEndian.AppendUint16(w.out, uint16(len(body)+2))
	w.out = append(w.out, body...)
}

// put writes bits; those of zero bytes are stuffed.
func (w *drawnJPEG) put(v uint64, n int) {
	w.bits, w.n = w.bits<<n|v, w.n+n
	for w.n >= 8 {
		b := byte(w.bits >> (w.n - 8))
		w.out = append(w.out, b)
		if b == 0xff {
			w.out = append(w.out, 0)
		}
		w.n -= 8
	}
}

// flush fills the last byte with ones.
func (w *drawnJPEG) flush() {
	for w.n > 0 {
		w.put(1, 1)
	}
}

// codes are the codes of a segment with one Huffman table, by symbol: the code, and its length.
func codes(segment []byte) map[byte][2]int {
	all := make(map[byte][2]int)
	code, at := 0, 16
	for length := 1; length <= 16; length++ {
		for range segment[length-1] {
			all[segment[at]] = [2]int{code, length}
			code++
			at++
		}
		code <<= 1
	}
	return all
}

// coefficient writes a symbol and the bits of a value.
func (w *drawnJPEG) coefficient(table map[byte][2]int, zeros, v int) {
	size := 0
	for m := abs(v); m > 0; m >>= 1 {
		size++
	}
	code := table[byte(zeros<<4|size)]
	w.put(uint64(code[0]), code[1])
	if v < 0 {
		v += 1<<size - 1
	}
	w.put(uint64(v), size)
}

// draw returns a JPEG of width x height pixels.
func drawJPEG(rng *rand.Rand, width, height int) []byte {
	w := &drawnJPEG{rng: rng, out: []byte{0xff, 0xd8}}
	kinds := [][]byte{{0x11}, {0x22}, {0x11, 0x11, 0x11}, {0x21, 0x11, 0x11}, {0x12, 0x11, 0x11}, {0x22, 0x11, 0x11}}
	factors := kinds[rng.IntN(len(kinds))]
	wide := rng.IntN(4) == 0
	for which := range byte(2) {
		table := []byte{which}
		for range 64 {
			if factor := uint16(1 + rng.IntN(64)); wide {
				table[0] |= 0x10
				table = binary.BigEndian.AppendUint16(table, factor*uint16(rng.IntN(1000)))
			} else {
				table = append(table, byte(factor))
			}
		}
		w.segment(markerDQT, table...)
	}
	frame := binary.BigEndian.AppendUint16([]byte{8}, uint16(height))
	frame = append(binary.BigEndian.AppendUint16(frame, uint16(width)), byte(len(factors)))
	scan := []byte{byte(len(factors))}
	for i, f := range factors {
		frame = append(frame, byte(i+1), f, byte(rng.IntN(2)))
		scan = append(scan, byte(i+1), 0x11*byte(min(i, 1)))
	}
	w.segment([]byte{markerSOF0, markerSOF1}[rng.IntN(2)], frame...)
	w.out = append(w.out, standardTables...)
	var tables [2][2]map[byte][2]int // DC and AC
	for rest := standardTables[4:]; len(rest) > 0; {
		n := 17
		for _, count := range rest[1:17] {
			n += int(count)
		}
		tables[rest[0]>>4][rest[0]&15] = codes(rest[1:n])
		rest = rest[n:]
	}
	interval := rng.IntN(6)
	if rng.IntN(2) == 0 {
		interval = 0
	}
	w.segment(markerDRI, 0, byte(interval))
	w.segment(markerSOS, append(scan, 0, 63, 0)...)
	if len(factors) == 1 {
		factors = []byte{0x11}
	}
	across, down := 8*int(factors[0]>>4), 8*int(factors[0]&15)
	groups := (width + across - 1) / across * ((height + down - 1) / down)
	for group := range groups {
		if interval > 0 && group > 0 && group%interval == 0 {
			w.flush()
			w.out = append(w.out, 0xff, markerRST0+byte(group/interval-1)%8)
		}
		for i, f := range factors {
			for range int(f>>4) * int(f&15) {
				w.block(tables[0][min(i, 1)], tables[1][min(i, 1)])
			}
		}
	}
	w.flush()
	return append(w.out, 0xff, markerEOI)
}

func (w *drawnJPEG) block(dc, ac map[byte][2]int) {
	large := []int{3, 30, 1023}[w.rng.IntN(3)]
	w.coefficient(dc, 0, w.rng.IntN(2*large+1)-large)
	many := w.rng.IntN(64)
	for i := 1; i < 64; i++ {
		zeros := w.rng.IntN(1 + 63/(1+many))
		if i += zeros; i >= 64 || many == 0 {
			w.coefficient(ac, 0, 0)
			return
		}
		for ; zeros >= 16; zeros -= 16 {
			w.coefficient(ac, 15, 0)
		}
		w.coefficient(ac, zeros, (1+w.rng.IntN(large))*(1-2*w.rng.IntN(2)))
	}
}

// TestBaseline compares with image/jpeg over random JPEGs of every kind, and over the same with bytes that were
// changed, left out or added.
func TestBaseline(t *testing.T) {
	rng := rand.New(rand.NewPCG(24, 1))
	damaged := 0
	for n := range 600 {
		data := drawJPEG(rng, 1+rng.IntN(70), 1+rng.IntN(70))
		if !compare(t, data, 1+n%8) {
			t.Fatalf("run %d: it is left to image/jpeg", n)
		}
		for range 10 {
			other := slices.Clone(data)
			for range 1 + rng.IntN(3) {
				switch at := rng.IntN(len(other)); rng.IntN(4) {
				case 0:
					other = slices.Delete(other, at, min(at+1+rng.IntN(3), len(other)))
				case 1:
					other = slices.Insert(other, at, byte(rng.UintN(256)))
				case 2:
					other[at] = 0xff
				default:
					other[at] ^= 1 << rng.IntN(8)
				}
			}
			if compare(t, other, 1) {
				damaged++
			}
		}
	}
	if damaged < 300 {
		t.Errorf("only %d changed JPEGs can be compared", damaged)
	}
}

// TestBaselineTakes: what encoders write usually is decoded here, and what is rare is not.
func TestBaselineTakes(t *testing.T) {
	for _, quality := range []int{1, 30, 75, 90, 100} {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, mixed(93, 61), &jpeg.Options{Quality: quality}); err != nil {
			t.Fatal(err)
		}
		for _, data := range [][]byte{b.Bytes(), withoutTables(b.Bytes()), append(b.Bytes(), "more"...)} {
			if !compare(t, data, 1) {
				t.Errorf("quality %d is left to image/jpeg", quality)
			}
		}
	}
	for name, fast := range map[string]bool{
		"444.jpg": true, "440.jpg": true, "422.jpg": true, "420.jpg": true, "gray.jpg": true, "restarts.jpg": true, "exif.jpg": true,
		"411.jpg": false, "progressive.jpg": false, "rgb.jpg": false, "cmyk.jpg": false, "ycck.jpg": false,
	} {
		if compare(t, fixture(t, name), 1) != fast {
			t.Errorf("%s: decoded here %v, want %v", name, !fast, fast)
		}
	}
	gray := fixture(t, "gray.jpg")
	if compare(t, slices.Concat(gray[:2], standardTables, gray[2:]), 1) {
		t.Error("tables that are given twice are read: a file may give a table half a million times")
	}
	// What image/jpeg makes of fillings before the end, it may decide.
	for between, fast := range map[string]bool{"": true, "more": true, "\xff\x00": true, "\xff": false, "\xff\xff\x00": false, "\xff\xd0": false} {
		data := slices.Concat(gray[:len(gray)-2], []byte(between), gray[len(gray)-2:])
		if compare(t, data, 1) != fast {
			t.Errorf("%q before the end: decoded here %v, want %v", between, !fast, fast)
		}
	}
	at := bytes.Index(gray, []byte{0xff, markerSOF0}) + 11 // of the factors, which do not matter but have to be valid
	for factors := range 256 {
		gray[at] = byte(factors)
		if valid := factors>>4 >= 1 && factors>>4 <= 2 && factors&15 >= 1 && factors&15 <= 2; compare(t, gray, 1) != valid {
			t.Errorf("gray with factors %#x: decoded here %v", factors, !valid)
		}
	}
}

// FuzzBaseline: whatever baseline decodes, image/jpeg decodes alike.
func FuzzBaseline(f *testing.F) {
	names, err := filepath.Glob("testdata/*.jpg")
	if err != nil || len(names) == 0 {
		f.Fatal(names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	rng := rand.New(rand.NewPCG(24, 3))
	for range 20 {
		f.Add(drawJPEG(rng, 1+rng.IntN(40), 1+rng.IntN(40)))
	}
	f.Fuzz(func(t *testing.T, data []byte) { compare(t, data, 1) })
}

// TestZigzag: the place of each coefficient follows from that of the one before (ITU-T T.81, figure A.6): the
// diagonals in turn go up and down.
func TestZigzag(t *testing.T) {
	at := 0
	for diagonal := range 15 {
		for i := range diagonal + 1 {
			row, column := i, diagonal-i
			if diagonal%2 == 0 {
				row, column = column, row
			}
			if row > 7 || column > 7 {
				continue
			}
			if want := uint8(8*column + row); byColumns[at] != want {
				t.Errorf("coefficient %d belongs at %d, want %d", at, byColumns[at], want)
			}
			at++
		}
	}
}
