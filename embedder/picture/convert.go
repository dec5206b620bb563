package picture

import (
	"fmt"
	"image"
	"image/color"
)

// backdrop is the grey under transparent pixels. Models see mid-grey as zero or nearly zero. It is as far
// from dark hair as from light skin, and changes the brightness of a crop least. Black or white would put
// the hardest possible edge around a face that was cut out of its background.
const backdrop = 128

// convert copies the decoded image into a picture of the size whole, at the pixel at, and turns it upright.
// Around it is the backdrop. There is one loop for each type that the decoders return, because
// image.Image.At costs some 20 times as much.
func convert(m image.Image, whole, at image.Point, colours colours, orientation int) (*Picture, error) {
	size := m.Bounds().Size()
	switch m.(type) {
	case *image.YCbCr, *image.NYCbCrA, *image.Gray, *image.Gray16, *image.Paletted, *image.CMYK,
		*image.RGBA, *image.NRGBA, *image.RGBA64, *image.NRGBA64:
	default:
		return nil, fmt.Errorf("%w: its colours are of an unknown kind", ErrNotImage)
	}
	p, c := orient(whole.X, whole.Y, orientation)
	if size != whole {
		for i := range p.Pix {
			p.Pix[i] = backdrop
		}
		c.origin += at.X*c.right + at.Y*c.down
	}
	switch m := m.(type) {
	case *image.YCbCr:
		c.ycbcr(m, colours)
	case *image.NYCbCrA:
		c.ycbcr(&m.YCbCr, colours)
		c.fade(size, m.A, m.AStride, 1)
	case *image.Gray:
		c.gray(size, m.Pix, m.Stride, 1)
	case *image.Gray16:
		c.gray(size, m.Pix, m.Stride, 2)
	case *image.Paletted:
		c.paletted(size, m)
	case *image.CMYK:
		c.cmyk(size, m)
	case *image.RGBA:
		c.rgba(size, m.Pix, m.Stride, 1)
		c.lighten(size, m.Pix[3:], m.Stride, 4)
	case *image.RGBA64:
		c.rgba(size, m.Pix, m.Stride, 2)
		c.lighten(size, m.Pix[6:], m.Stride, 8)
	case *image.NRGBA:
		c.rgba(size, m.Pix, m.Stride, 1)
		c.fade(size, m.Pix[3:], m.Stride, 4)
	case *image.NRGBA64:
		c.rgba(size, m.Pix, m.Stride, 2)
		c.fade(size, m.Pix[6:], m.Stride, 8)
	}
	return p, nil
}

// colours are the coefficients from luma and chroma to RGB, with 16 binary digits after the point:
// full = luma*scale + offset; red = full + red*Cr, green = full - greenB*Cb - greenR*Cr,
// blue = full + blue*Cb, where Cb and Cr are 0 for grey.
type colours struct {
	scale, offset             int32
	red, greenB, greenR, blue int32
}

var (
	// JFIF 1.02: all of 0..255 is used. The integers are those of [color.YCbCrToRGB].
	jfif = colours{scale: 0x10101, red: 91881, greenB: 22554, greenR: 46802, blue: 116130}
	// VP8 (RFC 6386, section 9.2, and the BT.601 that it names): luma is 16..235, chroma 16..240.
	// Read as JFIF, as package image does it, black would be 16 and white 235. offset rounds, too.
	studio = colours{scale: 76309, offset: 1<<15 - 16*76309, red: 104597, greenB: 25675, greenR: 53279, blue: 132201}
)

// ycbcr repeats the arithmetic of color.YCbCrToRGB, which is too large to be inlined. All pixels that share
// a chroma sample get its value, where libjpeg interpolates. The difference is small: over 200 faces the
// embeddings of a MobileFaceNet kept a cosine of 0.9995 or more to those of pictures that OpenCV decoded
// and aligned.
func (c canvas) ycbcr(m *image.YCbCr, k colours) {
	size := m.Rect.Size()
	shift := 0 // log2 of the pixels in a row that share a chroma sample
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420:
		shift = 1
	case image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410:
		shift = 2
	}
	samples := (size.X-1)>>shift + 1
	for y := range size.Y {
		at := c.origin + y*c.down
		luma := m.Y[m.YOffset(0, y):][:size.X]
		chroma := m.COffset(0, y)
		cbs, crs := m.Cb[chroma:][:samples], m.Cr[chroma:][:samples]
		done := 0
		if c.right == 3 {
			done = k.rgb(c.pix[at:], luma, cbs, crs, shift)
			at += 3 * done
		}
		for i, l := range luma[done:] {
			x := done + i
			full := int32(l)*k.scale + k.offset
			cb, cr := int32(cbs[x>>shift])-128, int32(crs[x>>shift])-128
			pixel := c.pix[at : at+3 : at+3]
			pixel[0] = clip16(full + k.red*cr)
			pixel[1] = clip16(full - k.greenB*cb - k.greenR*cr)
			pixel[2] = clip16(full + k.blue*cb)
			at += c.right
		}
	}
}

// clip16 takes a sample with 16 binary digits after the point to 0..255.
func clip16(v int32) byte {
	if uint32(v)&0xff000000 == 0 {
		return byte(v >> 16)
	}
	return byte(^(v >> 31)) // 0 below the range, 255 above it
}

// gray reads samples of depth bytes. Of 16 bits the upper 8 are kept, as OpenCV does.
func (c canvas) gray(size image.Point, pix []byte, stride, depth int) {
	for y := range size.Y {
		at := c.origin + y*c.down
		row := pix[y*stride:][:size.X*depth]
		for i := 0; i < len(row); i += depth {
			pixel := c.pix[at : at+3 : at+3]
			pixel[0], pixel[1], pixel[2] = row[i], row[i], row[i]
			at += c.right
		}
	}
}

// rgba reads pixels of four samples of depth bytes, and leaves the fourth to fade and lighten.
func (c canvas) rgba(size image.Point, pix []byte, stride, depth int) {
	for y := range size.Y {
		at := c.origin + y*c.down
		row := pix[y*stride:][:size.X*4*depth]
		for i := 0; i < len(row); i += 4 * depth {
			pixel := c.pix[at : at+3 : at+3]
			pixel[0], pixel[1], pixel[2] = row[i], row[i+depth], row[i+2*depth]
			at += c.right
		}
	}
}

// fade lays the pixels of the canvas over the backdrop. alpha holds the opacity of a pixel in every
// step-th byte.
func (c canvas) fade(size image.Point, alpha []byte, stride, step int) {
	c.eachTransparent(size, alpha, stride, step, func(pixel []byte, opacity uint32) {
		for i, v := range pixel {
			pixel[i] = over(uint32(v), opacity)
		}
	})
}

// lighten is fade for samples that were multiplied with their opacity already.
func (c canvas) lighten(size image.Point, alpha []byte, stride, step int) {
	c.eachTransparent(size, alpha, stride, step, func(pixel []byte, opacity uint32) {
		for i, v := range pixel {
			pixel[i] = byte(min(uint32(v)+uint32(over(0, opacity)), 255))
		}
	})
}

// eachTransparent calls f with every pixel that is not opaque.
func (c canvas) eachTransparent(size image.Point, alpha []byte, stride, step int, f func(pixel []byte, opacity uint32)) {
	for y := range size.Y {
		at := c.origin + y*c.down
		row := alpha[y*stride:]
		for x := range size.X {
			if a := row[x*step]; a != 255 {
				f(c.pix[at:at+3:at+3], uint32(a))
			}
			at += c.right
		}
	}
}

// over mixes a sample of some opacity, 0..255, with the backdrop, rounding to the nearest.
func over(sample, opacity uint32) byte {
	return byte((sample*opacity + backdrop*(255-opacity) + 127) / 255)
}

func (c canvas) paletted(size image.Point, m *image.Paletted) {
	var table [256][3]byte // what the palette lacks is black, as libpng has it
	for i, entry := range m.Palette[:min(len(m.Palette), len(table))] {
		n := color.NRGBAModel.Convert(entry).(color.NRGBA)
		table[i] = [3]byte{over(uint32(n.R), uint32(n.A)), over(uint32(n.G), uint32(n.A)), over(uint32(n.B), uint32(n.A))}
	}
	for y := range size.Y {
		at := c.origin + y*c.down
		for _, index := range m.Pix[y*m.Stride:][:size.X] {
			copy(c.pix[at:at+3:at+3], table[index][:])
			at += c.right
		}
	}
}

func (c canvas) cmyk(size image.Point, m *image.CMYK) {
	for y := range size.Y {
		at := c.origin + y*c.down
		row := m.Pix[y*m.Stride:][:size.X*4]
		for i := 0; i < len(row); i += 4 {
			pixel := c.pix[at : at+3 : at+3]
			pixel[0], pixel[1], pixel[2] = color.CMYKToRGB(row[i], row[i+1], row[i+2], row[i+3])
			at += c.right
		}
	}
}
