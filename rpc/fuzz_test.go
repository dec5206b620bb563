package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"rollcall/access"
	"rollcall/gallery"
)

// inputs are the messages of all requests, by the paths of their calls.
func inputs() (all []protoreflect.MessageDescriptor) {
	for _, path := range slices.Sorted(maps.Keys(methods())) {
		if m := methods()[path].input; m != nil {
			all = append(all, m)
		}
	}
	return all
}

// longestQuote is how much of a request an error may repeat: the name of a field.
const longestQuote = longestName + 1

// quotes says whether an error repeats a part of a request that may be a secret.
func quotes(err error, body []byte) bool {
	text := err.Error()
	for i := 0; i+longestQuote <= len(body); i += longestQuote / 2 {
		if strings.Contains(text, string(body[i:min(len(body), i+longestQuote)])) {
			return true
		}
	}
	return false
}

// FuzzReadJSON compares the reader of JSON requests with protojson: see
// TestRandomRequestsAreReadAsProtojsonReadsThem. No error repeats what was sent.
func FuzzReadJSON(f *testing.F) {
	all := inputs()
	for i := range all {
		f.Add(uint8(i), []byte(`{}`))
	}
	f.Add(uint8(0), []byte(`{"image":"/9j/","crop_id":"a","studentId":"b","groups":["x"],"landmarks":[{"x":1,"y":2.5e1}],"face":"FACE_ONLY","return_embedding":true}`))
	f.Add(uint8(3), []byte("\xef\xbb\xbf{\"frames\":[{\"image\":\"_-8\",\"box\":{\"left\":-0}}],\"fpir\":\"NaN\"}"))
	f.Add(uint8(1), []byte(`{"scope":{"groups":null,"student_ids":["\ud83d\ude00"]},"max_candidates":"7","fpir":1e-3}`))
	f.Add(uint8(2), []byte(`{"from":"2026-11-26T08:00:00Z","kinds":[1,"LINE_KIND_VERDICT"],"after":"18446744073709551615"}`))
	f.Fuzz(func(t *testing.T, i uint8, body []byte) {
		message := all[int(i)%len(all)]
		theirs, ours := dynamicpb.NewMessage(message), dynamicpb.NewMessage(message)
		theirErr, ourErr := protojson.Unmarshal(bytes.Clone(body), theirs), readJSON(bytes.Clone(body), ours)
		if ourErr != nil && quotes(ourErr, body) {
			t.Fatalf("the error repeats the request: %v", ourErr)
		}
		var limited *fieldProblem
		if theirErr == nil && json.Valid(body) && ourErr != nil && !(errors.As(ourErr, &limited) && strings.Contains(limited.what, "at most")) {
			t.Fatalf("%s: %q: protojson reads %v, here it is %v", message.Name(), body, theirs, ourErr)
		}
		if theirErr == nil && ourErr == nil && json.Valid(body) && !proto.Equal(ours, theirs) {
			t.Fatalf("%s: %q: protojson reads %v, here it is %v", message.Name(), body, theirs, ours)
		}
	})
}

// FuzzReadProto: what is read is written and read alike; what is refused protobuf refuses too,
// or it is longer than a list may be.
func FuzzReadProto(f *testing.F) {
	all := inputs()
	for i := range all {
		f.Add(uint8(i), []byte(nil))
	}
	f.Add(uint8(0), []byte("\x0a\x02ab\x12\x01c\x1a\x01s\x22\x01g"))
	f.Add(uint8(1), []byte("\x1a\x05\x0a\x03abc\x31\x00\x00\x00\x00\x00\x00\xf0\x3f"))
	f.Add(uint8(2), []byte("\x0a\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, i uint8, body []byte) {
		message := all[int(i)%len(all)]
		m := dynamicpb.NewMessage(message)
		if err := readProto(body, m); err != nil {
			if quotes(err, body) {
				t.Fatalf("the error repeats the request: %v", err)
			}
			if strings.Contains(err.Error(), "in protobuf's binary form") && proto.Unmarshal(body, dynamicpb.NewMessage(message)) == nil {
				t.Fatalf("%s: protobuf reads %x, here it is %v", message.Name(), body, err)
			}
			return
		}
		written, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again := dynamicpb.NewMessage(message)
		if err := readProto(written, again); err != nil || !bytes.Equal(mustMarshal(t, again), mustMarshal(t, m)) {
			t.Fatalf("%s: %x was written as %x, and read as %v (%v)", message.Name(), body, written, again, err)
		}
	})
}

// mustMarshal is deterministic, and tells NaN from nothing, unlike proto.Equal.
func mustMarshal(t *testing.T, m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzForwarded: the headers of a proxy count only on a connection from one, and what a client
// writes left of what the proxy wrote changes nothing.
func FuzzForwarded(f *testing.F) {
	f.Add("10.1.2.3:55", "203.0.113.7", "https", "rollcall.school.example", "1.2.3.4")
	f.Add("[::1]:80", "10.1.0.9, [2001:db8::1]:9", "http", "evil.example:80", "")
	f.Add("10.1.2.3:1", ",,", "", "", "x, y")
	f.Add("10.1.2.3:1", "::ffff:10.1.2.4%eth0", "HTTPS ", "[::1]", "10.1.1.1")
	s := New(Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, Hosts: []string{"rollcall.school.example"}})
	f.Fuzz(func(t *testing.T, remote, hops, scheme, host, claim string) {
		request := func(hops string) *http.Request {
			return &http.Request{RemoteAddr: remote, Host: "rollcall.school.example", Header: http.Header{forwardedFor: {hops}, forwardedProto: {scheme}, forwardedHost: {host}}}
		}
		r := request(hops)
		got := s.clientAddress(r)
		if got.Zone() != "" || got.Is4In6() {
			t.Fatalf("the address %v is not plain", got)
		}
		if !s.trusts(peer(r)) {
			if got != peer(r) || s.isSecure(r) || !s.isMeant(r) {
				t.Fatalf("a header of %q counts: %v, secure %v, meant %v", remote, got, s.isSecure(r), s.isMeant(r))
			}
			return
		}
		if told := s.clientAddress(request(claim + ", " + hops)); told != got && !s.trusts(got) {
			t.Fatalf("the client's claim %q makes %v of %v (%q)", claim, told, got, hops)
		}
		if s.isMeant(r) && strings.TrimSpace(host) != "" && !s.answersTo(lastOf(r, forwardedHost), true) {
			t.Fatalf("a call of %q is meant for this server", host)
		}
	})
}

// FuzzHost: only names that were given, loopback and addresses are ours.
func FuzzHost(f *testing.F) {
	for _, host := range []string{"", "localhost:8787", "LOCALHOST.", "127.0.0.1", "[::1]:80", "rollcall.school.example.", "evil.example", "[", "::1%lo", "localhost:evil:1", "0x7f.1"} {
		f.Add(host)
	}
	s := New(Options{Hosts: []string{"rollcall.school.example"}})
	f.Fuzz(func(t *testing.T, host string) {
		name := hostName(host)
		address, err := netip.ParseAddr(name)
		if want := err == nil && address.Unmap().IsLoopback() || name == "localhost" || name == "rollcall.school.example"; s.answersTo(host, false) != want {
			t.Fatalf("%q is answered: %v", host, !want)
		}
		if want := err == nil || s.answersTo(host, false); s.answersTo(host, true) != want {
			t.Fatalf("%q is answered to others: %v", host, !want)
		}
	})
}

// FuzzNamed: a header names a gallery of the caller in its plain form, or none.
func FuzzNamed(f *testing.F) {
	for _, header := range []string{"", "elm", "%65lm", "oak", "%", "%00", "e\u0301", "%C3%A9", "school%2Felm", strings.Repeat("a", 129)} {
		f.Add(header, true)
		f.Add(header, false)
	}
	f.Fuzz(func(t *testing.T, header string, one bool) {
		caller := access.Anybody
		if one {
			caller = access.Caller{Role: access.CheckIn, Galleries: []string{"elm"}}
		}
		id, ok := named(header, caller)
		if !ok {
			return
		}
		if again, err := gallery.ParseID(id); err != nil || again != id || !caller.MayUse(id) || one && id != "elm" {
			t.Fatalf("%q names %q (%v)", header, id, err)
		}
		if again, ok := named(url.PathEscape(id), caller); !ok || again != id {
			t.Fatalf("%q is %q when it is named again", id, again)
		}
	})
}
