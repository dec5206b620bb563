package embedder

import (
	"math"

	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// How a photo is cut into inputs of the detector. Measured with rollcall-faces-short on composed photos
// of the validation people: it finds faces best that are 24 to 160 pixels large in its input (see
// models/train/README.md), and four in five of those of 20.
const (
	// leastInInput is how large the smallest face that is looked for is in the input, in pixels.
	leastInInput = 24
	// overlap is by how many pixels of the input two neighbours overlap at least. A face whose centre is
	// in the middle of the overlap, with a box of that width, is whole in both.
	overlap = 48
	// slack is by how much of the overlap's half a tile answers for its neighbour's faces, in pixels of
	// the input: two tiles see the centre of one face in slightly different places.
	slack = 8
	// mostInTile is how wide the box of a face may be where a coarser level sees it too.
	mostInTile = 64
	// levelStep is how much coarser the next level is. A box that is as wide in one as tiles overlap is 20
	// pixels wide in the next, that of a face of 26.
	levelStep = 2.4
	// mostEnlarged bounds how much a photo is enlarged: what is not in it cannot be found.
	mostEnlarged = 1.5
	// frameScale is the finest scale of a frame: faces of 48 pixels are found, and most of 40.
	frameScale = 0.5
	// mostPixels bounds the pixels of the finest level, where the caller does not say how small a face
	// may be: 12 megapixels are shrunk by 0.71, in which a face of 40 pixels has 28, and 24 megapixels
	// by half. It is some 150 tiles.
	mostPixels = 6_000_000
	// mostPixelsAsked bounds them where the caller says so, in the interest of the others.
	mostPixelsAsked = 27_000_000
	// mostTiles and mostTilesAsked bound the tiles of all levels together. The pixels alone do not: what is
	// long and low takes tiles that are mostly empty. 160 is what the photos of cameras need with
	// mostPixels, and 600 are those of 24 megapixels in full.
	mostTiles, mostTilesAsked = 160, 600
	// tileStep is by how much a level is shrunk at a time until the tiles are few enough.
	tileStep = 0.98
	// frameLong and frameShort are the longest sides of a frame: one tile of 320 x 240 has to do for it.
	frameLong, frameShort = 640, 480
	// mostOblong is the longer side of a photo in shorter ones at most. Panoramas have up to ten. What is
	// thinner has no room for faces that can be found, but a file of a kilobyte can hold a line of millions
	// of pixels, whose tiles and halves would cost seconds.
	mostOblong = 20
)

// isFrame reports whether a picture of that size is a frame, which costs no more than a few crops.
func isFrame(width, height int) bool {
	return max(width, height) <= frameLong && min(width, height) <= frameShort
}

// isPhoto reports whether faces are looked for in a picture of that size.
func isPhoto(width, height int) bool { return max(width, height) <= mostOblong*min(width, height) }

// level is a photo at one scale.
type level struct {
	pic   *picture.Picture // the photo, or a half of it, from which this level is sampled
	half  int              // how many times pic was halved
	scale float64          // pixels of the input for one of the photo
	most  float64          // the widest box that counts, in pixels of the input
}

// tile is one input of the detector.
type tile struct {
	*level
	left, top int // its upper left corner, in pixels of the level
	// core is where the centre of a face has to lie that this tile answers for, in pixels of the input.
	core struct{ left, top, right, bottom float64 }
}

// finestScale is the scale of the finest level of a photo. least is the smallest face to be found, in
// pixels of the photo; 0: what the photo's size allows. REQUIRES: isPhoto(width, height).
func finestScale(width, height int, least float64, in models.Input) float64 {
	scale, pixels, tiles := 1.0, float64(mostPixels), mostTiles
	switch {
	case least > 0:
		scale, pixels, tiles = leastInInput/least, mostPixelsAsked, mostTilesAsked
	case isFrame(width, height):
		scale = frameScale
	}
	scale = min(scale, mostEnlarged, math.Sqrt(pixels/(float64(width)*float64(height))))
	// It ends, because two levels of one tile are all that is left of a small scale.
	for countTiles(width, height, scale, in) > tiles {
		scale *= tileStep
	}
	return scale
}

// countTiles is how many tiles all levels of a photo have together.
func countTiles(width, height int, finest float64, in models.Input) int {
	n := 0
	for _, l := range planLevels(width, height, in, finest) {
		n += len(starts(sideAt(width, l.scale), in.Width)) * len(starts(sideAt(height, l.scale), in.Height))
	}
	return n
}

// planLevels returns the scales of a photo, finest first. The last but one shows the whole photo in one
// input, and the last one at half that size, for a face that fills it.
func planLevels(width, height int, in models.Input, finest float64) []level {
	whole := min(float64(in.Width)/float64(width), float64(in.Height)/float64(height), mostEnlarged)
	var levels []level
	for scale := finest; scale > whole; scale /= levelStep {
		levels = append(levels, level{scale: scale, most: mostInTile})
	}
	return append(levels, level{scale: whole, most: math.Inf(1)}, level{scale: whole / 2, most: math.Inf(1)})
}

// sampleFrom gives levels the pictures they are sampled from. halves[i] is the photo halved i times.
func sampleFrom(levels []level, halves func(i int) *picture.Picture) {
	for i := range levels {
		l := &levels[i]
		// One sample for each pixel of the input, see align.Warp: quick, and it skips nothing.
		for step := 1 / l.scale; step >= 1.5; step /= 2 {
			l.half++
		}
		l.pic = halves(l.half)
	}
}

// cut returns the tiles of a level, in rows.
func (l *level) cut(width, height int, in models.Input) []tile {
	columns := starts(sideAt(width, l.scale), in.Width)
	rows := starts(sideAt(height, l.scale), in.Height)
	var tiles []tile
	for j, top := range rows {
		for i, left := range columns {
			t := tile{level: l, left: left, top: top}
			t.core.left, t.core.right = core(i, len(columns), in.Width)
			t.core.top, t.core.bottom = core(j, len(rows), in.Height)
			tiles = append(tiles, t)
		}
	}
	return tiles
}

// sideAt is a side of the photo in pixels of a level. Where they are nearly whole, they are: the scale
// that fits a photo into one tile may be off by its last digit.
func sideAt(side int, scale float64) int { return max(1, int(math.Ceil(float64(side)*scale-1e-6))) }

// starts spreads tiles of a length over a side as evenly as whole pixels allow.
func starts(side, length int) []int {
	if side <= length {
		return []int{0}
	}
	step := max(1, length-overlap)
	n := (side - overlap + step - 1) / step
	places := make([]int, n)
	for i := range places {
		places[i] = i * (side - length) / (n - 1)
	}
	return places
}

// core is the part of a side that tile i of n answers for: at the photo's edges all of it, elsewhere up
// to the middle of the overlap and a little more.
func core(i, n, length int) (from, to float64) {
	const margin = overlap/2 - slack
	from, to = math.Inf(-1), math.Inf(1)
	if i > 0 {
		from = margin
	}
	if i < n-1 {
		to = float64(length) - margin
	}
	return from, to
}

// transform takes the picture that the tile is sampled from to the input. Both count from the centre
// of the upper left pixel, and areas are mapped: the left edge of the level is that of the photo.
func (t *tile) transform() align.Transform {
	scale := t.scale * float64(int(1)<<t.half)
	shift := (scale - 1) / 2
	return align.Transform{A: scale, D: scale, Tx: shift - float64(t.left), Ty: shift - float64(t.top)}
}

// toPhoto takes the input to the photo.
func (t *tile) toPhoto() align.Transform {
	scale := 1 / t.scale
	shift := (scale - 1) / 2
	return align.Transform{A: scale, D: scale, Tx: shift + scale*float64(t.left), Ty: shift + scale*float64(t.top)}
}

// answersFor reports whether a face, in pixels of the input, is this tile's and this level's to find.
func (t *tile) answersFor(box [4]float32) bool {
	x, y := float64(box[0]+box[2]/2), float64(box[1]+box[3]/2)
	inCore := x >= t.core.left && x < t.core.right && y >= t.core.top && y < t.core.bottom
	return inCore && float64(max(box[2], box[3])) <= t.most
}
