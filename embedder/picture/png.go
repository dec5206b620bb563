package picture

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"slices"
)

// chunkOverhead is the length, the type and the checksum of a PNG chunk, 4 bytes each.
const chunkOverhead = 12

// inspectPNG looks for the eXIf chunk (PNG, third edition, 11.3.3.4), which may follow the pixels, and for
// the first frame of an animation.
func inspectPNG(data []byte) (inspection, error) {
	found := inspection{data: data}
	var film animation
	for rest := data[len(signaturePNG):]; len(rest) >= chunkOverhead; {
		length := uint64(binary.BigEndian.Uint32(rest))
		if length > uint64(len(rest)-chunkOverhead) {
			break
		}
		whole := rest[:chunkOverhead+length]
		name, body := string(whole[4:8]), whole[8:8+length]
		switch name {
		case "eXIf":
			found.note(body)
		case "IEND":
			err := film.show(&found)
			return found, err
		}
		film.add(name, body, whole)
		rest = rest[len(whole):]
	}
	return found, nil // the decoder says what is missing
}

// animation collects the first frame of an animated PNG where the picture in the IDAT chunks is not a
// frame. A program that knows animations never shows that picture.
type animation struct {
	animated bool // acTL was seen
	pixels   bool // IDAT was seen
	frames   int  // fcTL chunks that were seen
	control  []byte
	header   []byte   // IHDR
	before   [][]byte // the chunks between IHDR and the pixels, which hold for the frame, too
	parts    []byte   // the pixels of the first frame, as IDAT chunks
	damaged  bool
}

func (a *animation) add(name string, body, whole []byte) {
	switch name {
	case "IHDR":
		a.header = body
	case "IDAT":
		a.pixels = true
	case "acTL":
		a.animated = a.animated || !a.pixels && len(body) >= 4 && binary.BigEndian.Uint32(body) > 0
	case "fcTL":
		if a.frames++; a.frames == 1 && a.pixels {
			a.control = body
		}
	case "fdAT":
		if a.frames == 1 && a.control != nil && len(body) >= 4 {
			a.parts = append(a.parts, pngChunk("IDAT", body[4:])...) // without the chunk's sequence number
			a.damaged = a.damaged || crc32.ChecksumIEEE(whole[4:8+len(body)]) != binary.BigEndian.Uint32(whole[8+len(body):])
		}
	default:
		if !a.pixels {
			a.before = append(a.before, whole)
		}
	}
}

// show lets the decoder read the first frame, as a PNG of its own. A frame that breaks the rules is no
// reason to refuse the image: then the picture in the IDAT chunks counts, as in browsers.
func (a *animation) show(found *inspection) error {
	const header, control = 13, 26
	if !a.animated || len(a.parts) == 0 || len(a.header) != header || len(a.control) != control {
		return nil
	}
	at := func(i int) int64 { return int64(binary.BigEndian.Uint32(a.control[i:])) }
	width, height, x, y := at(4), at(8), at(12), at(16)
	if width == 0 || height == 0 || x+width > int64(binary.BigEndian.Uint32(a.header)) || y+height > int64(binary.BigEndian.Uint32(a.header[4:])) {
		return nil
	}
	if a.damaged {
		return fmt.Errorf("%w: a checksum is wrong", ErrBroken)
	}
	found.part = image.Rect(int(x), int(y), int(x+width), int(y+height))
	found.data = slices.Concat([]byte(signaturePNG),
		pngChunk("IHDR", slices.Concat(a.control[4:12], a.header[8:])),
		slices.Concat(a.before...), a.parts, pngChunk("IEND", nil))
	return nil
}

func pngChunk(name string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, chunkOverhead+len(body)), uint32(len(body)))
	b = append(append(b, name...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}
