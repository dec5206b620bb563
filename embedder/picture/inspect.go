package picture

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// The functions of this file walk the segments or chunks of an image. They return its EXIF data, a TIFF
// file that nobody has looked at yet, and refuse what the decoder would take but what would cost too much.

// Markers of ITU-T T.81, table B.1.
const (
	markerSOF2 = 0xc2 // progressive frame
	markerRST0 = 0xd0
	markerRST7 = 0xd7
	markerEOI  = 0xd9
	markerSOS  = 0xda
	markerAPP1 = 0xe1
)

// Most scans of one JPEG. Each scan walks over the whole image however few bytes it has, so that a
// progressive file of 8 MiB could keep a core busy for hours. Encoders write about ten; a sequential
// file needs one for each component.
const (
	maxProgressiveScans = 32
	maxSequentialScans  = 4
)

const exifPrefix = "Exif\x00\x00" // of EXIF in APP1, and sometimes in a WebP chunk

// inspectJPEG follows the markers as the decoder does: segments by their length, and after the header
// of a scan whatever comes up to the next marker.
func inspectJPEG(data []byte) (exif []byte, err error) {
	scans, limit := 0, maxSequentialScans
	for rest := data[2:]; ; {
		marker, after := nextMarker(rest)
		if marker == markerEOI || len(after) < 2 {
			return exif, nil // the decoder says whether anything is missing
		}
		if markerRST0 <= marker && marker <= markerRST7 {
			rest = after
			continue
		}
		length := int(binary.BigEndian.Uint16(after))
		if length < 2 || length > len(after) {
			return exif, nil
		}
		segment := after[2:length]
		rest = after[length:]
		switch marker {
		case markerSOF2:
			limit = maxProgressiveScans
		case markerAPP1:
			if exif == nil && hasPrefix(segment, exifPrefix) {
				exif = segment[len(exifPrefix):]
			}
		case markerSOS:
			if scans++; scans > limit {
				return nil, fmt.Errorf("%w: it has more than %d scans", ErrNotImage, limit)
			}
		}
	}
}

// nextMarker returns the first marker in data and what follows it: an 0xff and then neither 0x00,
// which stands for an 0xff in entropy-coded data, nor 0xff, which is filling. At the end it is
// markerEOI.
func nextMarker(data []byte) (byte, []byte) {
	for {
		i := bytes.IndexByte(data, 0xff)
		if i < 0 || i+1 >= len(data) {
			return markerEOI, nil
		}
		if marker := data[i+1]; marker != 0x00 && marker != 0xff {
			return marker, data[i+2:]
		}
		data = data[i+1:]
	}
}

// inspectPNG looks for the eXIf chunk (PNG, third edition, 11.3.3.4), which may follow the pixels.
func inspectPNG(data []byte) (exif []byte, err error) {
	const overhead = 12 // length, type and checksum of a chunk
	for rest := data[len(signaturePNG):]; len(rest) >= overhead; {
		length := uint64(binary.BigEndian.Uint32(rest))
		if length > uint64(len(rest)-overhead) {
			break
		}
		switch string(rest[4:8]) {
		case "eXIf":
			return rest[8 : 8+length], nil
		case "IEND":
			return nil, nil
		}
		rest = rest[overhead+length:]
	}
	return nil, nil
}

// inspectWebP looks for the EXIF chunk. A file that is shorter than it claims is refused here:
// the decoder would first allocate what it claims.
func inspectWebP(data []byte) (exif []byte, err error) {
	length := uint64(binary.LittleEndian.Uint32(data[4:]))
	if length > uint64(len(data)-8) {
		return nil, fmt.Errorf("%w: it ends early", ErrBroken)
	}
	const header = 8 // name and length of a chunk
	const animated = 1 << 1
	for rest := data[12:]; len(rest) >= header; {
		length := uint64(binary.LittleEndian.Uint32(rest[4:]))
		if length > uint64(len(rest)-header) {
			break
		}
		chunk := rest[header : header+length]
		switch string(rest[:4]) {
		case "VP8X":
			if len(chunk) > 0 && chunk[0]&animated != 0 {
				return nil, fmt.Errorf("%w: an animated WebP", ErrNotImage)
			}
		case "EXIF":
			return bytes.TrimPrefix(chunk, []byte(exifPrefix)), nil
		}
		rest = rest[min(header+length+length&1, uint64(len(rest))):]
	}
	return nil, nil
}

// inspectBMP: a BMP has no metadata.
func inspectBMP([]byte) (exif []byte, err error) { return nil, nil }
