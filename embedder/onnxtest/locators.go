package onnxtest

import (
	"fmt"
	"math"

	"rollcall/models"
)

// pointsSize is the side of the input of [Points], in pixels.
const pointsSize = 64

// massScale turns the lit area of the smallest marker, in pixels of the input times brightness,
// into a score: a marker of [Face] has 3 to 8 and scores over 0.9.
const massScale = 0.8

// Points returns the locator "test-points" (decoder "points", 64x64 RGB, x/255): it finds the five
// coloured markers that [Face] draws, wherever they are, to about a pixel of a 160-pixel crop.
// Its score is near 1 on a face and near 0 where a marker is missing.
func Points() Model {
	in := models.Input{
		Width: pointsSize, Height: pointsSize, Layout: models.NCHW, Colour: models.RGB, Fit: models.FitCorner,
		Std: [3]float32{255, 255, 255},
	}
	c := contract("test-points", models.Locator, in)
	c.Decoder = models.DecoderPoints

	const pixels = pointsSize * pointsSize
	positions, ones := make([]float32, 0, 2*pixels), make([]float32, 0, pixels)
	for y := range pointsSize {
		for x := range pointsSize {
			positions = append(positions, float32(x)/pointsSize, float32(y)/pointsSize)
			ones = append(ones, 1)
		}
	}
	var weights, bias []float32
	for _, m := range markers {
		weights = append(weights, m.weights[:]...)
		bias = append(bias, m.bias)
	}

	g := new(graph)
	last := g.input("input", 1, 3, pointsSize, pointsSize)
	last = g.node("Conv", "response", []string{last, g.floats("colours", weights, 5, 3, 1, 1), g.floats("levels", bias, 5)})
	last = g.node("Relu", "lit", []string{last})
	lit := g.node("Reshape", "flat", []string{last, g.ints("five", 5, pixels)})
	sums := g.node("MatMul", "sums", []string{lit, g.floats("positions", positions, pixels, 2)})
	mass := g.node("MatMul", "bare", []string{lit, g.floats("ones", ones, pixels, 1)})
	mass = g.node("Add", "mass", []string{mass, g.floats("tiny", []float32{1e-6}, 1)})
	centres := g.node("Div", "centres", []string{sums, mass})
	g.node("Reshape", "landmarks", []string{centres, g.ints("row", 1, 10)})
	least := g.node("ReduceMin", "least", []string{mass}, integers("axes", 0), integer("keepdims", 1))
	scaled := g.node("Mul", "scaled", []string{least, g.floats("scale", []float32{massScale}, 1)})
	g.node("Tanh", "score", []string{scaled})
	g.output("landmarks", 1, 10)
	g.output("score", 1, 1)
	return Model{Contract: c}.with(g.encode())
}

// YuNet returns the locator "test-yunet" with the twelve outputs of YuNet. The file's input is
// fileSize x fileSize pixels (a multiple of 32) and the contract asks for 160 x 160 by Reshape.
// It finds the nose marker of [Face] to 8 pixels of the input and puts the other landmarks around it
// where a 160-pixel picture of Face(seed, 0) has them.
func YuNet(fileSize int) Model {
	c := contract("test-yunet", models.Locator, models.Input{
		Width: FaceSize, Height: FaceSize, Layout: models.NCHW, Colour: models.BGR, Fit: models.FitCorner,
		Std: [3]float32{1, 1, 1}, Reshape: true,
	})
	c.Decoder = models.DecoderYuNet

	g := new(graph)
	input := g.input("input", 1, 3, int64(fileSize), int64(fileSize))
	nose := markers[2]
	colours := []float32{nose.weights[2], nose.weights[1], nose.weights[0]} // the input is BGR
	lit := g.node("Conv", "response", []string{input, g.floats("colours", colours, 1, 3, 1, 1), g.floats("level", []float32{255 * nose.bias}, 1)})
	lit = g.node("Relu", "lit", []string{lit})

	face := FaceLandmarks(0, 0)
	for _, stride := range []int{8, 16, 32} {
		level := float32(-50) // logistic(-50) is 0: only the finest stride answers
		if stride == 8 {
			level = -4
		}
		s := int64(stride)
		tag := func(name string) string { return fmt.Sprintf("%s_%d", name, stride) }
		cells := g.node("AveragePool", tag("cells"), []string{lit}, integers("kernel_shape", s, s), integers("strides", s, s))
		score := g.node("Conv", tag("level"), []string{cells, g.floats(tag("gain"), []float32{0.2}, 1, 1, 1, 1), g.floats(tag("offset"), []float32{level}, 1)})
		g.flatten(g.node("Sigmoid", tag("score"), []string{score}), "cls", stride, 1, fileSize)
		g.fixed(cells, "obj", stride, fileSize, 1)
		side := float32(math.Log(FaceSize / 2 / float64(stride)))
		g.fixed(cells, "bbox", stride, fileSize, 0.5, 0.5, side, side)
		var points []float32
		for _, p := range face {
			// The nose is in the middle of the cell that answers.
			points = append(points, (p.X-face[2].X)/float32(stride)+0.5, (p.Y-face[2].Y)/float32(stride)+0.5)
		}
		g.fixed(cells, "kps", stride, fileSize, points...)
	}
	return Model{Contract: c}.with(g.encode())
}

// fixed adds an output NAME_STRIDE that holds the same values in every cell.
func (g *graph) fixed(cells, name string, stride, fileSize int, values ...float32) {
	tag := fmt.Sprintf("%s_%d", name, stride)
	k := len(values)
	last := g.node("Conv", tag+"_cells", []string{cells, g.floats(tag+"_zero", make([]float32, k), int64(k), 1, 1, 1), g.floats(tag+"_values", values, int64(k))})
	g.flatten(last, name, stride, k, fileSize)
}

// flatten adds the output NAME_STRIDE [1][cells][channels]float32 from planes [1][channels][rows][columns].
func (g *graph) flatten(planes, name string, stride, channels, fileSize int) {
	tag := fmt.Sprintf("%s_%d", name, stride)
	last := g.node("Transpose", tag+"_last", []string{planes}, integers("perm", 0, 2, 3, 1))
	g.node("Reshape", tag, []string{last, g.ints(tag+"_shape", 1, -1, int64(channels))})
	cells := int64(fileSize / stride * (fileSize / stride))
	g.output(tag, 1, cells, int64(channels))
}
