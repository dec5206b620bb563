package embedder

import (
	"fmt"
	"math"

	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// goldenSide is the side of the golden picture in pixels. No model's input has this side, so the check
// covers resampling too.
const goldenSide = 128

// goldenLandmarks are where the face of the golden picture would be: about the template of ArcFace,
// enlarged and turned a little, so that every term of the transform matters.
var goldenLandmarks = models.Landmarks{
	{X: 44, Y: 57}, {X: 84, Y: 60}, {X: 63, Y: 80}, {X: 46, Y: 102}, {X: 79, Y: 105},
}

// goldenPicture is a picture computed from whole numbers, the same on every machine: three gradients in
// different directions under a coarse pattern. Exchanged channels, mirroring, transposing and another scale
// each give another picture.
//
// It must never change: the contracts of installed models hold the models' answers to it.
func goldenPicture() *picture.Picture {
	p := &picture.Picture{Pix: make([]byte, 3*goldenSide*goldenSide), Width: goldenSide, Height: goldenSide}
	for y := range goldenSide {
		for x := range goldenSide {
			pattern := 64 * ((x/16*5 + y/16*3) % 3) // 0, 64 or 128
			at := 3 * (y*goldenSide + x)
			p.Pix[at] = byte(x/2 + pattern)
			p.Pix[at+1] = byte(y/2 + pattern)
			p.Pix[at+2] = byte((2*goldenSide-x-y)/4 + pattern)
		}
	}
	return p
}

// fillGolden puts the golden picture into an input tensor as a crop would be.
func fillGolden(dst []float32, c models.Contract) error {
	p := goldenPicture()
	t, err := transformFor(c, p, &goldenLandmarks)
	if err != nil {
		return err
	}
	return align.Warp(dst, p, t, c.Input)
}

// embedGolden returns the answer of an embedder's session to the golden picture.
func embedGolden(b *blueprint, s *session) ([]float32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := fillGolden(s.input, b.contract); err != nil {
		return nil, b.fault("prepare the golden picture: %w", err)
	}
	if err := s.run(); err != nil {
		return nil, b.fault("run it on the golden picture: %w", err)
	}
	embedding, err := normalise(s.outputs[b.outputs[0].name])
	if err != nil {
		return nil, b.fault("run it on the golden picture: %w", err)
	}
	return embedding, nil
}

// prove runs a new session once and compares an embedder's answer with the contract's golden embedding,
// where there is one. The first run also makes later runs fast.
func prove(b *blueprint, s *session) error {
	if b.contract.Kind != models.Embedder {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := fillGolden(s.input, b.contract); err != nil {
			return b.fault("prepare the golden picture: %w", err)
		}
		if _, err := findFaces(b.contract, s); err != nil {
			return b.fault("run it on the golden picture: %w", err)
		}
		return nil
	}
	embedding, err := embedGolden(b, s)
	if err != nil {
		return err
	}
	golden := b.contract.Golden
	if golden == nil {
		return nil
	}
	var most float64
	for i, v := range embedding {
		most = max(most, math.Abs(float64(v)-float64(golden.Embedding[i])))
	}
	if !(most <= float64(golden.Tolerance)) {
		return b.fault("%w: off by %.2g, and %.2g is allowed", ErrGolden, most, golden.Tolerance)
	}
	return nil
}

// normalise returns an output as an embedding of unit length, in new memory, or ErrOutput.
func normalise(output []float32) ([]float32, error) {
	var square float64
	for _, v := range output {
		square += float64(v) * float64(v)
	}
	// A single NaN or infinity makes the sum NaN or infinite.
	if math.IsNaN(square) || math.IsInf(square, 0) {
		return nil, fmt.Errorf("%w: not all of its numbers are finite", ErrOutput)
	}
	if square == 0 {
		return nil, fmt.Errorf("%w: all of its numbers are zero", ErrOutput)
	}
	scale := 1 / math.Sqrt(square)
	embedding := make([]float32, len(output))
	for i, v := range output {
		embedding[i] = float32(float64(v) * scale)
	}
	return embedding, nil
}
