package picture

import "image"

// Cut returns a copy of the part of p that lies in r, or nil where no part does. The caller releases it.
func (p *Picture) Cut(r image.Rectangle) *Picture {
	r = r.Intersect(p.Bounds())
	if r.Empty() {
		return nil
	}
	out := newPicture(r.Dx(), r.Dy())
	for y := range out.Height {
		from := 3 * ((r.Min.Y+y)*p.Width + r.Min.X)
		copy(out.Pix[3*y*out.Width:], p.Pix[from:from+3*out.Width])
	}
	return out
}
