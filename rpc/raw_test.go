package rpc_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"rollcall/access"
	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
)

// form is a form with parts by their names, in this order, and its media type.
func form(t *testing.T, parts ...[2]string) (body, kind string) {
	t.Helper()
	var text bytes.Buffer
	w := multipart.NewWriter(&text)
	for _, p := range parts {
		part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name=%q; filename="face.jpg"`, p[0])}})
		must(t, err)
		_, err = io.WriteString(part, p[1])
		must(t, err)
	}
	must(t, w.Close())
	return text.String(), w.FormDataContentType()
}

// raw posts a body to /v1/identify.
func (w *world) raw(query string, body io.Reader, header ...string) (status int, answer string) {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodPost, w.url+"/v1/identify"+query, body)
	must(w.t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	must(w.t, err)
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	must(w.t, err)
	return resp.StatusCode, string(all)
}

// A picture as the body, or in a form, gets the answer that Identify gives in JSON, byte
// for byte, whatever its size is and however it arrives.
func TestRawPictures(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada", "3b")
	enroll(t, w, 2, 0, "bob/1", "bob", "3c")
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 40 {
		image := string(onnxtest.Face(int64(1+i%3), 1)) + strings.Repeat("\x00", random.IntN(40_000))
		query, fields := "", ""
		if i%2 == 1 {
			query = "?group=3b&student=" + "bob" + "&max_candidates=1&fpir=0.01&model=test-arcface"
			fields = `,"scope":{"groups":["3b"],"student_ids":["bob"]},"max_candidates":1,"fpir":0.01,"model":"test-arcface"`
		}
		want := w.post(identifyPath, fmt.Sprintf(`{"image":%q%s}`, base64.StdEncoding.EncodeToString([]byte(image)), fields))
		body, kind := form(t, [2]string{"image", image})
		for name, send := range map[string]func() (int, string){
			"as it is":       func() (int, string) { return w.raw(query, strings.NewReader(image), "Content-Type", "image/jpeg") },
			"without a type": func() (int, string) { return w.raw(query, strings.NewReader(image)) },
			"as curl sends it": func() (int, string) {
				return w.raw(query, strings.NewReader(image), "Content-Type", "application/x-www-form-urlencoded")
			},
			"in chunks": func() (int, string) { return w.raw(query, io.MultiReader(strings.NewReader(image))) },
			"in a form": func() (int, string) { return w.raw(query, strings.NewReader(body), "Content-Type", kind) },
			"in a slow form": func() (int, string) {
				return w.raw(query, io.MultiReader(strings.NewReader(body)), "Content-Type", kind)
			},
		} {
			if status, answer := send(); status != http.StatusOK || answer != want.raw {
				t.Fatalf("%s: %d %s\nwant %s", name, status, answer, want.raw)
			}
		}
	}
}

// What is wrong with a picture's request is told as for any other call, and the server
// goes on.
func TestWrongRawPictures(t *testing.T) {
	w := newWorld(t, setup{})
	face := string(onnxtest.Face(1, 0))
	two, kindOfTwo := form(t, [2]string{"image", face}, [2]string{"image", face})
	other, kindOfOther := form(t, [2]string{"group", "3b"}, [2]string{"image", face})
	none, kindOfNone := form(t)
	much := strings.Repeat("much\r\n", 40_000)
	long, kindOfLong := form(t, [2]string{"image\r\nX-Note: " + strings.Repeat("much", 40_000), face})
	one, kindOfOne := form(t, [2]string{"image", face})
	for name, c := range map[string]struct {
		query, body string
		header      []string
		reason      string
	}{
		"no picture":           {"", "", nil, "INVALID_REQUEST"},
		"not a picture":        {"", "hello", nil, "NOT_AN_IMAGE"},
		"too large":            {"", face + strings.Repeat("\x00", 17<<20), nil, ""},
		"an unknown parameter": {"?crop_id=x", face, nil, "INVALID_REQUEST"},
		"no query":             {"?group=3b;student=ada", face, nil, "INVALID_REQUEST"},
		"half a query":         {"?group=%3", face, nil, "INVALID_REQUEST"},
		"an empty group":       {"?group=", face, nil, "INVALID_REQUEST"},
		"no number":            {"?fpir=often", face, nil, "INVALID_REQUEST"},
		"no number at all":     {"?fpir=NaN", face, nil, "INVALID_REQUEST"},
		"a number too large":   {"?fpir=0.9", face, nil, "INVALID_REQUEST"},
		"twice":                {"?model=a&model=b", face, nil, "INVALID_REQUEST"},
		"which face":           {"?face=left", face, nil, "INVALID_REQUEST"},
		"an unknown model":     {"?model=none", face, nil, ""},
		"JSON":                 {"", `{"image":""}`, []string{"Content-Type", "application/json"}, "UNSUPPORTED_MEDIA_TYPE"},
		"packed":               {"", face, []string{"Content-Encoding", "gzip"}, "INVALID_REQUEST"},
		"two parts":            {"", two, []string{"Content-Type", kindOfTwo}, "INVALID_REQUEST"},
		"another part":         {"", other, []string{"Content-Type", kindOfOther}, "INVALID_REQUEST"},
		"an empty form":        {"", none, []string{"Content-Type", kindOfNone}, "INVALID_REQUEST"},
		"a long head":          {"", strings.ReplaceAll(long, `\r\n`, "\r\n"), []string{"Content-Type", kindOfLong}, "INVALID_REQUEST"},
		"much before":          {"", much + "\r\n" + one, []string{"Content-Type", kindOfOne}, "INVALID_REQUEST"},
		"half a form":          {"", two[:len(two)/3], []string{"Content-Type", kindOfTwo}, "BROKEN_BODY"},
		"no boundary":          {"", two, []string{"Content-Type", "multipart/form-data"}, "BROKEN_BODY"},
		"of another site":      {"", face, []string{"Origin", "https://elsewhere.example", "Sec-Fetch-Site", "cross-site"}, "CROSS_ORIGIN"},
	} {
		status, answer := w.raw(c.query, strings.NewReader(c.body), c.header...)
		if status < 400 || status >= 500 || !strings.Contains(answer, `"`+c.reason) {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	resp, err := http.Get(w.url + "/v1/identify")
	must(t, err)
	must(t, resp.Body.Close())
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %s", resp.Status)
	}
	if status, answer := w.raw("", strings.NewReader(face)); status != http.StatusOK {
		t.Errorf("after all that: %d %s", status, answer)
	}
}

// The token's rights and the journal are those of Identify.
func TestRawPicturesNeedTheRightToIdentify(t *testing.T) {
	w := newWorld(t, setup{})
	w.admin()
	door, register := w.token(access.Caller{Role: access.CheckIn}), w.token(access.Caller{Role: access.Register})
	for token, want := range map[string]int{"": 401, "wrong": 401, register: 403, door: 200} {
		if status, answer := w.raw("", bytes.NewReader(onnxtest.Face(1, 0)), "Authorization", "Bearer "+token); status != want {
			t.Errorf("%d, want %d: %s", status, want, answer)
		}
	}
	var lines []*pb.Line
	eventually(t, "the verdict is in the journal", func() bool {
		resp, err := w.journalAs(register).ListLines(t.Context(), &pb.ListLinesRequest{Kinds: []pb.LineKind{pb.LineKind_LINE_KIND_VERDICT}})
		must(t, err)
		lines = resp.GetLines()
		return len(lines) > 0
	})
	if len(lines) != 1 || lines[0].GetProcedure() != identifyPath {
		t.Errorf("the journal has %v", lines)
	}
}
