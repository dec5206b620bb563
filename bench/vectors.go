package bench

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
)

// vectors are vectors of one dimension, one after the other, all of unit length.
// Each is known by its number.
type vectors struct {
	dim  int
	data []float32 // [n*dim]
}

func newVectors(n, dim int) vectors { return vectors{dim, make([]float32, n*dim)} }

func (v vectors) len() int { return len(v.data) / v.dim }

// at returns vector i, [dim]float32, which is not to be changed.
func (v vectors) at(i int) []float32 { return v.data[i*v.dim : (i+1)*v.dim : (i+1)*v.dim] }

// first returns the first n vectors, or all if there are no more.
func (v vectors) first(n int) vectors { return vectors{v.dim, v.data[:min(n*v.dim, len(v.data))]} }

const (
	// cropSpread is how far a generated crop lies from its student's centre. Two crops
	// of a student then have a similarity of 1/(1+0.8²) = 0.61, as good models give it.
	cropSpread = 0.8

	// unitTolerance is how far from 1 the length of a vector may be, as package
	// index has it.
	unitTolerance = 1e-4
)

// generate returns the crops of students, student by student, and queries, which
// are further crops of students drawn at random. A student is a random direction:
// that they have nothing in common is a hard case for a graph.
func generate(rng *rand.Rand, students, crops, queries, dim int) (gallery, probes vectors) {
	centres := newVectors(students, dim)
	gallery, probes = newVectors(students*crops, dim), newVectors(queries, dim)
	for s := range students {
		copy(centres.at(s), unit(rng, dim))
		for c := range crops {
			drawCrop(rng, centres.at(s), gallery.at(s*crops+c))
		}
	}
	for q := range queries {
		drawCrop(rng, centres.at(rng.IntN(students)), probes.at(q))
	}
	return gallery, probes
}

// drawCrop writes a random crop around centre to crop.
func drawCrop(rng *rand.Rand, centre, crop []float32) {
	spread := cropSpread / math.Sqrt(float64(len(centre)))
	for i, c := range centre {
		crop[i] = c + float32(rng.NormFloat64()*spread)
	}
	normalise(crop)
}

// readVectors reads a file of vectors: little-endian float32, nothing else.
func readVectors(name string, dim int) (v vectors, err error) {
	file, err := os.Open(name)
	if err != nil {
		return vectors{}, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return vectors{}, err
	}
	row := int64(4 * dim)
	if info.Size() == 0 || info.Size()%row != 0 {
		return vectors{}, fmt.Errorf("%s has %d bytes, which is no number of vectors of %d float32: is --dimension right?", name, info.Size(), dim)
	}
	v = newVectors(int(info.Size()/row), dim)
	in, buf := bufio.NewReader(file), make([]byte, row)
	for i := range v.len() {
		if _, err := io.ReadFull(in, buf); err != nil {
			return vectors{}, fmt.Errorf("read %s: %w", name, err)
		}
		if _, err := binary.Decode(buf, binary.LittleEndian, v.at(i)); err != nil {
			return vectors{}, fmt.Errorf("read %s: %w", name, err)
		}
		if !isUnit(v.at(i)) {
			return vectors{}, fmt.Errorf("vector %d of %s is not of unit length: is --dimension right, and are they normalised?", i, name)
		}
	}
	return v, nil
}

// isUnit reports whether a vector has unit length. One with a NaN has none.
func isUnit(v []float32) bool {
	var square float64
	for _, x := range v {
		square += float64(x) * float64(x)
	}
	return math.Abs(math.Sqrt(square)-1) <= unitTolerance
}
