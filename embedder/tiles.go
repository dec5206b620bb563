package embedder

import (
	"math"

	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// How a photo is cut into inputs of the detector. Measured with rollcall-faces-short on composed photos of
// the validation people: it finds faces of 24 to 160 pixels in its input best (see models/train/README.md),
// and four in five of those of 20.
const (
	// leastInInput is the size of the smallest wanted face in the input, in pixels.
	leastInInput = 24
	// overlap is the least overlap of two neighbours, in pixels of the input. A face whose centre is in the
	// middle of the overlap, and whose box has that width, is whole in both.
	overlap = 48
	// slack is how far beyond the middle of the overlap a tile still answers for faces, in pixels of the
	// input: two tiles see the centre of one face in slightly different places.
	slack = 8
	// mostInTile is how wide the box of a face may be where a coarser level sees it too.
	mostInTile = 64
	// levelStep is how much coarser the next level is. A box as wide as the overlap in one level is 20
	// pixels wide in the next, where its face has 26.
	levelStep = 2.4
	// mostEnlarged bounds how much a photo is enlarged: enlarging adds no detail.
	mostEnlarged = 1.5
	// frameScale is the finest scale of a frame: faces of 48 pixels are found, and most of 40.
	frameScale = 0.5
	// mostPixels bounds the pixels of the finest level where the caller does not say how small a face may
	// be. 12 megapixels are shrunk by 0.71, so a face of 40 pixels has 28, and 24 megapixels by half. That
	// makes some 150 tiles.
	mostPixels = 6_000_000
	// mostPixelsAsked bounds them where the caller says it, so that one caller does not take too much from
	// the others.
	mostPixelsAsked = 27_000_000
	// mostTiles and mostTilesAsked bound the tiles of all levels together. A bound on the pixels is not
	// enough: a long and low photo takes tiles that are mostly empty. Photos of cameras need 160 with
	// mostPixels, and 24 megapixels in full size need 600.
	mostTiles, mostTilesAsked = 160, 600
	// tileStep is how much a level is shrunk at a time until the tiles are few enough.
	tileStep = 0.98
	// frameLong and frameShort are the longest sides of a frame: one tile of 320 x 240 has to be enough for
	// it.
	frameLong, frameShort = 640, 480
	// mostOblong is how many times longer the longer side of a photo may be than the shorter one. Panoramas
	// have up to ten. A thinner picture has no room for faces that can be found, but a file of a kilobyte
	// can hold a line of millions of pixels, and its tiles and halves would cost seconds.
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
	// core is where the centre of a face has to lie for this tile to answer for it, in pixels of the input.
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
	// This ends, because a small scale has only two levels of one tile.
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
// input. The last shows it at half that size, for a face that fills the photo.
func planLevels(width, height int, in models.Input, finest float64) []level {
	whole := min(float64(in.Width)/float64(width), float64(in.Height)/float64(height), mostEnlarged)
	var levels []level
	for scale := finest; scale > whole; scale /= levelStep {
		levels = append(levels, level{scale: scale, most: mostInTile})
	}
	return append(levels, level{scale: whole, most: math.Inf(1)}, level{scale: whole / 2, most: math.Inf(1)})
}

// sampleFrom gives levels the pictures that they are sampled from. halves[i] is the photo halved i times.
func sampleFrom(levels []level, halves func(i int) *picture.Picture) {
	for i := range levels {
		l := &levels[i]
		// With this half align.Warp takes one sample for each pixel of the input: quick, and no pixel is
		// skipped.
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

// sideAt is a side of the photo in pixels of a level. A nearly whole number is rounded: the scale that fits
// a photo into one tile may be off by its last digit.
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

// core is the part of a side that tile i of n answers for. It has no bound at the photo's edge; beside a
// neighbour it ends a little beyond the middle of the overlap.
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

// transform maps the picture that the tile is sampled from to the input. Both count from the centre of the
// upper left pixel. It maps areas: the left edge of the level is the left edge of the photo.
func (t *tile) transform() align.Transform {
	scale := t.scale * float64(int(1)<<t.half)
	shift := (scale - 1) / 2
	return align.Transform{A: scale, D: scale, Tx: shift - float64(t.left), Ty: shift - float64(t.top)}
}

// toPhoto maps the input to the photo.
func (t *tile) toPhoto() align.Transform {
	scale := 1 / t.scale
	shift := (scale - 1) / 2
	return align.Transform{A: scale, D: scale, Tx: shift + scale*float64(t.left), Ty: shift + scale*float64(t.top)}
}

// answersFor reports whether this tile and this level answer for a face, which is in pixels of the input.
func (t *tile) answersFor(box [4]float32) bool {
	x, y := float64(box[0]+box[2]/2), float64(box[1]+box[3]/2)
	inCore := x >= t.core.left && x < t.core.right && y >= t.core.top && y < t.core.bottom
	return inCore && float64(max(box[2], box[3])) <= t.most
}
