package rpc

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Whatever comes as a picture is a whole request of Identify in JSON with just that
// picture, or an error.
func FuzzRawIdentify(f *testing.F) {
	f.Add([]byte("\xff\xd8picture"), "image/jpeg", "group=3b&student=a%22b&fpir=0.01&face=largest&max_candidates=3&model=m")
	f.Add([]byte("--x\r\nContent-Disposition: form-data; name=image\r\n\r\npicture\r\n--x--\r\n"), "multipart/form-data; boundary=x", "")
	f.Add([]byte("--x\r\nContent-Disposition: form-data; name=image\r\n\r\npic"), "multipart/form-data; boundary=x", "fpir=NaN")
	f.Add(bytes.Repeat([]byte{0}, 12289), "", "group=&group=%00")
	f.Fuzz(func(t *testing.T, body []byte, kind, query string) {
		r := httptest.NewRequest(http.MethodPost, rawPath, bytes.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", kind)
		call, why := rawIdentify(r)
		if why != nil {
			return
		}
		text, err := io.ReadAll(call.Body)
		if err != nil {
			return
		}
		var got struct{ Image []byte }
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		if call.ContentLength >= 0 && (call.ContentLength != int64(len(text)) || !bytes.Equal(got.Image, body)) {
			t.Errorf("%d bytes are announced, and %d come, with %q", call.ContentLength, len(text), got.Image)
		}
	})
}
