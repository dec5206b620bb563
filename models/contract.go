package models

// Kind says what a model does with a picture.
type Kind string

const (
	// Embedder turns an aligned or fitted crop into an embedding.
	Embedder Kind = "embedder"
	// Locator finds the five landmarks of a crop.
	Locator Kind = "locator"
	// Detector finds the faces of a photo.
	Detector Kind = "detector"
)

// Values of [Input.Layout]: the order of the axes of the input tensor, whose batch N is 1.
const (
	NCHW = "NCHW" // three planes: [1][3][Height][Width]float32
	NHWC = "NHWC" // interleaved pixels: [1][Height][Width][3]float32
)

// Values of [Input.Colour]: the order of the three channels in the tensor.
const (
	RGB = "RGB"
	BGR = "BGR"
)

// Values of [Input.Fit]: how a picture of any size is brought to the input's size.
const (
	FitAlign     = "align"     // similarity transform that takes the landmarks to [Contract.Template]
	FitLetterbox = "letterbox" // aspect kept, centred, the rest black
	FitStretch   = "stretch"   // aspect not kept
	FitCorner    = "corner"    // aspect kept, at the upper left, the rest black
)

// Values of [Contract.Decoder]: what the outputs of a locator or a detector mean.
const (
	// DecoderYuNet reads the twelve tensors of YuNet: cls, obj, bbox and kps at strides 8, 16 and 32.
	DecoderYuNet = "yunet"
	// DecoderPoints reads the output "landmarks" [1][10]float32, five (x, y) in image order as
	// fractions of the input's width and height, and the output "score" [1][1]float32 in 0..1.
	DecoderPoints = "points"
	// DecoderBlaze is for detectors. It reads the outputs "regressors" [1][N][16]float32 and "logits"
	// [1][N][1]float32 of BlazeFace, with N the anchors of [Contract.Anchors] in their order.
	DecoderBlaze = "blaze"
)

// Point is a position in pixels: x to the right, y down.
type Point struct{ X, Y float32 }

// Landmarks are the five points of a face in image order: the eye that is on the left in the image,
// the eye on the right, the tip of the nose, the corner of the mouth on the left, the one on the right.
type Landmarks = [5]Point

// Contract says everything that one has to know to feed a model and to read its answer. The ONNX file does
// not say it: a wrong channel order or scale does not fail, it costs accuracy.
//
// Contracts are written as JSON, see [ParseContract]. A Contract is plain data; it is safe for
// concurrent use as long as nobody changes it.
type Contract struct {
	Name        string `json:"name"` // [a-z0-9][a-z0-9-]{0,63}
	Kind        Kind   `json:"kind"`
	Title       string `json:"title"`                 // one line for people
	Description string `json:"description,omitempty"` // what it is good for, where it comes from

	Licence Licence `json:"licence"`
	// TrainingData is required in the catalogue and for built-in models. A user's contract may leave it
	// out.
	TrainingData TrainingData `json:"training_data,omitzero"`
	Source       *Source      `json:"source,omitempty"` // nil: the user supplies the file
	// SHA256 is the digest of the ONNX file, 64 lower-case hexadecimal digits. It is empty only where
	// nobody has published it, and only until a file is added or pulled: then the model is locked to that
	// file.
	SHA256 string `json:"sha256,omitempty"`

	Input    Input     `json:"input"`
	Template Landmarks `json:"template,omitzero"` // with FitAlign: where the landmarks go, in pixels of the input
	Decoder  string    `json:"decoder,omitempty"` // locators and detectors: how the outputs are read
	// Anchors are the grids of places where a detector with [DecoderBlaze] looks for faces.
	Anchors []Anchors `json:"anchors,omitempty"`
	// ConfirmedBy names the model that looks again at what this one finds. "": none.
	//
	// For a detector it is another detector. That sees each face upright, in the middle of its input, two
	// thirds as large as the input's shorter side, and both scores count. For a locator without a second
	// look, which takes turned and stretched faces for upright ones, it is a locator with a second look.
	ConfirmedBy string `json:"confirmed_by,omitempty"`
	// SecondLook is for locators of one face, with [DecoderPoints]. Where it is not 0, they look again, at
	// the upright square around the face that they found first, and find the landmarks more exactly.
	// SecondLook is the side of that square, in sides of the square of 112 x 112 that embedders align faces
	// to, 1..4.
	SecondLook float64 `json:"second_look,omitempty"`
	// Sure is for locators with a second look. From this score of the first look on, 0..1, a face counts as
	// upright and in its proportions. Below it the locator also looks at turned and stretched views. 0: it
	// never does.
	Sure   float64 `json:"sure,omitempty"`
	Output Output  `json:"output,omitzero"`
	// MirrorEnrolled is for embedders that align. The embedding of an enrolled crop is then the mean of its
	// own and its mirror image's, made unit length. That takes two runs; a probe takes one.
	MirrorEnrolled bool `json:"mirror_enrolled,omitempty"`

	// Threshold is the cosine similarity from which the makers of an embedder take two crops for the same
	// person (a published cosine distance d is 1-d here). It may be 0 only with a Calibration.
	Threshold       float32 `json:"threshold,omitempty"`
	ThresholdSource string  `json:"threshold_source,omitempty"` // who says so
	// Calibration holds measured operating points of an embedder, with falling FMR and rising similarity.
	// There are none, or at least two.
	Calibration       []Calibration `json:"calibration,omitempty"`
	CalibrationSource string        `json:"calibration_source,omitempty"` // the set and the number of comparisons

	Golden   *Golden       `json:"golden,omitempty"`   // nil: nothing to compare a loaded embedder with
	Accuracy []Measurement `json:"accuracy,omitempty"` // published by others

	// Preference orders the installed models of one kind. Where the user names none, the model with the
	// lowest is used.
	Preference int `json:"preference"`
}

// Licence is the licence of a model's weights, which is often not the licence of its code.
type Licence struct {
	Name string `json:"name"`           // an SPDX identifier where there is one
	URL  string `json:"url,omitempty"`  // where the whole text is
	Note string `json:"note,omitempty"` // what the user has to know before using the model
	Free bool   `json:"free"`           // false: the user must accept the licence before a pull
}

// TrainingData says what is known about the pictures that the weights were trained on. Whoever uses a model
// on pupils is responsible for that. The zero value means "not stated".
type TrainingData struct {
	Text   string `json:"text"`   // which pictures, of whom, and which of this is not stated
	Source string `json:"source"` // who says so
}

// String returns the text with its source, for people.
func (t TrainingData) String() string {
	if t == (TrainingData{}) {
		return "not stated"
	}
	return t.Text + " (" + t.Source + ")"
}

// Source is where the project that made a model offers its file.
type Source struct {
	URL           string `json:"url"`                      // http or https
	Member        string `json:"member,omitempty"`         // the file's name inside the zip archive at URL; "": URL is the file
	Bytes         int64  `json:"bytes,omitempty"`          // size of what URL serves; 0: unknown
	ArchiveSHA256 string `json:"archive_sha256,omitempty"` // digest of the archive, with Member
}

// Input describes the only input tensor of a model, float32, batch 1, three channels.
type Input struct {
	Width  int    `json:"width"`  // pixels
	Height int    `json:"height"` // pixels
	Layout string `json:"layout"` // NCHW or NHWC
	Colour string `json:"colour"` // RGB or BGR
	// Mean and Std, both in the order of the tensor's channels, turn a sample x in 0..255 into the
	// tensor's value: (x-mean)/std.
	Mean [3]float32 `json:"mean"`
	Std  [3]float32 `json:"std"`
	Fit  string     `json:"fit"` // one of FitAlign, FitLetterbox, FitStretch, FitCorner
	// Margin is added in black on every side of the picture before it is fitted, as a share of the
	// picture's longer side, 0..1. Without it a locator that was trained on whole scenes misses a face that
	// fills its crop. Not with FitAlign.
	Margin float64 `json:"margin,omitempty"`
	// Reshape: the file's fixed input size is rewritten to Width x Height when the model is loaded.
	// The digest stays that of the file.
	Reshape bool `json:"reshape,omitempty"`
}

// Anchors is a grid of cells over the input of a detector, in rows from the upper left.
type Anchors struct {
	Stride int `json:"stride"` // side of a cell in pixels of the input, which it divides
	Count  int `json:"count"`  // answers for each cell, one after the other, all relative to its centre
}

// Output describes what an embedder returns.
type Output struct {
	Dimension int `json:"dimension"` // length of the embedding; 0 for other kinds
}

// Calibration is one operating point of one comparison.
type Calibration struct {
	FMR        float64 `json:"fmr"`        // share of comparisons of two people that reach Similarity, in 0..1
	Similarity float32 `json:"similarity"` // cosine of unit vectors, -1..1
}

// Golden is an embedder's answer to the generated picture when it was installed. A loaded model with
// another answer is not the model that the gallery was built with, or it runs wrongly.
type Golden struct {
	Embedding []float32 `json:"embedding"` // [Output.Dimension]float32, unit length
	// Tolerance is the largest allowed absolute difference of any component. The order of additions depends
	// on the processor and the number of threads.
	Tolerance float32 `json:"tolerance"`
}

// Measurement is an accuracy that somebody published.
type Measurement struct {
	Set    string `json:"set"`    // the pictures it was measured on
	Figure string `json:"figure"` // what was measured, such as "TAR at FAR 0.1 %"
	Value  string `json:"value"`
	Source string `json:"source"` // who published it
}
