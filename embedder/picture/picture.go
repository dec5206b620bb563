// Package picture turns the bytes of a crop into RGB pixels.
//
// Start with [Decode]: it recognises JPEG, PNG, WebP and BMP by their content, refuses what is too large
// before it decodes anything, and turns the picture as its EXIF orientation says. [Picture.Measure] tells
// how bright and how sharp a region is. Package align does what comes next: alignment and resampling into a
// model's tensor.
package picture

import (
	"image"
	"sync"
)

// Picture is a decoded crop. Reading it is safe for concurrent use; Release is not.
type Picture struct {
	Pix    []byte // [Height][Width][3]byte: R, G, B, rows from the top, no padding
	Width  int    // pixels, at least 1
	Height int    // pixels, at least 1

	buffer *[]byte // what Release returns to the pool; nil where Pix did not come from it
}

// maxPooled is the largest buffer in bytes that is kept for the next picture: a megapixel. Crops are
// smaller. The buffer of a rare photograph must not stay for the rest of the process.
const maxPooled = 3 << 20

var buffers sync.Pool // of *[]byte, none longer than maxPooled

func newPicture(width, height int) *Picture {
	n := 3 * width * height
	if n > maxPooled {
		return &Picture{Pix: make([]byte, n), Width: width, Height: height}
	}
	buffer, ok := buffers.Get().(*[]byte)
	if !ok || cap(*buffer) < n {
		// A buffer that is too small is dropped: after a few pictures the pool holds large enough ones.
		made := make([]byte, n)
		buffer = &made
	}
	return &Picture{Pix: (*buffer)[:n], Width: width, Height: height, buffer: buffer}
}

// Release gives the buffer of p to a later picture. Neither p nor any slice of its Pix may be used
// after it. Calling it is optional, and calling it a second time does nothing.
func (p *Picture) Release() {
	if p.buffer != nil {
		buffers.Put(p.buffer)
	}
	*p = Picture{}
}

// Bounds is the whole picture as a region for [Picture.Measure].
func (p *Picture) Bounds() image.Rectangle { return image.Rect(0, 0, p.Width, p.Height) }
