package rpc_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/rpc"
)

const (
	embedPath    = "/rollcall.v1.AttendanceService/Embed"
	identifyPath = "/rollcall.v1.AttendanceService/Identify"
	rollCallPath = "/rollcall.v1.AttendanceService/RollCall"
	detectPath   = "/rollcall.v1.AttendanceService/Detect"
	galleryPath  = "/rollcall.v1.GalleryService/"
)

// hugePNG is a valid header of 50 gigapixels and nothing else.
func hugePNG() []byte {
	var b bytes.Buffer
	b.WriteString("\x89PNG\r\n\x1a\n")
	chunk := []byte("IHDR")
	chunk = binary.BigEndian.AppendUint32(chunk, 223_000)
	chunk = binary.BigEndian.AppendUint32(chunk, 224_000)
	chunk = append(chunk, 8, 2, 0, 0, 0)
	binary.Write(&b, binary.BigEndian, uint32(13)) // writing to a Buffer cannot fail
	b.Write(chunk)
	binary.Write(&b, binary.BigEndian, crc32.ChecksumIEEE(chunk))
	return b.Bytes()
}

func encoded(t *testing.T, encode func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, encode(&b))
	return b.Bytes()
}

// Every kind of bad request gets its code, its reason and a message that says
// what to do; nothing is stored, and the server goes on.
func TestBadInput(t *testing.T) {
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "ada/1", "ada", "3b")
	good := onnxtest.Face(2, 0)
	blank := image.NewGray(image.Rect(0, 0, 64, 64))
	tiny := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, image.NewGray(image.Rect(0, 0, 1, 1))) })
	gifImage := encoded(t, func(b *bytes.Buffer) error { return gif.Encode(b, blank, nil) })
	flat := encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, blank, nil) })

	img := func(b []byte) string { return `"image":"` + b64(b) + `"` }
	points := func(xy string) string {
		return `"landmarks":[` + strings.TrimSuffix(strings.Repeat(xy+",", 5), ",") + `]`
	}
	long := strings.Repeat("x", 129)
	cases := []struct {
		name, path, body string
		code, reason     string
		says             string // part of the message
	}{
		{"no image", embedPath, `{}`, "invalid_argument", "INVALID_REQUEST", "image"},
		{"empty image", embedPath, `{"image":""}`, "invalid_argument", "INVALID_REQUEST", "image"},
		{"text", embedPath, `{` + img([]byte("hello, this is no image")) + `,"cropId":"c"}`, "invalid_argument", "NOT_AN_IMAGE", "JPEG"},
		{"random bytes", embedPath, `{` + img(bytes.Repeat([]byte{7, 200, 13}, 500)) + `,"cropId":"c"}`, "invalid_argument", "NOT_AN_IMAGE", "JPEG"},
		{"gif", embedPath, `{` + img(gifImage) + `,"cropId":"c"}`, "invalid_argument", "NOT_AN_IMAGE", "GIF"},
		{"base64 twice", embedPath, `{` + img([]byte(b64(good))) + `,"cropId":"c"}`, "invalid_argument", "NOT_AN_IMAGE", "base64"},
		{"truncated jpeg", embedPath, `{` + img(good[:len(good)/2]) + `,"cropId":"c","studentId":"s"}`, "invalid_argument", "BROKEN_IMAGE", ""},
		{"jpeg header alone", embedPath, `{` + img(good[:20]) + `,"cropId":"c"}`, "invalid_argument", "BROKEN_IMAGE", ""},
		{"50 gigapixels", embedPath, `{` + img(hugePNG()) + `,"cropId":"c"}`, "invalid_argument", "IMAGE_TOO_LARGE", "pixels"},
		{"8 MiB and a byte", embedPath, `{` + img(make([]byte, 8<<20+1)) + `,"cropId":"c"}`, "invalid_argument", "INVALID_REQUEST", "8388608"},
		{"a body of 20 MiB", embedPath, `{"image":"` + strings.Repeat("A", 20<<20) + `"}`, "invalid_argument", "REQUEST_TOO_LARGE", "8 MiB"},
		{"no face", embedPath, `{` + img(onnxtest.Blank(3)) + `,"cropId":"c","studentId":"s"}`, "invalid_argument", "NO_FACE", "face"},
		{"one pixel", embedPath, `{` + img(tiny) + `,"cropId":"c","studentId":"s"}`, "invalid_argument", "NO_FACE", "face"},
		{"flat gray", embedPath, `{` + img(flat) + `,"cropId":"c","studentId":"s"}`, "invalid_argument", "NO_FACE", "face"},
		{"not base64", embedPath, `{"image":"@@@@","cropId":"c"}`, "invalid_argument", "", "base64"},
		{"not json", embedPath, `{"image":`, "invalid_argument", "", "JSON"},
		{"empty body", embedPath, ``, "invalid_argument", "", "empty"},
		{"misspelt field", identifyPath, `{` + img(good) + `,"scoop":{}}`, "invalid_argument", "", "scoop"},
		{"wrong type", identifyPath, `{` + img(good) + `,"fpir":"many"}`, "invalid_argument", "", "double"},
		{"id too long", embedPath, `{` + img(good) + `,"cropId":"` + long + `"}`, "invalid_argument", "INVALID_REQUEST", "128 bytes"},
		{"control character in id", embedPath, `{` + img(good) + `,"cropId":"a\u0007b"}`, "invalid_argument", "INVALID_REQUEST", "control characters"},
		{"student without crop", embedPath, `{` + img(good) + `,"studentId":"s"}`, "invalid_argument", "INVALID_REQUEST", "crop_id"},
		{"groups without student", embedPath, `{` + img(good) + `,"cropId":"c","groups":["g"]}`, "invalid_argument", "INVALID_REQUEST", "student_id"},
		{"empty group", embedPath, `{` + img(good) + `,"cropId":"c","studentId":"s","groups":[""]}`, "invalid_argument", "INVALID_REQUEST", "groups[0]"},
		{"four landmarks", embedPath, `{` + img(good) + `,"cropId":"c","landmarks":[{},{},{},{}]}`, "invalid_argument", "INVALID_REQUEST", "five points"},
		{"equal landmarks", embedPath, `{` + img(good) + `,"cropId":"c",` + points(`{"x":9,"y":9}`) + `}`, "invalid_argument", "BAD_LANDMARKS", ""},
		{"infinite landmarks", embedPath, `{` + img(good) + `,"cropId":"c",` + points(`{"x":"Infinity","y":9}`) + `}`, "invalid_argument", "INVALID_REQUEST", "finite"},
		{"unknown model", embedPath, `{` + img(good) + `,"cropId":"c","model":"test-arcfac"}`, "failed_precondition", "UNKNOWN_MODEL", "test-arcface"},
		{"model not installed", embedPath, `{` + img(good) + `,"cropId":"c","model":"sface"}`, "failed_precondition", "MODEL_NOT_INSTALLED", "rollcall models pull sface"},
		{"a locator as model", embedPath, `{` + img(good) + `,"cropId":"c","model":"test-points"}`, "failed_precondition", "UNKNOWN_MODEL", "locator"},
		{"model name with a slash", embedPath, `{` + img(good) + `,"cropId":"c","model":"../x"}`, "invalid_argument", "INVALID_REQUEST", "name"},
		{"embedding not allowed", embedPath, `{` + img(good) + `,"cropId":"c","returnEmbedding":true}`, "permission_denied", "EMBEDDING_NOT_ALLOWED", "--allow-embeddings"},
		{"enrolled under another student", embedPath, `{` + img(onnxtest.Face(1, 0)) + `,"cropId":"c","studentId":"eve"}`, "already_exists", "DUPLICATE_FACE", "ada"},
		{"neither image nor crop", identifyPath, `{}`, "invalid_argument", "INVALID_REQUEST", "either image or crop_id"},
		{"both image and crop", identifyPath, `{` + img(good) + `,"cropId":"ada/1"}`, "invalid_argument", "INVALID_REQUEST", "either image or crop_id"},
		{"probe not stored", identifyPath, `{"cropId":"nope"}`, "not_found", "CROP_NOT_FOUND", "nope"},
		{"empty scope", identifyPath, `{` + img(good) + `,"scope":{"groups":["3c"]}}`, "not_found", "EMPTY_SCOPE", "3c"},
		{"fpir of one", identifyPath, `{` + img(good) + `,"fpir":1}`, "invalid_argument", "INVALID_REQUEST", "0.5"},
		{"fpir not a number", identifyPath, `{` + img(good) + `,"fpir":"NaN"}`, "invalid_argument", "INVALID_REQUEST", "fpir"},
		{"too many candidates", identifyPath, `{` + img(good) + `,"maxCandidates":101}`, "invalid_argument", "INVALID_REQUEST", "100"},
		{"roll call without probes", rollCallPath, `{}`, "invalid_argument", "INVALID_REQUEST", "probes"},
		{"broken probe", rollCallPath, `{"probes":[{` + img(good) + `},{` + img(good[:100]) + `}]}`, "invalid_argument", "BROKEN_IMAGE", "probe 1"},
		{"detecting in no image", detectPath, `{}`, "invalid_argument", "INVALID_REQUEST", "image"},
		{"detecting in text", detectPath, `{` + img([]byte("hello, this is no image")) + `}`, "invalid_argument", "NOT_AN_IMAGE", "JPEG"},
		{"a broken photo", detectPath, `{` + img(good[:len(good)/2]) + `}`, "invalid_argument", "BROKEN_IMAGE", ""},
		{"a photo of 50 gigapixels", detectPath, `{` + img(hugePNG()) + `}`, "invalid_argument", "IMAGE_TOO_LARGE", "pixels"},
		{"a photo of 16 MiB and a byte", detectPath, `{` + img(make([]byte, 16<<20+1)) + `}`, "invalid_argument", "INVALID_REQUEST", "16777216"},
		{"a photo's body of 24 MiB", detectPath, `{"image":"` + strings.Repeat("A", 24<<20) + `"}`, "invalid_argument", "REQUEST_TOO_LARGE", "16 MiB"},
		{"faces of a negative size", detectPath, `{` + img(good) + `,"leastSize":-1}`, "invalid_argument", "INVALID_REQUEST", "least_size"},
		{"student not found", galleryPath + "GetStudent", `{"studentId":"zed"}`, "not_found", "STUDENT_NOT_FOUND", "zed"},
		{"student without id", galleryPath + "GetStudent", `{}`, "invalid_argument", "INVALID_REQUEST", "student_id"},
		{"deleting nobody", galleryPath + "DeleteStudent", `{"studentId":"zed"}`, "not_found", "STUDENT_NOT_FOUND", "zed"},
		{"updating nobody", galleryPath + "UpdateStudent", `{"studentId":"zed"}`, "not_found", "STUDENT_NOT_FOUND", "zed"},
		{"assigning no crop", galleryPath + "AssignCrop", `{"cropId":"nope","studentId":"ada"}`, "not_found", "CROP_NOT_FOUND", "nope"},
		{"deleting no crop", galleryPath + "DeleteCrop", `{"cropId":"nope"}`, "not_found", "CROP_NOT_FOUND", "nope"},
		{"bad page token", galleryPath + "ListStudents", `{"pageToken":"***"}`, "invalid_argument", "BAD_PAGE_TOKEN", "page_token"},
		{"page too large", galleryPath + "ListStudents", `{"pageSize":1001}`, "invalid_argument", "INVALID_REQUEST", "1000"},
		{"no such model", "/rollcall.v1.ModelService/GetModel", `{"model":"nope"}`, "not_found", "UNKNOWN_MODEL", "nope"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := w.post(c.path, c.body)
			message, _ := a.body["message"].(string)
			if a.body["code"] != c.code || a.reason() != c.reason || !strings.Contains(message, c.says) {
				t.Errorf("got %v %s: %s\nwant %s %s: …%s…", a.body["code"], a.reason(), message, c.code, c.reason, c.says)
			}
			if strings.Contains(message, "/tmp/") || len(message) > 600 {
				t.Errorf("a message for clients has a path or %d bytes: %s", len(message), message)
			}
			if a.header.Get("X-Request-Id") == "" {
				t.Error("no request id")
			}
		})
	}

	list, err := w.gallery().ListStudents(context.Background(), &pb.ListStudentsRequest{})
	must(t, err)
	if list.GetTotal() != 1 || list.GetStudents()[0].GetCropCount() != 1 {
		t.Errorf("something was stored: %v", list)
	}
	if _, err := w.gallery().GetCrop(context.Background(), &pb.GetCropRequest{CropId: "c"}); err == nil {
		t.Error("crop c was stored")
	}
	wantVerdict(t, identify(t, w, 1, 2, nil), pb.Verdict_VERDICT_MATCH, "ada")
}

func TestOtherBadRequests(t *testing.T) {
	w := newWorld(t, setup{})
	for _, c := range []struct {
		name, method, path, contentType string
		status                          int
	}{
		{"unknown procedure", http.MethodPost, "/rollcall.v1.AttendanceService/Guess", "application/json", http.StatusNotFound},
		{"unknown path", http.MethodPost, "/nothing/here", "application/json", http.StatusNotFound},
		{"form", http.MethodPost, embedPath, "application/x-www-form-urlencoded", http.StatusUnsupportedMediaType},
		{"GET of a call that has none", http.MethodGet, identifyPath + "?encoding=json&message=%7B%7D", "", http.StatusMethodNotAllowed},
	} {
		req, err := http.NewRequest(c.method, w.url+c.path, strings.NewReader("{}"))
		must(t, err)
		if c.contentType != "" {
			req.Header.Set("Content-Type", c.contentType)
		}
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", c.name, resp.StatusCode, c.status)
		}
	}
}

func TestLocalOnly(t *testing.T) {
	w := newWorld(t, setup{options: rpc.Options{LocalOnly: true}})
	for host, want := range map[string]string{
		"localhost:8787": "", "127.0.0.1": "", "127.8.0.1:80": "", "[::1]:8787": "", "::1": "",
		"evil.example:8787": "FOREIGN_HOST", "localhost.evil.example": "FOREIGN_HOST", "10.0.0.7:8787": "FOREIGN_HOST", "": "FOREIGN_HOST",
	} {
		req := mustRequest(t, http.MethodPost, galleryPath+"ListStudents", "{}")
		req.Host = host
		rec := newRecorder()
		w.server.Handler().ServeHTTP(rec, req)
		if got := strings.Contains(rec.body.String(), "FOREIGN_HOST"); got != (want != "") {
			t.Errorf("Host %q: %s", host, rec.body.String())
		}
	}
}

// Crops and embeddings stay out of logs, errors and metrics.
func TestNothingBiometricLeaks(t *testing.T) {
	w := newWorld(t, setup{})
	face := onnxtest.Face(1, 0)
	var answers strings.Builder
	enroll(t, w, 1, 0, "ada/1", "ada")
	for _, body := range []string{
		`{"image":"` + b64(face) + `","cropId":"x","studentId":"y"}`,
		`{"image":"` + b64(face)[:400] + `","cropId":"x"}`,
		`{"image":"` + b64(face)[:400] + `!","cropId":"x"}`,
		`{"image":["` + b64(face) + `"]}`,
		`{"cropId":"x","imag":"` + b64(face) + `"}`,
		b64(face),
	} {
		answers.WriteString(w.post(embedPath, body).raw)
	}
	resp, err := http.Get(w.url + "/metrics")
	must(t, err)
	defer resp.Body.Close()
	var metrics bytes.Buffer
	_, err = metrics.ReadFrom(resp.Body)
	must(t, err)
	// Any 24 characters of the base64 text would betray a quotation; the JPEG
	// header, which all JPEGs share, is the likeliest.
	for name, text := range map[string]string{"log": w.log.String(), "answers": answers.String(), "metrics": metrics.String()} {
		for at := 0; at+24 < len(b64(face)); at += 24 {
			if part := b64(face)[at : at+24]; strings.Contains(text, part) {
				t.Errorf("the %s quotes the image: %s", name, part)
				break
			}
		}
	}
	if _, err := base64.StdEncoding.DecodeString(b64(face)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(w.log.String(), "code=already_exists") {
		t.Error("the log has no line for a refused call")
	}
}
