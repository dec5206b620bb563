package picture

import (
	"encoding/binary"
	"fmt"
	"image"
	"io"

	"golang.org/x/image/bmp"
)

// inspectBMP refuses a BMP that the decoder cannot read, and says why. A BMP has no metadata.
func inspectBMP(data []byte) (inspection, error) {
	const end = 34 // end of the fields that are read here
	if len(data) < end {
		return inspection{data: data}, nil
	}
	le := binary.LittleEndian
	header, bits, compression := le.Uint32(data[14:]), le.Uint16(data[28:]), le.Uint32(data[30:])
	reason := ""
	switch {
	case header != 40 && header != 108 && header != 124:
		reason = fmt.Sprintf("a BMP with a header of %d bytes", header)
	case compression == 1 || compression == 2:
		reason = "a BMP with run-length encoding (RLE)"
	case compression == 4 || compression == 5:
		reason = "a BMP that holds a JPEG or PNG"
	case bits == 16:
		reason = "a BMP of 16 bits a pixel"
	}
	if reason != "" {
		return inspection{}, fmt.Errorf("%w: %s", ErrNotImage, reason)
	}
	return inspection{data: data}, nil
}

// decodeBMP treats a fully transparent picture of 32 bits as opaque, as browsers do: many programs leave
// the fourth byte 0.
func decodeBMP(r io.Reader) (image.Image, error) {
	m, err := bmp.Decode(r)
	pixels, ok := m.(*image.NRGBA)
	if !ok {
		return m, err
	}
	for i := 3; i < len(pixels.Pix); i += 4 {
		if pixels.Pix[i] != 0 {
			return m, err
		}
	}
	for i := 3; i < len(pixels.Pix); i += 4 {
		pixels.Pix[i] = 255
	}
	return m, err
}
