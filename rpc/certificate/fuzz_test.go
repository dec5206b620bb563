package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzFiles reads any files as those of "tls init" and of --tls-cert and --tls-key. No error repeats
// what is in them.
func FuzzFiles(f *testing.F) {
	folder := f.TempDir()
	if _, err := Init(folder, []string{"rollcall.school.example"}); err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"ca.crt", "ca.key", "server.crt", "server.key"} {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
		f.Add(content[:len(content)/2])
	}
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		name := filepath.Join(folder, "any")
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, certErr := readCertificate(name)
		key, keyErr := readKey(name)
		_, pairErr := Open(name, name, slog.New(slog.DiscardHandler))
		for _, err := range []error{certErr, keyErr, pairErr} {
			const secret = 16
			for at := 0; err != nil && at+secret <= len(content); at++ {
				if piece := string(content[at : at+secret]); strings.Contains(err.Error(), piece) && !strings.Contains(piece, "-") && !strings.Contains(piece, " ") {
					t.Fatalf("the error repeats %q: %v", piece, err)
				}
			}
		}
		if keyErr == nil {
			again := filepath.Join(folder, "again")
			if err := writeKey(again, key); err != nil {
				t.Fatal(err)
			}
			if read, err := readKey(again); err != nil || !read.Equal(key) {
				t.Fatalf("the key was written and is read as another: %v", err)
			}
		}
	})
}

// FuzzHosts: names that are given to "tls init" are names and addresses, and come back as they are.
func FuzzHosts(f *testing.F) {
	for _, text := range []string{"rollcall.school.example", "10.1.2.3", "::1", "*.example", "a b", "", "http://a", "xn--a", "ä.example", ".", "10.0.0.0/8"} {
		f.Add(text)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseHosts([]string{text})
		if err != nil {
			return
		}
		if again, err := parseHosts(h.texts()); err != nil || strings.Join(again.texts(), " ") != strings.Join(h.texts(), " ") {
			t.Fatalf("%q is read as %q, and that as %q (%v)", text, h.texts(), again.texts(), err)
		}
		if _, err := newAuthority(key, h); err != nil {
			t.Fatalf("no authority can be made for %q: %v", text, err)
		}
	})
}
