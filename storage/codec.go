package storage

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	storagev1 "rollcall/proto/rollcall/storage/v1"
)

// Only this file knows what the value of a record looks like.

func (s Settings) encode() ([]byte, error) {
	return marshal(KindSettings, &storagev1.Settings{
		Model: s.Model, Fpir: s.FPIR, Margin: s.Margin, Updated: timestamppb.New(s.Updated),
		KeepVerdicts: int32(s.KeepVerdicts), KeepChanges: int32(s.KeepChanges), RequireConsent: s.RequireConsent,
	}, s.Updated)
}

func (m Model) encode() ([]byte, error) {
	return marshal(KindModel, &storagev1.Model{
		Digest: m.Digest, Dimension: int64(m.Dimension), Recipe: m.Recipe, Created: timestamppb.New(m.Created),
		Calibration: m.Calibration.message(),
	}, m.Created, m.Calibration.Made)
}

// message returns nil for the zero Calibration.
func (c Calibration) message() *storagev1.Calibration {
	if len(c.Points) == 0 && !c.Frozen && !c.ByHand && c.Made.IsZero() {
		return nil
	}
	m := &storagev1.Calibration{
		Frozen: c.Frozen, ByHand: c.ByHand, Students: int64(c.Students), Comparisons: int64(c.Comparisons), LeftOut: int64(c.LeftOut),
		Made: optional(c.Made),
	}
	for _, p := range c.Points {
		m.Points = append(m.Points, &storagev1.OperatingPoint{Fmr: p.FMR, Similarity: p.Similarity})
	}
	return m
}

func (s Student) encode() ([]byte, error) {
	groups := slices.Sorted(slices.Values(s.Groups))
	return marshal(KindStudent, &storagev1.Student{
		Groups: slices.Compact(groups), Created: timestamppb.New(s.Created), Updated: timestamppb.New(s.Updated),
		Consent: s.Consent.message(), DeleteAfter: string(s.DeleteAfter),
	}, s.Created, s.Updated)
}

// message returns nil for the zero Consent.
func (c Consent) message() *storagev1.Consent {
	if c == (Consent{}) {
		return nil
	}
	return &storagev1.Consent{State: string(c.State), Reference: c.Reference, Date: string(c.Date)}
}

func (c Crop) encode() ([]byte, error) {
	if len(c.StudentID) > MaxIDBytes {
		return nil, fmt.Errorf("%w: a crop's student: %d bytes long; at most %d", ErrInvalidID, len(c.StudentID), MaxIDBytes)
	}
	return marshal(KindCrop, &storagev1.Crop{
		StudentId: []byte(c.StudentID), Corrected: c.Corrected,
		Created: timestamppb.New(c.Created), Updated: timestamppb.New(c.Updated), Pictured: timestamppb.New(c.Pictured),
	}, c.Created, c.Updated, c.Pictured)
}

func (e Embedding) encode() ([]byte, error) {
	vector := make([]byte, 0, 4*len(e.Vector))
	for _, x := range e.Vector {
		vector = binary.LittleEndian.AppendUint32(vector, math.Float32bits(x))
	}
	q := e.Quality
	return marshal(KindEmbedding, &storagev1.Embedding{
		Vector: vector, Digest: e.Digest, Recipe: e.Recipe,
		Quality: &storagev1.Quality{
			Score: q.Score, LocatorScore: q.LocatorScore, EyeDistance: q.EyeDistance,
			Brightness: q.Brightness, Contrast: q.Contrast, Sharpness: q.Sharpness,
			Yaw: q.Yaw, Pitch: q.Pitch, Roll: q.Roll, Residual: q.Residual,
			Width: int64(q.Width), Height: int64(q.Height),
		},
		Created: timestamppb.New(e.Created),
	}, e.Created)
}

func (g Gallery) encode() ([]byte, error) {
	return marshal(KindGallery, &storagev1.Gallery{Created: timestamppb.New(g.Created)}, g.Created)
}

func (t Token) encode() ([]byte, error) {
	if len(t.Parent) > MaxIDBytes {
		return nil, fmt.Errorf("%w: a token's parent: %d bytes long; at most %d", ErrInvalidID, len(t.Parent), MaxIDBytes)
	}
	m := &storagev1.Token{
		Role: t.Role, Name: t.Name, Groups: t.Groups, Embeddings: t.Embeddings, Digest: t.Digest, Parent: []byte(t.Parent),
		Created: timestamppb.New(t.Created),
		Expires: optional(t.Expires), Revoked: optional(t.Revoked), Used: optional(t.Used),
	}
	for _, id := range t.Galleries {
		m.Galleries = append(m.Galleries, []byte(id))
	}
	return marshal(KindToken, m, t.Created, t.Expires, t.Revoked, t.Used)
}

func (e Erasure) encode() ([]byte, error) {
	m := &storagev1.Erasure{
		Time: timestamppb.New(e.Time), Change: e.Change, Open: e.Open, Consent: string(e.Consent),
		ErasedCrops: int64(e.ErasedCrops), ErasedEmbeddings: int64(e.ErasedEmbeddings), LogLines: int64(e.LogLines), JournalLines: int64(e.JournalLines),
		Finished: optional(e.Finished),
	}
	for _, id := range e.Students {
		m.Students = append(m.Students, []byte(id))
	}
	for _, id := range e.Crops {
		m.Crops = append(m.Crops, []byte(id))
	}
	return marshal(KindErasure, m, e.Time, e.Finished)
}

// optional returns nil for the zero time.
func optional(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// marshal encodes m. It first checks that the times in it are valid: a reader
// takes any other time for damage.
func marshal(k Kind, m proto.Message, times ...time.Time) ([]byte, error) {
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

// decoder makes records of keys and values, and copies what it keeps. It is
// used by one goroutine at a time.
type decoder struct {
	keys keys

	// vector takes the next embedding's vector, if it has the capacity. So a
	// vector is valid only until the next one is decoded.
	vector []float32

	// Most embeddings have these in common with the one before.
	model, digest, recipe string
}

// pair returns the record of a key and its value, or ErrCorrupt.
func (d *decoder) pair(p pair) (Record, error) {
	n := len(d.keys)
	if len(p.key) <= n || string(p.key[:n]) != string(d.keys) {
		return nil, corrupt(0)
	}
	ref, rest := Ref{Kind: Kind(p.key[n])}, p.key[n+1:]
	ids, ok := idsOf(ref.Kind)
	if ok && ids > 0 {
		var id []byte
		id, rest, ok = cutID(rest)
		ref.ID = string(id)
	}
	if ok && ids > 1 {
		var id []byte
		id, rest, ok = cutID(rest)
		ref.Model = again(&d.model, id)
	}
	if !ok || len(rest) != 0 {
		return nil, corrupt(ref.Kind)
	}
	return d.value(ref, p.value)
}

// value returns the record with this name and value, or ErrCorrupt. Protobuf's
// own error says nothing that ErrCorrupt does not, and is left out.
func (d *decoder) value(ref Ref, value []byte) (Record, error) {
	var r Record
	ok := false
	switch ref.Kind {
	case KindSettings:
		r, ok = decodeSettings(value)
	case KindModel:
		r, ok = decodeModel(ref, value)
	case KindStudent:
		r, ok = decodeStudent(ref, value)
	case KindCrop:
		r, ok = decodeCrop(ref, value)
	case KindEmbedding:
		r, ok = d.embedding(ref, value)
	case KindGallery:
		r, ok = decodeGallery(ref, value)
	case KindToken:
		r, ok = decodeToken(ref, value)
	case KindErasure:
		r, ok = decodeErasure(ref, value)
	}
	if !ok {
		return nil, corrupt(ref.Kind)
	}
	return r, nil
}

func decodeSettings(value []byte) (s Settings, ok bool) {
	var m storagev1.Settings
	ok = proto.Unmarshal(value, &m) == nil && readTime(m.Updated, &s.Updated)
	s.Model, s.FPIR, s.Margin = m.Model, m.Fpir, m.Margin
	s.KeepVerdicts, s.KeepChanges, s.RequireConsent = int(m.KeepVerdicts), int(m.KeepChanges), m.RequireConsent
	return s, ok
}

func decodeModel(ref Ref, value []byte) (_ Model, ok bool) {
	var m storagev1.Model
	r := Model{Name: ref.ID}
	ok = proto.Unmarshal(value, &m) == nil && readTime(m.Created, &r.Created)
	r.Digest, r.Dimension, r.Recipe = m.Digest, int(m.Dimension), m.Recipe
	if c := m.Calibration; ok && c != nil {
		r.Calibration = Calibration{
			Frozen: c.Frozen, ByHand: c.ByHand, Students: int(c.Students), Comparisons: int(c.Comparisons), LeftOut: int(c.LeftOut),
		}
		for _, p := range c.Points {
			r.Calibration.Points = append(r.Calibration.Points, OperatingPoint{p.GetFmr(), p.GetSimilarity()})
		}
		ok = readTime(c.Made, &r.Calibration.Made)
	}
	return r, ok
}

func decodeStudent(ref Ref, value []byte) (_ Student, ok bool) {
	var m storagev1.Student
	s := Student{ID: ref.ID}
	ok = proto.Unmarshal(value, &m) == nil && readTime(m.Created, &s.Created) && readTime(m.Updated, &s.Updated)
	s.Groups, s.DeleteAfter = m.Groups, Date(m.DeleteAfter)
	s.Consent = Consent{ConsentState(m.GetConsent().GetState()), m.GetConsent().GetReference(), Date(m.GetConsent().GetDate())}
	return s, ok
}

// decodeCrop and embedding are written by hand, because loading a gallery
// reads one of each for every crop. Protobuf's own decoder takes 2.5 times as
// long (BenchmarkDecode).

func decodeCrop(ref Ref, value []byte) (c Crop, ok bool) {
	c.ID = ref.ID
	var created, updated, pictured wireTime
	ok = fields(value, func(tag, x uint64, b []byte) bool {
		switch tag {
		case 1<<3 | bytesType:
			c.StudentID = string(b)
			return len(b) <= MaxIDBytes
		case 2<<3 | varintType:
			c.Corrected = x != 0
		case 3<<3 | bytesType:
			return created.read(b)
		case 4<<3 | bytesType:
			return updated.read(b)
		case 5<<3 | bytesType:
			return pictured.read(b)
		}
		return true
	})
	return c, ok && created.to(&c.Created) && updated.to(&c.Updated) && pictured.to(&c.Pictured)
}

func (d *decoder) embedding(ref Ref, value []byte) (e Embedding, ok bool) {
	e.CropID, e.Model = ref.ID, ref.Model
	var created wireTime
	var vector []byte
	ok = fields(value, func(tag, _ uint64, b []byte) bool {
		switch tag {
		case 1<<3 | bytesType:
			vector = b
		case 2<<3 | bytesType:
			e.Digest = again(&d.digest, b)
			return utf8.Valid(b)
		case 3<<3 | bytesType:
			e.Recipe = again(&d.recipe, b)
			return utf8.Valid(b)
		case 4<<3 | bytesType:
			return e.Quality.read(b)
		case 5<<3 | bytesType:
			return created.read(b)
		}
		return true
	})
	n := len(vector) / 4
	d.vector = slices.Grow(d.vector[:0], n)[:n]
	readFloats(d.vector, vector)
	e.Vector = d.vector
	return e, ok && len(vector) == 4*n && created.to(&e.Created)
}

func (q *Quality) read(b []byte) bool {
	return fields(b, func(tag, x uint64, _ []byte) bool {
		switch tag {
		case 1<<3 | fixed32Type:
			q.LocatorScore = math.Float32frombits(uint32(x))
		case 2<<3 | fixed32Type:
			q.EyeDistance = math.Float32frombits(uint32(x))
		case 3<<3 | fixed32Type:
			q.Brightness = math.Float32frombits(uint32(x))
		case 4<<3 | fixed32Type:
			q.Sharpness = math.Float32frombits(uint32(x))
		case 5<<3 | varintType:
			q.Width = int(x)
		case 6<<3 | varintType:
			q.Height = int(x)
		case 7<<3 | fixed32Type:
			q.Score = math.Float32frombits(uint32(x))
		case 8<<3 | fixed32Type:
			q.Contrast = math.Float32frombits(uint32(x))
		case 9<<3 | fixed32Type:
			q.Yaw = math.Float32frombits(uint32(x))
		case 10<<3 | fixed32Type:
			q.Pitch = math.Float32frombits(uint32(x))
		case 11<<3 | fixed32Type:
			q.Roll = math.Float32frombits(uint32(x))
		case 12<<3 | fixed32Type:
			q.Residual = math.Float32frombits(uint32(x))
		}
		return true
	})
}

func decodeGallery(ref Ref, value []byte) (_ Gallery, ok bool) {
	var m storagev1.Gallery
	g := Gallery{ID: ref.ID}
	ok = proto.Unmarshal(value, &m) == nil && readTime(m.Created, &g.Created)
	return g, ok
}

func decodeToken(ref Ref, value []byte) (_ Token, ok bool) {
	var m storagev1.Token
	t := Token{ID: ref.ID}
	ok = proto.Unmarshal(value, &m) == nil && len(m.Parent) <= MaxIDBytes &&
		readTime(m.Created, &t.Created) && readTime(m.Expires, &t.Expires) && readTime(m.Revoked, &t.Revoked) && readTime(m.Used, &t.Used)
	t.Role, t.Name, t.Groups, t.Embeddings, t.Digest, t.Parent = m.Role, m.Name, m.Groups, m.Embeddings, m.Digest, string(m.Parent)
	for _, id := range m.Galleries {
		t.Galleries = append(t.Galleries, string(id))
	}
	return t, ok
}

func decodeErasure(ref Ref, value []byte) (_ Erasure, ok bool) {
	var m storagev1.Erasure
	e := Erasure{Digest: ref.ID}
	ok = proto.Unmarshal(value, &m) == nil && readTime(m.Time, &e.Time) && readTime(m.Finished, &e.Finished)
	e.Change, e.Open, e.Consent = m.Change, m.Open, ConsentState(m.Consent)
	e.ErasedCrops, e.ErasedEmbeddings, e.LogLines, e.JournalLines = int(m.ErasedCrops), int(m.ErasedEmbeddings), int(m.LogLines), int(m.JournalLines)
	for _, id := range m.Students {
		e.Students = append(e.Students, string(id))
	}
	for _, id := range m.Crops {
		e.Crops = append(e.Crops, string(id))
	}
	return e, ok
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
