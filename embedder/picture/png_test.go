package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// mixed is a picture of many colours, some of them transparent.
func mixed(width, height int) *image.NRGBA {
	rng := rand.New(rand.NewPCG(uint64(width), uint64(height)))
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = byte(rng.UintN(256))
	}
	return m
}

// pngPixels returns the chunks between the header and the pixels of a PNG, and the pixels.
func pngPixels(data []byte) (before, pixels []byte) {
	for rest := data[33:]; len(rest) > 0; {
		length := 12 + binary.BigEndian.Uint32(rest)
		switch string(rest[4:8]) {
		case "IDAT":
			pixels = append(pixels, rest[8:length-4]...)
		case "IEND":
			return before, pixels
		default:
			before = append(before, rest[:length]...)
		}
		rest = rest[length:]
	}
	return before, pixels
}

// film is an animated PNG: a picture of its own, and frames, each at a place. Where the first is nil, the
// picture is the first frame.
type film struct {
	picture image.Image
	frames  []image.Image
	at      []image.Point
}

func (f film) encode(t testing.TB) []byte {
	data := encodePNG(t, f.picture)
	before, pixels := pngPixels(data)
	sequence := uint32(0)
	number := func() []byte {
		sequence++
		return binary.BigEndian.AppendUint32(nil, sequence-1)
	}
	control := func(size, at image.Point) []byte {
		b := number()
		for _, v := range []int{size.X, size.Y, at.X, at.Y} {
			b = binary.BigEndian.AppendUint32(b, uint32(v))
		}
		return pngChunk("fcTL", append(b, 0, 1, 0, 10, 0, 0))
	}
	count := binary.BigEndian.AppendUint32(nil, uint32(len(f.frames)))
	out := slices.Concat(data[:33], pngChunk("acTL", append(count, 0, 0, 0, 0)), before)
	for i, frame := range f.frames {
		if frame == nil {
			out = append(out, control(f.picture.Bounds().Size(), image.Point{})...)
		}
		if i == 0 {
			out = append(out, pngChunk("IDAT", pixels)...)
		}
		if frame == nil {
			continue
		}
		out = append(out, control(frame.Bounds().Size(), f.at[i])...)
		_, pixels := pngPixels(encodePNG(t, frame))
		half := len(pixels) / 2
		out = append(out, pngChunk("fdAT", append(number(), pixels[:half]...))...)
		out = append(out, pngChunk("fdAT", append(number(), pixels[half:]...))...)
	}
	return append(out, pngChunk("IEND", nil)...)
}

// TestAnimated: the first frame is shown, at its place, whether or not it is the file's own picture.
func TestAnimated(t *testing.T) {
	own, whole, corner := mixed(20, 30), mixed(20, 30), mixed(7, 9)
	for i := range whole.Pix {
		whole.Pix[i] ^= 0x55
	}
	palette := color.Palette{color.NRGBA{1, 2, 3, 255}, color.NRGBA{200, 0, 0, 100}, color.NRGBA{0, 200, 0, 0}}
	first, second := image.NewPaletted(image.Rect(0, 0, 20, 30), palette), image.NewPaletted(image.Rect(0, 0, 20, 30), palette)
	for i := range second.Pix {
		second.Pix[i] = byte(i % 3)
	}
	at := image.Pt(11, 5)
	for name, test := range map[string]struct {
		film film
		want image.Image
		at   image.Point
	}{
		"the picture is a frame":      {film{own, []image.Image{nil, whole}, make([]image.Point, 2)}, own, image.Point{}},
		"the picture is no frame":     {film{own, []image.Image{whole, corner}, make([]image.Point, 2)}, whole, image.Point{}},
		"one frame":                   {film{own, []image.Image{whole}, make([]image.Point, 1)}, whole, image.Point{}},
		"a frame in the corner":       {film{own, []image.Image{corner, whole}, []image.Point{{}, {}}}, corner, image.Point{}},
		"a frame at a place":          {film{own, []image.Image{corner, whole}, []image.Point{at, {}}}, corner, at},
		"with a palette":              {film{first, []image.Image{second}, make([]image.Point, 1)}, second, image.Point{}},
		"a frame beyond the edge":     {film{own, []image.Image{corner}, []image.Point{{14, 5}}}, own, image.Point{}},
		"a frame below the edge":      {film{own, []image.Image{corner}, []image.Point{{3, 22}}}, own, image.Point{}},
		"a frame far beyond the edge": {film{own, []image.Image{corner}, []image.Point{{-1, -1}}}, own, image.Point{}},
	} {
		data := test.film.encode(t)
		for orientation := 1; orientation <= 8; orientation++ {
			late := len(data) - 12
			p, info := decode(t, slices.Concat(data[:late], pngChunk("eXIf", tiff(binary.BigEndian, uint16(orientation))), data[late:]))
			if info.Orientation != orientation {
				t.Fatalf("%s: %+v", name, info)
			}
			for y := range 30 {
				for x := range 20 {
					want := [3]float64{backdrop, backdrop, backdrop}
					if q := image.Pt(x, y).Sub(test.at); q.In(test.want.Bounds()) {
						want = expected(test.want.At(q.X, q.Y))
					}
					dx, dy := place(x, y, 20, 30, orientation)
					for i, v := range p.Pix[3*(dy*p.Width+dx):][:3] {
						if diff := float64(v) - want[i]; diff > 1.6 || diff < -1.6 {
							t.Fatalf("%s, orientation %d: (%d, %d) is %v, want %v", name, orientation, x, y, p.Pix[3*(dy*p.Width+dx):][:3], want)
						}
					}
				}
			}
		}
		for n := 18; n < len(data); n += 5 {
			if _, _, err := Decode(data[:n], Limits{}); !errors.Is(err, ErrBroken) || !isSentinel(err) {
				t.Fatalf("%s, cut to %d of %d bytes: %v", name, n, len(data), err)
			}
		}
	}
}

// TestAnimatedDamaged: a checksum is not mended by the way, and what is no animation is a picture.
func TestAnimatedDamaged(t *testing.T) {
	own, frame := mixed(20, 30), mixed(20, 30)
	for i := range frame.Pix {
		frame.Pix[i] ^= 0x55
	}
	data := film{own, []image.Image{frame}, make([]image.Point, 1)}.encode(t)
	want, _ := decode(t, encodePNG(t, own))

	for _, at := range []int{bytes.Index(data, []byte("fdAT")), bytes.LastIndex(data, []byte("fdAT"))} {
		wrong := slices.Clone(data)
		wrong[at+8] ^= 1 // the pixels themselves; of the last chunk, they end in a checksum of their own
		if _, _, err := Decode(wrong, Limits{}); !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), "a checksum is wrong") {
			t.Errorf("a wrong checksum: %v", err)
		}
	}
	at := bytes.Index(data, []byte("acTL")) - 4
	both := film{own, []image.Image{nil, frame}, make([]image.Point, 2)}.encode(t)
	second := bytes.LastIndex(both, []byte("fcTL")) - 4
	for name, data := range map[string][]byte{
		"without acTL":                     slices.Concat(data[:at], data[at+20:]),
		"of no frames":                     slices.Concat(data[:at], pngChunk("acTL", make([]byte, 8)), data[at+20:]),
		"without a beginning of its parts": slices.Concat(both[:second], both[second+38:]),
		"without parts":                    mended(bytes.ReplaceAll(data, []byte("fdAT"), []byte("fdAX"))),
	} {
		if p, _ := decode(t, data); !bytes.Equal(p.Pix, want.Pix) {
			t.Errorf("%s: not the picture", name)
		}
	}
}
