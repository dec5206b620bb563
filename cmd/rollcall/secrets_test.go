package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"rollcall/embedder/onnxtest"
)

// pieceBytes is the shortest piece of something binary that counts as found, and pieceText
// that of a text.
const (
	pieceBytes = 16
	pieceText  = 12
)

// secrets are what must not be in any output, in all forms in which it may be written.
type secrets struct {
	// pieces[n] are the pieces of n bytes that must not be there, with what they are of.
	pieces  map[int]map[string]string
	vectors map[string][]float32
}

func newSecrets() *secrets {
	return &secrets{pieces: make(map[int]map[string]string), vectors: make(map[string][]float32)}
}

// text adds a text: every piece of pieceText characters, or all of a shorter one.
func (s *secrets) text(name, text string) { s.windows(name, text, min(pieceText, len(text))) }

// binary adds an image or a key: every piece of pieceBytes, raw, in hex, in base64 and as Go
// and JSON quote a string. Lists of decimal and hex numbers find turns back into bytes.
func (s *secrets) binary(name string, b []byte) {
	s.windows(name+", raw", string(b), pieceBytes)
	s.windows(name+", in hex", hex.EncodeToString(b), 2*pieceBytes)
	for shift := range 3 {
		// Of 16 bytes, 20 characters depend on nothing else.
		s.windows(name+", in base64", base64.StdEncoding.EncodeToString(b[min(shift, len(b)):]), 20)
		s.windows(name+", in base64", base64.URLEncoding.EncodeToString(b[min(shift, len(b)):]), 20)
	}
	quoted, _ := json.Marshal(string(b)) // a string always marshals
	s.windows(name+", in JSON", string(quoted[1:len(quoted)-1]), 6*pieceBytes)
}

// vector adds an embedding: as text, and as the bytes of its numbers.
func (s *secrets) vector(name string, v []float32) {
	s.vectors[name] = v
	var little, big []byte
	for _, x := range v {
		little = binary.LittleEndian.AppendUint32(little, math.Float32bits(x))
		big = binary.BigEndian.AppendUint32(big, math.Float32bits(x))
	}
	s.binary(name, little)
	s.binary(name, big)
}

// distinct is how many different bytes a piece must have, so that zeros and dashes are none.
const distinct = 6

func (s *secrets) windows(name, text string, n int) {
	if s.pieces[n] == nil {
		s.pieces[n] = make(map[string]string)
	}
	for i := 0; i+n <= len(text); i++ {
		piece := text[i : i+n]
		seen := make(map[byte]bool)
		for j := range n {
			seen[piece[j]] = true
		}
		if len(seen) >= min(distinct, n) {
			s.pieces[n][piece] = name
		}
	}
}

// find says what of the secrets is in an output, and where.
func (s *secrets) find(output string) (found []string) {
	seen := make(map[string]bool)
	note := func(name, around string) {
		if !seen[name] {
			seen[name] = true
			found = append(found, fmt.Sprintf("%s in %.300q", name, around))
		}
	}
	forms := []string{output, unescaped(output)}
	if lower := strings.ToLower(output); lower != output {
		forms = append(forms, lower)
	}
	forms = append(forms, numbersAsBytes(output)...)
	for _, form := range forms {
		for n, pieces := range s.pieces {
			for i := 0; i+n <= len(form); i++ {
				if name, ok := pieces[form[i:i+n]]; ok {
					note(name, form[max(0, i-150):min(len(form), i+150)])
				}
			}
		}
	}
	for _, run := range floatRuns.FindAllString(output, -1) {
		for name, v := range s.vectors {
			if hasRun(v, run) {
				note(name+", in decimals", run)
			}
		}
	}
	return found
}

var escape = regexp.MustCompile(`\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|[abfnrtv\\"'])`)

// unescaped undoes what Go's quoting did.
func unescaped(output string) string {
	return escape.ReplaceAllStringFunc(output, func(e string) string {
		if text, err := strconv.Unquote(`"` + e + `"`); err == nil {
			return text
		}
		return strings.TrimPrefix(e, `\`)
	})
}

var (
	hexRuns     = regexp.MustCompile(`(?i)(?:0x)?[0-9a-f]{1,2}(?:[\s,:]+(?:0x)?[0-9a-f]{1,2}){15,}`)
	decimalRuns = regexp.MustCompile(`\d{1,3}(?:[\s,]+\d{1,3}){15,}`)
	floatRuns   = regexp.MustCompile(`-?\d+\.\d+(?:e[-+]?\d+)?(?:[\s,;|\[\]{}()]+(?:\w+[:=]\s*)?-?\d+\.\d+(?:e[-+]?\d+)?){3,}`)
	separators  = regexp.MustCompile(`[^0-9a-fA-FxX]+`)
	floats      = regexp.MustCompile(`-?\d+\.\d+(?:e[-+]?\d+)?`)
)

// numbersAsBytes returns the bytes that lists of numbers in an output stand for.
func numbersAsBytes(output string) (all []string) {
	for base, runs := range map[int]*regexp.Regexp{16: hexRuns, 10: decimalRuns} {
		for _, run := range runs.FindAllString(output, -1) {
			var b []byte
			for _, text := range separators.Split(run, -1) {
				n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(text), "0x"), base, 8)
				if err != nil {
					break
				}
				b = append(b, byte(n))
			}
			all = append(all, string(b))
		}
	}
	return all
}

// vectorRun is how many components one after the other betray a vector, and vectorDecimals the
// fewest decimals of each: fewer could be chance.
const (
	vectorRun      = 4
	vectorDecimals = 3
)

// hasRun says whether some numbers of a text are components of v, as exactly as they are written.
func hasRun(v []float32, text string) bool {
	numbers := floats.FindAllString(text, -1)
	for i := 0; i+vectorRun <= len(numbers); i++ {
		for j := 0; j+vectorRun <= len(v); j++ {
			same := 0
			for same < vectorRun && is(numbers[i+same], v[j+same]) {
				same++
			}
			if same == vectorRun {
				return true
			}
		}
	}
	return false
}

// is says whether a text of a number may be that of x, rounded.
func is(text string, x float32) bool {
	mantissa, exponent, _ := strings.Cut(text, "e")
	_, decimals, _ := strings.Cut(mantissa, ".")
	n, err := strconv.ParseFloat(text, 64)
	shift, _ := strconv.Atoi(exponent)
	places := len(decimals) - shift
	return err == nil && places >= vectorDecimals && math.Abs(n-float64(x)) <= 0.51*math.Pow10(-places)+1e-9
}

// TestSecretsAreFound writes secrets in all ways that somebody might, among other text.
func TestSecretsAreFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(27, 12))
	image, other := onnxtest.Face(1, 0), onnxtest.Face(2, 0)
	v := make([]float32, 64)
	for i := range v {
		v[i] = float32(rng.NormFloat64() / 8)
	}
	little := make([]byte, 4*len(v))
	if _, err := binary.Encode(little, binary.LittleEndian, v); err != nil {
		t.Fatal(err)
	}
	s := newSecrets()
	s.text("token", "rollcall_secret-of-a-caller")
	s.text("code", "K7WQ2M9X")
	s.binary("image", image)
	s.vector("vector", v)

	at := len(image) / 2 // where the pixels are
	piece := image[at : at+40]
	json40, _ := json.Marshal(string(image[at : at+120]))
	for what, text := range map[string]string{
		"token":                          "rollcall_secret-of-a-caller",
		"a part of the token":            "secret-of-a-",
		"code":                           "K7WQ2M9X",
		"raw":                            string(piece[:pieceBytes]),
		"hex":                            fmt.Sprintf("%x", piece[:17]),
		"hex in capitals":                fmt.Sprintf("%X", piece),
		"hex with blanks":                fmt.Sprintf("% x", piece),
		"base64":                         base64.StdEncoding.EncodeToString(image[at+1 : at+25]),
		"base64 of an address":           base64.RawURLEncoding.EncodeToString(image[at+2 : at+26]),
		"Go's %q":                        fmt.Sprintf("%q", piece),
		"Go's %v":                        fmt.Sprintf("%v", piece),
		"Go's %#v":                       fmt.Sprintf("%#v", piece),
		"JSON":                           string(json40),
		"a list in JSON":                 strings.ReplaceAll(fmt.Sprint(piece), " ", ","),
		"the vector, %v":                 fmt.Sprintf("%v", v[3:8]),
		"the vector, %.3f":               fmt.Sprintf("%.3f", v[3:8]),
		"the vector, %e":                 fmt.Sprintf("%e", v[3:8]),
		"the vector, in JSON":            strings.ReplaceAll(fmt.Sprint(v), " ", ", "),
		"the vector, as protobuf writes": fmt.Sprintf("embedding:%v embedding:%v embedding:%v embedding:%v", v[9], v[10], v[11], v[12]),
		"the vector's bytes":             string(little[8:24]),
		"the vector's bytes in base64":   base64.StdEncoding.EncodeToString(little),
		"the vector's bytes in hex":      hex.EncodeToString(little[16:40]),
	} {
		line := "time=2026-11-26T16:00:00Z level=INFO msg=call took=1.234ms error=\"" + text + "\" request_id=ABCDEFGHIJKLMNOP\n"
		if len(s.find(line)) == 0 {
			t.Errorf("%s is not found in %q", what, line)
		}
	}
	harmless := fmt.Sprintf("similarity 0.123 0.456 0.789 0.321 %x %v %q", other[len(other)/2:], other[len(other)/2:], other[len(other)/2:]) + strings.Repeat("\x00", 100)
	if found := s.find(harmless); len(found) > 0 {
		t.Errorf("%q is found where it is not", found)
	}
	if bytes.Equal(image, other) {
		t.Error("both pictures are the same")
	}
}
