package bench

import "time"

// bandwidthMiB is how much memory is read to measure a bandwidth, where no flag says
// otherwise: 16 times the cache that the cores of a present server share.
const bandwidthMiB = 512

// A memoryReader measures how fast one core reads memory, one line after the other.
type memoryReader struct {
	lines [][8]uint64 // cache lines
	sum   uint64      // what was read; keeps the reading from being left out
}

func newMemoryReader(bytes int) *memoryReader {
	r := &memoryReader{lines: make([][8]uint64, bytes/64)}
	for i := range r.lines {
		r.lines[i][0] = uint64(i) // a page that was never written to is not in memory
	}
	return r
}

// measure reads everything once and returns the bytes per second.
func (r *memoryReader) measure() float64 {
	start := time.Now()
	var a, b, c, d uint64
	for i := range r.lines {
		line := &r.lines[i]
		a += line[0] ^ line[4]
		b += line[1] ^ line[5]
		c += line[2] ^ line[6]
		d += line[3] ^ line[7]
	}
	took := time.Since(start)
	r.sum += a + b + c + d
	return float64(64*len(r.lines)) / took.Seconds()
}
