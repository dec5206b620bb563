package rpc_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

const (
	embedPath    = "/rollcall.v1.AttendanceService/Embed"
	identifyPath = "/rollcall.v1.AttendanceService/Identify"
	rollCallPath = "/rollcall.v1.AttendanceService/RollCall"
	detectPath   = "/rollcall.v1.AttendanceService/Detect"
	verifyPath   = "/rollcall.v1.AttendanceService/Verify"
	burstPath    = "/rollcall.v1.AttendanceService/IdentifyBurst"
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
		{"16 MiB and a byte with face", embedPath, `{` + img(make([]byte, 16<<20+1)) + `,"cropId":"c","face":"FACE_ONLY"}`, "invalid_argument", "INVALID_REQUEST", "16777216"},
		{"a body of 24 MiB", embedPath, `{"image":"` + strings.Repeat("A", 24<<20) + `"}`, "invalid_argument", "REQUEST_TOO_LARGE", "16 MiB"},
		{"face and landmarks", embedPath, `{` + img(good) + `,"face":"FACE_ONLY",` + points(`{"x":9,"y":9}`) + `}`, "invalid_argument", "INVALID_REQUEST", "either face or landmarks"},
		{"another face", embedPath, `{` + img(good) + `,"face":3}`, "invalid_argument", "INVALID_REQUEST", "face"},
		{"face and crop", identifyPath, `{"cropId":"ada/1","face":"FACE_ONLY"}`, "invalid_argument", "INVALID_REQUEST", "face"},
		{"no face on a photo", embedPath, `{` + img(onnxtest.Blank(3)) + `,"cropId":"c","studentId":"s","face":"FACE_LARGEST"}`, "invalid_argument", "NO_FACE", "face"},
		{"verifying nobody", verifyPath, `{` + img(good) + `}`, "invalid_argument", "INVALID_REQUEST", "student_id"},
		{"verifying a student whom nobody knows", verifyPath, `{` + img(good) + `,"studentId":"zed"}`, "not_found", "STUDENT_NOT_FOUND", "zed"},
		{"an fmr of one", verifyPath, `{` + img(good) + `,"studentId":"ada","fmr":1}`, "invalid_argument", "INVALID_REQUEST", "0.5"},
		{"a burst without frames", burstPath, `{}`, "invalid_argument", "INVALID_REQUEST", "frames"},
		{"a burst of eleven", burstPath, `{"frames":[` + strings.Repeat(`{`+img(good)+`},`, 10) + `{` + img(good) + `}]}`, "invalid_argument", "INVALID_REQUEST", "10"},
		{"a broken frame", burstPath, `{"frames":[{` + img(good) + `},{` + img(good[:100]) + `}]}`, "invalid_argument", "BROKEN_IMAGE", "frame 1"},
		{"a box beside the frame", burstPath, `{"frames":[{` + img(good) + `,"box":{"left":900,"top":9,"width":20,"height":20}}]}`, "invalid_argument", "BAD_BOX", "box"},
		{"a box of no width", burstPath, `{"frames":[{` + img(good) + `,"box":{"left":9,"top":9,"height":20}}]}`, "invalid_argument", "INVALID_REQUEST", "width"},
		{"a box and face", burstPath, `{"frames":[{` + img(good) + `,"face":"FACE_ONLY","box":{"left":9,"top":9,"width":20,"height":20}}]}`, "invalid_argument", "INVALID_REQUEST", "box and face"},
		{"a roll call of probes and a photo", rollCallPath, `{"photo":"` + b64(good) + `","probes":[{` + img(good) + `}]}`, "invalid_argument", "INVALID_REQUEST", "photo"},
		{"a roll call of a broken photo", rollCallPath, `{"photo":"` + b64(good[:100]) + `"}`, "invalid_argument", "BROKEN_IMAGE", ""},
		{"small faces of no photo", rollCallPath, `{"leastSize":20,"probes":[{` + img(good) + `}]}`, "invalid_argument", "INVALID_REQUEST", "least_size"},
		{"no face", embedPath, `{` + img(onnxtest.Blank(3)) + `,"cropId":"c","studentId":"s"}`, "invalid_argument", "NO_FACE", "face"},
		{"one pixel", embedPath, `{` + img(tiny) + `,"cropId":"c","studentId":"s"}`, "invalid_argument", "NO_FACE", "face"},
		{"flat gray", embedPath, `{` + img(flat) + `,"cropId":"c","studentId":"s"}`, "invalid_argument", "NO_FACE", "face"},
		{"not base64", embedPath, `{"image":"@@@@","cropId":"c"}`, "invalid_argument", "INVALID_REQUEST", "base64"},
		{"not json", embedPath, `{"image":`, "invalid_argument", "INVALID_REQUEST", "JSON"},
		{"empty body", embedPath, ``, "invalid_argument", "INVALID_REQUEST", "empty"},
		{"misspelt field", identifyPath, `{` + img(good) + `,"scoop":{}}`, "invalid_argument", "INVALID_REQUEST", "scoop"},
		{"wrong type", identifyPath, `{` + img(good) + `,"fpir":"many"}`, "invalid_argument", "INVALID_REQUEST", "fpir must be a number"},
		{"id too long", embedPath, `{` + img(good) + `,"cropId":"` + long + `"}`, "invalid_argument", "INVALID_REQUEST", "128 bytes"},
		{"control character in id", embedPath, `{` + img(good) + `,"cropId":"a\u0007b"}`, "invalid_argument", "INVALID_REQUEST", "control characters"},
		{"student without crop", embedPath, `{` + img(good) + `,"studentId":"s"}`, "invalid_argument", "INVALID_REQUEST", "crop_id"},
		{"groups without student", embedPath, `{` + img(good) + `,"cropId":"c","groups":["g"]}`, "invalid_argument", "INVALID_REQUEST", "student_id"},
		{"empty group", embedPath, `{` + img(good) + `,"cropId":"c","studentId":"s","groups":[""]}`, "invalid_argument", "INVALID_REQUEST", "groups[0]"},
		{"four landmarks", embedPath, `{` + img(good) + `,"cropId":"c","landmarks":[{},{},{},{}]}`, "invalid_argument", "INVALID_REQUEST", "five points"},
		{"equal landmarks", embedPath, `{` + img(good) + `,"cropId":"c",` + points(`{"x":9,"y":9}`) + `}`, "invalid_argument", "BAD_LANDMARKS", ""},
		{"left and right exchanged", embedPath, `{` + img(good) + `,"cropId":"c","landmarks":[{"x":73,"y":51},{"x":38,"y":51},{"x":56,"y":72},{"x":70,"y":92},{"x":41,"y":92}]}`, "invalid_argument", "BAD_LANDMARKS", "exchanged"},
		{"mouth over the eyes", identifyPath, `{` + img(good) + `,"landmarks":[{"x":41,"y":92},{"x":70,"y":92},{"x":56,"y":72},{"x":38,"y":51},{"x":73,"y":51}]}`, "invalid_argument", "BAD_LANDMARKS", "left eye"},
		{"infinite landmarks", embedPath, `{` + img(good) + `,"cropId":"c",` + points(`{"x":"Infinity","y":9}`) + `}`, "invalid_argument", "INVALID_REQUEST", "finite"},
		{"unknown model", embedPath, `{` + img(good) + `,"cropId":"c","model":"test-arcfac"}`, "failed_precondition", "UNKNOWN_MODEL", "test-arcface"},
		{"model not installed", embedPath, `{` + img(good) + `,"cropId":"c","model":"sface"}`, "failed_precondition", "MODEL_NOT_INSTALLED", "rollcall models pull sface"},
		{"a locator as model", embedPath, `{` + img(good) + `,"cropId":"c","model":"test-points"}`, "failed_precondition", "UNKNOWN_MODEL", "locator"},
		{"model name with a slash", embedPath, `{` + img(good) + `,"cropId":"c","model":"../x"}`, "invalid_argument", "INVALID_REQUEST", "name"},
		{"embedding not allowed", embedPath, `{` + img(good) + `,"cropId":"c","returnEmbedding":true}`, "permission_denied", "EMBEDDING_NOT_ALLOWED", "--embeddings"},
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

// What never reaches a handler has a code, a reason and what to send all the same, as
// JSON where the client names no protocol.
func TestRequestsThatNoHandlerSees(t *testing.T) {
	w := newWorld(t, setup{})
	zipped := func(b []byte) string {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		_, err := z.Write(b)
		must(t, err)
		must(t, z.Close())
		return out.String()
	}
	list, stream := galleryPath+"ListStudents", galleryPath+"EnrollStream"
	large := bytes.Repeat([]byte(" "), 13<<20)
	for _, c := range []struct {
		name, method, path string
		header             map[string]string
		body               string
		status             int
		code, reason, says string
	}{
		{"unknown procedure", "POST", "/rollcall.v1.AttendanceService/Guess", nil, "{}", 404, "unimplemented", "UNKNOWN_PROCEDURE", "/rollcall.v1.AttendanceService/Identify"},
		{"unknown path", "GET", "/nothing/here", nil, "", 404, "unimplemented", "UNKNOWN_PROCEDURE", "/readyz"},
		{"unknown health method", "POST", "/grpc.health.v1.Health/Guess", nil, "{}", 404, "unimplemented", "UNKNOWN_PROCEDURE", ""},
		{"curl -d", "POST", embedPath, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, "{}", 415, "invalid_argument", "UNSUPPORTED_MEDIA_TYPE", "--json"},
		{"no Content-Type", "POST", embedPath, map[string]string{"Content-Type": ""}, "{}", 415, "invalid_argument", "UNSUPPORTED_MEDIA_TYPE", "application/json"},
		{"fetch with a text", "POST", embedPath, map[string]string{"Content-Type": "text/plain;charset=UTF-8"}, "{}", 415, "invalid_argument", "UNSUPPORTED_MEDIA_TYPE", "application/json"},
		{"Latin-1", "POST", embedPath, map[string]string{"Content-Type": "application/json; charset=iso-8859-1"}, "{}", 415, "invalid_argument", "UNSUPPORTED_MEDIA_TYPE", "UTF-8"},
		{"JSON to a stream", "POST", stream, nil, "{}", 415, "invalid_argument", "UNSUPPORTED_MEDIA_TYPE", "application/connect+json"},
		{"a stream over HTTP/1.1", "POST", stream, map[string]string{"Content-Type": "application/grpc-web+proto"}, "", 200, "", "NEEDS_HTTP2", ""},
		{"PUT", "PUT", list, nil, "{}", 405, "unimplemented", "METHOD_NOT_ALLOWED", "GET or POST"},
		{"GET of a call that has none", "GET", identifyPath + "?encoding=json&message=%7B%7D", nil, "", 405, "unimplemented", "METHOD_NOT_ALLOWED", "POST"},
		{"GET of the comparison", "GET", galleryPath + "CheckConsistency?encoding=json&message=%7B%7D", nil, "", 405, "unimplemented", "METHOD_NOT_ALLOWED", "POST"},
		{"GET without a message", "GET", list + "?encoding=json", nil, "", 400, "invalid_argument", "INVALID_REQUEST", "message="},
		{"GET in no encoding", "GET", list + "?message=%7B%7D", nil, "", 415, "invalid_argument", "UNSUPPORTED_MEDIA_TYPE", "must be json or proto"},
		{"GET of the address for a picture", "GET", "/v1/identify", nil, "", 405, "unimplemented", "METHOD_NOT_ALLOWED", "--data-binary"},
		{"PUT to the session", "PUT", "/session", nil, "", 405, "unimplemented", "METHOD_NOT_ALLOWED", "GET or POST or DELETE"},
		{"POST to a page", "POST", "/readyz", nil, "{}", 405, "unimplemented", "METHOD_NOT_ALLOWED", "GET"},
		{"a version to come", "POST", list, map[string]string{"Connect-Protocol-Version": "2"}, "{}", 400, "invalid_argument", "INVALID_HEADER", "Connect-Protocol-Version: 1"},
		{"no time", "POST", list, map[string]string{"Connect-Timeout-Ms": "soon"}, "{}", 400, "invalid_argument", "INVALID_HEADER", "Connect-Timeout-Ms"},
		{"a negative time", "POST", list, map[string]string{"Connect-Timeout-Ms": "-5"}, "{}", 400, "invalid_argument", "INVALID_HEADER", "Connect-Timeout-Ms"},
		{"brotli", "POST", list, map[string]string{"Content-Encoding": "br"}, "{}", 501, "unimplemented", "UNSUPPORTED_COMPRESSION", "gzip"},
		{"no gzip", "POST", list, map[string]string{"Content-Encoding": "gzip"}, "{}", 400, "invalid_argument", "BROKEN_GZIP", "Content-Encoding"},
		{"half of a gzip", "POST", list, map[string]string{"Content-Encoding": "gzip"}, zipped([]byte(`{"page_size":7}`))[:20], 400, "invalid_argument", "BROKEN_GZIP", "cut off"},
		{"a damaged gzip", "POST", list, map[string]string{"Content-Encoding": "gzip"}, zipped([]byte(`{"page_size":7}`))[:25] + "xxxxxxxxxx", 400, "invalid_argument", "BROKEN_GZIP", "again"},
		{"a good gzip", "POST", list, map[string]string{"Content-Encoding": "gzip"}, zipped([]byte(`{"page_size":7}`)), 200, "", "", ""},
		{"too large", "POST", list, nil, string(large), 400, "invalid_argument", "REQUEST_TOO_LARGE", "12582912"},
		{"too large in chunks", "POST", list, map[string]string{"chunked": "yes"}, string(large), 400, "invalid_argument", "REQUEST_TOO_LARGE", "name fewer"},
		{"too large when unpacked", "POST", list, map[string]string{"Content-Encoding": "gzip"}, zipped(large), 400, "invalid_argument", "REQUEST_TOO_LARGE", "name fewer"},
		{"no protobuf", "POST", list, map[string]string{"Content-Type": "application/proto"}, "{}", 400, "invalid_argument", "INVALID_REQUEST", "binary form"},
		{"a gzip's bomb for health", "POST", "/grpc.health.v1.Health/Check", map[string]string{"Content-Encoding": "gzip"}, zipped(large), 400, "invalid_argument", "REQUEST_TOO_LARGE", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var body io.Reader = strings.NewReader(c.body)
			if c.header["chunked"] != "" {
				body = io.MultiReader(body) // whose length net/http does not know
			}
			req, err := http.NewRequest(c.method, w.url+c.path, body)
			must(t, err)
			req.Header.Set("Content-Type", "application/json")
			for name, value := range c.header {
				if req.Header.Set(name, value); value == "" {
					req.Header.Del(name)
				}
			}
			resp, err := http.DefaultClient.Do(req)
			must(t, err)
			defer resp.Body.Close()
			raw, err := io.ReadAll(resp.Body)
			must(t, err)
			if resp.StatusCode != c.status || resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("status %d, want %d; header %v", resp.StatusCode, c.status, resp.Header)
			}
			if c.code == "" {
				return
			}
			a := answer{raw: string(raw)}
			must(t, json.Unmarshal(raw, &a.body))
			message, _ := a.body["message"].(string)
			if a.body["code"] != c.code || a.reason() != c.reason || !strings.Contains(message, c.says) {
				t.Errorf("%s\nwant %s %s …%s…", raw, c.code, c.reason, c.says)
			}
			if resp.Header.Get("Content-Type") != "application/json" || (c.status == 405) != (resp.Header.Get("Allow") != "") {
				t.Errorf("header %v", resp.Header)
			}
		})
	}
}

// What could not be read is not counted as answered, whatever the protocol.
func TestUnreadRequestsAreCounted(t *testing.T) {
	w := newWorld(t, setup{})
	for kind, header := range map[string]string{"application/json": "Content-Encoding", "application/grpc": "Grpc-Encoding", "application/grpc-web": "Grpc-Encoding"} {
		req, err := http.NewRequest(http.MethodPost, w.url+embedPath, strings.NewReader("\x01\x00\x00\x00\x02{}"))
		must(t, err)
		req.Header.Set("Content-Type", kind)
		req.Header.Set(header, "gzip")
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		resp.Body.Close()
	}
	w.counts(`rollcall_requests_total{code="invalid_argument",procedure="` + embedPath + `"} 3`)
}

// The same for clients of every protocol, which read the details.
func TestReasonsInEveryProtocol(t *testing.T) {
	w := newWorld(t, setup{})
	for name, options := range map[string][]connect.ClientOption{
		"connect": nil, "connect json": {connect.WithProtoJSON()}, "grpc": {connect.WithGRPC()}, "grpc-web": {connect.WithGRPCWeb()}, "gzip": {connect.WithGRPC(), connect.WithSendGzip()},
	} {
		for procedure, want := range map[string]string{
			rollcallv1connect.AttendanceServiceEmbedProcedure:    "REQUEST_TOO_LARGE",
			rollcallv1connect.AttendanceServiceIdentifyProcedure: "INVALID_REQUEST",
			"/rollcall.v1.AttendanceService/Guess":               "UNKNOWN_PROCEDURE",
		} {
			m := &pb.EmbedRequest{Image: make([]byte, 24<<20)}
			if want == "INVALID_REQUEST" {
				m = &pb.EmbedRequest{Model: strings.Repeat("a", 100_000)} // beyond the bounds of field 5
			}
			client := connect.NewClient[pb.EmbedRequest, pb.EmbedResponse](h2c(), w.url+procedure, options...)
			_, err := client.CallUnary(context.Background(), connect.NewRequest(m))
			if reasonOf(err) != want {
				t.Errorf("%s, %s: %v, reason %q, want %s", name, procedure, err, reasonOf(err), want)
			}
		}
	}
	stream, err := rollcallv1connect.NewGalleryServiceClient(h2c(), w.url, connect.WithGRPC()).EnrollStream(context.Background())
	must(t, err)
	_ = stream.Send(&pb.EnrollStreamRequest{Crop: &pb.EmbedRequest{Image: make([]byte, 24<<20)}}) // may find the stream ended
	if _, err := stream.Receive(); reasonOf(err) != "REQUEST_TOO_LARGE" {
		t.Errorf("stream: %v, reason %q", err, reasonOf(err))
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
	eventually(t, "the log line", func() bool { return strings.Contains(w.log.String(), "code=already_exists") })
}
