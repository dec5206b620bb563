package picture

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"testing"
)

// BenchmarkDecode decodes JPEG crops of several sizes; BenchmarkStandard is what of it image/jpeg takes.
func BenchmarkDecode(b *testing.B) {
	for _, side := range []int{112, 192, 600} {
		data := photo(b, side)
		b.Run(fmt.Sprint(side), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p, _, err := Decode(data, Limits{})
				if err != nil {
					b.Fatal(err)
				}
				p.Release()
			}
		})
	}
}

func BenchmarkStandard(b *testing.B) {
	for _, side := range []int{112, 192, 600} {
		data := photo(b, side)
		b.Run(fmt.Sprint(side), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jpeg.Decode(bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMeasure(b *testing.B) {
	for _, side := range []int{70, 400, 3000} {
		p := plain(side, side, func(x, y int) byte { return byte(x * y) })
		b.Run(fmt.Sprint(side), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Measure(p.Bounds())
			}
		})
	}
}
