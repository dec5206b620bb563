package bench

import (
	"image"
	"math"
	"math/rand/v2"

	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// Rough crops are what a detector may cut at worst: of any size from the least
// that is worth enrolling to that of a portrait, some of them dark, blurred or
// grey, or all of it.
const (
	leastRoughSide = 40  // pixels
	mostRoughSide  = 600 // pixels
	roughShare     = 0.2 // of the crops are dark, of them are blurred, of them are grey
	darkest        = 0.25
	lightest       = 0.6  // of the dark ones, as a share of the light
	mostBlur       = 0.02 // standard deviation of the blur, as a share of the side
)

// roughCut cuts crops whose face fills 40 to 100 % of them, which is off centre by
// up to a fifth and turned by up to 30 degrees.
func roughCut(seed uint64) cutOptions {
	return cutOptions{seed: seed, grow: 1.5, shift: 0.2, turn: 30, rough: true}
}

// roughSide chooses a side in pixels, half of them under 155.
func roughSide(rng *rand.Rand) int {
	return int(math.Round(leastRoughSide * math.Pow(float64(mostRoughSide)/leastRoughSide, rng.Float64())))
}

// roughen spoils some pictures.
func roughen(img *image.RGBA, rng *rand.Rand) {
	dark, blurred, grey := rng.Float64() < roughShare, rng.Float64() < roughShare, rng.Float64() < roughShare
	light, blur := darkest+(lightest-darkest)*rng.Float64(), mostBlur*rng.Float64()
	if blurred {
		soften(img, blur*float64(img.Rect.Dx()))
	}
	for i := 0; i < len(img.Pix); i += 4 {
		pixel := img.Pix[i : i+3]
		if dark {
			for k, v := range pixel {
				pixel[k] = uint8(light * float64(v))
			}
		}
		if grey {
			// The luma of JPEG (ITU-R BT.601).
			luma := uint8(0.299*float64(pixel[0]) + 0.587*float64(pixel[1]) + 0.114*float64(pixel[2]))
			pixel[0], pixel[1], pixel[2] = luma, luma, luma
		}
	}
}

// soften blurs with a bell of a standard deviation in pixels, along the rows and
// then along the columns. The edge pixels go on beyond the edge.
func soften(img *image.RGBA, deviation float64) {
	reach := int(math.Ceil(2.5 * deviation))
	bell := make([]float64, 2*reach+1)
	var sum float64
	for i := range bell {
		d := float64(i-reach) / math.Max(deviation, 1e-6)
		bell[i] = math.Exp(-d * d / 2)
		sum += bell[i]
	}
	side := img.Rect.Dx()
	line := make([]uint8, side)
	for _, step := range [][2]int{{4, img.Stride}, {img.Stride, 4}} { // from pixel to pixel, from line to line
		for k := range 3 * side {
			start := k/3*step[1] + k%3
			for i := range line {
				line[i] = img.Pix[start+i*step[0]]
			}
			for i := range line {
				var v float64
				for j, weight := range bell {
					v += weight * float64(line[min(max(i+j-reach, 0), side-1)])
				}
				img.Pix[start+i*step[0]] = uint8(math.Round(v / sum))
			}
		}
	}
}

const (
	leastPatch   = 0.25 // side of a patch, in sides of the face's square
	mostPatch    = 0.6
	patchTries   = 200
	patchDistant = 0.6 // how far a landmark is from a patch's centre at least, in sides of the patch, in x or y
)

// patch cuts a square from beside the face of a picture: hair, clothes, background,
// perhaps an ear or the chin, but no landmark. It reports false where the face
// leaves no room for one.
func (o cutOptions) patch(f face) (_ crop, ok bool, err error) {
	pic, _, err := picture.Decode(f.jpeg, picture.Limits{})
	if err != nil {
		return crop{}, false, err
	}
	defer pic.Release()
	fit, err := align.Estimate(f.landmarks, template)
	if err != nil {
		return crop{}, false, err
	}
	rng := o.random(f.name + " patch")
	faceSide := templateSide / math.Hypot(fit.A, fit.B)
	for range patchTries {
		size := faceSide * (leastPatch + (mostPatch-leastPatch)*rng.Float64())
		x, y := float64(pic.Width)*rng.Float64(), float64(pic.Height)*rng.Float64()
		if !apart(f.landmarks, x, y, patchDistant*size) {
			continue
		}
		side := roughSide(rng)
		scale := float64(side) / size
		half := (float64(side) - 1) / 2
		in := models.Input{
			Width: side, Height: side, Layout: models.NHWC, Colour: models.RGB,
			Std: [3]float32{1, 1, 1}, Fit: models.FitAlign,
		}
		samples := make([]float32, 3*side*side)
		t := align.Transform{A: scale, D: scale, Tx: half - scale*x, Ty: half - scale*y}
		if err := align.Warp(samples, pic, t, in); err != nil {
			return crop{}, false, err
		}
		img := imageOf(samples, side)
		roughen(img, rng)
		data, err := encode(img)
		return crop{name: f.name, person: f.person, jpeg: data}, err == nil, err
	}
	return crop{}, false, nil
}

// apart says whether all landmarks are outside the square around (x, y) with sides
// of twice the distance.
func apart(l models.Landmarks, x, y, distance float64) bool {
	for _, p := range l {
		if math.Abs(float64(p.X)-x) < distance && math.Abs(float64(p.Y)-y) < distance {
			return false
		}
	}
	return true
}
