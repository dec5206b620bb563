package picture

import "image"

// inspection is what the walk over the segments or chunks of an image found, before anything is decoded.
// The walk refuses what would cost the decoder too much, and what the decoder cannot read.
type inspection struct {
	orientation int    // of EXIF, 1 to 8; 0 where no EXIF data gives one
	data        []byte // what the decoder gets: the image, or a copy of it in the form that the decoder reads
	// size is that of the image, where the walk has found it; otherwise the decoder tells it.
	size image.Point
	// part is the place of the decoder's result in the picture; empty where it is the whole picture.
	part image.Rectangle
}

// note reads the orientation from EXIF data, a TIFF file. The first sound one counts.
func (i *inspection) note(tiff []byte) {
	if i.orientation == 0 {
		i.orientation = orientationOf(tiff)
	}
}

// exifPrefix begins EXIF data in a segment of a JPEG, and sometimes in a chunk of a WebP. A padding byte
// follows, usually 0.
const exifPrefix = "Exif\x00"

// withoutPrefix returns the TIFF file in EXIF data that begins with exifPrefix.
func withoutPrefix(exif []byte) []byte { return exif[min(len(exif), len(exifPrefix)+1):] }
