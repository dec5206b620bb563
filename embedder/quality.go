package embedder

import (
	"math"
	"slices"

	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// Quality is what can be said about a crop without knowing whose it is.
type Quality struct {
	LocatorScore float32 // 0..1; 0 where no locator was asked or the locator saw nothing like a face
	EyeDistance  float32 // pixels of the crop; 0 without landmarks
	Brightness   float32 // mean luma of the face, 0..1; of the whole crop without landmarks
	Sharpness    float32 // see picture.Picture.Measure: 0 is flat, higher is sharper
	// Turned is by how many degrees the crop had to be turned to the left to make the face upright: 0, 90,
	// 180 or 270. Stretched is how many times too wide the crop was, as far as that was noticed and
	// corrected: 1, or 9/16, 3/4, 4/3, 16/9.
	Turned    int
	Stretched float32
	Width     int      // pixels of the crop as shown
	Height    int      // pixels of the crop as shown
	Reasons   []Reason // why the crop should not be used; empty: nothing speaks against it
}

// Reason is why a crop should not be used.
type Reason string

// The reasons. With NoFace there is no embedding. With the others there is one, and the caller decides what
// it is worth.
const (
	NoFace     Reason = "NO_FACE"
	TooSmall   Reason = "TOO_SMALL"
	TooDark    Reason = "TOO_DARK"
	TooBright  Reason = "TOO_BRIGHT"
	TooBlurred Reason = "TOO_BLURRED"
	// SeveralFaces: beside the face there is another one of similar size.
	SeveralFaces Reason = "SEVERAL_FACES"
	// NotUpright: the landmarks are those of a face turned another way, or it is not clear how the face is
	// turned.
	NotUpright Reason = "NOT_UPRIGHT"
	// Distorted: the landmarks fit no face, or one that was stretched.
	Distorted Reason = "DISTORTED"
)

// Thresholds of the reasons. They are loose, because a register loses more by refusing a poor crop than by
// trying it: the embedding is judged later anyway. Of 3,934 pictures of Labeled Faces in the Wild (192 x
// 192 pixels, found by YuNet) they call 2 blurred and 1 of these small, 0.05 %. Lowest, median and highest
// values of these pictures: distance of the eyes 10, 42, 83 pixels; brightness 0.19, 0.50, 0.78; sharpness
// 3, 225, 2008 with 0.2 % under 17.
const (
	minEyeDistance = 12 // pixels: a third of the 35 in the usual input, which is enlarged thrice
	minSide        = 40 // pixels, of a crop without landmarks: a face with eyes 12 apart fills it
	minBrightness  = 0.12
	maxBrightness  = 0.90
	minSharpness   = 15
)

// Bounds of the proportions of landmarks. All of the 11,802 faces of faces.csv lie within them: ratios of
// 0.35 to 1.27, residuals up to 0.32. Nearly all faces that are drawn too wide by 16:9 lie outside, and so
// do landmarks in another order.
const (
	minRatio    = 0.33
	maxRatio    = 1.35
	maxResidual = 0.33
)

// distorted reports whether landmarks are not those of a face. They are given in a plane where a face has
// its proportions.
func distorted(l models.Landmarks) bool {
	p, ok := measure(l)
	return !ok || p.ratio < minRatio || p.ratio > maxRatio || p.residual > maxResidual
}

// degreesPerQuarter is a quarter turn.
const degreesPerQuarter = 90

// assess measures a crop. landmarks may be nil; f is the face that was found.
func assess(pic *picture.Picture, landmarks *models.Landmarks, f finding) Quality {
	q := Quality{
		LocatorScore: f.face.Score, Turned: degreesPerQuarter * f.view.quarters, Stretched: float32(1 / f.view.stretch),
		Width: pic.Width, Height: pic.Height,
	}
	region, small := pic.Bounds(), min(pic.Width, pic.Height) < minSide
	if landmarks != nil {
		q.EyeDistance = eyeDistance(*landmarks)
		small = q.EyeDistance < minEyeDistance
		region = align.Region(*landmarks)
	}
	q.Brightness, q.Sharpness = pic.Measure(region)
	for _, r := range []struct {
		holds  bool
		reason Reason
	}{
		{small, TooSmall},
		{q.Brightness < minBrightness, TooDark},
		{q.Brightness > maxBrightness, TooBright},
		{q.Sharpness < minSharpness, TooBlurred},
	} {
		if r.holds {
			q.Reasons = append(q.Reasons, r.reason)
		}
	}
	q.Reasons = append(q.Reasons, f.doubts...)
	if landmarks != nil && !slices.Contains(q.Reasons, Distorted) && distorted(inPlane(*landmarks, f.view.plane())) {
		q.Reasons = append(q.Reasons, Distorted)
	}
	return q
}

// eyeDistance is the distance of the eyes in pixels.
func eyeDistance(l models.Landmarks) float32 {
	return float32(math.Hypot(float64(l[1].X-l[0].X), float64(l[1].Y-l[0].Y)))
}
