package index

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"runtime"
	"sync"
)

// rowBlock is a run of rows as they are in the file.
type rowBlock struct {
	first int // number of the first row
	bytes []byte
}

// blockBytes is about how much of the rows is read at a time: enough to keep a
// disk at work, and several fit into a processor's cache, where they are when
// they are decoded.
const blockBytes = 256 << 10

// readRows calls put for each row, [dim]float32 of unit length: from several
// goroutines, each row once. The row is put's only until it returns. Of the
// checksum nothing is known until readRows returns.
//
// One goroutine reads and sums, the others decode and put.
func (r *snapshotReader) readRows(put func(row int, vector []float32) error) error {
	workers := runtime.GOMAXPROCS(0)
	full := make(chan rowBlock, workers)
	empty := make(chan []byte, 2*workers) // each block is in here, in full or in somebody's hands
	perBlock := max(1, blockBytes/(4*r.dim))
	for range cap(empty) {
		empty <- nil // allocated when first used, for a file may be small
	}
	failed := make(chan struct{}) // closed at the first error
	var first error
	var once sync.Once
	fail := func(err error) { once.Do(func() { first = err; close(failed) }) }

	var decoders sync.WaitGroup
	for range workers {
		decoders.Go(func() {
			row := make([]float32, r.dim)
			for block := range full {
				if err := r.putBlock(block, row, put); err != nil {
					fail(err)
				}
				empty <- block.bytes[:0] // there is room for every block
			}
		})
	}
	if err := r.feedRows(perBlock, full, empty, failed); err != nil {
		fail(err)
	}
	close(full)
	decoders.Wait()
	return first
}

// feedRows reads the rows block by block, and checks their sum at the end.
func (r *snapshotReader) feedRows(perBlock int, full chan<- rowBlock, empty <-chan []byte, failed <-chan struct{}) error {
	var sum uint32
	rowBytes := 4 * r.dim
	for row := 0; row < int(r.count); row += perBlock {
		n := min(perBlock, int(r.count)-row)
		var b []byte
		select {
		case b = <-empty:
		case <-failed:
			return nil
		}
		if cap(b) < n*rowBytes {
			b = make([]byte, n*rowBytes)
		}
		b = b[:n*rowBytes]
		if err := r.readAt(b, r.rowsAt+uint64(row)*uint64(rowBytes)); err != nil {
			return err
		}
		sum = crc32.Update(sum, castagnoli, b)
		full <- rowBlock{row, b}
	}
	var stored [checksumBytes]byte
	if err := r.readAt(stored[:], r.idsAt-checksumBytes); err != nil {
		return err
	}
	if sum != binary.LittleEndian.Uint32(stored[:]) {
		return damaged("rows")
	}
	return nil
}

// putBlock decodes the rows of a block into row, one after the other, and puts
// those that are vectors.
func (r *snapshotReader) putBlock(block rowBlock, row []float32, put func(int, []float32) error) error {
	for i := 0; len(block.bytes) > 4*i*r.dim; i++ {
		b := block.bytes[4*i*r.dim : 4*(i+1)*r.dim]
		for j := range row {
			row[j] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*j:]))
		}
		if err := checkVector(r.dim, row); err != nil {
			return fmt.Errorf("%w: row %d: %w", ErrSnapshot, block.first+i, err)
		}
		if err := put(block.first+i, row); err != nil {
			return err
		}
	}
	return nil
}
