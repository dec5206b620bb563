package embedder

import (
	"math"

	"rollcall/embedder/picture"
	"rollcall/models"
)

// A crop of two people would be enrolled as one of them, perhaps the wrong one. So where there is room for
// another face beside the first, the locator looks there. A crop as a detector cuts it has no such room,
// and costs nothing more. Of 200 pairs of crops, one above the other, 98 % were found. Of 400 pictures of
// faces.csv and 800 crops of one face, none was called several (rollcall-points, people who are not in the
// split "test", 2026-11-26, an experiment). "rollcall bench conditions" prints the figures for pairs side
// by side.
const (
	// similarLow and similarHigh bound the size of a second face, in sizes of the first.
	similarLow, similarHigh = 0.55, 1.8
	// roomForOne is how wide the rest of a picture must be for a look at it, in sizes of the face.
	roomForOne = 0.6
	// partSide is the side of the parts into which the rest is cut, in sizes of the face, and partStep the
	// distance between them. A locator of crops sees a face that fills 40 % of its input.
	partSide, partStep = 2, 1.3
	// mostParts bounds the looks: a larger picture is a photo, not a crop.
	mostParts = 8
	// maybeFace is the logit from which there is a second look, and surelyFace the least logit of that
	// look.
	maybeFace, surelyFace = 3, 8
	// apart is the least distance between the middles of two faces, in sizes of the first.
	apart = 0.5
)

// several reports whether there is another face of similar size beside the one of a sight.
func (x examiner) several(s sight) (bool, error) {
	side, middle, ok := square(s.plane())
	if !ok {
		return false, nil
	}
	for _, part := range partsBeside(side, middle, float64(x.pic.Width)*s.view.stretch, float64(x.pic.Height)) {
		part.x, part.width = part.x/s.view.stretch, part.width/s.view.stretch
		other, err := x.glance(part, s.view)
		if err != nil {
			return false, err
		}
		if other.first < maybeFace {
			continue
		}
		if other, err = x.confirm(other); err != nil {
			return false, err
		}
		if other.sum-other.first >= surelyFace && isAnother(other.plane(), side, middle) && onPicture(other.face.Landmarks, x.pic) {
			return true, nil
		}
	}
	return false, nil
}

// isAnother reports whether a face is of similar size as the face with the given square, and lies
// elsewhere.
func isAnother(l models.Landmarks, side float64, middle models.Point) bool {
	size, centre, ok := square(l)
	away := math.Hypot(float64(centre.X-middle.X), float64(centre.Y-middle.Y))
	return ok && away >= apart*side && size >= similarLow*side && size <= similarHigh*side
}

// onPicture reports whether all landmarks lie on a picture. A neighbour who is cut off by the crop's edge
// would not be taken for its subject.
func onPicture(l models.Landmarks, pic *picture.Picture) bool {
	for _, p := range l {
		if !(p.X >= 0 && p.Y >= 0 && p.X < float32(pic.Width) && p.Y < float32(pic.Height)) {
			return false
		}
	}
	return true
}

// partsBeside divides the rest of a picture of width x height, beside a square, into areas to look at.
func partsBeside(side float64, middle models.Point, width, height float64) (parts []area) {
	left, right := float64(middle.X)-side/2, float64(middle.X)+side/2
	top, bottom := float64(middle.Y)-side/2, float64(middle.Y)+side/2
	for _, rest := range []area{
		{0, 0, left, height}, {right, 0, width - right, height},
		{0, 0, width, top}, {0, bottom, width, height - bottom},
	} {
		if rest.width < roomForOne*side || rest.height < roomForOne*side {
			continue
		}
		for _, x := range pieces(rest.x, rest.width, side) {
			for _, y := range pieces(rest.y, rest.height, side) {
				parts = append(parts, area{x[0], y[0], x[1], y[1]})
			}
		}
	}
	return parts[:min(len(parts), mostParts)]
}

// pieces covers a length that begins at from with pieces of partSide faces, each a start and a length. A
// length that is only a little longer stays one piece.
func pieces(from, length, face float64) (out [][2]float64) {
	piece := partSide * face
	const little = 1.25
	if length <= little*piece {
		return [][2]float64{{from, length}}
	}
	n := int(math.Ceil((length-piece)/(partStep*face))) + 1
	for i := range min(n, mostParts) {
		out = append(out, [2]float64{from + (length-piece)*float64(i)/float64(n-1), piece})
	}
	return out
}
