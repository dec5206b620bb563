package rpc_test

import (
	"bytes"
	"strings"
	"testing"

	"rollcall/embedder/onnxtest"
)

// What is wrong with a request in JSON is said with the field, in the message and in
// the BadRequest, and never with the value.
func TestWhatIsWrongWithJSON(t *testing.T) {
	w := newWorld(t, setup{})
	update := galleryPath + "UpdateStudent"
	for _, c := range []struct{ path, body, field, says string }{
		{update, `[]`, "", "must be a JSON object, at least {}, but is a list"},
		{update, `null`, "", "but is null"},
		{update, `"text"`, "", "but is a text"},
		{update, `x`, "", "but is no JSON"},
		{update, `   `, "", "empty"},
		{update, `{} {}`, "", "at line 1 column 4: there is something"},
		{update, "{\n\"student_id\":\"a\"\n\"groups\":[]}", "", "at line 3 column 1: a comma"},
		{update, `{"student_id"}`, "", "a colon is missing"},
		{update, `{student_id:"a"}`, "", "a field's name in quotes"},
		{update, `{"student_id":"a`, "", "the closing quote of a text"},
		{update, `{"student_id":"a","groups":["b",`, "", "it ends too soon"},
		{update, `{"student_id":"a","groups":["b"`, "", "a comma or ] is missing"},
		{update, `{"student_id":"a\x"}`, "", "not valid JSON, at line 1"},
		{update, "{\"student_id\":\"a\xff\"}", "", "not valid JSON"},
		{update, `{"student_id":"a","studentId":"b"}`, "student_id", "student_id occurs twice"},
		{update, `{"student_id":"a","groups":null,"groups":[]}`, "groups", "groups occurs twice"},
		{update, `{"student_id":"a","groups":"3b"}`, "groups", "groups must be a list in brackets, but is a text"},
		{update, `{"student_id":"a","groups":{}}`, "groups", "but is an object"},
		{update, `{"student_id":"a","groups":["b",7]}`, "groups[1]", "groups[1] must be a text in quotes, but is a number"},
		{update, `{"student_id":"a","groups":["b",null]}`, "groups[1]", "groups[1] must be a text in quotes, but is null"},
		{update, `{"student_id":7}`, "student_id", "must be a text in quotes, but is a number"},
		{update, `{"größe":7}`, "größe", "größe is not a field of UpdateStudentRequest, which has these fields: student_id, groups"},
		{update, `{"gr\u00f6\u00dfe":7}`, "größe", "größe is not a field"},
		{update, `{"":7}`, "", "is not a field"},
		{update, `{"` + strings.Repeat("a", 65) + `":7}`, "", "a name of 65 bytes is not a field"},
		{update, `{"student_id":"` + strings.Repeat("a", 800) + `"}`, "student_id", "is longer than the allowed 128 bytes"},
		{galleryPath + "GetSettings", `{"a":1}`, "a", "which has these fields: none"},
		{embedPath, "{\"image\":\"YQ\",\"model\":\"a\xff\"}", "", "not valid JSON: a text is not UTF-8"},
		{embedPath, `{"image":7}`, "image", "base64 in quotes, but is a number"},
		{embedPath, `{"image":["a"]}`, "image", "but is a list"},
		{embedPath, `{"image":"abc*"}`, "image", "image is not base64: byte 4"},
		{embedPath, "{\"image\":\"ab\x00c\"}", "image", "image is not base64: byte 3"},
		{embedPath, `{"image":"YQ==YQ=="}`, "image", "image is not base64: byte 5"},
		{embedPath, `{"image":"YWJjZ"}`, "image", "cut off"},
		{embedPath, `{"image":"a\u00e4"}`, "image", "byte 2"},
		{embedPath, `{"image":"data:image/jpeg,abc"}`, "image", "data:image/jpeg;base64,"},
		{embedPath, `{"image":"YQ","allow_duplicate":"yes"}`, "allow_duplicate", "must be true or false, but is a text"},
		{embedPath, `{"image":"YQ","landmarks":[{"x":1,"y":[]}]}`, "landmarks[0].y", "landmarks[0].y must be a number, but is a list"},
		{identifyPath, `{"scope":[]}`, "scope", "scope must be an object in braces, but is a list"},
		{identifyPath, `{"scope":{"group":["a"]}}`, "scope.group", "scope.group is not a field of Scope"},
		{identifyPath, `{"fpir":"0,1"}`, "fpir", "fpir must be a number"},
		{identifyPath, `{"fpir":tru}`, "fpir", "fpir must be a number, but is true or false"},
		{identifyPath, `{"max_candidates":1.5}`, "max_candidates", "a whole number from -2147483648 to 2147483647"},
		{identifyPath, `{"max_candidates":99999999999}`, "max_candidates", "a whole number"},
		{rollCallPath, `{"probes":[{"image":"YQ"},{"img":"YQ"}]}`, "probes[1].img", "probes[1].img is not a field of RollCallProbe"},
	} {
		a := w.post(c.path, c.body)
		message, _ := a.body["message"].(string)
		if a.body["code"] != "invalid_argument" || a.reason() != "INVALID_REQUEST" || !strings.Contains(message, c.says) {
			t.Errorf("%s: %s", c.body, a.raw)
		}
		if got := a.field(); got != c.field {
			t.Errorf("%s: field %q, want %q", c.body, got, c.field)
		}
	}
}

// field is the field that the BadRequest of an error names.
func (a answer) field() string {
	details, _ := a.body["details"].([]any)
	for _, d := range details {
		detail, _ := d.(map[string]any)
		if detail["type"] != "google.rpc.BadRequest" {
			continue
		}
		debug, _ := detail["debug"].(map[string]any)
		violations, _ := debug["fieldViolations"].([]any)
		for _, v := range violations {
			field, _ := v.(map[string]any)["field"].(string)
			return field
		}
	}
	return ""
}

// A picture means the same in every way to write base64 that clients have, whatever
// its length is modulo three and however its lines are broken.
func TestEveryWayToWriteBase64(t *testing.T) {
	w := newWorld(t, setup{})
	face := onnxtest.Face(1, 0)
	want := w.post(embedPath, `{"image":"`+b64(face)+`"}`)
	if want.status != 200 {
		t.Fatal(want.raw)
	}
	folded := func(width int, end string) func(string) string {
		return func(s string) string {
			var out strings.Builder
			for ; len(s) > width; s = s[width:] {
				out.WriteString(s[:width] + end)
			}
			return out.String() + s + end
		}
	}
	for name, way := range map[string]func(string) string{
		"plain":              func(s string) string { return s },
		"Python encodebytes": folded(76, `\n`),
		"Java MIME":          folded(76, `\r\n`),
		"openssl":            folded(64, `\n`),
		"odd lines":          folded(13, ` \t`),
		"raw line breaks":    folded(76, "\n"),
		"PHP":                func(s string) string { return strings.ReplaceAll(s, "/", `\/`) },
		".NET":               func(s string) string { return strings.NewReplacer("+", `\u002B`, "/", `\u002f`).Replace(s) },
		"data URL":           func(s string) string { return "data:image/jpeg;base64," + s },
		"data URL of PHP":    func(s string) string { return `data:image\/jpeg;charset=x;base64,` + s },
		"URL-safe":           func(s string) string { return strings.NewReplacer("+", "-", "/", "_").Replace(s) },
		"mixed alphabets":    func(s string) string { return strings.NewReplacer("+", "-").Replace(s) },
		"blanks around":      func(s string) string { return "  " + s + "  " },
	} {
		for tail := range 3 { // bytes after a JPEG's end change nothing but the padding
			for _, padding := range []bool{true, false} {
				text := b64(append(bytes.Clone(face), make([]byte, tail)...))
				if !padding {
					text = strings.TrimRight(text, "=")
				}
				if got := w.post(embedPath, `{"image":"`+way(text)+`"}`); got.raw != want.raw {
					t.Errorf("%s, %d bytes more, padding %v: %s", name, tail, padding, got.raw)
				}
			}
		}
	}
}
