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
	// Score is how far the crop can be trusted, 0..1: how similar it will be to other crops of the same
	// person, as a share of what the best crops are. It is foretold by the figures below, see
	// [Quality.Terms]; 0 without a face.
	Score        float32
	LocatorScore float32 // 0..1; 0 where no locator was asked or the locator saw nothing like a face
	// Certainty is how sure a locator is that looks at the face twice: the mean of the logits of both
	// scores. It is 0 where no such locator looked.
	Certainty   float32
	EyeDistance float32 // pixels of the crop; 0 without landmarks
	Brightness  float32 // mean luma of the face, 0..1; of the whole crop without landmarks
	Contrast    float32 // standard deviation of the same luma, 0..0.5
	Sharpness   float32 // see picture.Picture.Measure: 0 is flat, higher is sharper
	Pose        Pose    // 0 without landmarks
	// Residual is how far the landmarks are from those of a head in this pose, in distances between its
	// eyes; 0 without landmarks.
	Residual float32
	// Turned is by how many degrees the crop had to be turned to the left to make the face upright: 0, 90,
	// 180 or 270. Stretched is how many times too wide the crop was, as far as that was noticed and
	// corrected: 1, or 9/16, 3/4, 4/3, 16/9.
	Turned    int
	Stretched float32
	Width     int      // pixels of the crop as shown
	Height    int      // pixels of the crop as shown
	Reasons   []Reason // why the crop should not be used; empty: nothing speaks against it
	// Shortfalls are what was measured, for the reasons that rest on a limit.
	Shortfalls []Shortfall
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
	// LowQuality: Quality.Score is too low, though nothing else speaks against the crop.
	LowQuality Reason = "LOW_QUALITY"
	// SeveralFaces: beside the face there is another one of similar size.
	SeveralFaces Reason = "SEVERAL_FACES"
	// NotUpright: the landmarks are those of a face turned another way, or it is not clear how the face is
	// turned.
	NotUpright Reason = "NOT_UPRIGHT"
	// Distorted: the landmarks fit no face, or one that was stretched.
	Distorted Reason = "DISTORTED"
)

// A Shortfall is a figure that misses its limit.
type Shortfall struct {
	Reason   Reason
	Measured float32 // in the unit of the figure, see [Quality]
	Limit    float32 // in the same unit
}

// limits are what a crop has to reach.
type limits struct {
	eyeDistance        float32 // pixels
	side               float32 // pixels, of a crop without landmarks
	darkest, brightest float32
	sharpness          float32
	score              float32
}

// probeLimits are loose, because a register loses more by refusing a poor probe than by trying it: the
// embedding is judged later anyway. Of 3,934 pictures of Labeled Faces in the Wild (192 x 192 pixels, found
// by YuNet) they call 2 blurred and 1 of these small, 0.05 %. Lowest, median and highest values of these
// pictures: distance of the eyes 10, 42, 83 pixels; brightness 0.19, 0.50, 0.78; sharpness 3, 225, 2008 with
// 0.2 % under 17.
//
// A third of the 35 pixels between the eyes of the usual input is 12: it is enlarged thrice. In a crop of 40
// pixels without landmarks, a face that fills it has its eyes 12 apart.
var probeLimits = limits{eyeDistance: 12, side: 40, darkest: 0.12, brightest: 0.90, sharpness: 15}

// enrolmentLimits are for crops that are stored: a poor one is compared with every probe to come. They
// refuse 0.8 % of upright crops, and 29 % of those that are cut poorly. Of the probes of students who are
// enrolled by such a poor crop, 16 % are missed where the limits accept it, and 44 % where they refuse it
// (rollcall-base-2, people of test, FPIR 0.1 %, 2026-11-26; "rollcall bench quality").
var enrolmentLimits = limits{eyeDistance: 20, side: 64, darkest: 0.15, brightest: 0.85, sharpness: 30, score: 0.65}

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
func assess(pic *picture.Picture, landmarks *models.Landmarks, f finding, least limits) Quality {
	q := Quality{
		LocatorScore: f.face.Score, Certainty: float32(f.certainty), Turned: degreesPerQuarter * f.view.quarters, Stretched: float32(1 / f.view.stretch),
		Width: pic.Width, Height: pic.Height,
	}
	size, leastSize := float32(min(pic.Width, pic.Height)), least.side
	region := pic.Bounds()
	var upright models.Landmarks // in a plane where a face has its proportions
	if landmarks != nil {
		q.EyeDistance = eyeDistance(*landmarks)
		size, leastSize = q.EyeDistance, least.eyeDistance
		region = align.Region(*landmarks)
		upright = inPlane(*landmarks, quarterTurns(f.view.quarters).After(f.view.plane()))
		if pose, residual, ok := poseOf(upright); ok {
			q.Pose, q.Residual = pose, float32(residual)
		}
	}
	q.Brightness, q.Contrast, q.Sharpness = pic.Measure(region)
	q.Score = q.score()
	q.mustReach(TooSmall, size, leastSize)
	q.mustReach(TooDark, q.Brightness, least.darkest)
	if q.Brightness > least.brightest {
		q.missed(Shortfall{TooBright, q.Brightness, least.brightest})
	}
	q.mustReach(TooBlurred, q.Sharpness, least.sharpness)
	q.Reasons = append(q.Reasons, f.doubts...)
	if landmarks != nil && !slices.Contains(q.Reasons, Distorted) && distorted(upright) {
		q.Reasons = append(q.Reasons, Distorted)
	}
	if len(q.Reasons) == 0 {
		q.mustReach(LowQuality, q.Score, least.score)
	}
	return q
}

// mustReach notes a figure that is under its limit.
func (q *Quality) mustReach(reason Reason, measured, limit float32) {
	if measured < limit {
		q.missed(Shortfall{reason, measured, limit})
	}
}

func (q *Quality) missed(s Shortfall) {
	q.Reasons = append(q.Reasons, s.Reason)
	q.Shortfalls = append(q.Shortfalls, s)
}

// eyeDistance is the distance of the eyes in pixels.
func eyeDistance(l models.Landmarks) float32 {
	return float32(math.Hypot(float64(l[1].X-l[0].X), float64(l[1].Y-l[0].Y)))
}
