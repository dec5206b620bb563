package embedder

import (
	"math"

	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// Quality is what can be said of a crop without knowing whose it is.
type Quality struct {
	LocatorScore float32  // 0..1; 0 where no locator was asked or it saw nothing like a face
	EyeDistance  float32  // pixels of the crop; 0 without landmarks
	Brightness   float32  // mean luma of the face, 0..1; of the whole crop without landmarks
	Sharpness    float32  // see picture.Picture.Measure: 0 is flat, higher is sharper
	Width        int      // pixels of the crop as shown
	Height       int      // pixels of the crop as shown
	Reasons      []Reason // why the crop should not be used; empty: nothing speaks against it
}

// Reason is why a crop should not be used.
type Reason string

// The reasons. After NoFace there is no embedding; with the others there is one, and the caller
// decides what it is worth.
const (
	NoFace     Reason = "NO_FACE"
	TooSmall   Reason = "TOO_SMALL"
	TooDark    Reason = "TOO_DARK"
	TooBright  Reason = "TOO_BRIGHT"
	TooBlurred Reason = "TOO_BLURRED"
)

// Thresholds of the reasons: loose, since a register loses more by refusing a poor crop, whose
// embedding is then judged anyway, than by trying it. Of 3,934 pictures of Labeled Faces in the Wild
// (192 x 192 pixels, found by YuNet) they call 2 blurred and 1 of these small, 0.05 %. What the
// pictures have, from the lowest over the median to the highest: distance of the eyes 10, 42, 83
// pixels; brightness 0.19, 0.50, 0.78; sharpness 3, 225, 2008 with 0.2 % under 17.
const (
	minEyeDistance = 12 // pixels: a third of the 35 in the usual input, which is enlarged thrice
	minSide        = 40 // pixels, of a crop without landmarks: a face with eyes 12 apart fills it
	minBrightness  = 0.12
	maxBrightness  = 0.90
	minSharpness   = 15
)

// assess measures a crop. landmarks may be nil; score is the locator's, 0 without one.
func assess(pic *picture.Picture, landmarks *models.Landmarks, score float32) Quality {
	q := Quality{LocatorScore: score, Width: pic.Width, Height: pic.Height}
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
	return q
}

// eyeDistance is the distance of the eyes in pixels.
func eyeDistance(l models.Landmarks) float32 {
	return float32(math.Hypot(float64(l[1].X-l[0].X), float64(l[1].Y-l[0].Y)))
}
