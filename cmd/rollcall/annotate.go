package main

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"rollcall/embedder/picture"
	pb "rollcall/proto/rollcall/v1"
)

// How faces are marked. The kinds of boxes differ in more than their colour, which not everybody sees.
var (
	matchColour   = color.RGBA{R: 0, G: 150, B: 80, A: 255}
	checkColour   = color.RGBA{R: 230, G: 130, B: 0, A: 255}
	unknownColour = color.RGBA{R: 110, G: 110, B: 110, A: 255}
)

const (
	lineShare   = 0.03 // width of a box's line, as a share of its side
	letterShare = 0.22 // height of the letters
	leastLetter = 11   // pixels
	mostLetter  = 64
	dashes      = 7 // pieces of a broken line
)

// annotatedFormat returns what writes a file of that name; nil where its ending is unknown.
func annotatedFormat(name string) func(io.Writer, image.Image) error {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jpg", ".jpeg":
		return func(out io.Writer, img image.Image) error { return jpeg.Encode(out, img, &jpeg.Options{Quality: 90}) }
	case ".png":
		return png.Encode
	}
	return nil
}

// annotate writes the photo, as it is shown, with a box and the student's id on each face.
func annotate(name string, photo []byte, seats []*pb.Seat) (err error) {
	pic, _, err := picture.Decode(photo, picture.Limits{Bytes: maxPhotoBytes})
	if err != nil {
		return err
	}
	img := image.NewRGBA(pic.Bounds())
	for i := range pic.Width * pic.Height {
		copy(img.Pix[4*i:], pic.Pix[3*i:3*i+3])
		img.Pix[4*i+3] = 255
	}
	letters, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return err
	}
	for i, s := range seats {
		if err := mark(img, letters, i+1, s); err != nil {
			return err
		}
	}
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return annotatedFormat(name)(out, img)
}

// mark draws the box of one face, with its number in the register and the student's id.
func mark(img *image.RGBA, letters *opentype.Font, number int, s *pb.Seat) error {
	b := s.GetFace().GetBox()
	box := image.Rect(int(b.GetLeft()), int(b.GetTop()), int(b.GetLeft()+b.GetWidth()), int(b.GetTop()+b.GetHeight()))
	side := float64(max(b.GetWidth(), b.GetHeight()))
	thick := max(2, int(math.Round(lineShare*side)))
	text, colour, pieces := fmt.Sprint(number), unknownColour, 1
	switch {
	case s.GetStudentId() != "":
		text, colour = text+" "+s.GetStudentId(), matchColour
	case s.GetAssigned() != "":
		text, colour, pieces = text+" "+s.GetAssigned()+"?", checkColour, dashes
	default:
		thick = max(1, thick/2)
	}
	frame(img, box, thick, pieces, colour)
	return label(img, letters, box, min(max(letterShare*side, leastLetter), mostLetter), text, colour)
}

// frame draws the four sides of a box. Each is broken into pieces with gaps of the same length; one piece has no gap.
func frame(img *image.RGBA, box image.Rectangle, thick, pieces int, c color.RGBA) {
	for n := range pieces {
		part := func(from, to int) (int, int) { // of a side, without the gaps
			length := float64(to-from) / float64(2*pieces-1)
			return from + int(float64(2*n)*length), from + int(math.Ceil(float64(2*n+1)*length))
		}
		left, right := part(box.Min.X, box.Max.X)
		top, bottom := part(box.Min.Y, box.Max.Y)
		for _, r := range []image.Rectangle{
			image.Rect(left, box.Min.Y, right, box.Min.Y+thick), image.Rect(left, box.Max.Y-thick, right, box.Max.Y),
			image.Rect(box.Min.X, top, box.Min.X+thick, bottom), image.Rect(box.Max.X-thick, top, box.Max.X, bottom),
		} {
			draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
		}
	}
}

// label writes a text under a box, or in it where the photo ends.
func label(img *image.RGBA, letters *opentype.Font, box image.Rectangle, height float64, text string, back color.RGBA) error {
	face, err := opentype.NewFace(letters, &opentype.FaceOptions{Size: height, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return err
	}
	defer face.Close()
	pen := font.Drawer{Dst: img, Src: image.White, Face: face}
	width, m := pen.MeasureString(text).Ceil(), face.Metrics()
	high, pad := (m.Ascent + m.Descent).Ceil(), int(height/4)
	at := image.Pt(box.Min.X, box.Max.Y)
	at.X = max(0, min(at.X, img.Rect.Dx()-width-2*pad))
	at.Y = max(0, min(at.Y, img.Rect.Dy()-high))
	draw.Draw(img, image.Rect(at.X, at.Y, at.X+width+2*pad, at.Y+high), image.NewUniform(back), image.Point{}, draw.Src)
	pen.Dot = fixed.Point26_6{X: fixed.I(at.X + pad), Y: fixed.I(at.Y) + m.Ascent}
	pen.DrawString(text)
	return nil
}
