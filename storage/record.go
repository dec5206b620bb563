package storage

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	storagev1 "rollcall/proto/rollcall/storage/v1"
)

// The types of this file are what a caller sees of a record. They own their
// memory: nothing in them aliases the store. Times are kept to the nanosecond,
// within the years 1 to 9999, and come back in UTC. Text other than ids must be
// valid UTF-8.

// Student is who crops belong to.
type Student struct {
	ID      string   // 1 to MaxIDBytes bytes
	Groups  []string // sorted, each once; Apply makes them so
	Created time.Time
	Updated time.Time
}

// Crop is an image of one face, by its id: the image itself is not stored.
type Crop struct {
	ID        string // 1 to MaxIDBytes bytes
	StudentID string // empty: stored, but not enrolled
	Corrected bool   // assigned by hand: later enrolments keep the student
	Created   time.Time
	Updated   time.Time
}

// Embedding is the vector of a crop under one model.
type Embedding struct {
	CropID  string    // 1 to MaxIDBytes bytes
	Model   string    // the model's name, 1 to MaxIDBytes bytes
	Digest  string    // SHA-256 of the model file, hexadecimal
	Vector  []float32 // one element per dimension of the model
	Quality Quality
	Created time.Time
	Seq     uint64 // of the change that wrote it; Apply sets it
}

// Quality is what the embedder measured of a crop.
type Quality struct {
	LocatorScore float32 // 0 to 1
	EyeDistance  float32 // pixels
	Brightness   float32 // as the embedder scales it
	Sharpness    float32 // as the embedder scales it
	Width        int     // pixels
	Height       int     // pixels
}

// Model is the file that the stored vectors of this name were made with.
type Model struct {
	Name      string // 1 to MaxIDBytes bytes
	Digest    string // SHA-256 of the model file, hexadecimal
	Dimension int
	Created   time.Time
}

func encodeStudent(s Student) ([]byte, error) {
	groups := slices.Clone(s.Groups)
	slices.Sort(groups)
	return marshal(kindStudent, &storagev1.Student{
		Groups:  slices.Compact(groups),
		Created: timestamppb.New(s.Created),
		Updated: timestamppb.New(s.Updated),
	}, s.Created, s.Updated)
}

func decodeStudent(key, value []byte) (Student, error) {
	var s Student
	var m storagev1.Student
	if err := unmarshal(kindStudent, key, value, &m, &s.ID); err != nil {
		return Student{}, err
	}
	s.Groups = m.Groups
	if !readTime(m.Created, &s.Created) || !readTime(m.Updated, &s.Updated) {
		return Student{}, corrupt(kindStudent)
	}
	return s, nil
}

func encodeCrop(c Crop) ([]byte, error) {
	return marshal(kindCrop, &storagev1.Crop{
		StudentId: []byte(c.StudentID),
		Corrected: c.Corrected,
		Created:   timestamppb.New(c.Created),
		Updated:   timestamppb.New(c.Updated),
	}, c.Created, c.Updated)
}

func decodeCrop(key, value []byte) (Crop, error) {
	var c Crop
	var m storagev1.Crop
	if err := unmarshal(kindCrop, key, value, &m, &c.ID); err != nil {
		return Crop{}, err
	}
	c.StudentID, c.Corrected = string(m.StudentId), m.Corrected
	if !readTime(m.Created, &c.Created) || !readTime(m.Updated, &c.Updated) {
		return Crop{}, corrupt(kindCrop)
	}
	return c, nil
}

func encodeEmbedding(e Embedding) ([]byte, error) {
	q := e.Quality
	return marshal(kindEmbedding, &storagev1.Embedding{
		Digest: e.Digest,
		Vector: e.Vector,
		Quality: &storagev1.Quality{
			LocatorScore: q.LocatorScore,
			EyeDistance:  q.EyeDistance,
			Brightness:   q.Brightness,
			Sharpness:    q.Sharpness,
			Width:        int64(q.Width),
			Height:       int64(q.Height),
		},
		Created: timestamppb.New(e.Created),
		Seq:     e.Seq,
	}, e.Created)
}

func decodeEmbedding(key, value []byte) (Embedding, error) {
	var e Embedding
	var m storagev1.Embedding
	if err := unmarshal(kindEmbedding, key, value, &m, &e.CropID, &e.Model); err != nil {
		return Embedding{}, err
	}
	e.Digest, e.Vector, e.Seq = m.Digest, m.Vector, m.Seq
	if q := m.Quality; q != nil {
		e.Quality = Quality{
			LocatorScore: q.LocatorScore,
			EyeDistance:  q.EyeDistance,
			Brightness:   q.Brightness,
			Sharpness:    q.Sharpness,
			Width:        int(q.Width),
			Height:       int(q.Height),
		}
	}
	if !readTime(m.Created, &e.Created) {
		return Embedding{}, corrupt(kindEmbedding)
	}
	return e, nil
}

func encodeModel(m Model) ([]byte, error) {
	return marshal(kindModel, &storagev1.Model{
		Digest:    m.Digest,
		Dimension: int64(m.Dimension),
		Created:   timestamppb.New(m.Created),
	}, m.Created)
}

func decodeModel(key, value []byte) (Model, error) {
	var model Model
	var m storagev1.Model
	if err := unmarshal(kindModel, key, value, &m, &model.Name); err != nil {
		return Model{}, err
	}
	model.Digest, model.Dimension = m.Digest, int(m.Dimension)
	if !readTime(m.Created, &model.Created) {
		return Model{}, corrupt(kindModel)
	}
	return model, nil
}

// decodeEnrolled reads the crop's id from a secondary key.
func decodeEnrolled(key, _ []byte) (string, error) {
	var studentID, cropID string
	if err := parseKey(kindEnrolled, key, &studentID, &cropID); err != nil {
		return "", err
	}
	return cropID, nil
}

// marshal encodes m, after checking that the times within it can be told apart
// from damage when they are read back.
func marshal(k kind, m proto.Message, times ...time.Time) ([]byte, error) {
	for _, t := range times {
		if err := timestamppb.New(t).CheckValid(); err != nil {
			return nil, fmt.Errorf("storage: encoding %s record: time outside the years 1 to 9999", k)
		}
	}
	value, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("storage: encoding %s record: %w", k, err)
	}
	return value, nil
}

// unmarshal reads a key into ids and a value into m. Protobuf's own error says
// nothing that corrupt does not, and is left out.
func unmarshal(k kind, key, value []byte, m proto.Message, ids ...*string) error {
	if err := parseKey(k, key, ids...); err != nil {
		return err
	}
	return unmarshalValue(k, value, m)
}

func unmarshalValue(k kind, value []byte, m proto.Message) error {
	if proto.Unmarshal(value, m) != nil {
		return corrupt(k)
	}
	return nil
}

// readTime sets t to ts, the zero time where there is none. It reports whether
// ts is a valid time.
func readTime(ts *timestamppb.Timestamp, t *time.Time) bool {
	if ts == nil {
		return true
	}
	*t = ts.AsTime()
	return ts.IsValid()
}
