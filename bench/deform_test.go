package bench

import (
	"image"
	"image/color"
	"testing"
)

func TestDeform(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 3, 2))
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 9)
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	left := turned(img, 1)
	if left.Rect != image.Rect(0, 0, 2, 3) || left.RGBAAt(0, 2) != img.RGBAAt(0, 0) || left.RGBAAt(0, 0) != img.RGBAAt(2, 0) {
		t.Error("a turn to the left brings the upper left corner to the lower left one, and the upper right one there")
	}
	if back := turned(img, 4); string(back.Pix) != string(img.Pix) {
		t.Error("four turns are none")
	}
	if m := mirrored(img); m.RGBAAt(0, 1) != img.RGBAAt(2, 1) || string(mirrored(m).Pix) != string(img.Pix) {
		t.Error("mirrored wrongly")
	}
	if r := resized(img, 16.0/9, 1); r.Rect != image.Rect(0, 0, 5, 2) {
		t.Errorf("3 x 2 drawn wide is %v", r.Rect)
	}
	if d := darkened(img, 0.5); d.RGBAAt(1, 1) != (color.RGBA{img.RGBAAt(1, 1).R / 2, img.RGBAAt(1, 1).G / 2, img.RGBAAt(1, 1).B / 2, 255}) {
		t.Errorf("half of %v is %v", img.RGBAAt(1, 1), d.RGBAAt(1, 1))
	}
	two := beside(img, img, 1)
	if two.Rect != image.Rect(0, 0, 6, 2) || two.RGBAAt(0, 0) != img.RGBAAt(0, 0) || two.RGBAAt(2, 1) != img.RGBAAt(2, 1) {
		t.Errorf("side by side they are %v", two.Rect)
	}
}
