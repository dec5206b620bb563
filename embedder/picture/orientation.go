package picture

import "encoding/binary"

const (
	tagOrientation = 0x0112 // of TIFF 6.0 and EXIF 2.32
	upright        = 1      // the orientation of a picture that says nothing
)

// orientationOf reads the orientation, 1 to 8, from the first directory of a TIFF file. If there is none,
// or the file is damaged, it returns 0: no picture is refused for its metadata.
func orientationOf(tiff []byte) int {
	const header, entry = 8, 12
	if len(tiff) < header {
		return 0
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0
	}
	offset := uint64(order.Uint32(tiff[4:]))
	if offset+2 > uint64(len(tiff)) {
		return 0
	}
	count := int(order.Uint16(tiff[offset:]))
	entries := tiff[offset+2:]
	for ; count > 0 && len(entries) >= entry; count-- {
		if order.Uint16(entries) == tagOrientation {
			value := integerOf(order, entries)
			if order.Uint32(entries[4:]) != 1 || value < 1 || value > 8 {
				return 0
			}
			return int(value)
		}
		entries = entries[entry:]
	}
	return 0
}

// integerOf reads the value of an entry of 12 bytes. It returns 0 where it is not an integer. The standard
// says SHORT, but some programs write another type.
func integerOf(order binary.ByteOrder, entry []byte) uint32 {
	value := entry[8:]
	switch order.Uint16(entry[2:]) {
	case 1, 6: // BYTE, SBYTE
		return uint32(value[0])
	case 3, 8: // SHORT, SSHORT
		return uint32(order.Uint16(value))
	case 4, 9: // LONG, SLONG
		return order.Uint32(value)
	}
	return 0
}

// canvas is a picture to be filled from an image that is stored in some orientation: the sample at
// column x and row y of the image belongs at pix[origin + x*right + y*down].
type canvas struct {
	pix                 []byte
	origin, right, down int
}

// orient makes the picture for an image of width x height samples, and the canvas on it.
func orient(width, height, orientation int) (*Picture, canvas) {
	var p *Picture
	if orientation >= 5 { // rows and columns change places
		p = newPicture(height, width)
	} else {
		p = newPicture(width, height)
	}
	const pixel = 3
	row := pixel * p.Width
	lastColumn, lastRow := pixel*(p.Width-1), row*(p.Height-1)
	c := canvas{pix: p.Pix}
	switch orientation {
	case 2: // mirrored
		c.origin, c.right, c.down = lastColumn, -pixel, row
	case 3: // upside down
		c.origin, c.right, c.down = lastColumn+lastRow, -pixel, -row
	case 4: // upside down, mirrored
		c.origin, c.right, c.down = lastRow, pixel, -row
	case 5: // the first row is the left side, the first column is the top
		c.origin, c.right, c.down = 0, row, pixel
	case 6: // right side, top
		c.origin, c.right, c.down = lastColumn, row, -pixel
	case 7: // right side, bottom
		c.origin, c.right, c.down = lastColumn+lastRow, -row, -pixel
	case 8: // left side, bottom
		c.origin, c.right, c.down = lastRow, -row, pixel
	default:
		c.origin, c.right, c.down = 0, pixel, row
	}
	return p, c
}
