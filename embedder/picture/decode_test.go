package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestDecodeFixtures(t *testing.T) {
	grey := quarters{{94, 94, 94}, {136, 136, 136}, {71, 71, 71}, {218, 218, 218}}
	bits := quarters{{0, 0, 0}, {255, 255, 255}, {0, 0, 0}, {255, 255, 255}}
	for _, test := range []struct {
		name, format string
		orientation  int
		want         quarters
		tolerance    int
	}{
		{"444.jpg", "jpeg", 1, drawn, 2}, {"440.jpg", "jpeg", 1, drawn, 2}, {"422.jpg", "jpeg", 1, drawn, 2},
		{"420.jpg", "jpeg", 1, drawn, 2}, {"411.jpg", "jpeg", 1, drawn, 2}, {"progressive.jpg", "jpeg", 1, drawn, 2},
		{"gray.jpg", "jpeg", 1, grey, 1}, {"rgb.jpg", "jpeg", 1, drawn, 2},
		{"cmyk.jpg", "jpeg", 1, drawn, 2}, {"cmyk-progressive.jpg", "jpeg", 1, drawn, 2}, {"ycck.jpg", "jpeg", 1, drawn, 3},
		{"restarts.jpg", "jpeg", 1, drawn, 2}, {"restarts-progressive.jpg", "jpeg", 1, drawn, 2}, {"restarts-none.jpg", "jpeg", 1, drawn, 2},
		{"exif.jpg", "jpeg", 6, drawn.turned(6), 2},
		{"animated.png", "png", 1, drawn, 0}, {"exif.png", "png", 6, drawn.turned(6), 0},
		{"bits.png", "png", 1, bits, 0}, {"palette.png", "png", 1, faded, 1},
		{"lossy.webp", "webp", 1, drawn, 3}, {"lossless.webp", "webp", 1, drawn, 0}, {"exif.webp", "webp", 6, drawn.turned(6), 3},
		{"lossy-alpha.webp", "webp", 1, faded, 3}, {"lossless-alpha.webp", "webp", 1, faded, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			data := fixture(t, test.name)
			p, info := decode(t, data)
			if info.Format != test.format || info.Orientation != test.orientation {
				t.Errorf("%+v", info)
			}
			if width := map[bool]int{false: 64, true: 32}[test.orientation >= 5]; info.Width != width {
				t.Errorf("%d pixels wide", info.Width)
			}
			// As stored, whatever the orientation.
			if width, height, err := Size(data, Limits{}); width != 64 || height != 32 || err != nil {
				t.Errorf("its size is %d x %d, %v", width, height, err)
			}
			test.want.check(t, p, test.tolerance)

			trailed, _ := decode(t, append(slices.Clone(data), "\xff\xd8\xff trailing garbage"...))
			if !bytes.Equal(trailed.Pix, p.Pix) {
				t.Error("what follows the picture changes it")
			}
			for n := range data {
				if _, _, err := Decode(data[:n], Limits{}); !isSentinel(err) {
					t.Fatalf("cut to %d of %d bytes: %v", n, len(data), err)
				} else if n >= 18 && !errors.Is(err, ErrBroken) {
					t.Fatalf("cut to %d of %d bytes: %v, want ErrBroken", n, len(data), err)
				}
			}
		})
	}
}

var sentinels = []error{ErrEmpty, ErrTooManyBytes, ErrTooManyPixels, ErrNotImage, ErrBroken}

// isSentinel: err wraps exactly one of them.
func isSentinel(err error) bool {
	n := 0
	for _, s := range sentinels {
		if errors.Is(err, s) {
			n++
		}
	}
	return n == 1
}

func TestDecodeInterlaced(t *testing.T) {
	plain, _ := decode(t, encodePNG(t, draw()))
	p, _ := decode(t, interlaced(t, draw()))
	if !bytes.Equal(p.Pix, plain.Pix) {
		t.Error("differs from the same picture without interlacing")
	}
}

func TestDecodeBMP(t *testing.T) {
	// Two pixels above two: red, green / blue, beige; from the bottom row up.
	palette := []byte{40, 40, 220, 0, 60, 200, 40, 0, 210, 60, 40, 0, 180, 220, 230, 0}
	bgr := func(i int) []byte { return palette[4*i : 4*i+3] }
	rows := func(order ...int) []byte {
		var b []byte
		for i := 0; i < 4; i += 2 {
			b = append(append(append(b, bgr(order[i])...), bgr(order[i+1])...), 0, 0)
		}
		return b
	}
	bitmap5 := func(pixels ...byte) []byte { // a header of 124 bytes has an opacity
		data := bitmap(2, 2, 32, nil, nil)
		data[14], data[10] = 124, 138
		return slices.Concat(data, make([]byte, 84), pixels)
	}
	for _, test := range []struct {
		name string
		data []byte
		want quarters
	}{
		{"24 bits", bitmap(2, 2, 24, nil, rows(2, 3, 0, 1)), drawn},
		{"from the top", bitmap(2, -2, 24, nil, rows(0, 1, 2, 3)), drawn},
		{"32 bits", bitmap(2, 2, 32, nil, slices.Concat(palette[8:], palette[:8])), drawn},
		{"32 bits with opacity", bitmap5(210, 60, 40, 128, 180, 220, 230, 255, 40, 40, 220, 255, 9, 9, 9, 0), faded},
		{"32 bits, opacity left out", bitmap5(slices.Concat(palette[8:], palette[:8])...), drawn},
		{"8 bits", bitmap(2, 2, 8, palette, []byte{2, 3, 0, 0, 0, 1, 0, 0}), drawn},
		{"4 bits", bitmap(2, 2, 4, palette, []byte{0x23, 0, 0, 0, 0x01, 0, 0, 0}), drawn},
		{"1 bit", bitmap(2, 2, 1, palette[:8], []byte{0x40, 0, 0, 0, 0x80, 0, 0, 0}), quarters{drawn[1], drawn[0], drawn[0], drawn[1]}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, info := decode(t, test.data)
			if info != (Info{"bmp", 1, 2, 2}) {
				t.Errorf("%+v", info)
			}
			for i, want := range test.want {
				for channel, v := range p.Pix[3*i:][:3] {
					if abs(int(v)-want[channel]) > 1 {
						t.Errorf("pixel %d is %v, want %v", i, p.Pix[3*i:][:3], want)
					}
				}
			}
			for n := range test.data {
				if _, _, err := Decode(test.data[:n], Limits{}); !isSentinel(err) {
					t.Fatalf("cut to %d of %d bytes: %v", n, len(test.data), err)
				}
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	jpegOf := func(width, height uint16) []byte {
		data := fixture(t, "420.jpg")
		at := bytes.Index(data, []byte{0xff, 0xc0})
		data[at+5], data[at+6], data[at+7], data[at+8] = byte(height>>8), byte(height), byte(width>>8), byte(width)
		return data
	}
	vp8x := func(width, height uint32, flags byte) []byte {
		body := []byte("WEBPVP8X\x0a\x00\x00\x00")
		body = append(body, flags, 0, 0, 0, byte(width-1), byte((width-1)>>8), byte((width-1)>>16), byte(height-1), byte((height-1)>>8), byte((height-1)>>16))
		return append([]byte{'R', 'I', 'F', 'F', byte(len(body)), 0, 0, 0}, body...)
	}
	corrupt := fixture(t, "exif.png")
	corrupt[len(corrupt)-30] ^= 1
	for _, test := range []struct {
		name   string
		data   []byte
		limits Limits
		want   error
	}{
		{"nothing", nil, Limits{}, ErrEmpty},
		{"empty", []byte{}, Limits{}, ErrEmpty},
		{"too many bytes", make([]byte, 101), Limits{Bytes: 100}, ErrTooManyBytes},
		{"too many bytes by default", make([]byte, 8<<20+1), Limits{}, ErrTooManyBytes},
		{"a PNG of 50 gigapixels", header(250_000, 200_000, 8, 2, 0), Limits{}, ErrTooManyPixels},
		{"a PNG of 2^59 pixels", header(1<<30, 1<<29, 1, 0, 0), Limits{}, ErrTooManyPixels},
		{"a PNG without pixels", header(0, 10, 8, 2, 0), Limits{}, ErrBroken},
		{"a PNG of an odd depth", header(10, 10, 3, 2, 0), Limits{}, ErrNotImage},
		{"a PNG with a wrong checksum", corrupt, Limits{}, ErrBroken},
		{"a JPEG of 65500 x 65500", jpegOf(65500, 65500), Limits{}, ErrTooManyPixels},
		{"a JPEG without rows", jpegOf(64, 0), Limits{}, ErrBroken},
		{"a JPEG without columns", jpegOf(0, 32), Limits{}, ErrBroken},
		{"a JPEG that is less than it says", jpegOf(640, 320), Limits{}, ErrBroken},
		{"a JPEG of 12 bits", bytes.Replace(fixture(t, "420.jpg"), []byte{0xff, 0xc0, 0, 17, 8}, []byte{0xff, 0xc0, 0, 17, 12}, 1), Limits{}, ErrNotImage},
		{"an arithmetic coded JPEG", bytes.Replace(fixture(t, "420.jpg"), []byte{0xff, 0xc0}, []byte{0xff, 0xc9}, 1), Limits{}, ErrNotImage},
		{"a CMYK JPEG without Adobe's marker", bytes.Replace(fixture(t, "cmyk.jpg"), []byte("Adobe"), []byte("Adobo"), 1), Limits{}, ErrNotImage},
		{"a WebP canvas of 2^31 pixels", vp8x(1<<15, 1<<16-1, 0), Limits{}, ErrTooManyPixels},
		{"a WebP canvas of 2^48 pixels", vp8x(1<<24, 1<<24, 0), Limits{}, ErrBroken},
		{"a WebP canvas without a picture", vp8x(10, 10, 0), Limits{}, ErrBroken},
		{"an animated WebP", fixture(t, "animated.webp"), Limits{}, ErrNotImage},
		{"a WebP that claims 2 GB", []byte("RIFF\xf0\xff\xff\x7fWEBPVP8 \xe0\xff\xff\x7f\x30\x01\x00\x9d\x01\x2a\x40\x00\x20\x00"), Limits{}, ErrBroken},
		{"a BMP of 2^60 pixels", bitmap(1<<30, 1<<30, 24, nil, nil), Limits{}, ErrTooManyPixels},
		{"a BMP with the least height", bitmap(1<<20, math.MinInt32, 24, nil, nil), Limits{}, ErrTooManyPixels},
		{"a BMP with a negative width", bitmap(-2, 2, 24, nil, make([]byte, 16)), Limits{}, ErrNotImage},
		{"a BMP without pixels", bitmap(0, 0, 24, nil, nil), Limits{}, ErrBroken},
		{"a BMP of 16 bits", bitmap(2, 2, 16, nil, make([]byte, 8)), Limits{}, ErrNotImage},
		{"a BMP with an index beyond the palette", bitmap(1, 1, 8, make([]byte, 8), []byte{200, 0, 0, 0}), Limits{}, ErrBroken},
		{"one pixel too many", fixture(t, "420.jpg"), Limits{Pixels: 64*32 - 1}, ErrTooManyPixels},
		{"text", []byte("hello"), Limits{}, ErrNotImage},
	} {
		p, info, err := Decode(test.data, test.limits)
		if !errors.Is(err, test.want) || !isSentinel(err) || p != nil || info != (Info{}) {
			t.Errorf("%s: %+v, %v", test.name, info, err)
		}
	}
	if _, _, err := Decode(fixture(t, "420.jpg"), Limits{Bytes: 678, Pixels: 64 * 32}); err != nil {
		t.Errorf("exactly at the limits: %v", err)
	}
}

// TestBMPReasons: what the decoder does not read is called by its name.
func TestBMPReasons(t *testing.T) {
	with := func(at int, value byte) []byte {
		data := bitmap(2, 2, 24, nil, make([]byte, 200))
		data[at] = value
		return data
	}
	for want, cases := range map[string][][]byte{
		"run-length":           {with(30, 1), with(30, 2)},
		"holds a JPEG or PNG":  {with(30, 4), with(30, 5)},
		"16 bits":              {with(28, 16)},
		"a header of 12 bytes": {with(14, 12)},
		"a header of 52 bytes": {with(14, 52)},
		"a header of 56 bytes": {with(14, 56)},
		"a header of 64 bytes": {with(14, 64)},
		"a rare variant":       {with(30, 3), with(26, 2), with(28, 64), with(10, 60)},
	} {
		for i, data := range cases {
			if p, _, err := Decode(data, Limits{}); p != nil || !errors.Is(err, ErrNotImage) || !isSentinel(err) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %d: %v", want, i, err)
			}
		}
	}
}

// TestDecodeScans: every scan of a JPEG costs the whole image, so that their number is bounded; what
// looks like scans inside of metadata, such as a preview, does not count.
func TestDecodeScans(t *testing.T) {
	repeated := func(name string, total int) []byte {
		data := fixture(t, name)
		have := bytes.Count(data, []byte{0xff, markerSOS})
		last := bytes.LastIndex(data, []byte{0xff, markerSOS})
		end := len(data) - 2
		return slices.Concat(data[:end], bytes.Repeat(data[last:end], total-have), data[end:])
	}
	for _, test := range []struct {
		name  string
		scans int
		fine  bool
	}{
		{"progressive.jpg", maxProgressiveScans, true}, {"progressive.jpg", maxProgressiveScans + 1, false},
		{"420.jpg", maxSequentialScans, true}, {"420.jpg", maxSequentialScans + 1, false},
	} {
		_, _, err := Decode(repeated(test.name, test.scans), Limits{})
		if (err == nil) != test.fine || err != nil && (!errors.Is(err, ErrNotImage) || !strings.Contains(err.Error(), "scans")) {
			t.Errorf("%s with %d scans: %v", test.name, test.scans, err)
		}
	}
	decode(t, withSegment(fixture(t, "420.jpg"), markerAPP1, strings.Repeat("\xff\xda\x00\x02", 100)))
}

// TestDecodeMemory holds the promise of Limits for the kinds that take the most.
func TestDecodeMemory(t *testing.T) {
	const side = 1024
	huge := func(name string, sof byte) []byte {
		data := fixture(t, name)
		at := bytes.Index(data, []byte{0xff, sof})
		data[at+5], data[at+6], data[at+7], data[at+8] = side>>8, side&255, side>>8, side&255
		return data
	}
	for _, test := range []struct {
		name string
		data []byte
	}{
		{"progressive CMYK JPEG", huge("cmyk-progressive.jpg", markerSOF2)},
		{"progressive JPEG", huge("progressive.jpg", markerSOF2)},
		{"JPEG", huge("420.jpg", 0xc0)},
		{"interlaced PNG of 16 bits with opacity", header(side, side, 16, 6, 1)},
		{"whole PNG of 16 bits", encodePNG(t, image.NewNRGBA64(image.Rect(0, 0, side, side)))},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p, _, err := Decode(test.data, Limits{})
		runtime.ReadMemStats(&after)
		if p == nil && !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", test.name, err)
		}
		// No decoder that is met here needs the fixed part; a megabyte is for its tables.
		if used := after.TotalAlloc - before.TotalAlloc; used > worstPerPixel*side*side+1<<20 {
			t.Errorf("%s: %d bytes, %.1f a pixel", test.name, used, float64(used)/side/side)
		}
	}
	const narrow = 65535
	data := fixture(t, "411.jpg")
	at := bytes.Index(data, []byte{0xff, 0xc0})
	data[at+5], data[at+6], data[at+7], data[at+8] = narrow>>8, narrow&255, 0, 1
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := Decode(data, Limits{Pixels: narrow})
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, ErrBroken) || used > worstPerPixel*narrow+worstFixed {
		t.Errorf("a JPEG one pixel wide: %d bytes, %v", used, err)
	}
}

func TestGuard(t *testing.T) {
	for name, run := range map[string]func(io.Reader) (int, error){
		"panics":     func(io.Reader) (int, error) { panic("a mistake") },
		"ends early": func(r io.Reader) (int, error) { return io.ReadFull(r, make([]byte, 100)) },
		"fails":      func(io.Reader) (int, error) { return 0, errors.New("some error") },
	} {
		if _, err := guard([]byte("some data"), run); !errors.Is(err, ErrBroken) || !isSentinel(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRelease asks for growing and shrinking pictures, so that buffers come back that are too small.
func TestRelease(t *testing.T) {
	for i := range 200 {
		width, height := 1+i*37%101, 1+i*53%67
		p := newPicture(width, height)
		if len(p.Pix) != 3*width*height || p.Bounds() != image.Rect(0, 0, width, height) {
			t.Fatalf("%d bytes for %d x %d", len(p.Pix), width, height)
		}
		p.Release()
		if p.Pix != nil {
			t.Fatal("a released picture keeps its pixels")
		}
	}
	large := newPicture(2000, 2000) // is not pooled
	large.Release()
	(&Picture{Pix: make([]byte, 3), Width: 1, Height: 1}).Release()
}

// TestDecodeConcurrent decodes, checks and releases in many goroutines: no picture may see the pixels
// of another one through the pool.
func TestDecodeConcurrent(t *testing.T) {
	names := []string{"420.jpg", "exif.jpg", "lossless.webp", "palette.png", "rgb.jpg"}
	want := map[string][]byte{}
	for _, name := range names {
		p, _ := decode(t, fixture(t, name))
		want[name] = slices.Clone(p.Pix)
		p.Release()
		p.Release() // does nothing
	}
	var group sync.WaitGroup
	failed := make(chan error, 8)
	for n := range cap(failed) {
		group.Go(func() {
			for i := range 100 {
				name := names[(n+i)%len(names)]
				data, err := os.ReadFile("testdata/" + name)
				if err != nil {
					failed <- err
					return
				}
				p, _, err := Decode(data, Limits{})
				if err != nil || !bytes.Equal(p.Pix, want[name]) {
					failed <- fmt.Errorf("%s: other pixels, %v", name, err)
					return
				}
				p.Release()
			}
		})
	}
	group.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
}

func encodePNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
