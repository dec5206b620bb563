package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func mustInit(t *testing.T, names ...string) (folder string, made *Issued) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "tls")
	made, err := Init(folder, names)
	if err != nil {
		t.Fatal(err)
	}
	return folder, made
}

// shake makes a handshake with a server over TCP, as a client that trusts the folder's
// authority and calls the server by a name.
func shake(t *testing.T, folder string, config *tls.Config, name string) error {
	t.Helper()
	return shakeAs(t, config, &tls.Config{RootCAs: rootsOf(t, folder), ServerName: name})
}

func shakeAs(t *testing.T, server, client *tls.Config) error {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var serving sync.WaitGroup
	defer serving.Wait()
	serving.Go(func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		_ = conn.(*tls.Conn).Handshake() // the client's error says why
		_ = conn.Close()
	})
	conn, err := tls.Dial("tcp", ln.Addr().String(), client)
	if err != nil {
		return err
	}
	return conn.Close()
}

func rootsOf(t *testing.T, folder string) *x509.CertPool {
	t.Helper()
	authority, err := os.ReadFile(filepath.Join(folder, AuthorityFile))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		t.Fatal("the authority's file holds no certificate")
	}
	return roots
}

func configOf(t *testing.T, folder string) *tls.Config {
	t.Helper()
	pair, err := Open(filepath.Join(folder, CertFile), filepath.Join(folder, KeyFile), discard)
	if err != nil {
		t.Fatal(err)
	}
	return pair.TLS()
}

// TestInit: who trusts the authority takes the server for each of its names, and for no
// other.
func TestInit(t *testing.T) {
	folder, made := mustInit(t, "Rollcall.School.example.", "10.1.2.3", "203.0.113.9", "2001:db8::1", "::ffff:10.1.2.3")
	want := []string{"rollcall.school.example", "localhost", "10.1.2.3", "203.0.113.9", "2001:db8::1", "127.0.0.1", "::1"}
	if !slices.Equal(made.Hosts, want) {
		t.Errorf("made for %q", made.Hosts)
	}
	config := configOf(t, folder)
	for _, name := range want {
		if err := shake(t, folder, config, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"bank.example", "school.example", "x.rollcall.school.example", "10.1.2.4", "203.0.113.8", "fc00::1"} {
		if err := shake(t, folder, config, name); err == nil {
			t.Errorf("%s: taken for the server", name)
		}
	}
	leaf, err := readCertificate(filepath.Join(folder, CertFile))
	if err != nil {
		t.Fatal(err)
	}
	if days := leaf.NotAfter.Sub(leaf.NotBefore).Hours() / 24; days > 825 || days < 800 || !leaf.NotAfter.Equal(made.Expires) {
		t.Errorf("good for %v days, until %v", days, made.Expires)
	}
	if runtime.GOOS != "windows" {
		for file, want := range map[string]os.FileMode{AuthorityKeyFile: 0o600, KeyFile: 0o600, AuthorityFile: 0o644, CertFile: 0o644} {
			info, err := os.Stat(filepath.Join(folder, file))
			if err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v", file, info.Mode(), err)
			}
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 4 {
		t.Errorf("%v, %v", files, err)
	}
	if _, err := Init(folder, []string{"other.example"}); !errors.Is(err, ErrExists) {
		t.Errorf("a second authority: %v", err)
	}
}

// TestStolenAuthority signs for others with the key of an authority: nobody takes that.
func TestStolenAuthority(t *testing.T) {
	for name, names := range map[string][]string{"with a name": {"rollcall.school.example"}, "with an address only": {"10.1.2.3"}} {
		folder, _ := mustInit(t, names...)
		authority, err := readCertificate(filepath.Join(folder, AuthorityFile))
		if err != nil {
			t.Fatal(err)
		}
		key, err := readKey(filepath.Join(folder, AuthorityKeyFile))
		if err != nil {
			t.Fatal(err)
		}
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for host, taken := range map[string]bool{
			"bank.example": false, "school.example": false, "notrollcall.school.example": false, "203.0.113.9": false, "2001:db8::1": false,
			"10.200.0.1": true, "192.168.1.1": true, "fd00::1": true,
		} {
			template := &x509.Certificate{NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
			if ip := net.ParseIP(host); ip != nil {
				template.IPAddresses = []net.IP{ip}
			} else {
				template.DNSNames = []string{host}
			}
			leaf, err := sign(template, authority, &own.PublicKey, key)
			if err != nil {
				t.Fatal(err)
			}
			forged := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: own}}}
			if err := shake(t, folder, forged, host); (err == nil) != taken {
				t.Errorf("authority %s, for %s: %v", name, host, err)
			}
		}
	}
}

// TestRenew: a new certificate needs nothing new on tablets, and has the names that it had
// or those that are given.
func TestRenew(t *testing.T) {
	folder, first := mustInit(t, "rollcall.school.example", "10.1.2.3")
	files := func() (contents []string) {
		for _, name := range []string{AuthorityFile, AuthorityKeyFile, KeyFile, CertFile} {
			content, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil {
				t.Fatal(err)
			}
			contents = append(contents, string(content))
		}
		return contents
	}
	before := files()
	again, err := Renew(folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	after := files()
	if !slices.Equal(again.Hosts, first.Hosts) || again.Authority != first.Authority {
		t.Errorf("%+v, before %+v", again, first)
	}
	if !slices.Equal(before[:3], after[:3]) || before[3] == after[3] {
		t.Error("not only the certificate is new")
	}
	if _, err := Renew(folder, []string{"door.rollcall.school.example", "192.168.7.7"}); err != nil {
		t.Fatal(err)
	}
	config := configOf(t, folder)
	for _, name := range []string{"door.rollcall.school.example", "192.168.7.7", "localhost"} {
		if err := shake(t, folder, config, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	before = files()
	for _, name := range []string{"bank.example", "203.0.113.9"} {
		if _, err := Renew(folder, []string{name}); !errors.Is(err, ErrOutside) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !slices.Equal(before, files()) {
		t.Error("a refusal has changed the files")
	}
	if _, err := Renew(t.TempDir(), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without an authority: %v", err)
	}
}

func TestNamesThatAreNone(t *testing.T) {
	for _, name := range []string{"", " ", "a b", "https://a.example", "a.example:443", "*.a.example", "-a.example", "a..b", "10.0.0.0/8", "a_b", strings.Repeat("a", 64), strings.Repeat("a.", 127) + "aa", "ä.example"} {
		folder := filepath.Join(t.TempDir(), "tls")
		if _, err := Init(folder, []string{name}); err == nil {
			t.Errorf("%q is taken for a name", name)
		}
		if _, err := os.Stat(folder); err == nil {
			t.Errorf("%q: a folder was made", name)
		}
	}
}
