package picture

import (
	"encoding/binary"
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
	f.Add(withSegment(fixture(f, "420.jpg"), markerAPP1, exifPrefix+string(tiff(binary.BigEndian, 8))))
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

// FuzzOrientation: whatever EXIF says, the picture is decoded.
func FuzzOrientation(f *testing.F) {
	f.Add(tiff(binary.LittleEndian, 6))
	f.Add(tiff(binary.BigEndian, 3))
	f.Add([]byte("MM\x00*\xff\xff\xff\xff"))
	plain := fixture(f, "420.jpg")
	f.Fuzz(func(t *testing.T, body []byte) {
		orientation := orientationOf(body)
		if orientation < 1 || orientation > 8 {
			t.Fatal(orientation)
		}
		const most = 0xffff - 2 - len(exifPrefix)
		if len(body) > most {
			return
		}
		_, info, err := Decode(withSegment(plain, markerAPP1, exifPrefix+string(body)), Limits{})
		if err != nil || info.Orientation != orientation {
			t.Fatalf("%+v, %v, want orientation %d", info, err, orientation)
		}
	})
}
