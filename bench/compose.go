package bench

import (
	"cmp"
	"image"
	"image/color"
	"image/draw"
	"math"
	"math/rand/v2"
	"slices"

	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// A composition says how photos are put together from the pictures of a folder of faces.
type composition struct {
	width, height int     // pixels
	faces         int     // of a photo; fewer where there is no room
	least, most   float64 // sizes of the faces in pixels, see embedder.Face; any in between, by their logarithms
	turn          float64 // degrees by which faces are turned at most
	light         bool    // nothing is dark
}

// A composed photo, and what is on it.
type composed struct {
	jpeg []byte
	pix  *image.RGBA
	true []trueFace
}

// A trueFace is a face that was put into a photo.
type trueFace struct {
	size      float64          // side of its square in pixels
	landmarks models.Landmarks // pixels of the photo
	person    string
}

// What is done to faces and photos, beside turning them.
const (
	darkPhotos   = 0.2  // share of the photos that are dark
	darkFaces    = 0.25 // share of the faces of other photos that are dark
	mostOverlap  = 0.2  // of two heads, as a share of the distance at which they would touch
	placeTries   = 100
	patchesWide  = 8    // about, in the width of a background
	headWide     = 0.64 // half axes of the ellipse that is cut out around a head, in sides of the square
	headHigh     = 0.84
	softEdge     = 0.15 // of the ellipse, as a share of its radius
	leastInPhoto = 0.62 // how far the centre of a face is from the edge of the photo, in sides of the square
)

// compose makes photo number i. The faces are those of given pictures, chosen at random; the background is
// made of corners of the pictures, turned so that nobody who happens to be there is upright, of flat
// pieces and of noise.
func (c composition) compose(faces []face, seed uint64, i int) (composed, error) {
	return c.composeOf(faces, nil, seed, i)
}

// composeOf is compose with the people who are on the photo, as many as it has faces; nil: chosen at random.
func (c composition) composeOf(faces, people []face, seed uint64, i int) (composed, error) {
	rng := rand.New(rand.NewPCG(seed, uint64(i)))
	photo := composed{pix: image.NewRGBA(image.Rect(0, 0, c.width, c.height))}
	if err := background(photo.pix, faces, rng); err != nil {
		return photo, err
	}
	places := c.places(rng)
	// The larger ones are nearer: they cover the others.
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.size, b.size) })
	dark := !c.light && rng.Float64() < darkPhotos
	for k, p := range places {
		light := 1.0
		if !c.light && !dark && rng.Float64() < darkFaces {
			light = darkness(rng)
		}
		shown := people
		if people == nil {
			shown, k = faces, rng.IntN(len(faces))
		}
		truth, err := p.paste(photo.pix, shown[k], light)
		if err != nil {
			return photo, err
		}
		photo.true = append(photo.true, truth)
	}
	if dark {
		light := darkness(rng)
		for i, v := range photo.pix.Pix {
			if i%4 != 3 {
				photo.pix.Pix[i] = uint8(light * float64(v))
			}
		}
	}
	var err error
	photo.jpeg, err = encode(photo.pix)
	return photo, err
}

// darkness is the light of something dark, as a share.
func darkness(rng *rand.Rand) float64 { return darkest + (lightest-darkest)*rng.Float64() }

// place is where a face goes.
type place struct{ x, y, size, turn float64 }

// places chooses sizes and places. Heads may overlap a little.
func (c composition) places(rng *rand.Rand) []place {
	var all []place
	for range c.faces {
		size := c.least * math.Pow(c.most/c.least, rng.Float64())
		turn := c.turn * (2*rng.Float64() - 1)
		for range placeTries {
			margin := leastInPhoto * size
			p := place{margin + rng.Float64()*(float64(c.width)-2*margin), margin + rng.Float64()*(float64(c.height)-2*margin), size, turn}
			if !slices.ContainsFunc(all, p.collides) {
				all = append(all, p)
				break
			}
		}
	}
	return all
}

func (p place) collides(q place) bool {
	apart := (1 - mostOverlap) * (p.size + q.size)
	return math.Hypot((p.x-q.x)/(headWide*apart), (p.y-q.y)/(headHigh*apart)) < 1
}

// paste puts the head of a picture into a photo, in some share of its light.
func (p place) paste(photo *image.RGBA, f face, light float64) (trueFace, error) {
	pic, _, err := picture.Decode(f.jpeg, picture.Limits{})
	if err != nil {
		return trueFace{}, err
	}
	defer pic.Release()
	for i, v := range pic.Pix {
		pic.Pix[i] = uint8(light * float64(v))
	}
	upright, err := align.Estimate(f.landmarks, template)
	if err != nil {
		return trueFace{}, err
	}
	// From the template's square to a window around the place, in whole pixels of the photo.
	reach := int(math.Ceil(headHigh*p.size)) + 1
	left, top := int(p.x)-reach, int(p.y)-reach
	side := 2*reach + 1
	scale := p.size / templateSide
	sin, cos := math.Sincos(p.turn * math.Pi / 180)
	const middle = (templateSide - 1) / 2.0
	cx, cy := p.x-float64(left), p.y-float64(top)
	window := align.Transform{A: scale * cos, B: -scale * sin, C: scale * sin, D: scale * cos}
	window.Tx = cx - window.A*middle - window.B*middle
	window.Ty = cy - window.C*middle - window.D*middle
	t := window.After(upright)
	in := models.Input{Width: side, Height: side, Layout: models.NHWC, Colour: models.RGB, Std: [3]float32{1, 1, 1}, Fit: models.FitCorner}
	samples := make([]float32, 3*side*side)
	if err := align.Warp(samples, pic, t, in); err != nil {
		return trueFace{}, err
	}
	back, err := t.Invert()
	if err != nil {
		return trueFace{}, err
	}
	for y := range side {
		for x := range side {
			at := image.Pt(left+x, top+y)
			from := back.Apply(models.Point{X: float32(x), Y: float32(y)})
			if !at.In(photo.Rect) || from.X < 0 || from.Y < 0 || from.X > float32(pic.Width-1) || from.Y > float32(pic.Height-1) {
				continue
			}
			dx, dy := float64(x)-cx, float64(y)-cy
			radius := math.Hypot((cos*dx+sin*dy)/(headWide*p.size), (cos*dy-sin*dx)/(headHigh*p.size))
			cover := min(max((1-radius)/softEdge, 0), 1)
			pixel := photo.Pix[photo.PixOffset(at.X, at.Y):]
			for k := range 3 {
				v := float64(pixel[k])
				pixel[k] = uint8(math.Round(v + cover*(float64(samples[3*(y*side+x)+k])-v)))
			}
		}
	}
	truth := trueFace{person: f.person, size: p.size}
	for i, l := range f.landmarks {
		q := t.Apply(l)
		truth.landmarks[i] = models.Point{X: q.X + float32(left), Y: q.Y + float32(top)}
	}
	return truth, nil
}

// background fills a photo with pieces of all sizes, the larger first.
func background(photo *image.RGBA, faces []face, rng *rand.Rand) error {
	draw.Draw(photo, photo.Rect, image.NewUniform(color.RGBA{110, 110, 115, 255}), image.Point{}, draw.Src)
	piece := float64(photo.Rect.Dx()) / patchesWide
	count := 2 * patchesWide * patchesWide
	for i := range count {
		side := int(piece * (3 - 2.7*float64(i)/float64(count)))
		at := image.Rect(0, 0, side, side*3/4).Add(image.Pt(rng.IntN(photo.Rect.Dx()+side)-side, rng.IntN(photo.Rect.Dy()+side)-side))
		if err := fillPiece(photo, at, faces[rng.IntN(len(faces))], rng); err != nil {
			return err
		}
	}
	return nil
}

// fillPiece fills a rectangle with a corner of a picture, with one colour or with noise.
func fillPiece(photo *image.RGBA, at image.Rectangle, f face, rng *rand.Rand) error {
	kind, base, rough := rng.Float64(), [3]int{rng.IntN(220), rng.IntN(220), rng.IntN(220)}, 1+rng.IntN(40)
	visible := at.Intersect(photo.Rect)
	if kind < 0.15 {
		for y := visible.Min.Y; y < visible.Max.Y; y++ {
			for x := visible.Min.X; x < visible.Max.X; x++ {
				grain := rng.IntN(rough)
				photo.SetRGBA(x, y, color.RGBA{uint8(base[0] + grain/2), uint8(base[1] + grain/2), uint8(base[2] + grain/2), 255})
			}
		}
		return nil
	}
	pic, _, err := picture.Decode(f.jpeg, picture.Limits{})
	if err != nil {
		return err
	}
	defer pic.Release()
	// A corner has a quarter of the picture's side: the face's square ends before it.
	side := pic.Width / 4
	left, top := rng.IntN(2)*(pic.Width-side), rng.IntN(2)*(pic.Height-side)
	turn := 1 + rng.IntN(3) // quarters
	for y := visible.Min.Y; y < visible.Max.Y; y++ {
		for x := visible.Min.X; x < visible.Max.X; x++ {
			u, v := (x-at.Min.X)*side/at.Dx(), (y-at.Min.Y)*side/at.Dy()
			for range turn {
				u, v = v, side-1-u
			}
			pixel := pic.Pix[3*((top+v)*pic.Width+left+u):]
			photo.SetRGBA(x, y, color.RGBA{pixel[0], pixel[1], pixel[2], 255})
		}
	}
	return nil
}
