package terminal

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"":                    "",
		"Zoë Ñuñez, 3b/1.jpg": "Zoë Ñuñez, 3b/1.jpg",
		"王\U000e0100芳":        "王\U000e0100芳",
		"می\u200cخواهم":       "می\u200cخواهم",
		"a\u00a0b":            "a\u00a0b",
		`a\b`:                 `a\b`,
		"it's":                "it's",
		"\x1b[2Jada":          `\x1b[2Jada`,
		"a\nb\tc\rd\a":        `a\nb\tc\rd\a`,
		"\u009b31m":           `\u009b31m`,
		"gpj.\u202eada":       `gpj.\u202eada`,
		"a\u2066b\u2069":      `a\u2066b\u2069`,
		"a\u200bb\ufeff":      `a\u200bb\ufeff`,
		"a\u2028b":            `a\u2028b`,
		"gr\xfcn.jpg":         `gr\xfcn.jpg`,
		"a\ufffdb":            "a\ufffdb",
		"\U000e0041":          `\U000e0041`,
	} {
		if got := Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestEscapedNeverSteers: whatever goes in, nothing comes out that a terminal obeys, and what
// went in can be read from it.
func TestEscapedNeverSteers(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 20_000 {
		b := make([]byte, rng.IntN(12))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		in := string(b)
		if rng.IntN(2) == 0 {
			in += string(rune(rng.IntN(unicode.MaxRune + 1)))
		}
		out := Escape(in)
		if !utf8.ValidString(out) {
			t.Fatalf("seed %d: Escape(%q) is not UTF-8", seed, in)
		}
		for _, r := range out {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != joiner && r != nonJoiner || r == '\u2028' || r == '\u2029' {
				t.Fatalf("seed %d: Escape(%q) leaves %U", seed, in, r)
			}
		}
		if strings.ContainsAny(in, "\"\\") {
			continue
		}
		if back, err := strconv.Unquote(`"` + out + `"`); err != nil || back != in {
			t.Fatalf("seed %d: Escape(%q) = %q reads as %q, error %v", seed, in, out, back, err)
		}
	}
}

func TestPrintingEscapes(t *testing.T) {
	var out bytes.Buffer
	if err := Printf(&out, "%s: %v (%d)\n", "a\x1b", errors.New("no\nway"), 3); err != nil {
		t.Fatal(err)
	}
	if err := PrintTable(&out, []string{"STUDENT"}, [][]string{{"gpj.\u202eada"}}); err != nil {
		t.Fatal(err)
	}
	if want := "a\\x1b: no\\nway (3)\nSTUDENT\ngpj.\\u202eada\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}
