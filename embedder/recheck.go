package embedder

import (
	"context"
	"math"

	"rollcall/embedder/align"
	"rollcall/embedder/locate"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// Landmarks from a request, or from a locator without a second look, may lie where no face is, come from
// another picture, or belong to a face that is turned another way. Embeddings made with them resemble each
// other, whoever is shown. So a locator with a second look has to see a face there.
const (
	// checkedSide is the side of the square around a face that is searched where one look is not enough, in
	// sides of the square that embedders align the face to.
	checkedSide = 1.6
	// wideSide is the side of the square that is seen where a request's landmarks are compared with the
	// whole face. In a larger one a locator of crops would not make out the face.
	wideSide = 2.2
	// nearEnough is how far landmarks may be from those of the second look, on average, in sides of the
	// square that embedders align to: a quarter of the distance of the eyes. Two locators usually differ by
	// a tenth.
	nearEnough = 0.08
	// turnedOtherwise is the angle from which two sets of landmarks disagree on which way is up.
	turnedOtherwise = math.Pi / 4
)

// recheck lets a locator with a second look confirm a face that another locator found. It looks at the face
// once, and its landmarks count. Where it is not sure of what it sees, it searches the surroundings. Where
// it sees no face, the other's landmarks count. REQUIRES: s.mu is held.
func recheck(c models.Contract, s *session, pic *picture.Picture, f finding) (finding, error) {
	x := examiner{contract: c, session: s, pic: pic}
	seen, err := x.direct(f.face.Landmarks)
	if err != nil {
		return finding{}, err
	}
	upright := true
	if !x.settled(seen) {
		if seen, upright, err = x.around(f.face.Landmarks); err != nil {
			return finding{}, err
		}
	}
	if x.isFace(seen) {
		f.face.Landmarks, f.view = seen.face.Landmarks, seen.view
	}
	f.certainty = x.certainty(seen)
	if !upright {
		f.doubts = append(f.doubts, NotUpright)
	}
	return f, nil
}

// confirmGiven judges the landmarks of a request. It does not change them: where a locator sees another
// face, or none, that is a doubt. A crop that is too wide or too narrow is corrected, as it is without
// landmarks. check may be nil.
func confirmGiven(ctx context.Context, check *model, pic *picture.Picture, given models.Landmarks, watch *stopwatch) (finding, error) {
	f := finding{face: locate.Face{Landmarks: given}, found: true, view: asShown}
	if check == nil {
		return f, nil
	}
	err := check.inSession(ctx, watch, func(s *session) error {
		x := examiner{contract: check.contract, session: s, pic: pic}
		seen, err := x.direct(given)
		if err != nil {
			return err
		}
		if x.settled(seen) {
			// From this near, a part of a face may look like a face.
			wide, err := x.wide(given)
			if err != nil {
				return err
			}
			if wide.first >= logit(minScore) && near(seen.face.Landmarks, given) {
				seen.face.Landmarks = wide.face.Landmarks
			}
		} else if seen, _, err = x.around(given); err != nil {
			return err
		}
		f.certainty = x.certainty(seen)
		switch {
		case x.isFace(seen) && near(seen.face.Landmarks, given):
			f.view.stretch = seen.view.stretch
		case x.isFace(seen) && math.Abs(angleBetween(seen.face.Landmarks, given)) > turnedOtherwise:
			f.doubts = append(f.doubts, NotUpright)
		default:
			f.doubts = append(f.doubts, Distorted)
		}
		return nil
	})
	return f, err
}

// direct looks at the face with the given landmarks. If it lies another way than these say, direct looks
// once more.
func (x examiner) direct(given models.Landmarks) (sight, error) {
	seen := sight{view: asShown, face: locate.Face{Landmarks: given}}
	for range 2 {
		before := seen.face.Landmarks
		var err error
		if seen, err = x.confirm(seen); err != nil {
			return sight{}, err
		}
		// Only this look counts.
		seen.first = seen.sum - seen.first
		seen.sum = 2 * seen.first
		if near(seen.face.Landmarks, before) {
			break
		}
	}
	return seen, nil
}

// around searches the surroundings of a face, beginning with the turn in which its landmarks are upright.
func (x examiner) around(given models.Landmarks) (seen sight, upright bool, err error) {
	a, v, ok := surroundings(given, checkedSide)
	if !ok {
		return sight{view: asShown}, true, nil // landmarks in one place: no face
	}
	first, err := x.glance(a, v)
	if err != nil {
		return sight{}, false, err
	}
	return x.search(a, first)
}

// wide glances at a face from farther away.
func (x examiner) wide(given models.Landmarks) (sight, error) {
	a, v, ok := surroundings(given, wideSide)
	if !ok {
		return sight{view: asShown}, nil
	}
	return x.glance(a, v)
}

// surroundings returns the square around a face, the given number of times as large as its own, and the
// view in which the landmarks are upright to less than a quarter turn. It returns false for landmarks in
// one place.
func surroundings(l models.Landmarks, times float64) (area, view, bool) {
	side, middle, ok := square(l)
	a := area{width: times * side, height: times * side}
	a.x, a.y = float64(middle.X)-a.width/2, float64(middle.Y)-a.height/2
	quarters := int(math.Round(angle(l) / (math.Pi / 2)))
	return a, view{quarters: (quarters + 4) % 4, stretch: 1}, ok
}

// near reports whether two sets of landmarks are those of one face.
func near(seen, given models.Landmarks) bool {
	side, _, ok := square(seen)
	if !ok {
		return false
	}
	var sum float64
	for i, p := range seen {
		sum += math.Hypot(float64(p.X-given[i].X), float64(p.Y-given[i].Y))
	}
	return sum/float64(len(seen)) <= nearEnough*side
}

// angle is by how much a face is turned to the right, -pi..pi; 0 for landmarks in one place.
func angle(l models.Landmarks) float64 {
	t, err := align.Estimate(secondLook, l)
	if err != nil {
		return 0
	}
	return math.Atan2(t.C, t.A)
}

// angleBetween is by how much more the one face is turned than the other, -pi..pi.
func angleBetween(a, b models.Landmarks) float64 {
	return math.Remainder(angle(a)-angle(b), 2*math.Pi)
}
