package align

import "encoding/binary"

// The loops over the input pixels of one row. single and several are for pixels with four picture pixels
// around every sample, see interior; where there is assembly, they do what blocks leaves. border is for the
// others. All compute the same sums.

// single is for one sample for each input pixel.
func (s *sampler) single(w *writer, v, from, to int) {
	x := s.x + int64(v)*s.xDown + int64(from)*s.xRight
	y := s.y + int64(v)*s.yDown + int64(from)*s.yRight
	at := (v*w.width + from) * w.step
	for range to - from {
		r, g, b := unpack(s.inside(x, y))
		w.put(at, r, g, b)
		x += s.xRight
		y += s.yRight
		at += w.step
	}
}

// several is for shrinking.
func (s *sampler) several(w *writer, v, from, to int) {
	x := s.x + int64(v)*s.xDown + int64(from)*s.xRight
	y := s.y + int64(v)*s.yDown + int64(from)*s.yRight
	at := (v*w.width + from) * w.step
	for range to - from {
		var r, g, b int64
		for i := range s.taps[:s.count] {
			tap := &s.taps[i]
			tr, tg, tb := unpack(s.inside(x+tap.x, y+tap.y))
			r, g, b = r+tr, g+tg, b+tb
		}
		w.put(at, r, g, b)
		x += s.xRight
		y += s.yRight
		at += w.step
	}
}

// A packed pixel has R, G and B in fields of fieldBits, so that one multiplication weights all three:
// a sample of 8 bits times the weights of a bilinear sample, which sum to weightOne, fits its field.
const (
	fieldBits = 21
	fieldMask = 1<<fieldBits - 1
)

// pack spreads the lower three bytes of v.
func pack(v uint32) uint64 {
	w := uint64(v)
	return w&0xff | w&0xff00<<(fieldBits-8) | w&0xff0000<<(2*fieldBits-16)
}

func unpack(p uint64) (r, g, b int64) {
	return int64(p & fieldMask), int64(p >> fieldBits & fieldMask), int64(p >> (2 * fieldBits))
}

// weights are those of the upper left, upper right, lower left and lower right pixel around (x, y).
func weights(x, y int64) (ul, ur, ll, lr uint64) {
	fx, fy := uint64(x>>(pointBits-weightBits)&weightMask), uint64(y>>(pointBits-weightBits)&weightMask)
	lr = (fx*fy + weightOne/2) >> weightBits
	return weightOne + lr - fx - fy, fx - lr, fy - lr, lr
}

// inside is a bilinear sample times weightOne, packed. The four pixels around (x, y) exist.
func (s *sampler) inside(x, y int64) uint64 {
	ul, ur, ll, lr := weights(x, y)
	i := 3 * ((y>>pointBits)*s.width + x>>pointBits)
	upper := s.pix[i : i+6 : i+6]
	i += 3 * s.width
	lower := s.pix[i : i+6 : i+6]
	// The left pixel is read with the byte after it, the right pixel with the byte before it.
	return ul*pack(binary.LittleEndian.Uint32(upper)) + ur*pack(binary.LittleEndian.Uint32(upper[2:])>>8) +
		ll*pack(binary.LittleEndian.Uint32(lower)) + lr*pack(binary.LittleEndian.Uint32(lower[2:])>>8)
}

// border is for input pixels that may lie partly or wholly outside the picture.
func (s *sampler) border(w *writer, v, from, to int) {
	x := s.x + int64(v)*s.xDown + int64(from)*s.xRight
	y := s.y + int64(v)*s.yDown + int64(from)*s.yRight
	at := (v*w.width + from) * w.step
	for range to - from {
		var r, g, b int64
		if x+s.xReach > -one && x-s.xReach < s.width*one && y+s.yReach > -one && y-s.yReach < s.height*one {
			for i := range s.taps[:s.count] {
				tap := &s.taps[i]
				tr, tg, tb := unpack(s.outside(x+tap.x, y+tap.y))
				r, g, b = r+tr, g+tg, b+tb
			}
		}
		w.put(at, r, g, b)
		x += s.xRight
		y += s.yRight
		at += w.step
	}
}

// outside is inside for any place.
func (s *sampler) outside(x, y int64) (sum uint64) {
	if !s.fade {
		const half = one / 2
		if x < -half || x >= s.width*one-half || y < -half || y >= s.height*one-half {
			return 0
		}
		x, y = min(max(x, 0), (s.width-1)*one), min(max(y, 0), (s.height-1)*one)
	}
	ul, ur, ll, lr := weights(x, y)
	column, row := x>>pointBits, y>>pointBits
	for _, corner := range [4]struct {
		column, row int64
		weight      uint64
	}{{column, row, ul}, {column + 1, row, ur}, {column, row + 1, ll}, {column + 1, row + 1, lr}} {
		if corner.column < 0 || corner.column >= s.width || corner.row < 0 || corner.row >= s.height {
			continue
		}
		i := 3 * (corner.row*s.width + corner.column)
		pixel := s.pix[i : i+3 : i+3]
		sum += corner.weight * pack(uint32(pixel[0])|uint32(pixel[1])<<8|uint32(pixel[2])<<16)
	}
	return sum
}
