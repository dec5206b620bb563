package onnxtest

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"math/rand/v2"

	"rollcall/models"
)

// Model is an ONNX file with the contract that it fulfils.
type Model struct {
	Contract models.Contract
	ONNX     []byte

	network *network // nil for locators and faulty models
}

// grid is the number of cells along each side of the input that an embedder tells apart: coarse
// enough that a moved face keeps its embedding, fine enough that two people do not share one.
const grid = 8

// The grey level and the spread that the networks expect of a picture. A tensor with another scale
// or offset saturates or flattens the hyperbolic tangent and so gives another embedding.
const (
	greyCentre = 120
	greySpread = 50
)

// biasShare is the standard deviation of the bias of the last layer, against 0.7 or so of its signal.
// The bias makes the direction of the embedding depend on the scale of the input.
const biasShare = 0.15

// network is what an embedder computes: the mean of each cell of a grid, centred and scaled by
// channel, hyperbolic tangent, one full layer.
type network struct {
	width, height, dimension int
	nhwc                     bool
	double                   bool // a fault: the input is float64
	centre, spread           [3]float32
	weights                  []float32 // [dimension][3][grid][grid]
	bias                     []float32 // [dimension]
}

// features is the length of the vector that the last layer reads.
const features = 3 * grid * grid

func newNetwork(seed int64, in models.Input, dimension int) *network {
	rng := rand.New(rand.NewPCG(uint64(seed), uint64(dimension)))
	n := &network{
		width: in.Width, height: in.Height, dimension: dimension,
		nhwc:    in.Layout == models.NHWC,
		weights: make([]float32, dimension*features),
		bias:    make([]float32, dimension),
	}
	for c := range 3 {
		n.centre[c] = (greyCentre - in.Mean[c]) / in.Std[c]
		n.spread[c] = greySpread / in.Std[c]
	}
	for i := range n.weights {
		n.weights[i] = float32(rng.NormFloat64() / math.Sqrt(features))
	}
	for i := range n.bias {
		n.bias[i] = float32(biasShare * rng.NormFloat64())
	}
	return n
}

// encode returns the network as an ONNX file; freeBatch leaves the first dimension open.
func (n *network) encode(freeBatch bool) []byte {
	g, last := n.graph(freeBatch)
	g.node("Gemm", "embedding", []string{last, g.floats("weights", n.weights, int64(n.dimension), features), g.floats("bias", n.bias, int64(n.dimension))}, integer("transB", 1))
	g.output("embedding", batch(freeBatch), int64(n.dimension))
	return g.encode()
}

// batch is the first dimension of inputs and outputs.
func batch(free bool) int64 {
	if free {
		return 0
	}
	return 1
}

// graph builds all but the last layer, and names the tensor [N][features]float32 that it reads.
func (n *network) graph(freeBatch bool) (*graph, string) {
	g := new(graph)
	height, width := int64(n.height), int64(n.width)
	dims := []int64{batch(freeBatch), 3, height, width}
	if n.nhwc {
		dims = []int64{batch(freeBatch), height, width, 3}
	}
	last := g.input("input", dims...)
	if n.double {
		g.inputs[0] = value(last, elemDouble, dims)
		last = g.node("Cast", "narrowed", []string{last}, integer("to", elemFloat))
	}
	if n.nhwc {
		last = g.node("Transpose", "planes", []string{last}, integers("perm", 0, 3, 1, 2))
	}
	cell := integers("kernel_shape", height/grid, width/grid)
	last = g.node("AveragePool", "cells", []string{last}, cell, integers("strides", cell.many...))
	last = g.node("Sub", "centred", []string{last, g.floats("centre", n.centre[:], 1, 3, 1, 1)})
	last = g.node("Div", "scaled", []string{last, g.floats("spread", n.spread[:], 1, 3, 1, 1)})
	last = g.node("Tanh", "bent", []string{last})
	return g, g.node("Flatten", "flat", []string{last}, integer("axis", 1))
}

// Reference returns the embedding of an input tensor in m's layout, [dimension]float64 of unit
// length, computed without ONNX Runtime. It agrees with ONNX Runtime to about 1e-6.
// It panics when m is a locator or the tensor has another length than the input.
func (m Model) Reference(tensor []float32) []float64 {
	n := m.network
	if n == nil || len(tensor) != 3*n.width*n.height {
		panic("onnxtest: Reference needs an embedder and its whole input tensor")
	}
	cells := n.cells(tensor)
	out := make([]float64, n.dimension)
	var square float64
	for d := range out {
		sum := float64(n.bias[d])
		for i, v := range cells {
			sum += v * float64(n.weights[d*features+i])
		}
		out[d] = sum
		square += sum * sum
	}
	for d := range out {
		out[d] /= math.Sqrt(square)
	}
	return out
}

// cells returns what the last layer reads, [features]float64.
func (n *network) cells(tensor []float32) []float64 {
	cells := make([]float64, features)
	ch, cw := n.height/grid, n.width/grid
	for y := range n.height {
		for x := range n.width {
			for c := range 3 {
				at := (c*n.height+y)*n.width + x
				if n.nhwc {
					at = (y*n.width+x)*3 + c
				}
				cells[(c*grid+y/ch)*grid+x/cw] += float64(tensor[at])
			}
		}
	}
	for i := range cells {
		c := i / (grid * grid)
		mean := cells[i] / float64(ch*cw)
		cells[i] = math.Tanh((mean - float64(n.centre[c])) / float64(n.spread[c]))
	}
	return cells
}

// template is where the landmarks of an aligned face go in 112 x 112 pixels, the convention of ArcFace.
var template = models.Landmarks{
	{X: 38.2946, Y: 51.6963}, {X: 73.5318, Y: 51.5014}, {X: 56.0252, Y: 71.7366},
	{X: 41.5493, Y: 92.3655}, {X: 70.7299, Y: 92.2041},
}

// calibration holds for all embedders here, on pictures of [Face]: see TestFacesAreToldApart.
var calibration = []models.Calibration{
	{FMR: 1e-1, Similarity: 0.30}, {FMR: 1e-2, Similarity: 0.45}, {FMR: 1e-3, Similarity: 0.55},
	{FMR: 1e-4, Similarity: 0.62}, {FMR: 1e-5, Similarity: 0.68}, {FMR: 1e-6, Similarity: 0.72},
}

// ArcFace returns the embedder "test-arcface": 1x3x112x112, RGB, (x-127.5)/127.5, aligned, 512 floats.
// Another seed gives another model of the same name, with another digest and embeddings that cannot be
// compared.
func ArcFace(seed int64) Model {
	return embedder("test-arcface", seed, 512, models.Input{
		Width: 112, Height: 112, Layout: models.NCHW, Colour: models.RGB, Fit: models.FitAlign,
		Mean: [3]float32{127.5, 127.5, 127.5}, Std: [3]float32{127.5, 127.5, 127.5},
	})
}

// SFace returns the embedder "test-sface": 1x3x112x112, BGR, raw 0..255, aligned, 128 floats.
// About the seed see [ArcFace].
func SFace(seed int64) Model {
	return embedder("test-sface", seed, 128, models.Input{
		Width: 112, Height: 112, Layout: models.NCHW, Colour: models.BGR, Fit: models.FitAlign,
		Std: [3]float32{1, 1, 1},
	})
}

// FaceNet returns the embedder "test-facenet": 1x160x160x3, BGR, x/255, letterboxed, 128 floats.
// It needs no landmarks. About the seed see [ArcFace].
func FaceNet(seed int64) Model {
	return embedder("test-facenet", seed, 128, models.Input{
		Width: 160, Height: 160, Layout: models.NHWC, Colour: models.BGR, Fit: models.FitLetterbox,
		Std: [3]float32{255, 255, 255},
	})
}

func embedder(name string, seed int64, dimension int, in models.Input) Model {
	n := newNetwork(seed, in, dimension)
	c := contract(name, models.Embedder, in)
	c.Output.Dimension = dimension
	c.Threshold, c.ThresholdSource = calibration[2].Similarity, "generated faces"
	c.Calibration, c.CalibrationSource = calibration, "generated faces"
	if in.Fit == models.FitAlign {
		c.Template = template
	}
	return Model{Contract: c, network: n}.with(n.encode(false))
}

// Like returns a model with the contract c, and with the input and the outputs that c asks for. About the
// seed see [ArcFace]; locators have none. It panics where this package has no such model.
func Like(c models.Contract, seed int64) Model {
	switch {
	case c.Kind == models.Embedder:
		n := newNetwork(seed, c.Input, c.Output.Dimension)
		return Model{Contract: c, network: n}.with(n.encode(false))
	case c.Decoder == models.DecoderYuNet && c.Input.Reshape:
		return Model{Contract: c}.with(YuNet(yunetFileSize).ONNX)
	}
	panic("onnxtest: no model is like " + c.Name)
}

// yunetFileSize is the side of the input in YuNet's own file, in pixels.
const yunetFileSize = 640

// FreeBatch returns m with an open first dimension, as some exports have it, and "-batch" appended
// to its name. It panics when m is a locator.
func (m Model) FreeBatch() Model {
	m.Contract.Name += "-batch"
	return m.with(m.network.encode(true))
}

// Named returns m under another name, with the same file.
func (m Model) Named(name string) Model {
	m.Contract.Name = name
	return m
}

// with returns m with the given file and its digest in the contract.
func (m Model) with(onnx []byte) Model {
	digest := sha256.Sum256(onnx)
	m.ONNX, m.Contract.SHA256 = onnx, hex.EncodeToString(digest[:])
	return m
}

// contract returns what the contracts of all models here share.
func contract(name string, kind models.Kind, in models.Input) models.Contract {
	return models.Contract{
		Name: name, Kind: kind, Title: "a generated " + string(kind) + " for tests",
		Licence: models.Licence{Name: "CC0-1.0", Free: true},
		Input:   in,
	}
}
