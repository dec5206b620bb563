package picture

import (
	"encoding/binary"
	"image"
	"os"
	"path/filepath"
	"testing"
)

func FuzzDecode(f *testing.F) {
	names, err := filepath.Glob("testdata/*.*g")
	if err != nil || len(names) == 0 {
		f.Fatal(names, err)
	}
	webps, err := filepath.Glob("testdata/*.webp")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(names, webps...) {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(bitmap(2, -2, 24, nil, make([]byte, 16)))
	f.Add(bitmap(2, 2, 8, make([]byte, 16), make([]byte, 8)))
	f.Add(withoutTables(photo(f, 40)))
	own := mixed(20, 30)
	f.Add(film{own, []image.Image{mixed(7, 9), own}, []image.Point{{11, 5}, {}}}.encode(f))
	f.Add(withSegment(fixture(f, "420.jpg"), markerAPP1, exif(tiff(binary.BigEndian, 8))))
	const pixels = 1 << 16 // so that no input is slow
	f.Fuzz(func(t *testing.T, data []byte) {
		p, info, err := Decode(data, Limits{Pixels: pixels})
		if err != nil {
			if !isSentinel(err) || p != nil {
				t.Fatalf("%v, %v", p, err)
			}
			return
		}
		if p.Width < 1 || p.Height < 1 || p.Width*p.Height > pixels || len(p.Pix) != 3*p.Width*p.Height ||
			info.Width != p.Width || info.Height != p.Height || info.Orientation < 1 || info.Orientation > 8 {
			t.Fatalf("%d x %d, %d bytes, %+v", p.Width, p.Height, len(p.Pix), info)
		}
		p.Release()
	})
}

// FuzzInspect goes for the parsers that are this package's, which the checksums of PNG hide from FuzzDecode:
// checksums are mended before.
func FuzzInspect(f *testing.F) {
	own := mixed(20, 30)
	f.Add(film{own, []image.Image{mixed(7, 9), own}, []image.Point{{11, 5}, {}}}.encode(f))
	f.Add(film{own, []image.Image{nil, own}, make([]image.Point, 2)}.encode(f))
	for _, name := range []string{"exif.png", "exif.webp", "exif.jpg", "restarts-reduced.jpg", "animated.webp"} {
		f.Add(fixture(f, name))
	}
	f.Add(bitmap(2, 2, 16, nil, make([]byte, 8)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if hasPrefix(data, signaturePNG) {
			data = mended(data)
		}
		kind, ok := sniff(data)
		if !ok {
			return
		}
		found, err := kind.inspect(data)
		if err != nil {
			if !isSentinel(err) {
				t.Fatal(err)
			}
			return
		}
		if found.orientation < 0 || found.orientation > 8 || found.part.Min.X < 0 || found.part.Min.Y < 0 || len(found.data) > len(data)+len(standardTables) {
			t.Fatalf("%d, %v, %d bytes of %d", found.orientation, found.part, len(found.data), len(data))
		}
		if p, info, err := Decode(data, Limits{Pixels: 1 << 16}); err == nil && (info.Width != p.Width || !found.part.Empty() && !found.part.In(image.Rect(0, 0, max(p.Width, p.Height), max(p.Width, p.Height)))) {
			t.Fatalf("%+v, %v", info, found.part)
		}
	})
}

// mended is a PNG with right checksums.
func mended(data []byte) []byte {
	out := []byte(signaturePNG)
	rest := data[len(signaturePNG):]
	for len(rest) >= chunkOverhead {
		length := binary.BigEndian.Uint32(rest)
		if uint64(length) > uint64(len(rest)-chunkOverhead) {
			break
		}
		out = append(out, pngChunk(string(rest[4:8]), rest[8:8+length])...)
		rest = rest[chunkOverhead+length:]
	}
	return append(out, rest...)
}

// FuzzOrientation: whatever EXIF says, the picture is decoded.
func FuzzOrientation(f *testing.F) {
	f.Add(tiff(binary.LittleEndian, 6))
	f.Add(tiff(binary.BigEndian, 3))
	f.Add([]byte("MM\x00*\xff\xff\xff\xff"))
	plain := fixture(f, "420.jpg")
	f.Fuzz(func(t *testing.T, body []byte) {
		orientation := orientationOf(body)
		if orientation < 0 || orientation > 8 {
			t.Fatal(orientation)
		}
		const most = 0xffff - 2 - len(exifPrefix) - 1
		if len(body) > most {
			return
		}
		_, info, err := Decode(withSegment(plain, markerAPP1, exif(body)), Limits{})
		if err != nil || info.Orientation != max(orientation, upright) {
			t.Fatalf("%+v, %v, want orientation %d", info, err, orientation)
		}
	})
}
