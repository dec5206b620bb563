package terminal

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzEscape: whatever a name is, a terminal gets only what can be seen, and who reads it can tell
// what the name was.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"ada", "\x1b]0;evil\x07", "a\u202eb", "\xff\xfe", "نی\u200cما", "a\u00a0b", "\U000e0041", "\\x1b", "line\nline", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := Escape(s)
		if !utf8.ValidString(out) {
			t.Fatalf("%q became %q, which is not UTF-8", s, out)
		}
		for _, r := range out {
			if !unicode.IsGraphic(r) && r != joiner && r != nonJoiner {
				t.Fatalf("%q became %q, with %U", s, out, r)
			}
		}
		if again := Escape(out); again != out {
			t.Fatalf("%q became %q, and then %q", s, out, again)
		}
		if harmless := !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) && r != joiner && r != nonJoiner }); harmless && utf8.ValidString(s) && out != s {
			t.Fatalf("%q became %q", s, out)
		}
	})
}
