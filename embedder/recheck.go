package embedder

import (
	"context"
	"math"

	"rollcall/embedder/align"
	"rollcall/embedder/locate"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// Landmarks that a request gives, or that a locator without a second look finds, may be those of no face, of
// another picture, or of a face that is turned otherwise. Embeddings that come of them resemble each other,
// whoever is shown. So a locator with a second look has to see that face there.
const (
	// checkedSide is the side of the square around a face that is searched where one look does not tell, in
	// sides of the square that embedders align it to.
	checkedSide = 1.6
	// wideSide is how much of it is seen where landmarks of a request are compared with the whole face: no
	// more than a locator of crops can make out.
	wideSide = 2.2
	// nearEnough is how far landmarks may be from those of the second look, on average, in sides of that
	// square: a quarter of the distance of the eyes. Two locators differ by a tenth as a rule.
	nearEnough = 0.08
	// turnedOtherwise is the angle from which two opinions on which way is up are different ones.
	turnedOtherwise = math.Pi / 4
)

// recheck has a locator with a second look confirm what another found: its landmarks count, which it finds
// in one look at the face. Where it is not sure of what it sees there, it searches the surroundings; where
// it sees no face, the other's word counts. REQUIRES: s.mu is held.
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
	if !upright {
		f.doubts = append(f.doubts, NotUpright)
	}
	return f, nil
}

// confirmGiven judges the landmarks of a request. They are not changed: where a locator sees another face, or
// none, that is a doubt. A crop that is drawn too wide or narrow is seen so, as it is without landmarks. check may
// be nil.
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
			// From so near, a part of a face may pass for a face.
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

// direct looks at the face with the given landmarks; once more, where it lies otherwise than these say.
func (x examiner) direct(given models.Landmarks) (sight, error) {
	seen := sight{view: asShown, face: locate.Face{Landmarks: given}}
	for range 2 {
		before := seen.face.Landmarks
		var err error
		if seen, err = x.confirm(seen); err != nil {
			return sight{}, err
		}
		// Of this look alone.
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
		return sight{view: asShown}, true, nil // no face, for landmarks in one place
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

// surroundings is the square around a face, so many times as large as its own, and the view in which the
// landmarks are upright, but for less than a quarter turn; false for landmarks in one place.
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
