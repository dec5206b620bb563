package picture

import (
	"encoding/binary"
	"image"
	"sync"
)

// baseline decodes the JPEGs that cameras, phones and detectors write: 8 bits, Huffman coding, one
// sequential scan, grey or JFIF colours at full, half or quarter resolution. Its pixels are those of
// image/jpeg, to the last bit, in a fifth of the time and without garbage. Everything else, every damaged
// file and every doubt is left to image/jpeg: baseline never says what is wrong.
//
// The two of them share no code, and a test compares them.
type baseline struct {
	data []byte

	width, height int
	interval      int // of restart markers in groups of blocks; 0: none
	quant         [4]quantTable
	huffman       [2][2]huffmanTable // DC and AC
	components    [3]component
	count         int // of components: 1 or 3
	seenFrame     bool

	bits   bitReader
	planes []byte // of all components; memory that is used again
	block  block
}

// component is Y, Cb or Cr.
type component struct {
	id           byte
	across, down int // blocks in a group
	quant        *quantTable
	dc, ac       *huffmanTable
	before       int32  // DC of the block before
	samples      []byte // whole blocks
	stride       int    // bytes of a row of samples
}

// block holds coefficients by columns, so that the first half of the inverse transform finds a row's in eight
// registers.
type block [64]int32

// quantTable is in zigzag order.
type quantTable struct {
	set    bool
	factor [64]int32
}

// byColumns says where in a block the coefficients of the zigzag order belong.
var byColumns = func() (place [64]uint8) {
	row, column, up := 0, 0, true
	for i := range place {
		place[i] = uint8(8*column + row)
		switch {
		case up && column == 7 || !up && column == 0 && row < 7:
			row++
			up = !up
		case up && row == 0 || !up && row == 7:
			column++
			up = !up
		case up:
			row, column = row-1, column+1
		default:
			row, column = row+1, column-1
		}
	}
	return place
}()

var baselines = sync.Pool{New: func() any { return new(baseline) }}

// decodeBaseline returns the picture, turned as its orientation says, or nil if image/jpeg has to look at the
// data.
func decodeBaseline(data []byte, size image.Point, orientation int) *Picture {
	d := baselines.Get().(*baseline)
	defer func() {
		d.data, d.bits, d.components = nil, bitReader{}, [3]component{}
		if cap(d.planes) > maxPooled {
			d.planes = nil
		}
		baselines.Put(d)
	}()
	d.data = data
	if !d.header() || size != image.Pt(d.width, d.height) || !d.scan() {
		return nil
	}
	p, c := orient(d.width, d.height, orientation)
	if d.count == 1 {
		c.gray(size, d.components[0].samples, d.components[0].stride, 1)
		return p
	}
	c.ycbcr(d.image(), jfif)
	return p
}

// image is what the scan has decoded.
func (d *baseline) image() *image.YCbCr {
	y, cb, cr := &d.components[0], &d.components[1], &d.components[2]
	ratio := image.YCbCrSubsampleRatio444
	switch [2]int{y.across, y.down} {
	case [2]int{2, 1}:
		ratio = image.YCbCrSubsampleRatio422
	case [2]int{1, 2}:
		ratio = image.YCbCrSubsampleRatio440
	case [2]int{2, 2}:
		ratio = image.YCbCrSubsampleRatio420
	}
	return &image.YCbCr{
		Y: y.samples, Cb: cb.samples, Cr: cr.samples, YStride: y.stride, CStride: cb.stride,
		SubsampleRatio: ratio, Rect: image.Rect(0, 0, d.width, d.height),
	}
}

// header reads everything up to the scan. It returns false for what scan does not decode.
func (d *baseline) header() bool {
	d.count, d.interval, d.seenFrame = 0, 0, false
	for i := range d.quant {
		d.quant[i].set = false
	}
	for i := range d.huffman {
		for j := range d.huffman[i] {
			d.huffman[i][j].set = false
		}
	}
	rest := d.data[2:]
	for len(rest) >= 4 && rest[0] == 0xff {
		marker, length := rest[1], int(binary.BigEndian.Uint16(rest[2:]))+2
		if length < 4 || length > len(rest) {
			return false
		}
		segment := rest[4:length]
		rest = rest[length:]
		ok := true
		switch {
		case marker == markerSOF0, marker == markerSOF1:
			ok = d.readFrame(segment)
		case marker == markerDQT:
			ok = d.readQuant(segment)
		case marker == markerDHT:
			ok = d.readHuffman(segment)
		case marker == markerDRI:
			if ok = len(segment) == 2; ok {
				d.interval = int(binary.BigEndian.Uint16(segment))
			}
		case marker == markerSOS:
			d.bits = bitReader{data: rest}
			return d.readScan(segment)
		case marker == markerAPP14:
			ok = !hasPrefix(segment, "Adobe") || len(segment) >= 12 && segment[11] == 1 // YCbCr
		case marker&0xf0 == 0xe0, marker == markerCOM:
		default:
			return false
		}
		if !ok {
			return false
		}
	}
	return false
}

func (d *baseline) readFrame(segment []byte) bool {
	const fixed, each = 6, 3 // bytes
	if d.seenFrame || len(segment) < fixed || segment[0] != 8 {
		return false
	}
	d.seenFrame = true
	d.height, d.width = int(binary.BigEndian.Uint16(segment[1:])), int(binary.BigEndian.Uint16(segment[3:]))
	d.count = int(segment[5])
	if d.width == 0 || d.height == 0 || d.count != 1 && d.count != 3 || len(segment) != fixed+each*d.count {
		return false
	}
	for i := range d.count {
		s := segment[fixed+each*i:]
		c := &d.components[i]
		*c = component{id: s[0], across: int(s[1] >> 4), down: int(s[1] & 15)}
		if s[2] > 3 || c.across < 1 || c.down < 1 || c.across > 2 || c.down > 2 || i > 0 && c.across*c.down != 1 {
			return false
		}
		if d.count == 1 {
			c.across, c.down = 1, 1 // a single component's blocks follow each other (ITU-T T.81, A.2.2)
		}
		c.quant = &d.quant[s[2]]
		for _, other := range d.components[:i] {
			if other.id == c.id {
				return false
			}
		}
	}
	// The decoder of image/jpeg takes these for RGB where there is no JFIF segment.
	return d.count == 1 || d.components[0].id != 'R' || d.components[1].id != 'G' || d.components[2].id != 'B'
}

func (d *baseline) readQuant(segment []byte) bool {
	for len(segment) > 0 {
		size, which := int(segment[0]>>4)+1, segment[0]&15
		if size > 2 || which > 3 || len(segment) < 1+64*size {
			return false
		}
		q := &d.quant[which]
		q.set = true
		for i := range q.factor {
			if size == 1 {
				q.factor[i] = int32(segment[1+i])
			} else {
				q.factor[i] = int32(binary.BigEndian.Uint16(segment[1+2*i:]))
			}
		}
		segment = segment[1+64*size:]
	}
	return true
}

func (d *baseline) readHuffman(segment []byte) bool {
	for len(segment) > 0 {
		class, which := segment[0]>>4, segment[0]&15
		if class > 1 || which > 1 {
			return false
		}
		h := &d.huffman[class][which]
		if h.set { // 8 MiB hold 460,000 tables: to make them takes a second here, and .2 in image/jpeg
			return false
		}
		n := h.read(segment[1:], class == 1)
		if n == 0 {
			return false
		}
		segment = segment[1+n:]
	}
	return true
}

// readScan reads the header of the scan, which has to hold all components.
func (d *baseline) readScan(segment []byte) bool {
	const each, after = 2, 3 // bytes
	if !d.seenFrame || len(segment) != 1+each*d.count+after || int(segment[0]) != d.count {
		return false
	}
	for i := range d.count {
		s, c := segment[1+each*i:], &d.components[i]
		dc, ac := s[1]>>4, s[1]&15
		if s[0] != c.id || dc > 1 || ac > 1 {
			return false
		}
		c.dc, c.ac = &d.huffman[0][dc], &d.huffman[1][ac]
		if !c.quant.set || !c.dc.set || !c.ac.set {
			return false
		}
	}
	return true
}

// scan decodes all blocks.
func (d *baseline) scan() bool {
	const side = 8
	first := &d.components[0] // has the most blocks in a group
	columns := (d.width + side*first.across - 1) / (side * first.across)
	rows := (d.height + side*first.down - 1) / (side * first.down)
	all := 0
	for i := range d.components[:d.count] {
		c := &d.components[i]
		c.stride = side * c.across * columns
		all += c.stride * side * c.down * rows
	}
	if cap(d.planes) < all {
		d.planes = make([]byte, all)
	}
	free := d.planes[:all]
	d.block = block{}
	for i := range d.components[:d.count] {
		c := &d.components[i]
		n := c.stride * side * c.down * rows
		c.samples, free = free[:n:n], free[n:]
	}
	restart := byte(markerRST0)
	for group := range columns * rows {
		if d.interval > 0 && group > 0 && group%d.interval == 0 {
			if !d.bits.restart(restart) {
				return false
			}
			restart = markerRST0 + (restart+1-markerRST0)%8
			for i := range d.components {
				d.components[i].before = 0
			}
		}
		row, column := group/columns, group%columns
		for i := range d.components[:d.count] {
			c := &d.components[i]
			for v := range c.down {
				for h := range c.across {
					if !d.bits.block(&d.block, c) {
						return false
					}
					at := side * ((row*c.down+v)*c.stride + column*c.across + h)
					inverse(c.samples[at:][:7*c.stride+side], c.stride, &d.block)
				}
			}
		}
	}
	return d.bits.ended()
}
