package picture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"slices"
)

// Markers of ITU-T T.81, table B.1.
const (
	markerSOF0  = 0xc0 // baseline frame
	markerSOF1  = 0xc1 // extended sequential frame
	markerSOF2  = 0xc2 // progressive frame
	markerDHT   = 0xc4
	markerRST0  = 0xd0
	markerRST7  = 0xd7
	markerEOI   = 0xd9
	markerSOS   = 0xda
	markerDQT   = 0xdb
	markerDRI   = 0xdd
	markerAPP1  = 0xe1
	markerAPP14 = 0xee
	markerCOM   = 0xfe
)

// unreadable says, by the marker that begins a frame, what the decoder cannot read in it.
var unreadable = map[byte]string{
	0xc3: "a lossless JPEG", 0xf7: "a lossless JPEG (JPEG-LS)",
	0xc5: hierarchical, 0xc6: hierarchical, 0xc7: hierarchical, 0xde: hierarchical,
	0xc9: arithmetic, 0xca: arithmetic, 0xcb: arithmetic, 0xcd: arithmetic, 0xce: arithmetic, 0xcf: arithmetic,
}

const (
	hierarchical = "a hierarchical JPEG"
	arithmetic   = "arithmetic coding is not supported; save the JPEG with Huffman coding"
)

// The most scans of one JPEG. Each scan walks over the whole image, however few bytes it has, so a
// progressive file of 8 MiB could keep a core busy for hours. Encoders write about ten. A sequential file
// needs one for each component.
const (
	maxProgressiveScans = 32
	maxSequentialScans  = 4
)

// inspectJPEG follows the markers as the decoder does: it skips a segment by its length, and after the
// header of a scan everything up to the next marker.
func inspectJPEG(data []byte) (inspection, error) {
	found := inspection{data: data}
	frames, scans, limit := 0, 0, maxSequentialScans
	tables := false
	var frame, restarts []byte // the last SOF and DRI segments
	for rest := data[2:]; ; {
		marker, after := nextMarker(rest)
		if marker == markerEOI || len(after) < 2 {
			break // the decoder says whether anything is missing
		}
		if markerRST0 <= marker && marker <= markerRST7 {
			rest = after
			continue
		}
		length := int(binary.BigEndian.Uint16(after))
		if length < 2 || length > len(after) {
			break
		}
		segment := after[2:length]
		rest = after[length:]
		if reason, ok := unreadable[marker]; ok {
			return inspection{}, fmt.Errorf("%w: %s", ErrNotImage, reason)
		}
		switch marker {
		case markerSOF0, markerSOF1, markerSOF2:
			if len(segment) > 0 && segment[0] != 8 {
				return inspection{}, fmt.Errorf("%w: a JPEG of %d bits a sample, not 8", ErrNotImage, segment[0])
			}
			if marker == markerSOF2 {
				limit = maxProgressiveScans
			}
			frame = segment
			frames++
		case markerDHT:
			tables = true
		case markerDRI:
			restarts = segment
		case markerAPP1:
			if hasPrefix(segment, exifPrefix) {
				found.note(withoutPrefix(segment))
			}
		case markerSOS:
			if scans++; scans > limit {
				return inspection{}, fmt.Errorf("%w: it has more than %d scans", ErrNotImage, limit)
			}
			if miscounted(frame, restarts, segment) {
				return inspection{}, fmt.Errorf("%w: a progressive JPEG with restart markers and reduced colours; save it without restart markers", ErrNotImage)
			}
		}
	}
	// The decoder allocates what the first frame says, and refuses a second one.
	if frames == 1 && len(frame) > 5 {
		found.size = image.Pt(int(binary.BigEndian.Uint16(frame[3:])), int(binary.BigEndian.Uint16(frame[1:])))
	}
	if !tables && limit == maxSequentialScans {
		found.data = slices.Concat(data[:2], standardTables, data[2:])
	}
	return found, nil
}

// miscounted reports whether a scan has restart markers where the decoder does not expect them. In a scan
// of one component each block counts (ITU-T T.81, A.2.2), but the decoder counts groups of blocks. Without
// this check such a file, usually a progressive one, would be called damaged.
func miscounted(frame, restarts, scan []byte) bool {
	const fixed, each = 6, 3 // bytes of a frame's header, and for each component
	if len(frame) < fixed || len(restarts) != 2 || len(scan) < 2 || scan[0] != 1 || frame[5] == 1 {
		return false
	}
	sides := [2]int{int(binary.BigEndian.Uint16(frame[3:])), int(binary.BigEndian.Uint16(frame[1:]))}
	var factors, most [2]int // across and down: the factors of the scan's component, and the largest of all
	for c := frame[fixed:]; len(c) >= each; c = c[each:] {
		of := [2]int{int(c[1] >> 4), int(c[1] & 15)}
		if c[0] == scan[1] {
			factors = of
		}
		most[0], most[1] = max(most[0], of[0]), max(most[1], of[1])
	}
	if factors[0]*factors[1] <= 1 {
		return false
	}
	blocks := 1
	for i, side := range sides {
		const block = 8
		samples := (side*factors[i] + most[i] - 1) / most[i]
		blocks *= (samples + block - 1) / block
	}
	interval := int(binary.BigEndian.Uint16(restarts))
	return interval > 0 && interval < blocks
}

// nextMarker returns the first marker in data and what follows it. A marker is 0xff and a byte other than
// 0x00, which stands for an 0xff in entropy-coded data, and other than 0xff, which is padding. At the end
// of data the marker is markerEOI.
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

// standardTables is a segment with the Huffman tables of ITU-T T.81, annex K.3.3. The frames that webcams
// send as MJPEG lack it, because MJPEG always means these tables.
var standardTables = []byte("\xff\xc4\x01\xa2" +
	// luma, DC: how many codes have 1 to 16 bits, then their symbols
	"\x00" + "\x00\x01\x05\x01\x01\x01\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b" +
	// luma, AC: how many codes have 1 to 16 bits, then their symbols
	"\x10" + "\x00\x02\x01\x03\x03\x02\x04\x03\x05\x05\x04\x04\x00\x00\x01\x7d" +
	"\x01\x02\x03\x00\x04\x11\x05\x12\x21\x31\x41\x06\x13\x51\x61\x07\x22\x71\x14\x32\x81\x91\xa1\x08\x23\x42\xb1" +
	"\xc1\x15\x52\xd1\xf0\x24\x33\x62\x72\x82\x09\x0a\x16\x17\x18\x19\x1a\x25\x26\x27\x28\x29\x2a\x34\x35\x36\x37" +
	"\x38\x39\x3a\x43\x44\x45\x46\x47\x48\x49\x4a\x53\x54\x55\x56\x57\x58\x59\x5a\x63\x64\x65\x66\x67\x68\x69\x6a" +
	"\x73\x74\x75\x76\x77\x78\x79\x7a\x83\x84\x85\x86\x87\x88\x89\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\xa2\xa3" +
	"\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xd2\xd3" +
	"\xd4\xd5\xd6\xd7\xd8\xd9\xda\xe1\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa" +
	// chroma, DC: how many codes have 1 to 16 bits, then their symbols
	"\x01" + "\x00\x03\x01\x01\x01\x01\x01\x01\x01\x01\x01\x00\x00\x00\x00\x00" +
	"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b" +
	// chroma, AC: how many codes have 1 to 16 bits, then their symbols
	"\x11" + "\x00\x02\x01\x02\x04\x04\x03\x04\x07\x05\x04\x04\x00\x01\x02\x77" +
	"\x00\x01\x02\x03\x11\x04\x05\x21\x31\x06\x12\x41\x51\x07\x61\x71\x13\x22\x32\x81\x08\x14\x42\x91\xa1\xb1\xc1" +
	"\x09\x23\x33\x52\xf0\x15\x62\x72\xd1\x0a\x16\x24\x34\xe1\x25\xf1\x17\x18\x19\x1a\x26\x27\x28\x29\x2a\x35\x36" +
	"\x37\x38\x39\x3a\x43\x44\x45\x46\x47\x48\x49\x4a\x53\x54\x55\x56\x57\x58\x59\x5a\x63\x64\x65\x66\x67\x68\x69" +
	"\x6a\x73\x74\x75\x76\x77\x78\x79\x7a\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a" +
	"\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca" +
	"\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa")
