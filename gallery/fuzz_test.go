package gallery

import (
	"errors"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"rollcall/storage"
)

// FuzzID: an id is kept in one form, or refused; what is kept looks like nothing else.
func FuzzID(f *testing.F) {
	for _, id := range []string{"", "ada", "e\u0301", "é", "a\u200cb", "\u200cb", " a", "a\u200b", "a\x00", "\xff", "\u2800", "한국", "\ufe0f葛", "\u0600a"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		kept, err := parseID("student", id)
		if err != nil {
			if !errors.Is(err, ErrInvalidID) || kept != "" {
				t.Fatalf("%q: %q, %v", id, kept, err)
			}
			return
		}
		if !utf8.ValidString(kept) || !norm.NFC.IsNormalString(kept) || len(kept) < 1 || len(kept) > storage.MaxIDBytes {
			t.Fatalf("%q is kept as %q", id, kept)
		}
		for _, r := range kept {
			if unicode.IsControl(r) {
				t.Fatalf("%q is kept as %q, with %U", id, kept, r)
			}
		}
		for _, form := range []norm.Form{norm.NFC, norm.NFD} {
			if again, err := parseID("student", form.String(id)); err != nil || again != kept {
				t.Fatalf("%q is kept as %q, and in another form as %q (%v)", id, kept, again, err)
			}
		}
	})
}
