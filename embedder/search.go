package embedder

import (
	"errors"
	"math"
	"slices"

	"rollcall/embedder/align"
	"rollcall/embedder/locate"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// A locator that has learnt upright faces also accepts many faces that are turned, upside down or
// stretched. It puts landmarks on them that fit no face, and embeddings made with these resemble each
// other, whoever is shown. But it is less sure of such faces. So where its score is below
// [models.Contract.Sure], or the found face has unusual proportions, it sees the picture in other views,
// and the view that it is surest of is taken.
//
// Measured with rollcall-points on 900 people of faces.csv who are not in the split "test" (2026-11-26, an
// experiment; "rollcall bench conditions" prints the effect). For all 1,800 pictures it was surest of the
// right one of the four turns. It looked again at 7.6 % of upright crops, which costs half a look more on
// average. It corrected 98 % of crops drawn too wide by 16:9, 93 % of those drawn too narrow, and by
// mistake 0.8 % of upright ones, with no effect on who was recognised.
const (
	// usualLow and usualHigh bound the ratio (see proportions), and usualResidual the residual, of faces
	// that need no other view: 95 % of upright faces, as rollcall-points sees them.
	usualLow, usualHigh = 0.75, 1.06
	usualResidual       = 0.12
	// triedLow, triedHigh and triedResidual bound the same for a face in a tried view. In the same
	// experiment all upright faces but one or two in a thousand were within them.
	triedLow, triedHigh = 0.55, 1.2
	triedResidual       = 0.2
	// givenBonus is how much larger the sum of the two looks' logits must be for another view to be taken.
	givenBonus = 2
	// closeTurns is the difference of the same sums below which two turns are about equally likely.
	closeTurns = 1
	// again is how many stretched views get a second look: the two that the first look was surest of.
	again = 2
)

// stretches are the widths that are tried: those that undo drawing a picture of 16:9 or 4:3, or of 9:16 or
// 3:4, as a square.
var stretches = [...]float64{9.0 / 16, 3.0 / 4, 4.0 / 3, 16.0 / 9}

// sight is what a locator saw in one view: both looks.
type sight struct {
	view  view
	tried bool        // one of many views, not the one that was given
	face  locate.Face // in pixels of the picture; the score is that of the first look
	// first is the logit of the first look's score, and sum is the sum of both looks' logits.
	first, sum float64
}

// plane returns the landmarks in the stretched picture, where they have the proportions of a face.
func (s sight) plane() models.Landmarks { return inPlane(s.face.Landmarks, s.view.plane()) }

// unusual reports whether the proportions are rare among upright faces that are not stretched.
func (s sight) unusual() bool {
	p, ok := measure(s.plane())
	return !ok || p.ratio < usualLow || p.ratio > usualHigh || p.residual > usualResidual
}

// logit is the inverse of the logistic function, finite for all scores.
func logit(score float32) float64 {
	const least = 1e-7 // about what float32 tells from 1
	p := math.Min(math.Max(float64(score), least), 1-least)
	return math.Log(p / (1 - p))
}

// examiner looks at a picture through one session of a locator with a second look.
// REQUIRES: the session's lock is held.
type examiner struct {
	contract models.Contract
	session  *session
	pic      *picture.Picture
}

// sure reports whether the score of a sight is high enough to need no other view. It does not judge the
// proportions.
func (x examiner) sure(s sight) bool { return s.first >= logit(float32(x.contract.Sure)) }

// settled reports whether no other view has to be tried.
func (x examiner) settled(s sight) bool {
	return x.contract.Sure == 0 || x.sure(s) && !s.unusual()
}

// certainty is [Quality.Certainty] of a sight.
func (x examiner) certainty(s sight) float64 {
	if x.contract.Sure == 0 { // nothing is known of its scores
		return 0
	}
	return s.sum / 2
}

// isFace reports whether a sight shows a face, by both looks.
func (x examiner) isFace(s sight) bool {
	least := min(s.first, s.sum-s.first)
	if x.contract.Sure == 0 { // nothing is known of its scores
		return least >= logit(minScore)
	}
	if !s.tried {
		return least >= logit(minScore) && s.sum-s.first >= logit(minSeenScore)
	}
	p, ok := measure(s.plane())
	return least >= logit(minTriedScore) && ok && p.ratio > triedLow && p.ratio < triedHigh && p.residual < triedResidual
}

// glance looks once.
func (x examiner) glance(a area, v view) (sight, error) {
	face, err := look(x.contract, x.session, x.pic, v.fit(a, x.contract.Input))
	s := sight{view: v, face: face, first: logit(face.Score)}
	s.sum = 2 * s.first // until there is a second look
	return s, err
}

// try glances at a view that is only tried.
func (x examiner) try(a area, v view) (sight, error) {
	s, err := x.glance(a, v)
	s.tried = true
	return s, err
}

// confirm looks a second time, at the upright square around what a sight shows.
func (x examiner) confirm(s sight) (sight, error) {
	second, err := lookAt(x.contract, x.session, x.pic, s)
	if errors.Is(err, align.ErrDegenerate) {
		return s, nil
	}
	if err != nil {
		return sight{}, err
	}
	s.sum = s.first + logit(second.Score)
	s.face.Landmarks = second.Landmarks
	return s, nil
}

// search finds the face of an area and the view that it needs. first is a glance at the area in the
// likeliest view. upright is false where another turn is about as likely.
func (x examiner) search(a area, first sight) (best sight, upright bool, err error) {
	given, err := x.confirm(first)
	if err != nil {
		return sight{}, false, err
	}
	if x.settled(given) {
		return given, true, nil
	}
	best, upright = given, true
	best.sum += givenBonus
	bases := []view{given.view}
	if !x.sure(given) {
		turned, err := x.turned(a, given.view)
		if err != nil {
			return sight{}, false, err
		}
		if turned.first > given.first-closeTurns {
			if turned, err = x.confirm(turned); err != nil {
				return sight{}, false, err
			}
			if best = x.surer(best, turned); best == turned && x.settled(turned) {
				return turned, true, nil
			}
			bases = append(bases, turned.view)
		}
		upright = !x.isFace(turned) || math.Abs(turned.sum-given.sum) >= closeTurns
	}
	for _, base := range bases {
		s, err := x.stretched(a, base)
		if err != nil {
			return sight{}, false, err
		}
		best = x.surer(best, s)
	}
	if !best.tried {
		best.sum -= givenBonus
	}
	return best, upright || best.view.stretch != 1 || x.sure(best), nil
}

// surer returns the sight that the locator is surer of. It returns the other instead of a only if that is a
// face.
func (x examiner) surer(a, other sight) sight {
	if other.sum > a.sum && x.isFace(other) {
		return other
	}
	return a
}

// turned glances at the three other turns of a view and returns the surest.
func (x examiner) turned(a area, from view) (best sight, err error) {
	for more := 1; more <= 3; more++ {
		s, err := x.try(a, view{quarters: (from.quarters + more) % 4, stretch: from.stretch})
		if err != nil {
			return sight{}, err
		}
		if more == 1 || s.first > best.first {
			best = s
		}
	}
	return best, nil
}

// stretched returns the surest of the stretched views of a turn.
func (x examiner) stretched(a area, base view) (best sight, err error) {
	var seen []sight
	for _, stretch := range stretches {
		s, err := x.try(a, view{quarters: base.quarters, stretch: stretch})
		if err != nil {
			return sight{}, err
		}
		seen = append(seen, s)
	}
	slices.SortStableFunc(seen, func(a, b sight) int {
		switch {
		case a.first > b.first:
			return -1
		case a.first < b.first:
			return 1
		}
		return 0
	})
	for i, s := range seen[:again] {
		if s, err = x.confirm(s); err != nil {
			return sight{}, err
		}
		if i == 0 || s.sum > best.sum {
			best = s
		}
	}
	return best, nil
}

// whole is the area of the whole picture.
func (x examiner) whole() area {
	return area{width: float64(x.pic.Width), height: float64(x.pic.Height)}
}
