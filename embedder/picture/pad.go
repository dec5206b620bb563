package picture

// Padded returns a copy with n pixels, at least 0, added on every side. Each added pixel repeats the
// nearest pixel of the edge. The caller releases it.
func (p *Picture) Padded(n int) *Picture {
	out := newPicture(p.Width+2*n, p.Height+2*n)
	stride := 3 * out.Width
	for y := range p.Height {
		row := out.Pix[(y+n)*stride : (y+n+1)*stride]
		copy(row[3*n:], p.Pix[3*y*p.Width:3*(y+1)*p.Width])
		first, last := row[3*n:3*n+3], row[3*(n+p.Width-1):3*(n+p.Width)]
		for x := range n {
			copy(row[3*x:], first)
			copy(row[3*(n+p.Width+x):], last)
		}
	}
	top, bottom := out.Pix[n*stride:(n+1)*stride], out.Pix[(n+p.Height-1)*stride:(n+p.Height)*stride]
	for y := range n {
		copy(out.Pix[y*stride:], top)
		copy(out.Pix[(n+p.Height+y)*stride:], bottom)
	}
	return out
}
