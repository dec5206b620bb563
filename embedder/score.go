package embedder

import "math"

// Terms are what speaks against a crop, each 0 for nothing: the lack of size and of sharpness (natural
// logarithms), the yaw, pitch and roll beyond the usual (in 30 degrees), the residual, the lack and the
// excess of light, the lack and the excess of contrast, and how unsure the locator is, twice.
type Terms [12]float64

// What nothing speaks against. Faces of 35 pixels between the eyes need not be enlarged for the usual input.
// The others are near the medians, or the 5th and 95th percentiles, of the pictures of faces.csv.
const (
	fullSize      = 35
	fullSharpness = 225
	usualYaw      = 15 // degrees
	usualPitch    = 8
	usualRoll     = 15
	lowLight      = 0.4
	highLight     = 0.6
	lowContrast   = 0.12
	highContrast  = 0.2
	fullCertainty = 16 // logits
	doubtful      = 12
	// usualCertainty is taken where no locator whose scores are known has looked.
	usualCertainty = 15
)

// Terms returns what speaks against a crop on which a face was found.
func (q Quality) Terms() Terms {
	lack := func(full, measured float32) float64 {
		return max(0, math.Log(float64(full))-math.Log(max(float64(measured), 1)))
	}
	beyond := func(angle float32, usual float64) float64 { return max(0, math.Abs(float64(angle))-usual) / 30 }
	certainty := float64(q.Certainty)
	if certainty == 0 {
		certainty = usualCertainty
	}
	t := Terms{
		1: lack(fullSharpness, q.Sharpness),
		2: beyond(q.Pose.Yaw, usualYaw), 3: beyond(q.Pose.Pitch, usualPitch), 4: beyond(q.Pose.Roll, usualRoll),
		5: float64(q.Residual),
		6: max(0, lowLight-float64(q.Brightness)), 7: max(0, float64(q.Brightness)-highLight),
		8: max(0, lowContrast-float64(q.Contrast)), 9: max(0, float64(q.Contrast)-highContrast),
		10: max(0, fullCertainty-certainty) / fullCertainty, 11: max(0, doubtful-certainty) / doubtful,
	}
	if q.EyeDistance > 0 {
		t[0] = lack(fullSize, q.EyeDistance)
	}
	return t
}

// bestSimilarity and weights foretell how similar a crop is to others of the same person, as a logistic
// function. "rollcall bench quality --fit" prints them. They rest on the people of train but for those of
// validation, half of the crops upright and half as "bench conditions" and the worst detectors make them, on
// rollcall-base-2 and rollcall-points. A weight is 0 if the term foretold nothing, or the wrong way: heads
// turn by no more than 40 degrees there.
const bestSimilarity = 1.220

var weights = Terms{-0.27, -0.14, 0, -0.54, 0, -2.28, 0, -1.04, 0, -1.56, -1.66, -1.09}

// score returns the foretold similarity, as a share of that of a crop against which nothing speaks.
func (q Quality) score() float32 {
	logit := bestSimilarity
	for i, term := range q.Terms() {
		logit += weights[i] * term
	}
	return float32((1 + math.Exp(-bestSimilarity)) / (1 + math.Exp(-logit)))
}
