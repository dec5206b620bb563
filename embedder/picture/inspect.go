package picture

import "image"

// inspection is what the walk over the segments or chunks of an image found, before anything is decoded.
// What the decoder would take but what would cost too much, and what it does not read, is refused there.
type inspection struct {
	orientation int    // of EXIF, 1 to 8; 0 where no EXIF data says one
	data        []byte // what the decoder gets: the image, or a copy of it in the form that the decoder reads
	// part is where in the picture belongs what the decoder returns; empty where it is the whole picture.
	part image.Rectangle
}

// note reads the orientation of EXIF data, a TIFF file. The first that is sound counts.
func (i *inspection) note(tiff []byte) {
	if i.orientation == 0 {
		i.orientation = orientationOf(tiff)
	}
}

// exifPrefix begins EXIF data in a segment of a JPEG, and sometimes in a chunk of a WebP. A byte for
// filling follows, usually 0.
const exifPrefix = "Exif\x00"

// withoutPrefix returns the TIFF file in EXIF data that begins with exifPrefix.
func withoutPrefix(exif []byte) []byte { return exif[min(len(exif), len(exifPrefix)+1):] }
