package picture

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
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
				"jpeg":      withSegment(jpegData, markerAPP1, exifPrefix+string(body)),
				"jpeg, xmp": withSegment(withSegment(jpegData, markerAPP1, exifPrefix+string(body)), markerAPP1, "http://ns.adobe.com/xap/1.0/\x00"),
				"png":       append(append(append([]byte{}, pngData[:33]...), chunk("eXIf", body)...), pngData[33:]...),
				"png, late": append(append(append([]byte{}, pngData[:late]...), chunk("eXIf", body)...), pngData[late:]...),
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

// TestOrientationTwice: of two EXIF segments the first counts.
func TestOrientationTwice(t *testing.T) {
	second := withSegment(fixture(t, "420.jpg"), markerAPP1, exifPrefix+string(tiff(binary.BigEndian, 3)))
	if _, info := decode(t, withSegment(second, markerAPP1, exifPrefix+string(tiff(binary.BigEndian, 6)))); info.Orientation != 6 {
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
		"another type":                change(12, 4),
		"two values":                  change(14, 2),
		"orientation 0":               change(18, 0),
		"orientation 9":               change(18, 9),
		"orientation 262":             change(19, 1),
		"cut off":                     tiff(binary.LittleEndian, 6)[:21],
		"many entries that are not":   change(9, 0xff)[:12],
		"the directory in the header": change(4, 0),
	} {
		if got := orientationOf(body); got != upright {
			t.Errorf("%s: %d", name, got)
		}
		p, info := decode(t, withSegment(fixture(t, "420.jpg"), markerAPP1, exifPrefix+string(body)))
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
