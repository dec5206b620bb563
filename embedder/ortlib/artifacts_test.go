package ortlib

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// TestArtifacts checks the table for slips that only one platform would notice.
func TestArtifacts(t *testing.T) {
	digests := make(map[string]bool)
	for i, a := range artifacts {
		name := fmt.Sprintf("%s for %s/%s", a.source, a.os, a.arch)
		digest := a.librarySHA256 + a.archiveSHA256
		if raw, err := hex.DecodeString(digest); err != nil || len(raw) != 32 || digest != strings.ToLower(digest) || digests[digest] {
			t.Errorf("%s: %q is not one digest of its own", name, digest)
		}
		digests[digest] = true
		if (a.source == sourceRelease) != (a.archiveSHA256 != "") || (a.source == sourcePip) != (a.tag != "") {
			t.Errorf("%s: digest or tag of another source", name)
		}
		if !strings.Contains(a.name, Version) || a.bytes <= 0 || a.bytes > maxArchive || path.Clean(a.member) != a.member {
			t.Errorf("%s: name %q, %d bytes, member %q", name, a.name, a.bytes, a.member)
		}
		library := path.Base(newCache("", machine{os: a.os, arch: a.arch}, nil).path())
		if base := path.Base(a.member); base != library && base != "libonnxruntime.so.1" {
			t.Errorf("%s: member %q, want %s", name, a.member, library)
		}
		for _, b := range artifacts[:i] {
			if a.source == b.source && a.os == b.os && a.arch == b.arch {
				t.Errorf("%s: twice", name)
			}
		}
	}
	for _, m := range []machine{{os: "linux", arch: "amd64"}, {os: "linux", arch: "arm64"}, {os: "darwin", arch: "arm64"}} {
		own := m.artifacts(artifacts)
		if len(own) != 3 || own[0].source != sourceNPM || own[1].source != sourcePip || own[2].source != sourceRelease {
			t.Errorf("%v: %d artifacts: %v", m, len(own), own)
		}
	}
	if own := (machine{os: "plan9", arch: "amd64"}).artifacts(artifacts); own != nil {
		t.Errorf("plan9: %v", own)
	}
}

// TestRealInstall installs for real, over the network, into a temporary cache.
// ROLLCALL_TEST_INSTALL=1 takes the first source that works; npm, pip or release
// takes that one.
func TestRealInstall(t *testing.T) {
	choice := os.Getenv("ROLLCALL_TEST_INSTALL")
	if choice == "" {
		t.Skip("downloads ONNX Runtime; set ROLLCALL_TEST_INSTALL to 1, npm, pip or release to run it")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := newFinder(Options{CacheDir: dir})
	if choice != "1" {
		var chosen []artifact
		for _, a := range f.artifacts {
			if string(a.source) == choice {
				chosen = append(chosen, a)
			}
		}
		f.artifacts = chosen
	}
	lib, err := newInstaller(f).install(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	// Read from the file, the version must be the one that the name promises.
	inspected, err := f.inspected(lib.Path, lib.Origin)
	if err != nil {
		t.Fatal(err)
	}
	if inspected != lib || lib.Version != Version {
		t.Errorf("installed %+v, which reads as %+v", lib, inspected)
	}
}

func BenchmarkFindCached(b *testing.B) {
	b.Setenv(environmentPath, "")
	lib, err := Ensure(b.Context(), Options{Offline: true})
	if err != nil || lib.Origin != originCache {
		b.Skip("nothing installed in this user's cache")
	}
	info, err := os.Stat(lib.Path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	for b.Loop() {
		if _, err := Ensure(b.Context(), Options{Offline: true}); err != nil {
			b.Fatal(err)
		}
	}
}
