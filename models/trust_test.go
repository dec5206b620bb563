package models

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unpinned returns the contract with a source at url and without a digest.
func unpinned(c Contract, url string) Contract {
	c.SHA256 = ""
	c.Source = &Source{URL: url}
	return c
}

func TestPullTrustsTheFirstFile(t *testing.T) {
	file := fakeONNX(1, 50_000)
	s := newBadServer(t, file)
	c := unpinned(testEmbedder("m"), s.url)
	c.Licence = Licence{Name: "Research"}
	l := testLibrary(t, t.TempDir(), c)

	err := l.Pull(t.Context(), "m", PullOptions{})
	if !errors.Is(err, ErrNoDigest) || !errors.Is(err, ErrLicence) {
		t.Fatalf("got %v, want both that have to be accepted", err)
	}
	for _, says := range []string{"--trust-first", "127.0.0.1", "rollcall models add m FILE --sha256"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	if requests, _ := s.log(); len(requests) > 0 {
		t.Error("it was downloaded before it was accepted")
	}
	accepted := PullOptions{AcceptLicence: true, TrustFirst: true}
	if err := l.Pull(t.Context(), "m", accepted); err != nil {
		t.Fatal(err)
	}
	wantFile(t, l, "m", file)
	if m, err := l.Model("m"); err != nil || m.Contract.SHA256 != digest(file) {
		t.Errorf("it is locked to %s, %v", m.Contract.SHA256, err)
	}

	// The file is exchanged here, and then there too: it stays refused.
	if err := os.WriteFile(filepath.Join(l.dir, "m", modelFile), fakeONNX(2, 10), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := l.Verify("m"); !errors.Is(err, ErrDigestMismatch) {
		t.Errorf("verify: got %v", err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "m.onnx"), fakeONNX(3, 10), 0o644); err != nil {
		t.Fatal(err)
	}
	exchanged := accepted
	exchanged.Mirror = folder
	if err := l.Pull(t.Context(), "m", exchanged); !errors.Is(err, ErrDigestMismatch) {
		t.Errorf("pull of another file: got %v", err)
	}
	if err := l.Pull(t.Context(), "m", PullOptions{AcceptLicence: true}); err != nil {
		t.Errorf("pull of the same file: %v", err)
	}
	wantFile(t, l, "m", file)

	// Without its contract nobody knows what it was locked to.
	if err := os.Remove(filepath.Join(l.dir, "m", contractFile)); err != nil {
		t.Fatal(err)
	}
	if err := l.Pull(t.Context(), "m", accepted); !errors.Is(err, ErrDamaged) {
		t.Errorf("the digest is lost: got %v", err)
	}
}

// TestPullForgetsWhatDidNotFit: a file that was trusted and is no such model is not kept, since the next
// one to come may be another.
func TestPullForgetsWhatDidNotFit(t *testing.T) {
	s := newBadServer(t, []byte("<html>sign in</html>"))
	l := testLibrary(t, t.TempDir(), unpinned(testEmbedder("m"), s.url))
	if err := l.Pull(t.Context(), "m", PullOptions{TrustFirst: true}); err == nil || !strings.Contains(err.Error(), "a web page") {
		t.Fatalf("got %v", err)
	}
	if exists(filepath.Join(l.dir, workDir, "m", downloadFile)) {
		t.Error("the download has been kept")
	}
	wantNothing(t, l, "m")
}

// TestPullSaysWhatComes: before the licence is asked for, and not where nothing will be downloaded.
func TestPullSaysWhatComes(t *testing.T) {
	file := fakeONNX(1, 100)
	s := newBadServer(t, file)
	c := sourced(testEmbedder("m"), file, s.url)
	c.Licence.Free = false
	l := testLibrary(t, t.TempDir(), c)
	var said []Contract
	opts := PullOptions{Before: func(c Contract) { said = append(said, c) }}
	if err := l.Pull(t.Context(), "m", opts); !errors.Is(err, ErrLicence) || len(said) != 1 {
		t.Fatalf("it said %d things, %v", len(said), err)
	}
	if said[0].Source.Bytes != int64(len(file)) || said[0].TrainingData != c.TrainingData {
		t.Errorf("it said %+v", said[0])
	}
	opts.AcceptLicence = true
	for range 2 {
		if err := l.Pull(t.Context(), "m", opts); err != nil {
			t.Fatal(err)
		}
	}
	if len(said) != 2 {
		t.Errorf("it spoke %d times, and downloaded once after one refusal", len(said))
	}
}
