package gallery

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEnrollBadInput(t *testing.T) {
	g := openGallery(t, Options{})
	good := Enrolment{CropID: "c", StudentID: "s", Groups: []string{"g"}, Embedding: made(plain, base(plain, 0))}
	nan := base(plain, 0)
	nan[3] = float32(math.NaN())
	inf := base(plain, 0)
	inf[3] = float32(math.Inf(1))
	var many []string
	for i := range MaxGroups + 1 {
		many = append(many, fmt.Sprint(i))
	}
	for name, tc := range map[string]struct {
		change func(*Enrolment)
		want   error
	}{
		"no crop id":         {func(e *Enrolment) { e.CropID = "" }, ErrInvalidID},
		"long crop id":       {func(e *Enrolment) { e.CropID = strings.Repeat("x", 129) }, ErrInvalidID},
		"newline":            {func(e *Enrolment) { e.CropID = "a\nb" }, ErrInvalidID},
		"C1 control":         {func(e *Enrolment) { e.CropID = "a\u0085b" }, ErrInvalidID},
		"not UTF-8":          {func(e *Enrolment) { e.StudentID = "a\xffb" }, ErrInvalidID},
		"long student id":    {func(e *Enrolment) { e.StudentID = strings.Repeat("ä", 65) }, ErrInvalidID},
		"empty group":        {func(e *Enrolment) { e.Groups = []string{"g", ""} }, ErrInvalidID},
		"too many groups":    {func(e *Enrolment) { e.Groups = many }, ErrInvalidID},
		"no vector":          {func(e *Enrolment) { e.Embedding.Vector = nil }, ErrInvalidVector},
		"wrong dimension":    {func(e *Enrolment) { e.Embedding.Vector = base(small, 0) }, ErrInvalidVector},
		"zero vector":        {func(e *Enrolment) { e.Embedding.Vector = make([]float32, plain.Dimension) }, ErrInvalidVector},
		"NaN":                {func(e *Enrolment) { e.Embedding.Vector = nan }, ErrInvalidVector},
		"infinity":           {func(e *Enrolment) { e.Embedding.Vector = inf }, ErrInvalidVector},
		"model without name": {func(e *Enrolment) { e.Embedding.Model = "" }, ErrInvalidModel},
	} {
		e := good
		tc.change(&e)
		_, err := g.Enroll(ctx, e)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	if seq := sequence(t, g); seq != 1 {
		t.Errorf("%d changes were stored", seq)
	}

	edge := good
	edge.CropID, edge.StudentID = strings.Repeat("x", 128), strings.Repeat("ä", 64)
	mustEnroll(t, g, edge)
}

func TestEnrollKeepsGroupsWithinBound(t *testing.T) {
	g := openGallery(t, Options{})
	e := Enrolment{CropID: "c", StudentID: "s", Embedding: made(plain, base(plain, 0))}
	for i := range MaxGroups {
		e.Groups = append(e.Groups, fmt.Sprint(i))
	}
	mustEnroll(t, g, e)
	before := sequence(t, g)
	e.Groups = []string{"one more"}
	if _, err := g.Enroll(ctx, e); !errors.Is(err, ErrInvalidID) || sequence(t, g) != before {
		t.Errorf("one group too many: %v", err)
	}
	e.Groups = []string{"0"}
	mustEnroll(t, g, e)
}

// Enrolling again gives the same answer, but for times and the sequence number.
func TestEnrollAgain(t *testing.T) {
	g := openGallery(t, Options{})
	e := Enrolment{CropID: "c", StudentID: "s", Groups: []string{"y", "x", "y"}, Embedding: made(plain, base(plain, 0)), Quality: Quality{Width: 7}}
	first := mustEnroll(t, g, e)
	if first.Replaced || first.Corrected || first.Seq != 2 || !slices.Equal(first.Student.Groups, []string{"x", "y"}) {
		t.Errorf("first: %+v", first)
	}
	// Somebody else's like face, allowed, must not make the repetition a duplicate.
	mustEnroll(t, g, Enrolment{CropID: "d", StudentID: "twin", Embedding: made(plain, base(plain, 0)), AllowDuplicate: true})
	again := mustEnroll(t, g, e)
	if !again.Replaced || again.Crop.StudentID != "s" || !again.Crop.Created.Equal(first.Crop.Created) ||
		!again.Student.Updated.Equal(first.Student.Updated) {
		t.Errorf("again: %+v, first %+v", again, first)
	}
	got, err := g.Crop(ctx, "c")
	if err != nil || len(got.Embeddings) != 1 || got.Embeddings[0].Quality.Width != 7 {
		t.Errorf("%+v, %v", got, err)
	}
	// What a call returns is what is stored.
	st, err := g.Student(ctx, "s")
	if err != nil || !sameTimes(st.Created, again.Student.Created) || !sameTimes(got.Updated, again.Crop.Updated) {
		t.Errorf("%+v, %v; returned %+v", st, err, again)
	}
}

// sameTimes compares times as they are, not only the moments.
func sameTimes(a, b time.Time) bool { return a == b }

func TestEnrollDoesNotKeepTheCallersVector(t *testing.T) {
	g := openGallery(t, Options{})
	v := base(plain, 0)
	mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "s", Embedding: made(plain, v)})
	v[0], v[1] = 0, 1
	_, err := g.Enroll(ctx, Enrolment{CropID: "d", StudentID: "t", Embedding: made(plain, base(plain, 1))})
	if err != nil {
		t.Errorf("the vector in the gallery changed: %v", err)
	}
	mustBeConsistent(t, g)
}

func TestCorrectionSticks(t *testing.T) {
	g := openGallery(t, Options{})
	e := Enrolment{CropID: "c", StudentID: "wrong", Embedding: made(plain, base(plain, 0)), Groups: []string{"w"}}
	mustEnroll(t, g, e)
	info, err := g.AssignCrop(ctx, "c", "right")
	if err != nil || info.StudentID != "right" || !info.Corrected || len(info.Embeddings) != 1 {
		t.Fatalf("%+v, %v", info, err)
	}
	out := mustEnroll(t, g, e)
	if out.Crop.StudentID != "right" || out.Student.ID != "right" || !out.Corrected || len(out.Student.Groups) != 0 {
		t.Errorf("enrolled again under the wrong one: %+v", out)
	}
	if st, err := g.Student(ctx, "wrong"); err != nil || st.CropCount != 0 {
		t.Errorf("the wrong one stays, without crops: %+v, %v", st, err)
	}
	if out := mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "right", Embedding: made(plain, base(plain, 1))}); out.Corrected {
		t.Errorf("enrolled under the right one: %+v", out)
	}

	// A crop taken from its student stays nobody's.
	if _, err := g.AssignCrop(ctx, "c", ""); err != nil {
		t.Fatal(err)
	}
	out = mustEnroll(t, g, e)
	if out.Crop.StudentID != "" || !out.Corrected || out.Student.ID != "" {
		t.Errorf("enrolled after it was taken away: %+v", out)
	}
	got, err := g.Identify(ctx, Probe{Embedding: made(plain, base(plain, 0))})
	if err != nil || got.Students != 0 || got.Reasons[0] != ReasonNobodyEnrolled {
		t.Errorf("%+v, %v", got, err)
	}

	// Deleting the crop forgets the correction.
	if err := g.DeleteCrop(ctx, "c"); err != nil {
		t.Fatal(err)
	}
	if out := mustEnroll(t, g, e); out.Crop.StudentID != "wrong" || out.Corrected {
		t.Errorf("after deleting: %+v", out)
	}
	mustBeConsistent(t, g)
}

func TestEnrollWithoutStudentKeepsIt(t *testing.T) {
	g := openGallery(t, Options{})
	e := Enrolment{CropID: "c", Embedding: made(plain, base(plain, 0)), Groups: []string{"unused"}}
	if out := mustEnroll(t, g, e); out.Crop.StudentID != "" || out.Student.ID != "" {
		t.Errorf("%+v", out)
	}
	e.StudentID, e.Groups = "s", nil
	mustEnroll(t, g, e)
	e.StudentID, e.Embedding, e.Groups = "", made(small, base(small, 0)), []string{"unused"}
	out := mustEnroll(t, g, e)
	if out.Crop.StudentID != "s" || out.Corrected || len(out.Student.Groups) != 0 {
		t.Errorf("%+v", out)
	}
	for _, m := range []Model{plain, small} {
		got, err := g.Identify(ctx, Probe{Embedding: made(m, base(m, 0))})
		if err != nil || got.StudentID != "s" {
			t.Errorf("under %s: %+v, %v", m.Name, got, err)
		}
	}
}

// A crop that comes to a student later is searchable under all its models.
func TestLaterEnrolmentIndexesAllModels(t *testing.T) {
	for name, enrol := range map[string]func(g *Gallery) error{
		"assign": func(g *Gallery) error { _, err := g.AssignCrop(ctx, "c", "s"); return err },
		"enroll": func(g *Gallery) error {
			_, err := g.Enroll(ctx, Enrolment{CropID: "c", StudentID: "s", Embedding: made(small, base(small, 0))})
			return err
		},
	} {
		g := openGallery(t, Options{})
		for _, m := range []Model{plain, small} {
			mustEnroll(t, g, Enrolment{CropID: "c", Embedding: made(m, base(m, 0))})
		}
		if err := enrol(g); err != nil {
			t.Fatal(err)
		}
		for _, m := range []Model{plain, small} {
			got, err := g.Identify(ctx, Probe{Embedding: made(m, base(m, 0))})
			if err != nil || got.StudentID != "s" {
				t.Errorf("%s: under %s: %+v, %v", name, m.Name, got, err)
			}
		}
		mustBeConsistent(t, g)
	}
}

func TestDuplicates(t *testing.T) {
	g := openGallery(t, Options{})
	threshold := plain.duplicateThreshold(1) // (0.7+1)/2
	if threshold != 0.85 {
		t.Fatalf("threshold %v", threshold)
	}
	mustEnroll(t, g, Enrolment{CropID: "a1", StudentID: "a", Embedding: made(plain, base(plain, 0))})
	for _, tc := range []struct {
		name  string
		e     Enrolment
		whose string // "" where it passes
	}{
		{"just below", Enrolment{CropID: "b1", StudentID: "b", Embedding: made(plain, unit([]float32{0.849, 0.5284, 15: 0}))}, ""},
		{"just above", Enrolment{CropID: "c1", StudentID: "c", Embedding: made(plain, at(plain, 0.851))}, "a"},
		{"same student", Enrolment{CropID: "a2", StudentID: "a", Embedding: made(plain, at(plain, 0.99))}, ""},
		{"stored only", Enrolment{CropID: "x", Embedding: made(plain, base(plain, 0))}, ""},
		{"allowed", Enrolment{CropID: "d1", StudentID: "d", Embedding: made(plain, at(plain, 0.99)), AllowDuplicate: true}, ""},
		{"nearest is named", Enrolment{CropID: "e1", StudentID: "e", Embedding: made(plain, at(plain, 0.9995))}, "a"},
		{"moves with the crop", Enrolment{CropID: "b1", StudentID: "e", Embedding: made(plain, at(plain, -0.9))}, ""},
		{"crop is not its own duplicate", Enrolment{CropID: "b1", StudentID: "f", Embedding: made(plain, at(plain, -0.9))}, ""},
		{"kept student counts", Enrolment{CropID: "b1", Embedding: made(plain, at(plain, 0.9995))}, "a"},
	} {
		_, err := g.Enroll(ctx, tc.e)
		var dup *DuplicateError
		errors.As(err, &dup)
		switch {
		case tc.whose == "" && err != nil:
			t.Errorf("%s: %v", tc.name, err)
		case tc.whose != "" && (dup == nil || dup.StudentID != tc.whose || dup.Similarity < threshold):
			t.Errorf("%s: %v, want a duplicate of %q", tc.name, err, tc.whose)
		}
	}
	if _, err := g.Student(ctx, "c"); !errors.Is(err, ErrStudentNotFound) {
		t.Errorf("the refused one has a record: %v", err)
	}
	// A crop that left its student counts no more.
	for _, id := range []string{"a1", "a2", "d1"} {
		if err := g.DeleteCrop(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	mustEnroll(t, g, Enrolment{CropID: "c1", StudentID: "c", Embedding: made(plain, at(plain, 0.851))})
}

// The gallery keeps the model's file that its vectors are of, whatever the server
// serves later, and whatever the embeddings say.
func TestDigestLocksModel(t *testing.T) {
	served := plain
	g := openGallery(t, Options{Models: func(string) (Model, error) { return served, nil }})
	mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "s", Embedding: made(plain, base(plain, 0))})
	before := sequence(t, g)
	digest, dimension := plain, plain
	digest.Digest = "other"
	dimension.Dimension = 4
	for name, m := range map[string]Model{"digest": digest, "dimension": dimension} {
		served = m
		calls := map[string]func() error{
			"enroll": func() error {
				_, err := g.Enroll(ctx, Enrolment{CropID: "d", StudentID: "s", Embedding: made(m, base(m, 0))})
				return err
			},
			"enroll, allowed": func() error {
				_, err := g.Enroll(ctx, Enrolment{CropID: "d", StudentID: "s", Embedding: made(m, base(m, 0)), AllowDuplicate: true})
				return err
			},
			"store": func() error {
				_, err := g.Enroll(ctx, Enrolment{CropID: "d", Embedding: made(m, base(m, 0))})
				return err
			},
			"identify": func() error { _, err := g.Identify(ctx, Probe{Embedding: made(m, base(m, 0))}); return err },
			"roll": func() error {
				_, err := g.RollCall(ctx, m.Name, []Embedding{made(m, base(m, 0))}, Scope{}, 0)
				return err
			},
			"choose": func() error { _, err := g.UpdateSettings(ctx, SettingsChange{Model: &m.Name}); return err },
		}
		for call, do := range calls {
			var e *DigestError
			if err := do(); !errors.As(err, &e) || e.Have != plain.Digest || e.Want != m.Digest ||
				e.HaveDimension != plain.Dimension || e.WantDimension != m.Dimension {
				t.Errorf("%s, %s: %v", name, call, err)
			}
		}
	}
	served = digest
	var e *DigestError
	if _, err := g.IdentifyCrop(ctx, "c", under(plain)); !errors.As(err, &e) {
		t.Errorf("a stored probe of the file before: %v", err)
	}
	if _, err := g.Enroll(ctx, Enrolment{CropID: "d", Embedding: made(plain, base(plain, 0))}); !errors.As(err, &e) || e.Have != "other" {
		t.Errorf("an embedding of the file before: %v", err)
	}
	if sequence(t, g) != before {
		t.Error("something was stored")
	}
}

// Errors and log lines must not give vectors away, nor repeat what may be anything.
func TestErrorsTellNoContent(t *testing.T) {
	g := openGallery(t, Options{})
	v := base(plain, 0)
	v[1] = 0.123456
	_, err := g.Enroll(ctx, Enrolment{CropID: "c", StudentID: "s", Embedding: made(plain, v)})
	if err == nil || strings.Contains(err.Error(), "0.12") {
		t.Errorf("%v", err)
	}
	_, err = g.Enroll(ctx, Enrolment{CropID: "evil\nline", StudentID: "s", Embedding: made(plain, base(plain, 0))})
	if err == nil || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "evil") {
		t.Errorf("%v", err)
	}
}

// A face that resembles another student's, but not enough to be refused, is enrolled, and the other student is named.
func TestEnrollNamesWhomAFaceResembles(t *testing.T) {
	g := openGallery(t, Options{})
	mustEnroll(t, g, Enrolment{CropID: "a1", StudentID: "a", Embedding: made(plain, base(plain, 0))})
	for _, tc := range []struct {
		similarity float32
		student    string
		want       string
	}{{0.69, "b", ""}, {0.71, "c", "a"}, {0.84, "d", "a"}, {0.84, "a", ""}} {
		e := Enrolment{CropID: tc.student + "2", StudentID: tc.student, Embedding: made(plain, at(plain, tc.similarity))}
		got := mustEnroll(t, g, e).Resembles
		if got.StudentID != tc.want || tc.want != "" && (got.CropID != "a1" || math.Abs(float64(got.Similarity-tc.similarity)) > 1e-5) {
			t.Errorf("%v beside %q: %+v, want %q", tc.similarity, tc.student, got, tc.want)
		}
		if err := g.DeleteCrop(ctx, e.CropID); err != nil {
			t.Fatal(err)
		}
	}
}
