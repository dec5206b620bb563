package locate_test

import (
	"testing"

	"rollcall/embedder/locate"
)

func TestBest(t *testing.T) {
	face := func(score, centreX, centreY, side float32) locate.Face {
		return locate.Face{Score: score, Box: [4]float32{centreX - side/2, centreY - side/2, side, side}}
	}
	middle := face(0.8, 50, 50, 60)
	for _, test := range []struct {
		name          string
		faces         []locate.Face
		width, height int
		want          int // -1: none
	}{
		{"none", nil, 100, 100, -1},
		{"one", []locate.Face{middle}, 100, 100, 0},
		{"one, outside", []locate.Face{face(0.9, 300, 300, 10)}, 100, 100, 0},
		{"a sharper neighbour at the edge", []locate.Face{face(0.95, 95, 50, 60), middle}, 100, 100, 1},
		{"a small face behind", []locate.Face{face(0.95, 55, 45, 15), middle}, 100, 100, 1},
		{"a surer one in the same place", []locate.Face{middle, face(0.9, 50, 50, 60)}, 100, 100, 1},
		{"the larger one as far from the middle", []locate.Face{face(0.8, 30, 50, 30), face(0.8, 70, 50, 40)}, 100, 100, 1},
		{"equals", []locate.Face{face(0.8, 30, 50, 30), face(0.8, 70, 50, 30)}, 100, 100, 0},
		{"the middle of a wide crop", []locate.Face{face(0.9, 50, 50, 40), face(0.9, 100, 50, 40)}, 200, 100, 1},
	} {
		got, found := locate.Best(test.faces, test.width, test.height)
		if found != (test.want >= 0) || found && got != test.faces[test.want] {
			t.Errorf("%s: %+v, %v", test.name, got, found)
		}
	}
}
