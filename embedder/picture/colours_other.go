//go:build !amd64

package picture

// rgb leaves all pixels to canvas.ycbcr.
func (*colours) rgb(_, _, _, _ []byte, _ int) int { return 0 }
