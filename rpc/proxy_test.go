package rpc

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func proxied(t *testing.T, prefixes ...string) *Server {
	t.Helper()
	var opts Options
	for _, p := range prefixes {
		opts.TrustedProxies = append(opts.TrustedProxies, netip.MustParsePrefix(p))
	}
	opts.Hosts = []string{"rollcall.school.example"}
	return New(opts)
}

// TestClientAddress says whose address it is, case by case.
func TestClientAddress(t *testing.T) {
	s := proxied(t, "127.0.0.0/8", "10.0.0.0/24", "2001:db8::/64")
	for _, c := range []struct {
		peer, header, want string
	}{
		{"192.0.2.1:99", "", "192.0.2.1"},
		{"192.0.2.1:99", "198.51.100.7", "192.0.2.1"},             // anybody can send the header
		{"127.0.0.1:99", "", "127.0.0.1"},                         // from the proxy's own machine
		{"127.0.0.1:99", "198.51.100.7", "198.51.100.7"},          // through one proxy
		{"127.0.0.1:99", "1.2.3.4, 198.51.100.7", "198.51.100.7"}, // the client claims to be another
		{"10.0.0.9:99", "198.51.100.7, 10.0.0.3, 127.0.0.1", "198.51.100.7"},
		{"10.0.0.9:99", "1.1.1.1, 198.51.100.7, 10.0.1.3, 127.0.0.1", "10.0.1.3"},
		{"10.0.0.9:99", "10.0.0.4, 10.0.0.5", "10.0.0.4"}, // a trusted machine calls
		{"10.0.0.9:99", "1.1.1.1, nonsense, 10.0.0.5", "10.0.0.5"},
		{"10.0.0.9:99", "1.1.1.1, nonsense", "10.0.0.9"},
		{"10.0.0.9:99", "1.1.1.1,", "10.0.0.9"},
		{"10.0.0.9:99", "198.51.100.7:5555", "198.51.100.7"},
		{"[2001:db8::7]:99", "[2001:db9::1]:80", "2001:db9::1"},
		{"[2001:db8::7]:99", "2001:db9::1", "2001:db9::1"},
		{"[::ffff:10.0.0.9]:99", "::ffff:198.51.100.7", "198.51.100.7"},
		{"[fe80::1%eth0]:99", "", "fe80::1"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		if c.header != "" {
			r.Header.Set("X-Forwarded-For", c.header)
		}
		if got := s.clientAddress(r); got.String() != c.want {
			t.Errorf("from %s with %q: %s, want %s", c.peer, c.header, got, c.want)
		}
	}
	if got := s.clientAddress(&http.Request{RemoteAddr: "@"}); got.IsValid() {
		t.Errorf("of a connection without an address: %s", got)
	}
}

// TestNobodyChoosesItsAddress lets clients with headers of their own choice call through
// random chains of honest proxies. Each proxy adds its caller, in one line or in a new
// one. The address is always the client's.
func TestNobodyChoosesItsAddress(t *testing.T) {
	const seed = 25
	rng := rand.New(rand.NewPCG(seed, 1))
	s := proxied(t, "10.0.0.0/8", "fd00::/8")
	trusted := func() string {
		if rng.IntN(2) == 0 {
			return fmt.Sprintf("10.%d.%d.%d", rng.IntN(256), rng.IntN(256), rng.IntN(256))
		}
		return fmt.Sprintf("fd00::%x", rng.IntN(1<<16))
	}
	claims := []string{"127.0.0.1", "10.1.1.1", "203.0.113.9", "", "unknown", ",,,", "10.0.0.1, 10.0.0.2", "fd00::1", "[", "%"}
	for i := range 2000 {
		client := fmt.Sprintf("192.0.2.%d", rng.IntN(256))
		r := &http.Request{Header: http.Header{}}
		for range rng.IntN(3) {
			r.Header.Add("X-Forwarded-For", claims[rng.IntN(len(claims))])
		}
		caller := client
		for range rng.IntN(4) {
			if before := r.Header.Values("X-Forwarded-For"); len(before) > 0 && rng.IntN(2) == 0 {
				r.Header.Set("X-Forwarded-For", strings.Join(before, ", ")+", "+caller)
			} else {
				r.Header.Add("X-Forwarded-For", caller)
			}
			caller = trusted()
		}
		r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(caller), 4711).String()
		if got := s.clientAddress(r); got.String() != client {
			t.Fatalf("seed %d, request %d of %s: %s with %q", seed, i, client, got, r.Header)
		}
	}
}

// TestSchemeBehindProxy: a proxy that is trusted says whether its client uses TLS.
func TestSchemeBehindProxy(t *testing.T) {
	s := proxied(t, "127.0.0.1/32")
	for _, c := range []struct {
		peer, header string
		tls, want    bool
	}{
		{"127.0.0.1:9", "https", false, true},
		{"127.0.0.1:9", "HTTPS", false, true},
		{"127.0.0.1:9", "http", false, false},
		{"127.0.0.1:9", "https, http", false, false},
		{"127.0.0.1:9", "", false, false},
		{"192.0.2.1:9", "https", false, false},
		{"192.0.2.1:9", "http", true, true},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-Proto": {c.header}}}
		if c.tls {
			r.TLS = new(tls.ConnectionState)
		}
		if got := s.isSecure(r); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestHostBehindProxy: the name that the client called counts too, and a header never
// makes a foreign name ours.
func TestHostBehindProxy(t *testing.T) {
	const ours, foreign = true, false
	s := proxied(t, "127.0.0.1/32")
	for _, c := range []struct {
		peer, host, header string
		want               bool
	}{
		{"127.0.0.1:9", "rollcall.school.example", "", ours},
		{"127.0.0.1:9", "127.0.0.1:8787", "rollcall.school.example", ours},
		{"127.0.0.1:9", "127.0.0.1:8787", "Rollcall.School.example:443", ours},
		{"127.0.0.1:9", "10.1.2.3", "", ours},
		{"127.0.0.1:9", "127.0.0.1:8787", "evil.example", foreign},
		{"127.0.0.1:9", "127.0.0.1:8787", "rollcall.school.example, evil.example", foreign},
		{"127.0.0.1:9", "evil.example", "rollcall.school.example", foreign},
		{"127.0.0.1:9", "evil.example", "", foreign},
		{"192.0.2.1:9", "evil.example", "rollcall.school.example", foreign},
		{"192.0.2.1:9", "10.1.2.3", "", foreign},
		{"192.0.2.1:9", "rollcall.school.example", "evil.example", ours}, // its header means nothing
	} {
		r := &http.Request{RemoteAddr: c.peer, Host: c.host, Header: http.Header{}}
		if c.header != "" {
			r.Header.Set("X-Forwarded-Host", c.header)
		}
		if got := s.isMeant(r); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
