package picture

import (
	"encoding/binary"
	"fmt"
)

// inspectWebP looks for the EXIF chunk. A file that is shorter than it claims is refused here: the decoder
// would first allocate the claimed size.
func inspectWebP(data []byte) (inspection, error) {
	length := uint64(binary.LittleEndian.Uint32(data[4:]))
	if length > uint64(len(data)-8) {
		return inspection{}, fmt.Errorf("%w: it ends early", ErrBroken)
	}
	const header = 8 // name and length of a chunk
	const animated = 1 << 1
	found := inspection{data: data}
	for rest := data[12:]; len(rest) >= header; {
		length := uint64(binary.LittleEndian.Uint32(rest[4:]))
		if length > uint64(len(rest)-header) {
			break
		}
		chunk := rest[header : header+length]
		switch string(rest[:4]) {
		case "VP8X":
			if len(chunk) > 0 && chunk[0]&animated != 0 {
				return inspection{}, fmt.Errorf("%w: an animated WebP", ErrNotImage)
			}
		case "EXIF":
			if hasPrefix(chunk, exifPrefix) {
				chunk = withoutPrefix(chunk)
			}
			found.note(chunk)
		}
		rest = rest[min(header+length+length&1, uint64(len(rest))):]
	}
	return found, nil
}
