package picture

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

const (
	signatureJPEG = "\xff\xd8\xff"
	signaturePNG  = "\x89PNG\r\n\x1a\n"
)

// sniff tells the format of data by its first bytes.
func sniff(data []byte) (format, bool) {
	switch {
	case hasPrefix(data, signatureJPEG):
		return formatJPEG, true
	case hasPrefix(data, signaturePNG):
		return formatPNG, true
	case isRIFF(data, "WEBP"):
		return formatWebP, true
	case isBMP(data):
		return formatBMP, true
	}
	return format{}, false
}

func hasPrefix(data []byte, prefix string) bool {
	return len(data) >= len(prefix) && string(data[:len(prefix)]) == prefix
}

func isRIFF(data []byte, form string) bool {
	return len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == form
}

// isBMP checks more than the two letters "BM", because a text may begin with them too: the length of the
// second header has to be one of those in use, or the file must end before it.
func isBMP(data []byte) bool {
	if !hasPrefix(data, "BM") {
		return false
	}
	if len(data) < 18 {
		return bytes.IndexByte(data, 0) >= 0
	}
	switch binary.LittleEndian.Uint32(data[14:]) {
	case 12, 40, 52, 56, 64, 108, 124:
		return true
	}
	return false
}

// binarySignatures names other formats that people send instead of the four, by their first bytes.
var binarySignatures = []struct{ prefix, name string }{
	{"GIF8", "a GIF image"},
	{"II*\x00", "a TIFF image"},
	{"MM\x00*", "a TIFF image"},
	{"%PDF", "a PDF document"},
	{"8BPS", "a Photoshop document"},
	{"\xff\x0a", "a JPEG XL image"},
	{"\x00\x00\x00\x0cJXL ", "a JPEG XL image"},
	{"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"},
	{"\xff\x4f\xff\x51", "a JPEG 2000 image"},
	{"\x00\x00\x01\x00", "an icon (ICO)"},
	{"PK\x03\x04", "a ZIP archive"},
	{"\x1f\x8b", "gzip data"},
	{"\x1a\x45\xdf\xa3", "a video (Matroska or WebM)"},
}

// brands names the files that begin with an ftyp box (ISO/IEC 14496-12) by their major brand.
var brands = map[string]string{
	"heic": "an HEIC image", "heix": "an HEIC image", "heim": "an HEIC image", "heis": "an HEIC image",
	"hevc": "an HEIC image", "hevx": "an HEIC image", "mif1": "an HEIC image", "msf1": "an HEIC image",
	"avif": "an AVIF image", "avis": "an AVIF image",
}

// describe says what data in none of the formats looks like. It never quotes the data.
func describe(data []byte) string {
	for _, s := range binarySignatures {
		if hasPrefix(data, s.prefix) {
			return s.name
		}
	}
	if len(data) >= 12 && string(data[4:8]) == "ftyp" {
		if name, ok := brands[string(data[8:12])]; ok {
			return name
		}
		return "a video (MP4 or alike)"
	}
	if isRIFF(data, "AVI ") || isRIFF(data, "WAVE") {
		return "a video or sound (RIFF)"
	}
	return describeText(data)
}

// textLooked is how much of a text describeText looks at.
const textLooked = 512

func describeText(data []byte) string {
	head := string(data[:min(len(data), textLooked)])
	text := strings.TrimLeft(strings.TrimPrefix(head, "\ufeff"), " \t\r\n")
	lower := strings.ToLower(text)
	for _, s := range []struct{ prefix, name string }{
		{"<svg", "an SVG drawing"},
		{"<!doctype svg", "an SVG drawing"},
		{"<!doctype html", "an HTML page"},
		{"<html", "an HTML page"},
		{"data:image/", "a data URL; send the bytes that it stands for"},
	} {
		if strings.HasPrefix(lower, s.prefix) {
			return s.name
		}
	}
	switch {
	case strings.HasPrefix(lower, "<?xml") && strings.Contains(lower, "<svg"):
		return "an SVG drawing"
	case strings.HasPrefix(lower, "<?xml"):
		return "XML"
	case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
		return "JSON"
	case strings.HasPrefix(text, "--") && strings.Contains(lower, "content-disposition:"):
		return "a multipart form; send only the file in it"
	case isBase64(text):
		return "base64 text; send the decoded bytes (in JSON a bytes field is base64 once, not twice)"
	case strings.Trim(head, "\x00") == "":
		return "zeros"
	case isText(text):
		return "text"
	}
	return "unknown binary data"
}

// base64Least is how long a text of base64 letters has to be before it is called base64.
const base64Least = 16

func isBase64(text string) bool {
	letters := 0
	for i := range len(text) {
		c := text[i]
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9',
			c == '+', c == '/', c == '-', c == '_', c == '=':
			letters++
		case c == '\r', c == '\n':
		default:
			return false
		}
	}
	return letters >= base64Least
}

// isText: UTF-8 without control characters. The last character may be cut.
func isText(text string) bool {
	whole := strings.TrimRightFunc(text, func(r rune) bool { return r == utf8.RuneError })
	return whole != "" && len(text)-len(whole) < utf8.UTFMax &&
		strings.IndexFunc(whole, func(r rune) bool {
			return r == utf8.RuneError || r < ' ' && r != '\t' && r != '\r' && r != '\n'
		}) < 0
}
