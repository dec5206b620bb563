package models

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strings"
)

const (
	// maxSide bounds the input's width and height in pixels. Face models have 112 to 640; the bound
	// only keeps a typing error from allocating gigabytes.
	maxSide = 4096
	// maxDimension bounds the length of an embedding. Published embedders have 128 to 4,096.
	maxDimension = 4096
	// maxSecondLook bounds how much larger than the face the square of a second look is. In a larger square
	// the locator would see the face no better than the first time.
	maxSecondLook = 4
	// maxAnchorCount bounds the answers for one cell. BlazeFace has 6.
	maxAnchorCount = 64
	// goldenLength is how far the length of a golden embedding may be from 1. The rounding of 4,096 float32
	// components is far smaller.
	goldenLength = 1e-3
)

var (
	namePattern   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Validate returns nil or an [ErrContract] that names every fault of the contract.
func (c Contract) Validate() error {
	var f faults
	f.check(namePattern.MatchString(c.Name), "name %.80q must match %s", c.Name, namePattern)
	f.check(c.Kind == Embedder || c.Kind == Locator || c.Kind == Detector, "kind %.80q must be %q, %q or %q", c.Kind, Embedder, Locator, Detector)
	f.check(c.Title != "", "title is missing")
	f.check(c.Licence.Name != "", "licence.name is missing")
	f.check((c.TrainingData.Text == "") == (c.TrainingData.Source == ""), "training_data.text and training_data.source go together")
	f.check(c.SHA256 == "" || digestPattern.MatchString(c.SHA256), "sha256 must be 64 lower-case hexadecimal digits")
	if c.Source != nil {
		f.check(c.SHA256 != "" || c.Source.Member == "", "sha256 is missing: a file in an archive needs its own digest, beside the archive's")
		f.source(*c.Source)
	}
	f.input(c.Input)
	switch c.Kind {
	case Embedder:
		f.embedder(c)
	case Locator:
		f.locator(c)
	case Detector:
		f.detector(c)
	}
	if len(f) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrContract, strings.Join(f, "; "))
}

// faults collects what is wrong with a contract.
type faults []string

// check notes the fault unless ok.
func (f *faults) check(ok bool, format string, args ...any) {
	if !ok {
		*f = append(*f, fmt.Sprintf(format, args...))
	}
}

func (f *faults) source(s Source) {
	u, err := url.Parse(s.URL)
	f.check(err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "",
		"source.url must be an http or https address")
	f.check(s.Bytes >= 0 && s.Bytes <= maxFileBytes, "source.bytes must be in 0..%d", int64(maxFileBytes))
	if s.Member == "" {
		f.check(s.ArchiveSHA256 == "", "source.archive_sha256 is for archives: source.member is missing")
		return
	}
	f.check(digestPattern.MatchString(s.ArchiveSHA256), "source.archive_sha256 must be 64 lower-case hexadecimal digits")
}

func (f *faults) input(in Input) {
	f.check(in.Width >= 1 && in.Width <= maxSide, "input.width must be in 1..%d", maxSide)
	f.check(in.Height >= 1 && in.Height <= maxSide, "input.height must be in 1..%d", maxSide)
	f.check(in.Layout == NCHW || in.Layout == NHWC, "input.layout %.80q must be %q or %q", in.Layout, NCHW, NHWC)
	f.check(in.Colour == RGB || in.Colour == BGR, "input.colour %.80q must be %q or %q", in.Colour, RGB, BGR)
	for channel := range in.Mean {
		f.check(finite(in.Mean[channel]), "input.mean must be finite")
		f.check(finite(in.Std[channel]) && in.Std[channel] > 0, "input.std must be over 0")
	}
	switch in.Fit {
	case FitAlign:
		f.check(in.Margin == 0, "input.margin cannot go with fit %q: the template places the face", FitAlign)
	case FitLetterbox, FitStretch, FitCorner:
		f.check(in.Margin >= 0 && in.Margin <= 1, "input.margin must be in 0..1")
	default:
		f.check(false, "input.fit %.80q must be one of %q, %q, %q, %q", in.Fit, FitAlign, FitLetterbox, FitStretch, FitCorner)
	}
}

func (f *faults) embedder(c Contract) {
	d := c.Output.Dimension
	f.check(d >= 1 && d <= maxDimension, "output.dimension must be in 1..%d", maxDimension)
	f.check(c.Decoder == "" && c.SecondLook == 0 && c.Sure == 0 && len(c.Anchors) == 0 && c.ConfirmedBy == "",
		"decoder, second_look, sure, anchors and confirmed_by are for locators and detectors")
	f.check(!c.MirrorEnrolled || c.Input.Fit == FitAlign, "mirror_enrolled is for fit %q", FitAlign)
	if c.Input.Fit == FitAlign {
		f.template(c.Template, c.Input)
	} else {
		f.check(c.Template == Landmarks{}, "template is for fit %q", FitAlign)
	}
	f.check(cosine(c.Threshold), "threshold must be a cosine similarity, in -1..1")
	f.check((c.Threshold == 0) == (c.ThresholdSource == ""), "threshold and threshold_source go together")
	// If both were missing, every probe would match.
	f.check(c.Threshold > 0 || len(c.Calibration) > 0, "threshold over 0 or calibration is missing")
	f.calibration(c.Calibration)
	f.check((len(c.Calibration) == 0) == (c.CalibrationSource == ""), "calibration and calibration_source go together")
	if c.Golden != nil {
		f.golden(*c.Golden, d)
	}
}

func (f *faults) locator(c Contract) {
	f.check(c.Decoder == DecoderYuNet || c.Decoder == DecoderPoints, "decoder %.80q must be %q or %q", c.Decoder, DecoderYuNet, DecoderPoints)
	f.check(c.SecondLook == 0 || c.Decoder == DecoderPoints && c.SecondLook >= 1 && c.SecondLook <= maxSecondLook,
		"second_look must be in 1..%d, with the decoder %q", maxSecondLook, DecoderPoints)
	f.check(c.Sure == 0 || c.SecondLook > 0 && c.Sure > 0 && c.Sure < 1, "sure must be in 0..1, and goes with second_look")
	f.check(c.ConfirmedBy == "" || c.SecondLook == 0, "confirmed_by is for locators without second_look")
	f.check(len(c.Anchors) == 0, "anchors are for detectors")
	f.finder(c)
}

// finder checks what locators and detectors have in common.
func (f *faults) finder(c Contract) {
	f.check(c.Input.Fit != FitAlign, "fit %q needs landmarks, and a %s has none yet", FitAlign, c.Kind)
	f.check(c.Template == Landmarks{}, "template is for embedders")
	f.check(c.Output == Output{} && !c.MirrorEnrolled, "output and mirror_enrolled are for embedders")
	f.check(c.Threshold == 0 && c.ThresholdSource == "" && len(c.Calibration) == 0 && c.CalibrationSource == "",
		"threshold and calibration are for embedders")
	f.check(c.Golden == nil, "golden is for embedders")
	f.check(c.ConfirmedBy == "" || namePattern.MatchString(c.ConfirmedBy) && c.ConfirmedBy != c.Name, "confirmed_by must name another model")
}

func (f *faults) detector(c Contract) {
	f.check(c.Decoder == DecoderBlaze, "decoder %.80q must be %q", c.Decoder, DecoderBlaze)
	f.check(c.SecondLook == 0 && c.Sure == 0, "second_look and sure are for locators")
	// A detector looks at parts of a photo, each as it is: only the size of its input matters.
	f.check(c.Input.Fit == FitCorner && c.Input.Margin == 0, "a detector has fit %q, without margin", FitCorner)
	f.check(len(c.Anchors) > 0, "anchors are missing")
	for _, a := range c.Anchors {
		f.check(a.Count >= 1 && a.Count <= maxAnchorCount, "anchors: count must be in 1..%d", maxAnchorCount)
		f.check(a.Stride >= 1 && c.Input.Width%max(a.Stride, 1) == 0 && c.Input.Height%max(a.Stride, 1) == 0,
			"anchors: the stride %d must divide the input's width and height", a.Stride)
	}
	f.finder(c)
}

// template checks that the landmarks lie in the input and are in image order. Mistakes in the order are
// easily made, because many projects name the eyes by the subject's side.
func (f *faults) template(t Landmarks, in Input) {
	for _, p := range t {
		inside := p.X >= 0 && p.X < float32(in.Width) && p.Y >= 0 && p.Y < float32(in.Height)
		f.check(inside, "template point (%g, %g) lies outside the input", p.X, p.Y)
	}
	f.check(t[0].X < t[1].X && t[3].X < t[4].X, "template must be in image order: the left eye and the left mouth corner, as seen, come first")
	f.check(t[0].Y < t[3].Y && t[1].Y < t[4].Y, "template must have the eyes over the mouth")
}

func (f *faults) calibration(points []Calibration) {
	f.check(len(points) != 1, "calibration must have two points or more: a single point gives no slope")
	for i, p := range points {
		f.check(p.FMR > 0 && p.FMR <= 1, "calibration fmr %g must be in (0, 1]", p.FMR)
		f.check(cosine(p.Similarity), "calibration similarity %g must be in -1..1", p.Similarity)
		if i > 0 {
			f.check(p.FMR < points[i-1].FMR && p.Similarity > points[i-1].Similarity,
				"calibration must have falling fmr and rising similarity, and point %d breaks this order", i+1)
		}
	}
}

func (f *faults) golden(g Golden, dimension int) {
	f.check(len(g.Embedding) == dimension, "golden.embedding must have %d numbers and has %d", dimension, len(g.Embedding))
	var sum float64
	for _, x := range g.Embedding {
		sum += float64(x) * float64(x)
	}
	f.check(math.Abs(math.Sqrt(sum)-1) <= goldenLength, "golden.embedding must be of unit length")
	f.check(g.Tolerance > 0 && g.Tolerance < 1, "golden.tolerance must be in (0, 1)")
}

func finite(x float32) bool {
	return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0)
}

// cosine reports whether x can be a cosine; NaN cannot.
func cosine(x float32) bool { return x >= -1 && x <= 1 }
