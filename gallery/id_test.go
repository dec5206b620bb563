package gallery

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestIDs(t *testing.T) {
	for id, want := range map[string]string{ // to what is kept; "": refused
		"s1001":                       "s1001",
		"Zoë Ñuñez":                   "Zoë Ñuñez",
		"Zoe\u0308 N\u0303un\u0303ez": "Zoë Ñuñez",
		"\u1112\u1161\u11ab":          "한",
		"می\u200cخواهم":               "می\u200cخواهم",
		"王\U000e0100芳\U000e0100":      "王\U000e0100芳\U000e0100",
		"\u06001":                     "\u06001", // a mark that shows
		"a  b":                        "a  b",
		"a\u00a0b":                    "a\u00a0b",
		strings.Repeat("e\u0301", 64): strings.Repeat("é", 64),

		"":                      "",
		" a":                    "",
		"a ":                    "",
		"\u00a0a":               "",
		"a\u3000":               "",
		"a\u200b":               "",
		"\ufeffa":               "",
		"a\u200d":               "",
		"\u200ca":               "",
		"a\u200bb":              "",
		"a\u00adb":              "",
		"gpj.\u202eada":         "",
		"a\u2066b":              "",
		"a\u2028b":              "",
		"a\u3164":               "",
		"\u2800":                "",
		"a\U000e0041":           "",
		"a\nb":                  "",
		"a\x00":                 "",
		"a\u0085b":              "",
		"a\xffb":                "",
		strings.Repeat("é", 65): "",
	} {
		got, err := parseID("student", id)
		if got != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, ErrInvalidID) {
			t.Errorf("parseID(%+q) = %+q, %v, want %+q", id, got, err, want)
		}
	}
}

// TestParsedIDsStay: a parsed id is itself when it is parsed again, is in NFC, and shows.
func TestParsedIDsStay(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 0))
	parsed := 0
	for range 50_000 {
		var b strings.Builder
		for range 1 + rng.IntN(5) {
			most := []int{0x80, 0x400, 0x3100, unicode.MaxRune}[rng.IntN(4)]
			b.WriteRune(rune(rng.IntN(most + 1)))
		}
		id, err := parseID("student", b.String())
		if err != nil {
			continue
		}
		parsed++
		again, err := parseID("student", id)
		if err != nil || again != id || !norm.NFC.IsNormalString(id) || !utf8.ValidString(id) || strings.TrimSpace(id) != id {
			t.Fatalf("seed %d: %+q is kept as %+q, and that as %+q, %v", seed, b.String(), id, again, err)
		}
		if other, err := parseID("student", norm.NFD.String(id)); err != nil || other != id {
			t.Fatalf("seed %d: %+q in NFD is kept as %+q, %v", seed, id, other, err)
		}
	}
	if parsed < 1000 {
		t.Errorf("only %d ids were parsed", parsed)
	}
}

// TestEveryCallTakesBothForms: what was stored under names in one form is found, changed and
// deleted under the other.
func TestEveryCallTakesBothForms(t *testing.T) {
	forms := map[string]func(string) string{"NFC": norm.NFC.String, "NFD": norm.NFD.String}
	for stored, in := range forms {
		for asked, by := range forms {
			t.Run(stored+" asked in "+asked, func(t *testing.T) { useForms(t, in, by) })
		}
	}
}

// useForms stores names as in returns them, and asks with them as by returns them.
func useForms(t *testing.T, in, by func(string) string) {
	const zoe, group, crop, other = "Zoë", "Größe", "Zoë/ä.jpg", "André"
	g := openGallery(t, Options{})
	check := func(what string, got, want any, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+q, want %+q, error %v", what, got, want, err)
		}
	}
	enrol := Enrolment{CropID: in(crop), StudentID: in(zoe), Groups: []string{in(group)}, Embedding: made(plain, base(plain, 0))}
	mustEnroll(t, g, enrol)
	enrol.CropID, enrol.StudentID, enrol.Groups = by(crop), by(zoe), []string{by(group), in(group)}
	again := mustEnroll(t, g, enrol)
	check("enrolled again", again.Replaced, true, nil)
	check("its groups", again.Student.Groups, []string{group}, nil)
	mustEnroll(t, g, Enrolment{CropID: in("b"), StudentID: in("b"), Groups: []string{in(group)}, Embedding: made(plain, base(plain, 1))})

	st, err := g.Student(ctx, by(zoe))
	check("student", []any{st.ID, len(st.Crops)}, []any{zoe, 1}, err)
	c, err := g.Crop(ctx, by(crop))
	check("crop", []string{c.ID, c.StudentID}, []string{crop, zoe}, err)
	_, _, total, err := g.Students(ctx, "", 0, by(group))
	check("students of the group", total, 2, err)
	page, _, _, err := g.Students(ctx, by(zoe), 0, "")
	check("students after", len(page), 1, err)

	probe := Probe{Embedding: made(plain, base(plain, 0))}
	for what, scope := range map[string]Scope{
		"group": {Groups: []string{by(group)}}, "student": {StudentIDs: []string{by(zoe), in(zoe)}},
	} {
		probe.Scope = scope
		id, err := g.Identify(ctx, probe)
		check("identify in the "+what, id.StudentID, zoe, err)
		roll, err := g.RollCall(ctx, plain.Name, []Embedding{probe.Embedding}, scope, 0)
		check("roll call in the "+what, []any{roll.Seats[0].StudentID, len(roll.Absent)}, []any{zoe, map[string]int{"group": 1}[what]}, err)
	}
	byCrop, err := g.IdentifyCrop(ctx, by(crop), under(plain))
	check("identify a crop: its student is left out", byCrop.Students, 1, err)

	st, err = g.UpdateStudent(ctx, by(zoe), []string{by("é"), in("é")})
	check("update", st.Groups, []string{"é"}, err)
	c, err = g.AssignCrop(ctx, by(crop), by(other))
	check("assign", []string{c.ID, c.StudentID}, []string{crop, other}, err)
	check("delete crop", true, true, g.DeleteCrop(ctx, by(crop)))
	n, err := g.DeleteStudent(ctx, by(zoe))
	check("delete student", n.ErasedCrops, 0, err)
	if _, err := g.Student(ctx, in(zoe)); !errors.Is(err, ErrStudentNotFound) {
		t.Errorf("after deleting: %v", err)
	}
	mustBeConsistent(t, g)
}

func TestGalleriesTakeBothForms(t *testing.T) {
	for name, backend := range backends {
		t.Run(name, func(t *testing.T) {
			s := openGalleries(t, backend(t)(), Options{}, 0)
			mustCreate(t, s, "E\u0301cole")
			if err := s.Create(ctx, "École"); !errors.Is(err, ErrGalleryExists) {
				t.Errorf("the same name in NFC: %v", err)
			}
			for _, id := range []string{"École", "E\u0301cole"} {
				with(t, s, id, func(*Gallery) {})
			}
		})
	}
}
