package bench

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"runtime"

	ximage "golang.org/x/image/draw"
	"golang.org/x/sync/errgroup"

	"rollcall/embedder/picture"
)

// A deformation is what cameras and software do to crops.
type deformation struct {
	name string
	cut  func(*cutOptions) // how the crop is cut; nil: as always
	do   func(img *image.RGBA) *image.RGBA
}

// deformations returns what "bench conditions" tries.
func deformations() []deformation {
	return []deformation{
		{name: "upright", do: func(img *image.RGBA) *image.RGBA { return img }},
		{name: "turned by 90 degrees", do: func(img *image.RGBA) *image.RGBA { return turned(img, 1) }},
		{name: "turned by 180 degrees", do: func(img *image.RGBA) *image.RGBA { return turned(img, 2) }},
		{name: "turned by 270 degrees", do: func(img *image.RGBA) *image.RGBA { return turned(img, 3) }},
		{name: "turned by up to 50 degrees", cut: func(o *cutOptions) { o.turn = 50 }, do: func(img *image.RGBA) *image.RGBA { return img }},
		{name: "16:9 drawn wide", do: func(img *image.RGBA) *image.RGBA { return resized(img, 16.0/9, 1) }},
		{name: "16:9 drawn narrow", do: func(img *image.RGBA) *image.RGBA { return resized(img, 9.0/16, 1) }},
		{name: "4:3 drawn wide", do: func(img *image.RGBA) *image.RGBA { return resized(img, 4.0/3, 1) }},
		{name: "4:3 drawn narrow", do: func(img *image.RGBA) *image.RGBA { return resized(img, 3.0/4, 1) }},
		{name: "tight: eyes to mouth fill half of the side", cut: func(o *cutOptions) { o.tight = true }, do: func(img *image.RGBA) *image.RGBA { return img }},
		{name: "lower half covered, as by a mask", do: masked},
		{name: "dark: a third of the light", do: func(img *image.RGBA) *image.RGBA { return darkened(img, 1.0/3) }},
		{name: "small: 48 pixels", cut: func(o *cutOptions) { o.side = 48 }, do: func(img *image.RGBA) *image.RGBA { return img }},
	}
}

// cutDeformed cuts the crops of faces in a deformation.
func (d deformation) cutDeformed(ctx context.Context, o cutOptions, faces []face) ([]crop, error) {
	if d.cut != nil {
		d.cut(&o)
	}
	crops, err := o.cutAll(ctx, faces)
	if err != nil {
		return nil, err
	}
	return changeAll(ctx, crops, d.do)
}

// changeAll returns the crops with changed pictures. The landmarks stay as they were, and are wrong then.
func changeAll(ctx context.Context, crops []crop, do func(*image.RGBA) *image.RGBA) ([]crop, error) {
	out := make([]crop, len(crops))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, c := range crops {
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			img, err := rgba(c)
			if err != nil {
				return err
			}
			c.jpeg, err = encode(do(img))
			out[i] = c
			return err
		})
	}
	return out, group.Wait()
}

// rgba decodes a crop.
func rgba(c crop) (*image.RGBA, error) {
	pic, _, err := picture.Decode(c.jpeg, picture.Limits{})
	if err != nil {
		return nil, fmt.Errorf("decode the crop of %s: %w", c.name, err)
	}
	defer pic.Release()
	img := image.NewRGBA(pic.Bounds())
	for i := range pic.Width * pic.Height {
		copy(img.Pix[4*i:], pic.Pix[3*i:3*i+3])
		img.Pix[4*i+3] = 255
	}
	return img, nil
}

// turned turns a picture to the left by quarters.
func turned(img *image.RGBA, quarters int) *image.RGBA {
	for range quarters {
		w, h := img.Rect.Dx(), img.Rect.Dy()
		out := image.NewRGBA(image.Rect(0, 0, h, w))
		for y := range h {
			for x := range w {
				out.SetRGBA(y, w-1-x, img.RGBAAt(x, y))
			}
		}
		img = out
	}
	return img
}

// mirrored exchanges left and right.
func mirrored(img *image.RGBA) *image.RGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	out := image.NewRGBA(img.Rect)
	for y := range h {
		for x := range w {
			out.SetRGBA(w-1-x, y, img.RGBAAt(x, y))
		}
	}
	return out
}

// resized changes the width and the height.
func resized(img *image.RGBA, width, height float64) *image.RGBA {
	size := img.Rect.Size()
	out := image.NewRGBA(image.Rect(0, 0, max(1, int(width*float64(size.X)+0.5)), max(1, int(height*float64(size.Y)+0.5))))
	ximage.CatmullRom.Scale(out, out.Rect, img, img.Rect, draw.Src, nil)
	return out
}

// masked covers the lower half in one colour.
func masked(img *image.RGBA) *image.RGBA {
	out := image.NewRGBA(img.Rect)
	copy(out.Pix, img.Pix)
	cloth := image.NewUniform(color.RGBA{150, 180, 200, 255})
	lower := img.Rect
	lower.Min.Y = (img.Rect.Min.Y + img.Rect.Max.Y) / 2
	draw.Draw(out, lower, cloth, image.Point{}, draw.Src)
	return out
}

// darkened takes light away.
func darkened(img *image.RGBA, light float64) *image.RGBA {
	out := image.NewRGBA(img.Rect)
	for i, v := range img.Pix {
		out.Pix[i] = uint8(light * float64(v))
		if i%4 == 3 {
			out.Pix[i] = v
		}
	}
	return out
}

// beside puts two pictures side by side, the second as large as share of the first.
func beside(a, b *image.RGBA, share float64) *image.RGBA {
	side := share * float64(a.Rect.Dx()) / float64(b.Rect.Dx())
	b = resized(b, side, side)
	out := image.NewRGBA(image.Rect(0, 0, a.Rect.Dx()+b.Rect.Dx(), max(a.Rect.Dy(), b.Rect.Dy())))
	draw.Draw(out, a.Rect, a, image.Point{}, draw.Src)
	draw.Draw(out, b.Rect.Add(image.Pt(a.Rect.Dx(), 0)), b, image.Point{}, draw.Src)
	for i := 3; i < len(out.Pix); i += 4 {
		out.Pix[i] = 255
	}
	return out
}
