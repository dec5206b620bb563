package picture

// rgb writes the first pixels of a row and returns how many. shift is log2 of the pixels that share a chroma
// sample. It computes what canvas.ycbcr computes.
func (k *colours) rgb(dst, luma, cb, cr []byte, shift int) int {
	const (
		lanes = 8
		spare = 2 // pixels: the assembly writes up to 4 bytes behind the last one
	)
	n := (len(luma) - spare) / lanes * lanes
	if !hasAVX2 || shift > 1 || n <= 0 {
		return 0
	}
	rgbAVX2(&dst[: 3*len(luma) : 3*len(luma)][0], &luma[0], &cb[: n>>shift : n>>shift][0], &cr[: n>>shift : n>>shift][0], n, shift, k)
	return n
}

//go:noescape
func rgbAVX2(dst, luma, cb, cr *byte, n, shift int, k *colours)
