package bench

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"

	"rollcall/embedder"
	"rollcall/embedder/align"
	"rollcall/embedder/locate"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// A yunetDetector runs YuNet on whole photos of one size, for comparison: as they are, and doubled, for
// small faces.
type yunetDetector struct {
	temp string // folder of the installed file
	runs []yunetRun
}

// yunetRun is YuNet for one size of its input.
type yunetRun struct {
	session *embedder.Session
	input   models.Input
	scale   float64 // pixels of the input for one of the photo
}

// leastYuNet is the score from which its faces are ranked.
const leastYuNet = 0.3

// openYuNet loads the file for photos of width x height pixels, multiples of 32. The caller closes it.
func openYuNet(file string, width, height int) (_ *yunetDetector, err error) {
	d := new(yunetDetector)
	defer func() {
		if err != nil {
			err = fmt.Errorf("--yunet: %w", errors.Join(err, d.close()))
		}
	}()
	if d.temp, err = os.MkdirTemp("", "rollcall-bench-yunet-"); err != nil {
		return d, err
	}
	library, err := models.OpenLibrary(d.temp)
	if err != nil {
		return d, err
	}
	m, err := library.Add(context.Background(), "yunet", file, models.AddOptions{})
	if err != nil {
		return d, err
	}
	for _, scale := range []int{1, 2} {
		m.Contract.Input.Width, m.Contract.Input.Height = scale*width, scale*height
		m.Contract.Input.Margin = 0
		sessions, err := embedder.OpenSessions(m, 1)
		if err != nil {
			return d, err
		}
		d.runs = append(d.runs, yunetRun{session: sessions[0], input: m.Contract.Input, scale: float64(scale)})
	}
	return d, nil
}

func (d *yunetDetector) close() error {
	for _, r := range d.runs {
		r.session.Close()
	}
	return os.RemoveAll(d.temp)
}

// find returns the faces of a photo, those of both sizes merged.
func (d *yunetDetector) find(photo *image.RGBA) ([]finding, error) {
	pic := &picture.Picture{Width: photo.Rect.Dx(), Height: photo.Rect.Dy()}
	pic.Pix = make([]byte, 3*pic.Width*pic.Height)
	for i := range pic.Width * pic.Height {
		copy(pic.Pix[3*i:], photo.Pix[4*i:4*i+3])
	}
	var faces []locate.Face
	for _, r := range d.runs {
		seen, err := r.find(pic)
		if err != nil {
			return nil, err
		}
		faces = append(faces, seen...)
	}
	var found []finding
	for _, f := range locate.Merge(faces) {
		found = append(found, finding{score: float64(f.Score), landmarks: f.Landmarks})
	}
	return found, nil
}

// find returns the faces of a photo, in its pixels.
func (r yunetRun) find(pic *picture.Picture) ([]locate.Face, error) {
	t := align.FitCorner(pic.Width, pic.Height, r.input, 0)
	back, err := t.Invert()
	if err != nil {
		return nil, err
	}
	if err := align.Warp(r.session.Input(), pic, t, r.input); err != nil {
		return nil, err
	}
	if err := r.session.Run(); err != nil {
		return nil, err
	}
	faces, err := locate.YuNet(r.session.Outputs(), r.input.Width, r.input.Height, leastYuNet)
	for i := range faces {
		f := &faces[i]
		for k, p := range f.Landmarks {
			f.Landmarks[k] = back.Apply(p)
		}
		low := back.Apply(models.Point{X: f.Box[0], Y: f.Box[1]})
		f.Box = [4]float32{low.X, low.Y, f.Box[2] / float32(r.scale), f.Box[3] / float32(r.scale)}
	}
	return faces, err
}
