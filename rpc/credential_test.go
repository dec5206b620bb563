package rpc

import (
	"net/http"
	"strings"
	"testing"
)

// FuzzCredential: whatever is in the headers, what is taken for a token is a part of them,
// and a header counts before a cookie. Nothing panics.
func FuzzCredential(f *testing.F) {
	for _, seed := range [][2]string{
		{"", ""}, {"Bearer x", ""}, {"bearer  x ", ""}, {"Basic eDp5", "rollcall_session=y"}, {"Bearer", "rollcall_session=y"},
		{"", "rollcall_session=y"}, {"", "a=b; rollcall_session=\"y z\"; rollcall_session=w"}, {"", "rollcall_session"}, {"", ";;=,\x00\xff"},
	} {
		f.Add(seed[0], seed[1])
	}
	s := New(Options{})
	f.Fuzz(func(t *testing.T, authorization, cookie string) {
		r := &http.Request{Method: http.MethodPost, Host: "localhost", Header: http.Header{}}
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		text, err := s.credential(r)
		from := cookie
		if authorization != "" {
			from = authorization
		}
		switch {
		case err != nil && text != "":
			t.Errorf("%q with %v", text, err)
		case err == nil && !strings.Contains(from, text):
			t.Errorf("%q is not in %q", text, from)
		case err == nil && authorization != "" && !strings.HasPrefix(strings.ToLower(authorization), "bearer"):
			t.Errorf("%q is taken for a token", authorization)
		}
	})
}
