package ortlib

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
)

// place copies the library into a fresh folder under the given name.
func place(t *testing.T, library, name string) (folder string) {
	t.Helper()
	content, err := os.ReadFile(library)
	if err != nil {
		t.Fatal(err)
	}
	folder, err = filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(folder, name), content)
	return folder
}

// TestFindOrder takes the places away one after the other, first to last.
func TestFindOrder(t *testing.T) {
	m := skipUnlessELF(t)
	content := []byte("cached library")
	in := testInstaller(t.TempDir(), npmArtifact(content))
	in.machine = m
	in.machine.musl = false
	flag := filepath.Join(place(t, elfLibrary(t, "1.24.0"), "mine.so"), "mine.so")
	env := place(t, elfLibrary(t, "1.25.0"), "libonnxruntime.so.1")
	system := place(t, elfLibrary(t, "1.26.0"), "libonnxruntime.so")
	in.opts.Path = flag
	t.Setenv(environmentPath, env)
	writeFile(t, in.cache.path(), content)
	in.folders = []string{filepath.Join(system, "missing"), system}

	expect := func(path, version, origin string) {
		t.Helper()
		lib, err := in.find()
		if err != nil {
			t.Fatal(err)
		}
		digest, err := fileSHA256(path)
		if err != nil {
			t.Fatal(err)
		}
		if want := (Library{path, version, digest, origin}); lib != want {
			t.Errorf("found %+v, want %+v", lib, want)
		}
	}
	expect(flag, "1.24.0", "flag")
	in.opts.Path = ""
	expect(filepath.Join(env, "libonnxruntime.so.1"), "1.25.0", "environment")
	t.Setenv(environmentPath, filepath.Join(env, "libonnxruntime.so.1"))
	expect(filepath.Join(env, "libonnxruntime.so.1"), "1.25.0", "environment")
	t.Setenv(environmentPath, "")
	expect(in.cache.path(), Version, "cache")
	writeFile(t, in.cache.path(), []byte("damaged"))
	expect(filepath.Join(system, "libonnxruntime.so"), "1.26.0", "system")
	in.folders = nil
	_, err := in.find()
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("nothing left: %v", err)
	}
	contains(t, err, "damaged", environmentPath)
}

func TestFindSystem(t *testing.T) {
	m := skipUnlessELF(t)
	in := testInstaller(t.TempDir())
	in.machine = m
	// An old one; then three that fit with links to one, the newest neither first
	// nor last by name; then a newer one in a later folder.
	old := place(t, elfLibrary(t, "1.21.0"), "libonnxruntime.so.1.21.0")
	several := place(t, elfLibrary(t, "1.24.9"), "libonnxruntime.so.1.24.9")
	for _, version := range []string{"1.100.0", "1.99.0"} {
		content, err := os.ReadFile(elfLibrary(t, version))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(several, "libonnxruntime.so."+version), content)
	}
	for link, target := range map[string]string{
		"libonnxruntime.so":   "libonnxruntime.so.1",
		"libonnxruntime.so.1": "libonnxruntime.so.1.24.9",
		"libonnxruntime.so.7": "dangling",
	} {
		if err := os.Symlink(target, filepath.Join(several, link)); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(several, "libonnxruntime_providers_shared.so"), nil)
	later := place(t, elfLibrary(t, "1.101.0"), "libonnxruntime.so")
	in.folders = []string{old, several, later}
	lib, err := in.find()
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(several, "libonnxruntime.so.1.100.0"); lib.Path != want || lib.Version != "1.100.0" {
		t.Errorf("found %+v, want %s", lib, want)
	}
	in.folders = []string{old}
	_, err = in.find()
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("only an old one: %v", err)
	}
	contains(t, err, "libonnxruntime.so.1.21.0", "version 1.21.0", "nothing installed")
}

// TestNamedIsFinal: what the operator named is refused, never passed over,
// although the cache holds a good library.
func TestNamedIsFinal(t *testing.T) {
	t.Setenv(environmentPath, "")
	content := []byte("cached library")
	in := testInstaller(t.TempDir(), npmArtifact(content))
	writeFile(t, in.cache.path(), content)
	if _, err := in.find(); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "libonnxruntime.so")
	writeFile(t, text, []byte("not a library"))
	for name, path := range map[string]string{
		"missing": filepath.Join(t.TempDir(), "none.so"), "not a library": text,
	} {
		in.opts.Path = path
		if lib, err := in.find(); !errors.Is(err, ErrUnusable) {
			t.Errorf("flag, %s: %+v, %v", name, lib, err)
		}
		in.opts.Path = ""
		t.Setenv(environmentPath, path)
		if lib, err := in.find(); !errors.Is(err, ErrUnusable) {
			t.Errorf("environment, %s: %+v, %v", name, lib, err)
		}
		t.Setenv(environmentPath, "")
	}
	in.opts.Path = filepath.Dir(text)
	if lib, err := in.find(); !errors.Is(err, ErrUnusable) {
		t.Errorf("flag, a folder without: %+v, %v", lib, err)
	}
	in.opts.Path = ""
	t.Setenv(environmentPath, filepath.Dir(text))
	if lib, err := in.find(); !errors.Is(err, ErrUnusable) {
		t.Errorf("environment, a folder without: %+v, %v", lib, err)
	}
	// Ensure does not install in its place either.
	t.Setenv(environmentPath, "")
	_, err := Ensure(context.Background(), Options{Path: text, CacheDir: t.TempDir()})
	if !errors.Is(err, ErrUnusable) || errors.Is(err, ErrInstall) {
		t.Errorf("Ensure: %v", err)
	}
}

func TestOffline(t *testing.T) {
	clients := newFakeClients(t)
	clients.add(t, "npm", "exit 1", nil)
	t.Setenv(environmentPath, "")
	t.Setenv("LD_LIBRARY_PATH", "")
	dir := filepath.Join(t.TempDir(), "cache")
	lib, err := Ensure(context.Background(), Options{CacheDir: dir, Offline: true})
	if err == nil && lib.Origin == originSystem {
		t.Skip("this machine's system folders hold ONNX Runtime")
	}
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("%+v, %v; want ErrNotFound", lib, err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the cache folder was made: %v", err)
	}
	if calls := clients.calls(t); calls != nil {
		t.Errorf("ran %q", calls)
	}
}

func TestNoHome(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the cache folder does not depend on HOME here")
	}
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv(environmentPath, "")
	f := newFinder(Options{})
	f.machine = machine{os: "linux", arch: "amd64"}
	f.folders = nil
	f.artifacts = []artifact{npmArtifact(nil)}
	if _, err := f.find(); !errors.Is(err, ErrNotFound) {
		t.Errorf("find: %v", err)
	}
	_, err := newInstaller(f).install(context.Background())
	if !errors.Is(err, ErrInstall) {
		t.Errorf("install: %v", err)
	}
	contains(t, err, "HOME")
}

func TestConfiguredFolders(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "ld.so.conf")
	writeFile(t, config, []byte("# comment\n/first\ninclude conf.d/*.conf\n  /last # why\nhwcap 1 nosegneg\ninclude ld.so.conf\n"))
	writeFile(t, filepath.Join(dir, "conf.d", "a.conf"), []byte("/from/a\n"))
	writeFile(t, filepath.Join(dir, "conf.d", "b.conf"), []byte("/from/b\n\n/from/a\n"))
	writeFile(t, filepath.Join(dir, "conf.d", "c.other"), []byte("/from/c\n"))
	read := configuredFolders(config, 0)
	if most := 5 * (maxConfigDepth + 1); len(read) > most {
		t.Errorf("a file that includes itself names %d folders, want %d at most", len(read), most)
	}
	got := distinct(read)
	if want := []string{"/first", "/from/a", "/from/b", "/last"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := configuredFolders(filepath.Join(dir, "none"), 0); got != nil {
		t.Errorf("a missing file names %q", got)
	}
}

func TestSystemFolders(t *testing.T) {
	t.Setenv("LD_LIBRARY_PATH", "/mine:relative::/mine")
	t.Setenv("DYLD_LIBRARY_PATH", "/mine")
	for _, goos := range []string{"linux", "darwin"} {
		folders := systemFolders(goos)
		if len(folders) < 3 || folders[0] != "/mine" {
			t.Errorf("%s: %q", goos, folders)
		}
		seen := make(map[string]bool)
		for _, folder := range folders {
			if seen[folder] || !filepath.IsAbs(folder) {
				t.Errorf("%s: %q twice or not absolute", goos, folder)
			}
			seen[folder] = true
		}
	}
}

func TestLibraryNames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"libonnxruntime.so", "libonnxruntime.so.1", "libonnxruntime.so.1.24.3", "libonnxruntime_providers_shared.so",
		"libonnxruntime.dylib", "libonnxruntime.1.24.3.dylib", "libonnxruntime-extensions.so", "onnxruntime.so",
	} {
		writeFile(t, filepath.Join(dir, name), nil)
	}
	for goos, want := range map[string][]string{
		"linux":  {"libonnxruntime.so", "libonnxruntime.so.1", "libonnxruntime.so.1.24.3"},
		"darwin": {"libonnxruntime.1.24.3.dylib", "libonnxruntime.dylib"},
	} {
		var got []string
		for _, path := range libraryNames(dir, goos) {
			got = append(got, filepath.Base(path))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", goos, got, want)
		}
	}
}
