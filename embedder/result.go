package embedder

import (
	"time"

	"rollcall/models"
)

// Request is one crop to embed, or one face of a photo.
type Request struct {
	// Image holds the bytes of a JPEG, PNG, WebP or BMP. It is not changed and not kept.
	Image []byte
	// Landmarks of the face, in pixels of the crop as shown, that is, after its EXIF orientation is
	// applied; (0, 0) is the centre of the upper left pixel. nil: the locator finds them.
	Landmarks *models.Landmarks
	// Box is where the face is in a frame: left, top, width and height in pixels as shown. The crop is then
	// the part of the frame around it. nil: the image is the crop. It is not used with Landmarks.
	Box *[4]float32
	// Face says which face of a photo is meant. "": the image is a crop. It comes without Landmarks and Box.
	Face FaceChoice
	// Model names the model; "" is the default one.
	Model string
	// Enrol asks for the embedding that is stored for a crop and compared with probes, see
	// [models.Contract.MirrorEnrolled].
	Enrol bool
	// Caller says whose call it is. Callers take turns, however many calls each makes. "" is one caller.
	Caller string
}

// Result is what [Embedder.Embed] found out about a crop. The caller owns all of it.
type Result struct {
	// Embedding is [Dimension]float32 of unit length; nil where no face was found.
	Embedding []float32
	Model     string // its name
	Digest    string // SHA-256 of its file, 64 lower-case hexadecimal digits
	Recipe    string // how it was made, see [Embedder.Recipe]
	Dimension int    // of its embeddings
	Quality   Quality
	// Landmarks are those that the crop was aligned by, in pixels of the crop as shown. nil: it was not
	// aligned by landmarks.
	Landmarks     *models.Landmarks
	LandmarksFrom LandmarksFrom
	Timings       Timings
}

// LandmarksFrom says where the landmarks of a result come from.
type LandmarksFrom string

// The sources of landmarks.
const (
	FromRequest LandmarksFrom = "request"
	FromLocator LandmarksFrom = "locator"
	FromNone    LandmarksFrom = "none" // the model does not align, no face was found, or [LocatorNone]
)

// Stage is a part of the work on a crop or a photo.
type Stage int

// The stages in the order in which a crop goes through them.
const (
	StageQueue  Stage = iota // waiting for a model to load and for a free worker and sessions
	StageDecode              // bytes to pixels
	StageDetect              // finding the faces of a photo
	StageLocate              // finding the landmarks; absent where they are given or not needed
	StageAlign               // pixels to the input tensor
	StageRun                 // the model
	StageFinish              // normalising, and measuring the quality
	stages
)

// String returns the stage as a metric's label.
func (s Stage) String() string {
	names := [stages]string{"queue", "decode", "detect", "locate", "align", "run", "finish"}
	if s < 0 || s >= stages {
		return "unknown"
	}
	return names[s]
}

// Timings is how long each [Stage] took; 0 where it did not happen.
type Timings [stages]time.Duration
