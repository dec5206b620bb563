package storage

import (
	"fmt"
	"time"
)

// Kind is what a record is. The values are on disk, and their order is the
// order that [Partition.Load] yields the records in.
type Kind byte

// The kinds of records. The zero Kind is none of them.
const (
	KindSettings  Kind = 1
	KindModel     Kind = 2
	KindStudent   Kind = 3
	KindCrop      Kind = 4
	KindEmbedding Kind = 5
	KindGallery   Kind = 6
	KindToken     Kind = 7
	KindErasure   Kind = 8
)

var kindWords = [...]string{
	KindSettings: "settings", KindModel: "model", KindStudent: "student",
	KindCrop: "crop", KindEmbedding: "embedding", KindGallery: "gallery", KindToken: "token",
	KindErasure: "erasure",
}

// String returns the word for k.
func (k Kind) String() string {
	if k < KindSettings || k > KindErasure {
		return fmt.Sprintf("unknown(%d)", byte(k))
	}
	return kindWords[k]
}

// Ref names a record of a partition. Refs are comparable.
type Ref struct {
	Kind Kind

	// ID is 1 to MaxIDBytes bytes: the name of a model, or the id of a student,
	// a crop (of an embedding too), a gallery or a token, or the digest of an erasure.
	// The settings have none.
	ID string

	// Model is the name of an embedding's model, 1 to MaxIDBytes bytes. Other
	// records have none.
	Model string
}

// Record is one of [Settings], [Model], [Student], [Crop], [Embedding],
// [Gallery], [Token] and [Erasure]: the values, not pointers to them. Times are kept to the
// nanosecond, within the years 1 to 9999, and come back in UTC. Text other than
// ids must be valid UTF-8.
type Record interface {
	// Ref returns the record's name.
	Ref() Ref

	// encode returns the record's value on disk, which is never empty.
	encode() ([]byte, error)
}

// Settings are the configuration of a gallery. A partition has one such record.
type Settings struct {
	Model   string  // the name of the model in use; empty: not chosen yet
	FPIR    float64 // the rate of false matches that a search aims at, 0 to 1
	Margin  float32 // how far the best student must be above the next, in similarity
	Updated time.Time

	KeepVerdicts int // days that a line of the journal is kept
	KeepChanges  int // days that a change is kept in the log

	RequireConsent bool // nobody is enrolled without a given consent
}

// How many days lines are kept in a partition without settings, as [ServerPartition]
// is. Six months of verdicts are what the EU AI Act asks for (Art. 26(6)). Three years of changes
// are as long as claims are usually open.
const (
	DefaultKeepVerdicts = 184
	DefaultKeepChanges  = 3 * 365
)

func days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }

// Model is the model that made the stored vectors of this name.
type Model struct {
	Name      string
	Digest    string // SHA-256 of the model file, hexadecimal
	Dimension int    // elements of a vector
	Recipe    string // embedder, locator, version of decoding and alignment
	Created   time.Time

	// Calibration is the gallery's own. The zero Calibration: there is none.
	Calibration Calibration
}

// Calibration is how similar different people are to a model, in one gallery.
type Calibration struct {
	Points      []OperatingPoint // FMR falls, similarity does not; empty: the model's own are used
	Frozen      bool             // only a person changes it
	ByHand      bool             // a person gave the points
	Students    int              // that it was made from
	Comparisons int              // of different students
	LeftOut     int              // comparisons left out, since the two may be one person
	Made        time.Time        // when it was made or given; zero: never
}

// OperatingPoint is one point of a calibration: comparing two different people yields
// at least Similarity in a share FMR of the comparisons.
type OperatingPoint struct {
	FMR        float64 // false match rate of one comparison, (0, 1]
	Similarity float32 // [-1, 1]
}

// Student is who crops belong to.
type Student struct {
	ID      string
	Groups  []string // stored sorted, each once
	Created time.Time
	Updated time.Time

	Consent     Consent
	DeleteAfter Date // the last day on which the student is kept; "": no day is set
}

// Consent is what was said about enrolling a student's face. The zero Consent: nothing
// was noted.
type Consent struct {
	State     ConsentState
	Reference string // where it is written down, as the school calls it
	Date      Date   // when it was said
}

// ConsentState is what was said.
type ConsentState string

// What can be said about enrolling a face.
const (
	ConsentGiven     ConsentState = "given"
	ConsentRefused   ConsentState = "refused"
	ConsentWithdrawn ConsentState = "withdrawn"
)

// Refuses reports whether nobody may be enrolled after this was said.
func (s ConsentState) Refuses() bool { return s == ConsentRefused || s == ConsentWithdrawn }

// Against returns which of two consents of one student counts, if they come from two
// places. What is known counts if it is a refusal: that ends only when a person notes that
// the student consents. A refusal from elsewhere counts unless the student has consented
// on a later day: to enrol somebody who refused is worse than to ask again.
func (c Consent) Against(other Consent) Consent {
	refusal := other.State.Refuses() && other.Date >= c.Date
	if c == (Consent{}) || refusal && !c.State.Refuses() {
		return other
	}
	return c
}

// valid reports whether it is empty or one of these.
func (s ConsentState) valid() bool { return s == "" || s == ConsentGiven || s.Refuses() }

// Date is a day, as "2026-07-31"; "": none. Dates compare as text.
type Date string

// DateOf returns the day of a time, in UTC.
func DateOf(t time.Time) Date { return Date(t.UTC().Format(time.DateOnly)) }

// Crop is an image of one face, by its id: the image itself is not stored.
type Crop struct {
	ID        string
	StudentID string // at most MaxIDBytes bytes; empty: stored, but not enrolled
	Corrected bool   // assigned by hand: later enrolments keep the student
	Created   time.Time
	Updated   time.Time
	Pictured  time.Time // when the picture that it shows now was first stored
}

// Embedding is the vector of a crop under one model.
type Embedding struct {
	CropID  string
	Model   string    // the model's name
	Digest  string    // SHA-256 of the model file, hexadecimal
	Recipe  string    // as in Model
	Vector  []float32 // one element for each dimension of the model
	Quality Quality
	Created time.Time
}

// Quality is what the embedder measured of a crop.
type Quality struct {
	Score        float32 // how far the crop can be trusted, 0 to 1
	LocatorScore float32 // 0 to 1
	EyeDistance  float32 // pixels
	Brightness   float32 // as the embedder scales it
	Contrast     float32 // as the embedder scales it
	Sharpness    float32 // as the embedder scales it
	Yaw          float32 // degrees
	Pitch        float32 // degrees
	Roll         float32 // degrees
	Residual     float32 // of the landmarks, in distances between the eyes
	Width        int     // pixels
	Height       int     // pixels
}

// Gallery is an entry of the server's list of galleries, in [ServerPartition].
type Gallery struct {
	ID      string
	Created time.Time
}

// Token says what the holder of a secret may do, in [ServerPartition]. The secret
// itself is not stored.
type Token struct {
	ID         string
	Role       string
	Name       string   // what people call it
	Galleries  []string // ids of those that it may use; empty: all
	Groups     []string // that it may ask about; empty: all
	Embeddings bool     // it may get embeddings
	Digest     []byte   // SHA-256 of the secret
	Parent     string   // id of the token that it was made from, at most MaxIDBytes bytes; empty: none
	Created    time.Time
	Expires    time.Time // zero: never
	Revoked    time.Time // zero: it was not
	Used       time.Time // when it was last used, if that was noted already; zero: never
}

// Ref returns the name of the settings, which is always the same.
func (Settings) Ref() Ref { return Ref{Kind: KindSettings} }

// Ref returns the model's name.
func (m Model) Ref() Ref { return Ref{Kind: KindModel, ID: m.Name} }

// Ref returns the student's name.
func (s Student) Ref() Ref { return Ref{Kind: KindStudent, ID: s.ID} }

// Ref returns the crop's name.
func (c Crop) Ref() Ref { return Ref{Kind: KindCrop, ID: c.ID} }

// Ref returns the embedding's name: its crop and its model.
func (e Embedding) Ref() Ref { return Ref{Kind: KindEmbedding, ID: e.CropID, Model: e.Model} }

// Ref returns the gallery's name.
func (g Gallery) Ref() Ref { return Ref{Kind: KindGallery, ID: g.ID} }

// Ref returns the token's name.
func (t Token) Ref() Ref { return Ref{Kind: KindToken, ID: t.ID} }
