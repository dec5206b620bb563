package ortlib

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The environment of a test process that only calls install, see TestMain.
const (
	processCache   = "ORTLIB_TEST_PROCESS_CACHE"
	processLibrary = "ORTLIB_TEST_PROCESS_LIBRARY"
)

// TestMain turns the test executable into one of several processes that install
// at the same time, if the environment says so.
func TestMain(m *testing.M) {
	dir := os.Getenv(processCache)
	if dir == "" {
		os.Exit(m.Run())
	}
	content := []byte(os.Getenv(processLibrary))
	lib, err := testInstaller(dir, npmArtifact(content)).install(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(lib.Origin, lib.SHA256)
	os.Exit(0)
}

const testMember = "package/libonnxruntime.so"

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func npmArtifact(library []byte) artifact {
	return artifact{source: sourceNPM, name: npmPackage, member: testMember, bytes: 1000, librarySHA256: digestOf(library)}
}

func pipArtifact(library []byte) artifact {
	return artifact{source: sourcePip, name: pipPackage, tag: "some_tag", member: testMember, bytes: 1000, librarySHA256: digestOf(library)}
}

func releaseArtifact(archive []byte) artifact {
	return artifact{source: sourceRelease, name: "onnxruntime-test.tgz", member: testMember, bytes: int64(len(archive)), archiveSHA256: digestOf(archive)}
}

// testInstaller knows only the given artifacts, and a cache in dir.
func testInstaller(dir string, artifacts ...artifact) *installer {
	m := machine{os: "linux", arch: "amd64"}
	return newInstaller(&finder{
		opts:      Options{Logger: slog.New(slog.DiscardHandler)},
		machine:   m,
		artifacts: artifacts,
		cache:     newCache(dir, m, artifacts),
	})
}

func tgz(t *testing.T, headers []tar.Header, contents ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	files := tar.NewWriter(zipped)
	for i, header := range headers {
		header.Mode = 0o644
		header.Size = int64(len(contents[i]))
		if err := files.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := files.Write(contents[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// packageOf is a package as npm delivers it, with the library in it.
func packageOf(t *testing.T, library []byte) []byte {
	t.Helper()
	return tgz(t, []tar.Header{{Name: "package/README.md"}, {Name: testMember}}, []byte("read me"), library)
}

// wheelOf is a wheel with the library in it.
func wheelOf(t *testing.T, library []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	files := zip.NewWriter(&b)
	for name, content := range map[string][]byte{"METADATA": []byte("metadata"), testMember: library} {
		w, err := files.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fakeClients makes PATH hold the named programs only. Each writes its arguments
// to calls() and then runs its script, in which $archive is the given file.
type fakeClients struct{ bin string }

func newFakeClients(t *testing.T) fakeClients {
	t.Helper()
	f := fakeClients{bin: t.TempDir()}
	t.Setenv("PATH", f.bin)
	return f
}

func (f fakeClients) add(t *testing.T, program, script string, archive []byte) {
	t.Helper()
	file := filepath.Join(f.bin, program+".archive")
	writeFile(t, file, archive)
	script = fmt.Sprintf("#!/bin/sh\necho %s \"$@\" >> '%s/calls'\narchive='%s'\n%s\n", program, f.bin, file, script)
	if err := os.WriteFile(filepath.Join(f.bin, program), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}

// calls returns one line for each run of a program.
func (f fakeClients) calls(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(f.bin, "calls"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// Scripts that deliver $archive as the real clients do.
const (
	npmDelivers = `/bin/cp "$archive" onnxruntime-node-1.24.3.tgz`
	pipDelivers = `/bin/cp "$archive" onnxruntime-1.24.3-some_tag.whl`
)

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// checkInstalled fails unless the cache holds the library and nothing but what
// belongs there.
func checkInstalled(t *testing.T, c cache, library []byte) {
	t.Helper()
	got, err := os.ReadFile(c.path())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, library) {
		t.Errorf("the cache holds %q, want %q", got, library)
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		switch entry.Name() {
		case ".lock", c.name, c.name + ".sha256":
		default:
			t.Errorf("left over in the cache: %s", entry.Name())
		}
	}
}

// contains fails unless the error's text has every part.
func contains(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q:\n%v", part, err)
		}
	}
}

// sharedLibrary builds a shared library with the system's C compiler and returns
// its path. Skips the test on a machine that has none.
func sharedLibrary(t *testing.T, source string, args ...string) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler (cc) to build a library with")
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "lib.c"), []byte(source))
	out := filepath.Join(dir, "libonnxruntime.so")
	cmd := exec.Command(cc, append([]string{"-shared", "-fPIC", "-o", out, filepath.Join(dir, "lib.c")}, args...)...)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, output)
	}
	return out
}

const entrySource = "const void *OrtGetApiBase(void) { return 0; }\n"

// elfLibrary builds what looks like ONNX Runtime of the given version.
func elfLibrary(t *testing.T, version string, args ...string) string {
	t.Helper()
	script := filepath.Join(t.TempDir(), "exports")
	writeFile(t, script, []byte("VERS_"+version+" { global: OrtGetApiBase; local: *; };\n"))
	return sharedLibrary(t, entrySource, append(args, "-Wl,--version-script="+script)...)
}
