package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// quarters are the colours of the pictures in testdata: upper left, upper right, lower left, lower right.
type quarters [4][3]int

var drawn = quarters{{220, 40, 40}, {40, 200, 60}, {40, 60, 210}, {230, 220, 180}}

// faded is drawn with a transparent green and a half transparent blue over the backdrop.
var faded = quarters{{220, 40, 40}, {128, 128, 128}, {84, 94, 169}, {230, 220, 180}}

// turned is what quarters become under an orientation, as the words of the EXIF standard have it:
// where the stored first row and the stored first column belong.
func (q quarters) turned(orientation int) quarters {
	a, b, c, d := q[0], q[1], q[2], q[3]
	return [...]quarters{
		1: {a, b, c, d}, // row 0 top, column 0 left
		2: {b, a, d, c}, // top, right
		3: {d, c, b, a}, // bottom, right
		4: {c, d, a, b}, // bottom, left
		5: {a, c, b, d}, // left, top
		6: {c, a, d, b}, // right, top
		7: {d, b, c, a}, // right, bottom
		8: {b, d, a, c}, // left, bottom
	}[orientation]
}

// check compares all pixels of p but those along the borders of the quarters, where a lossy format
// may mix colours.
func (q quarters) check(t *testing.T, p *Picture, tolerance int) {
	t.Helper()
	const border = 3
	for y := range p.Height {
		for x := range p.Width {
			if abs(x-p.Width/2) < border || abs(y-p.Height/2) < border {
				continue
			}
			want := q[2*(2*y/p.Height)+2*x/p.Width]
			for i, v := range p.Pix[3*(y*p.Width+x):][:3] {
				if abs(int(v)-want[i]) > tolerance {
					t.Fatalf("pixel (%d, %d) is %v, want %v", x, y, p.Pix[3*(y*p.Width+x):][:3], want)
				}
			}
		}
	}
}

func abs(v int) int { return max(v, -v) }

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decode(t *testing.T, data []byte) (*Picture, Info) {
	t.Helper()
	p, info, err := Decode(data, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Pix) != 3*p.Width*p.Height || info.Width != p.Width || info.Height != p.Height {
		t.Fatalf("%d bytes, %d x %d, %+v", len(p.Pix), p.Width, p.Height, info)
	}
	return p, info
}

// draw is the picture of testdata in memory.
func draw() *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, 64, 32))
	for y := range 32 {
		for x := range 64 {
			c := drawn[2*(y/16)+x/32]
			m.SetNRGBA(x, y, color.NRGBA{byte(c[0]), byte(c[1]), byte(c[2]), 255})
		}
	}
	return m
}

// photo is a JPEG that is about as hard to decode as a crop of that size: 4:2:0, quality 90.
func photo(t testing.TB, side int) []byte {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 3))
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			grain := rng.IntN(24)
			m.SetRGBA(x, y, color.RGBA{byte(64 + 128*x/side + grain), byte(64 + 128*y/side + grain), byte(96 + grain), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tiff is an EXIF body with one entry, the orientation.
func tiff(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("II")
	if order.String() == "BigEndian" {
		b = []byte("MM")
	}
	b = order.AppendUint16(b, 42)
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 1)
	b = order.AppendUint16(b, 0x0112)
	b = order.AppendUint16(b, 3)
	b = order.AppendUint32(b, 1)
	b = order.AppendUint16(b, orientation)
	return order.AppendUint32(append(b, 0, 0), 0)
}

// exif is the body of an APP1 segment.
func exif(tiff []byte) string { return exifPrefix + "\x00" + string(tiff) }

// withSegment puts a segment behind the start marker of a JPEG.
func withSegment(jpegData []byte, marker byte, body string) []byte {
	b := append([]byte{}, jpegData[:2]...)
	b = append(b, 0xff, marker)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)+2))
	return append(append(b, body...), jpegData[2:]...)
}

// header is a PNG that announces a picture and holds no pixels.
func header(width, height uint32, depth, colour, interlace byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, width)
	b = binary.BigEndian.AppendUint32(b, height)
	return append([]byte(signaturePNG), pngChunk("IHDR", append(b, depth, colour, 0, 0, interlace))...)
}

// bitmap is a BMP with a header of 40 bytes and rows padded to 4 bytes.
func bitmap(width, height int32, bits uint16, palette, pixels []byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32([]byte("BM"), uint32(54+len(palette)+len(pixels)))
	b = le.AppendUint32(le.AppendUint32(b, 0), uint32(54+len(palette)))
	b = le.AppendUint32(b, 40)
	b = le.AppendUint32(le.AppendUint32(b, uint32(width)), uint32(height))
	b = le.AppendUint16(le.AppendUint16(b, 1), bits)
	b = append(b, make([]byte, 16)...) // compression, size, resolution
	b = le.AppendUint32(le.AppendUint32(b, uint32(len(palette)/4)), 0)
	return append(append(b, palette...), pixels...)
}
