package picture

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestOrientations(t *testing.T) {
	jpegData, pngData := fixture(t, "420.jpg"), encodePNG(t, draw())
	for orientation := 1; orientation <= 8; orientation++ {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			body := tiff(order, uint16(orientation))
			late := len(pngData) - 12 // before IEND, that is after the pixels
			for name, data := range map[string][]byte{
				"jpeg":      withSegment(jpegData, markerAPP1, exif(body)),
				"jpeg, xmp": withSegment(withSegment(jpegData, markerAPP1, exif(body)), markerAPP1, "http://ns.adobe.com/xap/1.0/\x00"),
				"png":       append(append(append([]byte{}, pngData[:33]...), pngChunk("eXIf", body)...), pngData[33:]...),
				"png, late": append(append(append([]byte{}, pngData[:late]...), pngChunk("eXIf", body)...), pngData[late:]...),
			} {
				p, info := decode(t, data)
				if info.Orientation != orientation {
					t.Errorf("%s: %d, want %d", name, info.Orientation, orientation)
				}
				drawn.turned(orientation).check(t, p, 2)
			}
		}
	}
}

// TestOrientationTypes: every type of integer counts, in both byte orders, in every format.
func TestOrientationTypes(t *testing.T) {
	jpegData, pngData, webpData := fixture(t, "420.jpg"), encodePNG(t, draw()), fixture(t, "exif.webp")
	at := bytes.Index(webpData, []byte("II*\x00"))
	if at < 0 {
		at = bytes.Index(webpData, []byte("MM\x00*"))
	}
	for orientation := uint32(1); orientation <= 8; orientation++ {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			for kind, size := range map[uint16]int{1: 1, 6: 1, 3: 2, 8: 2, 4: 4, 9: 4} {
				body := tiff(order, 0)
				order.AppendUint16(body[:12], kind) // in place
				switch size {
				case 1:
					body[18], body[19] = byte(orientation), 0xcc // what follows the value means nothing
				case 2:
					order.AppendUint16(body[:18], uint16(orientation))
				case 4:
					order.AppendUint32(body[:18], orientation)
				}
				in := slices.Clone(webpData)
				copy(in[at:], body)
				for name, data := range map[string][]byte{
					"jpeg": withSegment(jpegData, markerAPP1, exif(body)),
					"png":  slices.Concat(pngData[:33], pngChunk("eXIf", body), pngData[33:]),
					"webp": in,
				} {
					p, info := decode(t, data)
					if info.Orientation != int(orientation) {
						t.Fatalf("%s, type %d, %v: %d, want %d", name, kind, order, info.Orientation, orientation)
					}
					drawn.turned(int(orientation)).check(t, p, 3)
				}
			}
		}
	}
}

// TestOrientationLater: EXIF data that says no orientation leaves the word to the next.
func TestOrientationLater(t *testing.T) {
	silent := tiff(binary.LittleEndian, 9)
	for orientation := 2; orientation <= 8; orientation++ {
		body := tiff(binary.BigEndian, uint16(orientation))
		pngData := encodePNG(t, draw())
		late := len(pngData) - 12
		for name, data := range map[string][]byte{
			"jpeg": withSegment(withSegment(withSegment(fixture(t, "420.jpg"), markerAPP1, exif(body)), markerAPP1, exif(silent)), markerAPP1, exif(nil)),
			"png":  slices.Concat(pngData[:33], pngChunk("eXIf", silent), pngData[33:late], pngChunk("eXIf", body), pngData[late:]),
		} {
			p, info := decode(t, data)
			if info.Orientation != orientation {
				t.Errorf("%s: %d, want %d", name, info.Orientation, orientation)
			}
			drawn.turned(orientation).check(t, p, 2)
		}
	}
}

// TestOrientationTwice: of two EXIF segments the first counts.
func TestOrientationTwice(t *testing.T) {
	second := withSegment(fixture(t, "420.jpg"), markerAPP1, exif(tiff(binary.BigEndian, 3)))
	if _, info := decode(t, withSegment(second, markerAPP1, exif(tiff(binary.BigEndian, 6)))); info.Orientation != 6 {
		t.Errorf("%+v", info)
	}
}

// TestOrientationMalformed: metadata that says nothing sound says nothing.
func TestOrientationMalformed(t *testing.T) {
	change := func(at int, value byte) []byte {
		b := tiff(binary.LittleEndian, 6)
		b[at] = value
		return b
	}
	for name, body := range map[string][]byte{
		"nothing":                     nil,
		"no header":                   []byte("II*\x00\x08"),
		"another order":               change(0, 'M'),
		"another number":              change(2, 43),
		"a directory beyond the end":  change(5, 1),
		"a directory far beyond":      change(7, 0xff),
		"no entries":                  change(8, 0),
		"another tag":                 change(10, 0x13),
		"another type":                change(12, 2),
		"a type beyond":               change(13, 3),
		"two values":                  change(14, 2),
		"orientation 0":               change(18, 0),
		"orientation 9":               change(18, 9),
		"orientation 262":             change(19, 1),
		"cut off":                     tiff(binary.LittleEndian, 6)[:21],
		"many entries that are not":   change(9, 0xff)[:12],
		"the directory in the header": change(4, 0),
	} {
		if got := orientationOf(body); got != 0 {
			t.Errorf("%s: %d", name, got)
		}
		p, info := decode(t, withSegment(fixture(t, "420.jpg"), markerAPP1, exif(body)))
		if info.Orientation != upright {
			t.Errorf("%s: %+v", name, info)
		}
		drawn.check(t, p, 2)
	}
}

func TestDescribe(t *testing.T) {
	jpegData := fixture(t, "420.jpg")
	encoded := base64.StdEncoding.EncodeToString(jpegData)
	ftyp := func(brand string) string { return "\x00\x00\x00\x18ftyp" + brand + "\x00\x00\x00\x00mif1" }
	for _, test := range []struct{ data, want string }{
		{"GIF89a\x01\x00\x01\x00", "GIF"}, {"II*\x00\x08\x00\x00\x00", "TIFF"}, {"MM\x00*\x00\x00\x00\x08", "TIFF"},
		{ftyp("heic"), "HEIC"}, {ftyp("mif1"), "HEIC"}, {ftyp("avif"), "AVIF"}, {ftyp("isom"), "video"},
		{"%PDF-1.7\n", "PDF"}, {"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"}, {"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"},
		{"PK\x03\x04\x14\x00", "ZIP"}, {"\x1f\x8b\x08", "gzip"}, {"RIFF\x00\x00\x00\x00AVI LIST", "RIFF"},
		{"  <svg xmlns='x'>", "SVG"}, {"<?xml version='1.0'?>\n<svg>", "SVG"}, {"<?xml version='1.0'?><a/>", "XML"},
		{"\ufeff<!DOCTYPE html><html>", "HTML"}, {"<HTML>", "HTML"}, {`{"image": "x"}`, "JSON"}, {`["x"]`, "JSON"},
		{"data:image/jpeg;base64," + encoded, "data URL"}, {encoded, "base64"}, {encoded[:76] + "\r\n" + encoded[76:], "base64"},
		{base64.URLEncoding.EncodeToString(jpegData), "base64"},
		{"--x\r\nContent-Disposition: form-data; name=image\r\n\r\n", "multipart"},
		{"BMW is a car, says the text", "text"}, {"hello", "text"}, {strings.Repeat("x", 511) + "\u00e9", "text"}, {strings.Repeat(". ", 255) + ".\u00e9", "text"}, {"\x00\x00\x00\x00", "zeros"}, {"\x01\x02\x03\x04", "unknown binary data"},
		{"\xff\xd8", "unknown binary data"},
	} {
		_, _, err := Decode([]byte(test.data), Limits{})
		if !errors.Is(err, ErrNotImage) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.20q: %v, want %q", test.data, err, test.want)
		}
	}
}
