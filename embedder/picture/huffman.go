package picture

import (
	"bytes"
	"encoding/binary"
)

// lookBits is how many bits a table looks at at once. Longer codes are rare.
const lookBits = 10

// huffmanTable decodes the symbols of one table of a JPEG. Most encoders write the tables of the standard, so
// a table keeps what it made of the segment before.
type huffmanTable struct {
	set     bool
	segment []byte // that it was made from: how many codes have 1 to 16 bits, then their symbols
	// fast says what the next lookBits bits mean; 0: a code that is longer.
	fast [1 << lookBits]meaning
	// limit[n] is the first code of n bits that is none, and offset[n] is to be added to a code of n bits
	// for the place of its symbol.
	limit, offset [17]int32
}

// meaning is what follows in the data: how many bits are used up (bits 0 to 5), how many of a coefficient's
// bits are still to be read (8 to 11), how many zeros come first (12 to 15) and, if no bits are still to be read,
// the coefficient (16 to 31). If the flag last is set, all others are zeros.
type meaning uint32

const last meaning = 1 << 6

// mean returns the meaning of a symbol with a code of some bits.
func mean(symbol byte, length int, ac bool) meaning {
	m := meaning(length) | meaning(symbol)<<8
	if ac && symbol == 0 {
		m |= last
	}
	return m
}

// size is how many bits of a coefficient are still to be read.
func (m meaning) size() uint { return uint(m>>8) & 15 }

// zeros is how many zeros come first.
func (m meaning) zeros() int { return int(m>>12) & 15 }

// read makes the table from a segment and returns how long it is; 0: it is not well formed.
func (h *huffmanTable) read(segment []byte, ac bool) int {
	const lengths = 16
	if len(segment) < lengths {
		return 0
	}
	n := lengths
	for _, count := range segment[:lengths] {
		n += int(count)
	}
	if n == lengths || n > lengths+256 || n > len(segment) {
		return 0
	}
	h.set = true
	if bytes.Equal(h.segment, segment[:n]) {
		return n
	}
	h.segment = append(h.segment[:0], segment[:n]...)
	clear(h.fast[:])
	symbols := h.segment[lengths:]
	code, at := int32(0), 0
	for length := 1; length <= lengths; length++ {
		h.offset[length] = int32(at) - code
		for range segment[length-1] {
			if code >= 1<<length {
				h.segment = h.segment[:0]
				return 0
			}
			if length <= lookBits {
				h.fill(code, length, symbols[at], ac)
			}
			code++
			at++
		}
		h.limit[length] = code
		code <<= 1
	}
	return n
}

// fill notes the meaning of a code. Where the bits of the coefficient are in sight, they are read now.
func (h *huffmanTable) fill(code int32, length int, symbol byte, ac bool) {
	free := lookBits - length
	for after := range 1 << free {
		m := mean(symbol, length, ac)
		if size := int(m.size()); size > 0 && size <= free && (ac || symbol < 16) {
			v := extended(uint64(after)<<(64-free), uint(size))
			m = meaning(length+size) | m&^0xfff | meaning(uint16(v))<<16
		}
		h.fast[int(code)<<free|after] = m
	}
}

// extended reads a coefficient from the upper bits (ITU-T T.81, F.2.2.1). size is 1 to 15.
func extended(bits uint64, size uint) int32 {
	v := int32(bits >> (64 - size))
	if int64(bits) >= 0 { // the first bit is 0: it is negative
		v += -1<<size + 1
	}
	return v
}

// bitReader reads the entropy-coded data of a scan.
type bitReader struct {
	data []byte
	at   int    // of the next byte in data
	bits uint64 // the next count bits, from the top; 0 after them
	// count is at least 32 after fill. Behind a marker or the end of the data it counts bits that are not
	// there and read as 0; made is their number.
	count int
	made  int
}

// fill gets more bits. REQUIRES: count < 32.
func (r *bitReader) fill() {
	if r.at+8 <= len(r.data) {
		next := binary.BigEndian.Uint64(r.data[r.at:])
		const ones, tops = 0x0101010101010101, 0x8080808080808080
		if inverted := ^next; (inverted-ones)&next&tops == 0 { // no byte is 0xff
			n := (64 - r.count) / 8
			r.bits |= next >> (64 - 8*n) << (64 - 8*n) >> r.count
			r.at += n
			r.count += 8 * n
			return
		}
	}
	for r.count <= 56 {
		if r.at < len(r.data) && r.data[r.at] != 0xff {
			r.bits |= uint64(r.data[r.at]) << (56 - r.count)
			r.at++
		} else if r.at+1 < len(r.data) && r.data[r.at+1] == 0 { // an 0xff of the data
			r.bits |= 0xff << (56 - r.count)
			r.at += 2
		} else {
			r.made += 8
		}
		r.count += 8
	}
}

// missing reports whether bits were read that are not there.
func (r *bitReader) missing() bool { return r.count < r.made }

// slow decodes a code of more than lookBits bits; 0: it is none.
func (r *bitReader) slow(h *huffmanTable, ac bool) meaning {
	for length := lookBits + 1; length <= 16; length++ {
		code := int32(r.bits >> (64 - length))
		if code < h.limit[length] {
			return mean(h.segment[16+code+h.offset[length]], length, ac)
		}
	}
	return 0
}

// block reads the coefficients of one block and multiplies them with their factors. It returns false where
// the data is not as it should be. REQUIRES: b is zero.
func (r *bitReader) block(b *block, c *component) bool {
	if r.count < 32 {
		r.fill()
	}
	m := c.dc.fast[r.bits>>(64-lookBits)]
	if m == 0 {
		m = r.slow(c.dc, false)
	}
	const mostDC = 11 // bits of a difference of samples of 8 bits
	if m == 0 || m.zeros() != 0 || m.size() > mostDC {
		return false
	}
	c.before += r.value(m)
	b[0] = c.before * c.quant.factor[0]

	bits, count := r.bits, r.count
	fast := &c.ac.fast
	for i := 1; i < len(b); i++ {
		if count < 32 {
			r.bits, r.count = bits, count
			r.fill()
			bits, count = r.bits, r.count
		}
		m := fast[bits>>(64-lookBits)]
		if m == 0 {
			r.bits = bits
			if m = r.slow(c.ac, true); m == 0 {
				return false
			}
		}
		bits <<= m & 63
		count -= int(m & 63)
		if m&last != 0 {
			break
		}
		i += m.zeros()
		v := int32(m) >> 16
		if size := m.size(); size > 0 {
			v = extended(bits, size)
			bits <<= size
			count -= int(size)
		} else if v == 0 && m.zeros() != 15 {
			return false // a run of blocks, which only a progressive scan has
		}
		if i >= len(b) {
			if v != 0 {
				return false
			}
			break // zeros beyond the end, which image/jpeg takes too
		}
		b[byColumns[i]&63] = v * c.quant.factor[i]
	}
	r.bits, r.count = bits, count
	return !r.missing()
}

// value reads the difference that a meaning says.
func (r *bitReader) value(m meaning) int32 {
	r.bits <<= m & 63
	r.count -= int(m & 63)
	size := m.size()
	if size == 0 {
		return int32(m) >> 16
	}
	v := extended(r.bits, size)
	r.bits <<= size
	r.count -= int(size)
	return v
}

// restart goes on behind a restart marker, which has to come next.
func (r *bitReader) restart(marker byte) bool {
	if r.count-r.made >= 8 || r.at+2 > len(r.data) || r.data[r.at] != 0xff || r.data[r.at+1] != marker {
		return false
	}
	*r = bitReader{data: r.data, at: r.at + 2}
	return true
}

// ended reports whether the next marker is the end of the image, and nothing unusual comes before.
func (r *bitReader) ended() bool {
	for rest := r.data[r.at:]; ; {
		i := bytes.IndexByte(rest, 0xff)
		if i < 0 || i+1 >= len(rest) {
			return false
		}
		if rest[i+1] != 0 {
			return rest[i+1] == markerEOI
		}
		rest = rest[i+2:]
	}
}
