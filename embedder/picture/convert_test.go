package picture

import (
	"bytes"
	"compress/zlib"
	"errors"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"
)

// TestConvertKinds compares every type of image with image.Image.At, in float64, and with every
// orientation, on odd sizes.
func TestConvertKinds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	fill := func(pix []byte) {
		for i := range pix {
			pix[i] = byte(rng.UintN(256))
		}
	}
	r := image.Rect(0, 0, 13, 7)
	gray, gray16, cmyk := image.NewGray(r), image.NewGray16(r), image.NewCMYK(r)
	nrgba, nrgba64, rgba, rgba64 := image.NewNRGBA(r), image.NewNRGBA64(r), image.NewRGBA(r), image.NewRGBA64(r)
	for _, pix := range [][]byte{gray.Pix, gray16.Pix, cmyk.Pix, nrgba.Pix, nrgba64.Pix} {
		fill(pix)
	}
	for y := range r.Max.Y { // samples that are multiplied with the opacity have to be valid
		for x := range r.Max.X {
			rgba.Set(x, y, nrgba.At(x, y))
			rgba64.Set(x, y, nrgba64.At(x, y))
		}
	}
	paletted := image.NewPaletted(r, color.Palette{color.RGBA{10, 20, 30, 255}, color.NRGBA{200, 100, 50, 77}, color.Black, color.NRGBA{1, 2, 3, 0}})
	for i := range paletted.Pix {
		paletted.Pix[i] = byte(rng.UintN(4))
	}
	images := []image.Image{gray, gray16, cmyk, nrgba, nrgba64, rgba, rgba64, paletted}
	for ratio := image.YCbCrSubsampleRatio444; ratio <= image.YCbCrSubsampleRatio410; ratio++ {
		m := image.NewYCbCr(r, ratio)
		fill(m.Y)
		fill(m.Cb)
		fill(m.Cr)
		images = append(images, m)
	}
	with := image.NewNYCbCrA(r, image.YCbCrSubsampleRatio420)
	for _, pix := range [][]byte{with.Y, with.Cb, with.Cr, with.A} {
		fill(pix)
	}
	images = append(images, with)

	for _, m := range images {
		for orientation := 1; orientation <= 8; orientation++ {
			p, err := convert(m, r.Max, image.Point{}, jfif, orientation)
			if err != nil {
				t.Fatal(err)
			}
			for y := range r.Max.Y {
				for x := range r.Max.X {
					dx, dy := place(x, y, r.Max.X, r.Max.Y, orientation)
					got := p.Pix[3*(dy*p.Width+dx):][:3]
					for i, want := range expected(m.At(x, y)) {
						// A premultiplied sample of 8 bits has lost up to one level, and 16 bits are cut to 8.
						if math.Abs(float64(got[i])-want) > 1.6 {
							t.Fatalf("%T, orientation %d: (%d, %d) is %v, want %v of %v", m, orientation, x, y, got, want, m.At(x, y))
						}
					}
				}
			}
		}
	}
}

// expected lays a colour over the backdrop.
func expected(c color.Color) [3]float64 {
	r, g, b, a := c.RGBA()
	var v [3]float64
	for i, sample := range [3]uint32{r, g, b} {
		v[i] = (float64(sample) + backdrop*257*(1-float64(a)/65535)) / 257
	}
	return v
}

// place is where a stored pixel is shown: mirrored along the rows, then along the columns, then
// across the diagonal, as the number demands.
func place(x, y, width, height, orientation int) (int, int) {
	switch orientation {
	case 2, 3, 7, 8:
		x = width - 1 - x
	}
	switch orientation {
	case 3, 4, 6, 7:
		y = height - 1 - y
	}
	if orientation >= 5 {
		return y, x
	}
	return x, y
}

// TestConvertJFIF: exactly color.YCbCrToRGB, for all colours in steps.
func TestConvertJFIF(t *testing.T) {
	const side = 256
	for luma := 0; luma < 256; luma += 15 {
		m := image.NewYCbCr(image.Rect(0, 0, side, side), image.YCbCrSubsampleRatio444)
		for i := range m.Y {
			m.Y[i], m.Cb[i], m.Cr[i] = byte(luma), byte(i%side), byte(i/side)
		}
		p, err := convert(m, m.Rect.Max, image.Point{}, jfif, upright)
		if err != nil {
			t.Fatal(err)
		}
		for i := range m.Y {
			r, g, b := color.YCbCrToRGB(m.Y[i], m.Cb[i], m.Cr[i])
			if got := p.Pix[3*i:][:3]; got[0] != r || got[1] != g || got[2] != b {
				t.Fatalf("%v is %v, want %v", [3]byte{m.Y[i], m.Cb[i], m.Cr[i]}, got, [3]byte{r, g, b})
			}
		}
		p.Release()
	}
}

// TestConvertStudio compares the colours of VP8 with the matrix of BT.601, in float64.
func TestConvertStudio(t *testing.T) {
	const side = 256
	for luma := 0; luma < 256; luma += 15 {
		m := image.NewYCbCr(image.Rect(0, 0, side, side), image.YCbCrSubsampleRatio444)
		for i := range m.Y {
			m.Y[i], m.Cb[i], m.Cr[i] = byte(luma), byte(i%side), byte(i/side)
		}
		p, err := convert(m, m.Rect.Max, image.Point{}, studio, upright)
		if err != nil {
			t.Fatal(err)
		}
		for i := range m.Y {
			y := (float64(m.Y[i]) - 16) / 219
			cb, cr := (float64(m.Cb[i])-128)/112, (float64(m.Cr[i])-128)/112
			const kr, kb = 0.299, 0.114
			red, blue := y+(1-kr)*cr, y+(1-kb)*cb
			green := (y - kr*red - kb*blue) / (1 - kr - kb)
			for channel, want := range [3]float64{red, green, blue} {
				want = 255 * min(max(want, 0), 1)
				if got := p.Pix[3*i+channel]; math.Abs(float64(got)-want) > 0.51 {
					t.Fatalf("%v: channel %d is %d, want %g", [3]byte{m.Y[i], m.Cb[i], m.Cr[i]}, channel, got, want)
				}
			}
		}
		p.Release()
	}
}

func TestConvertUnknown(t *testing.T) {
	if p, err := convert(image.NewUniform(color.White), image.Pt(1, 1), image.Point{}, jfif, upright); !errors.Is(err, ErrNotImage) || p != nil {
		t.Errorf("%v, %v", p, err)
	}
}

// interlaced writes a PNG with the seven passes of Adam7, each as an image of its own without filters.
func interlaced(t testing.TB, m *image.NRGBA) []byte {
	t.Helper()
	size := m.Rect.Size()
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	for _, pass := range [7][4]int{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}} {
		for y := pass[1]; y < size.Y; y += pass[3] {
			row := []byte{0}
			for x := pass[0]; x < size.X; x += pass[2] {
				row = append(row, m.Pix[m.PixOffset(x, y):][:4]...)
			}
			if _, err := z.Write(row); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	data := append(header(uint32(size.X), uint32(size.Y), 8, 6, 1), pngChunk("IDAT", b.Bytes())...)
	return append(data, pngChunk("IEND", nil)...)
}
