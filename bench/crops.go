package bench

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"runtime"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/models"
)

const (
	// templateSide is the side of the square that template is in, in pixels.
	templateSide = 112
	// cropQuality is the JPEG quality of the crops: what cameras and detectors
	// usually write.
	cropQuality = 90
)

// template is where embedders that align want the landmarks in their square: the
// one that InsightFace published for ArcFace. Crops are cut by it for every model,
// so that all models get the same.
var template = models.Landmarks{
	{X: 38.2946, Y: 51.6963}, {X: 73.5318, Y: 51.5014}, {X: 56.0252, Y: 71.7366},
	{X: 41.5493, Y: 92.3655}, {X: 70.7299, Y: 92.2041},
}

// tightMiddle is the point between eyes and mouth in the template's square, tightSide twice the
// distance of eyes and mouth.
var tightMiddle = models.Point{X: 56, Y: 72}

const tightSide = 2 * 40.7

// A crop is a face as a detector would have cut it.
type crop struct {
	name, person string
	jpeg         []byte
	file         string           // where the image lies, if it is not in jpeg
	landmarks    models.Landmarks // pixels of the crop
}

// cutOptions say how a detector cuts. Each crop is cut differently, within these
// limits, as its name and the seed decide.
type cutOptions struct {
	seed  uint64
	grow  float64 // the square is larger than the template's by up to this share
	shift float64 // it lies beside its place by up to this share of its side, in x and y
	turn  float64 // it is turned by up to this many degrees
	// side of the crops in pixels; 0: the picture's own resolution.
	side int
	// rough makes the crops of poor cameras: see rough.go.
	rough bool
	// tight cuts so that eyes to mouth fill half of the side.
	tight bool
}

func (o *cutOptions) addFlags(set *pflag.FlagSet) {
	set.Uint64Var(&o.seed, "seed", 1, "seed of every random choice")
	set.Float64Var(&o.grow, "grow", 0.6, "crops are larger than the face by up to this share")
	set.Float64Var(&o.shift, "shift", 0.1, "crops are off centre by up to this share of their side")
	set.Float64Var(&o.turn, "turn", 15, "crops are turned by up to this many degrees")
}

func (o *cutOptions) validate() error {
	switch {
	case !(o.grow >= 0 && o.grow <= 3):
		return fmt.Errorf("--grow is %v; it can be 0 to 3", o.grow)
	case !(o.shift >= 0 && o.shift <= 1):
		return fmt.Errorf("--shift is %v; it can be 0 to 1", o.shift)
	case !(o.turn >= 0 && o.turn <= 180):
		return fmt.Errorf("--turn is %v; it can be 0 to 180 degrees", o.turn)
	}
	return nil
}

// cutAll cuts a crop from each face, in their order.
func (o cutOptions) cutAll(ctx context.Context, faces []face) ([]crop, error) {
	crops := make([]crop, len(faces))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range faces {
		group.Go(func() (err error) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			crops[i], err = o.cut(f)
			return err
		})
	}
	return crops, group.Wait()
}

// cut cuts the crop of a face. What the square takes in beside the picture is
// black.
func (o cutOptions) cut(f face) (crop, error) {
	pic, _, err := picture.Decode(f.jpeg, picture.Limits{})
	if err != nil {
		return crop{}, fmt.Errorf("cut %s: %w", f.name, err)
	}
	defer pic.Release()
	t, side, err := o.square(f)
	if err != nil {
		return crop{}, fmt.Errorf("cut %s: %w", f.name, err)
	}
	in := models.Input{
		Width: side, Height: side, Layout: models.NHWC, Colour: models.RGB,
		Std: [3]float32{1, 1, 1}, Fit: models.FitAlign,
	}
	samples := make([]float32, 3*side*side)
	if err := align.Warp(samples, pic, t, in); err != nil {
		return crop{}, fmt.Errorf("cut %s: %w", f.name, err)
	}
	img := imageOf(samples, side)
	if o.rough {
		roughen(img, o.random(f.name+" rough"))
	}
	data, err := encode(img)
	if err != nil {
		return crop{}, fmt.Errorf("cut %s: %w", f.name, err)
	}
	c := crop{name: f.name, person: f.person, jpeg: data}
	for i, p := range f.landmarks {
		c.landmarks[i] = t.Apply(p)
	}
	return c, nil
}

// imageOf returns the picture of side x side pixels that samples, 0..255, are.
func imageOf(samples []float32, side int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	for i := range side * side {
		for k := range 3 {
			img.Pix[4*i+k] = uint8(math.Round(float64(samples[3*i+k])))
		}
		img.Pix[4*i+3] = 255
	}
	return img
}

func encode(img image.Image) ([]byte, error) {
	var out bytes.Buffer
	err := jpeg.Encode(&out, img, &jpeg.Options{Quality: cropQuality})
	return out.Bytes(), err
}

// square returns the transform from the pixels of the picture to those of the
// crop, and the crop's side in pixels.
func (o cutOptions) square(f face) (align.Transform, int, error) {
	fit, err := align.Estimate(f.landmarks, template)
	if err != nil {
		return align.Transform{}, 0, err
	}
	back, err := fit.Invert()
	if err != nil {
		return align.Transform{}, 0, err
	}
	const middle = (templateSide - 1) / 2.0
	centre := back.Apply(models.Point{X: middle, Y: middle})
	rng := o.random(f.name)
	between := func(limit float64) float64 { return limit * (2*rng.Float64() - 1) }
	size := templateSide * math.Hypot(back.A, back.B) * (1 + o.grow*rng.Float64()) // pixels of the picture
	if o.tight {
		centre, size = back.Apply(tightMiddle), tightSide*math.Hypot(back.A, back.B)
	}
	x, y := float64(centre.X)+between(o.shift)*size, float64(centre.Y)+between(o.shift)*size
	turn := between(o.turn) * math.Pi / 180
	side := o.side
	switch {
	case o.rough:
		side = roughSide(rng)
	case side == 0:
		side = max(1, int(math.Round(size)))
	}
	scale := float64(side) / size
	sin, cos := math.Sincos(turn)
	t := align.Transform{A: scale * cos, B: -scale * sin, C: scale * sin, D: scale * cos}
	half := (float64(side) - 1) / 2
	t.Tx = half - t.A*x - t.B*y
	t.Ty = half - t.C*x - t.D*y
	return t, side, nil
}

// random returns the source of what is chosen for one name. It depends on no
// other name, so that leaving a picture out changes no other crop.
func (o cutOptions) random(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(o.seed, h.Sum64()))
}
