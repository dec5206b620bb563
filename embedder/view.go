package embedder

import (
	"math"

	"rollcall/embedder/align"
	"rollcall/models"
)

// view is a way to look at a picture: its width is stretched, then it is turned. A camera mounted on its
// side gives turned pictures; software that fits a wide picture into a square gives stretched ones.
type view struct {
	quarters int     // quarter turns to the left, 0..3
	stretch  float64 // the width is multiplied by this; 1 leaves it
}

// asShown is the view of a picture as it is.
var asShown = view{stretch: 1}

// area is a rectangle of a picture in pixels; it may reach beyond the picture.
type area struct{ x, y, width, height float64 }

// plane maps pixels of the picture to pixels of the stretched picture, in which a face has its proportions.
// It maps areas, as resizing does.
func (v view) plane() align.Transform {
	return align.Transform{A: v.stretch, D: 1, Tx: (v.stretch - 1) / 2}
}

// fit returns the transform that shows an area of the picture, in this view, in the middle of an input.
func (v view) fit(a area, in models.Input) align.Transform {
	width := int(math.Max(1, math.Round(a.width*v.stretch)))
	height := int(math.Max(1, math.Round(a.height)))
	moved := align.Transform{A: 1, D: 1, Tx: -a.x * v.stretch, Ty: -a.y}
	shown := align.FitLetterbox(width, height, in, in.Margin).After(moved).After(v.plane())
	middle := align.Transform{A: 1, D: 1, Tx: -float64(in.Width-1) / 2, Ty: -float64(in.Height-1) / 2}
	back := align.Transform{A: 1, D: 1, Tx: -middle.Tx, Ty: -middle.Ty}
	return back.After(quarterTurns(v.quarters)).After(middle).After(shown)
}

// quarterTurns turns about (0, 0) to the left, as seen in the picture.
func quarterTurns(n int) align.Transform {
	t := align.Transform{A: 1, D: 1}
	for range n {
		t = align.Transform{B: 1, C: -1}.After(t)
	}
	return t
}

// square is the square that embedders align a face to: its side and its middle, in the pixels of the
// landmarks.
func square(l models.Landmarks) (side float64, middle models.Point, ok bool) {
	t, err := align.Estimate(secondLook, l)
	if err != nil {
		return 0, models.Point{}, false
	}
	const half = (secondLookSide - 1) / 2.0
	return secondLookSide * math.Hypot(t.A, t.C), t.Apply(models.Point{X: half, Y: half}), true
}

// inPlane maps landmarks through a transform.
func inPlane(l models.Landmarks, t align.Transform) models.Landmarks {
	for i := range l {
		l[i] = t.Apply(l[i])
	}
	return l
}

// proportions tell whether landmarks are those of a face that is seen upright.
type proportions struct {
	// ratio is the distance between the eyes, divided by the height from the mouth to the line of the eyes:
	// 0.92 on average, and at most 1.27 on the 11,802 faces of faces.csv. It is not positive where the
	// mouth is above the eyes.
	ratio float64
	// residual is the root mean square distance of the landmarks from the best fit of the template, in
	// distances between the template's eyes.
	residual float64
}

// measure returns the proportions of landmarks. It returns false where they have none.
func measure(l models.Landmarks) (proportions, bool) {
	t, err := align.Estimate(l, secondLook)
	if err != nil {
		return proportions{}, false
	}
	var sum float64
	for i, p := range l {
		at := t.Apply(p)
		sum += math.Pow(float64(at.X-secondLook[i].X), 2) + math.Pow(float64(at.Y-secondLook[i].Y), 2)
	}
	apart := float64(eyeDistance(secondLook))
	p := proportions{residual: math.Sqrt(sum/float64(len(l))) / apart}
	eyes := float64(eyeDistance(l))
	if !(eyes > 0) {
		return proportions{}, false
	}
	ux, uy := float64(l[1].X-l[0].X)/eyes, float64(l[1].Y-l[0].Y)/eyes
	dx := float64(l[3].X+l[4].X-l[0].X-l[1].X) / 2
	dy := float64(l[3].Y+l[4].Y-l[0].Y-l[1].Y) / 2
	p.ratio = eyes / (dy*ux - dx*uy)
	return p, !math.IsNaN(p.ratio) && !math.IsInf(p.ratio, 0)
}
