package certificate

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var discard = slog.New(slog.DiscardHandler)

// TestPairIsReadAgain exchanges the files in every order under a server, with broken ones
// between. A handshake gets the new pair at most a second later, and the old one as long
// as the new one is of no use, which is said once.
func TestPairIsReadAgain(t *testing.T) {
	first, _ := mustInit(t, "a.example")
	second, _ := mustInit(t, "b.example")
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		cert, key := filepath.Join(folder, CertFile), filepath.Join(folder, KeyFile)
		stamp := time.Now()
		put := func(name string, content []byte) {
			t.Helper()
			if err := os.WriteFile(name, content, 0o600); err != nil {
				t.Fatal(err)
			}
			stamp = stamp.Add(time.Millisecond) // file systems may have coarse times
			if err := os.Chtimes(name, stamp, stamp); err != nil {
				t.Fatal(err)
			}
		}
		read := func(from, file string) []byte {
			t.Helper()
			content, err := os.ReadFile(filepath.Join(from, file))
			if err != nil {
				t.Fatal(err)
			}
			return content
		}
		put(cert, read(first, CertFile))
		put(key, read(first, KeyFile))
		var log bytes.Buffer
		pair, err := Open(cert, key, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		serves := func(what, want string, complaints int) {
			t.Helper()
			for range 3 {
				if got := pair.get().Leaf.DNSNames[0]; got != want {
					t.Errorf("%s: %s is served, want %s", what, got, want)
				}
				time.Sleep(lookInterval)
			}
			if n := strings.Count(log.String(), "cannot be used"); n != complaints {
				t.Errorf("%s: %d complaints, want %d:\n%s", what, n, complaints, log.String())
			}
		}
		serves("at first", "a.example", 0)

		pair.get() // looks now, and so not before a second
		put(cert, read(second, CertFile))
		put(key, read(second, KeyFile))
		if got := pair.get().Leaf.DNSNames[0]; got != "a.example" {
			t.Errorf("looked within the second: %s", got)
		}
		time.Sleep(lookInterval)
		serves("renewed", "b.example", 0)

		put(cert, read(first, CertFile))
		serves("half of a new pair", "b.example", 1)
		put(key, read(first, KeyFile))
		serves("the other half", "a.example", 1)
		put(key, []byte("-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n"))
		serves("a broken key", "a.example", 2)
		if err := os.Remove(cert); err != nil {
			t.Fatal(err)
		}
		serves("no file", "a.example", 3)
		put(cert, read(second, CertFile))
		put(key, read(second, KeyFile))
		serves("mended", "b.example", 3)
		if strings.Contains(log.String(), "secret") {
			t.Error("the log holds a part of a key")
		}
	})
}

// TestOldCertificate: the log says when a certificate expires soon, or has expired.
func TestOldCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "tls")
		made, err := Init(folder, nil)
		if err != nil {
			t.Fatal(err)
		}
		open := func() string {
			t.Helper()
			var log bytes.Buffer
			if _, err := Open(filepath.Join(folder, CertFile), filepath.Join(folder, KeyFile), slog.New(slog.NewTextHandler(&log, nil))); err != nil {
				t.Fatal(err)
			}
			return log.String()
		}
		if said := open(); said != "" {
			t.Errorf("when it is new: %s", said)
		}
		time.Sleep(time.Until(made.Expires) - expiresSoon + time.Hour)
		if said := open(); !strings.Contains(said, "expires soon") {
			t.Errorf("near the end: %q", said)
		}
		time.Sleep(expiresSoon)
		if said := open(); !strings.Contains(said, "has expired") {
			t.Errorf("after the end: %q", said)
		}
	})
}

// TestTLSVersions: there is nothing under TLS 1.2.
func TestTLSVersions(t *testing.T) {
	folder, _ := mustInit(t)
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		client := &tls.Config{RootCAs: rootsOf(t, folder), ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: version}
		if err := shakeAs(t, configOf(t, folder), client); (err == nil) != ok {
			t.Errorf("version %x: %v", version, err)
		}
	}
}

// TestPairConcurrently has handshakes while the certificate is renewed: each gets a good one.
func TestPairConcurrently(t *testing.T) {
	folder, _ := mustInit(t)
	config := configOf(t, folder)
	var shaking sync.WaitGroup
	for range 4 {
		shaking.Go(func() {
			for range 10 {
				if err := shake(t, folder, config, "localhost"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 10 {
		if _, err := Renew(folder, nil); err != nil {
			t.Error(err)
		}
	}
	shaking.Wait()
}
