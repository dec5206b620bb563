package ortlib

import (
	"archive/tar"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestInstallNPM(t *testing.T) {
	library := []byte("the library of npm")
	clients := newFakeClients(t)
	clients.add(t, "npm", npmDelivers, packageOf(t, library))
	in := testInstaller(t.TempDir(), npmArtifact(library), pipArtifact(library))
	lib, err := in.install(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if want := (Library{in.cache.path(), Version, digestOf(library), "installed"}); lib != want {
		t.Errorf("installed %+v, want %+v", lib, want)
	}
	checkInstalled(t, in.cache, library)
	if calls := clients.calls(t); len(calls) != 1 || !strings.HasPrefix(calls[0], "npm pack "+npmPackage+" --ignore-scripts ") {
		t.Errorf("ran %q", calls)
	}
	again, err := in.install(context.Background())
	if err != nil || again.Origin != "cache" || again.SHA256 != lib.SHA256 {
		t.Errorf("the second time: %+v, %v", again, err)
	}
	if calls := clients.calls(t); len(calls) != 1 {
		t.Errorf("the second time ran %q", calls)
	}
}

func TestInstallPip(t *testing.T) {
	library := []byte("the library of the wheel")
	clients := newFakeClients(t)
	clients.add(t, "python3", pipDelivers, wheelOf(t, library))
	// npm is not there at all.
	in := testInstaller(t.TempDir(), npmArtifact([]byte("another")), pipArtifact(library))
	if _, err := in.install(context.Background()); err != nil {
		t.Fatal(err)
	}
	checkInstalled(t, in.cache, library)
	calls := clients.calls(t)
	if len(calls) != 1 || !strings.HasPrefix(calls[0], "python3 -m pip download "+pipPackage+" ") ||
		!strings.Contains(calls[0], " --platform some_tag ") {
		t.Errorf("ran %q", calls)
	}
}

// TestInstallRefuses: nothing but the pinned library gets into the cache, and
// the error says for every source what was wrong.
func TestInstallRefuses(t *testing.T) {
	library, forged := []byte("the library"), []byte("a forgery")
	newFakeClients(t) // none
	for _, tt := range []struct {
		name   string
		npm    string
		served []byte
		want   string
	}{
		{"forged", npmDelivers, packageOf(t, forged), digestOf(forged)},
		{"empty file", npmDelivers, nil, "unpack onnxruntime-node-1.24.3.tgz: EOF"},
		{"cut", npmDelivers, packageOf(t, library)[:40], "unexpected EOF"},
		{"without library", npmDelivers, tgz(t, []tar.Header{{Name: "x"}}, []byte("x")), "no " + testMember},
		{"delivers nothing", "exit 0", nil, "delivered 0 files"},
		{"delivers two", npmDelivers + "\n/bin/cp $archive other.tgz", packageOf(t, library), "delivered 2 files"},
		{"fails", "echo the network is down >&2\nexit 7", nil, "exit status 7\n      the network is down"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			newFakeClients(t).add(t, "npm", tt.npm, tt.served)
			in := testInstaller(t.TempDir(), npmArtifact(library), pipArtifact(library))
			lib, err := in.install(context.Background())
			if !errors.Is(err, ErrInstall) {
				t.Fatalf("%+v, %v; want ErrInstall", lib, err)
			}
			contains(t, err, "npm: ", tt.want, "pip: python3 is not installed", environmentPath)
			if _, err := os.Stat(in.cache.path()); !os.IsNotExist(err) {
				t.Errorf("in the cache: %v", err)
			}
			entries, err := os.ReadDir(in.cache.dir)
			if err != nil || len(entries) != 1 || entries[0].Name() != ".lock" {
				t.Errorf("left in the cache: %v, %v", entries, err)
			}
		})
	}
}

func TestInstallFallsThrough(t *testing.T) {
	library := []byte("the library of the wheel")
	clients := newFakeClients(t)
	clients.add(t, "npm", npmDelivers, packageOf(t, []byte("a forgery")))
	clients.add(t, "python3", pipDelivers, wheelOf(t, library))
	in := testInstaller(t.TempDir(), npmArtifact([]byte("the library of npm")), pipArtifact(library))
	if _, err := in.install(context.Background()); err != nil {
		t.Fatal(err)
	}
	checkInstalled(t, in.cache, library)
	if calls := clients.calls(t); len(calls) != 2 {
		t.Errorf("ran %q", calls)
	}
}

// TestInstallHanging: a client that hangs does not keep the next from its turn.
func TestInstallHanging(t *testing.T) {
	library := []byte("the library")
	clients := newFakeClients(t)
	clients.add(t, "npm", "exec /bin/sleep 60", nil)
	in := testInstaller(t.TempDir(), npmArtifact(library))
	in.timeout = 100 * time.Millisecond
	_, err := in.install(context.Background())
	if !errors.Is(err, ErrInstall) {
		t.Errorf("%v; want ErrInstall", err)
	}
	contains(t, err, "npm: gave up after 100ms")
}

func TestReinstallsDamaged(t *testing.T) {
	library := []byte("the library")
	clients := newFakeClients(t)
	clients.add(t, "npm", npmDelivers, packageOf(t, library))
	in := testInstaller(t.TempDir(), npmArtifact(library))
	// Damage, and what a killed installation leaves behind.
	for _, damaged := range [][]byte{nil, []byte("the librarY"), append(library, 0)} {
		writeFile(t, in.cache.path(), damaged)
		writeFile(t, filepath.Join(in.cache.dir, workPrefix+"123", "download", "part"), []byte("half"))
		if _, err := in.cache.library(); !errors.Is(err, errCorrupted) {
			t.Errorf("%q in the cache: %v", damaged, err)
		}
		lib, err := in.install(context.Background())
		if err != nil || lib.Origin != "installed" {
			t.Fatalf("%+v, %v", lib, err)
		}
		checkInstalled(t, in.cache, library)
	}
}

// TestInstallOnce starts goroutines and processes at the same time.
func TestInstallOnce(t *testing.T) {
	const goroutines, processes = 8, 8
	library := []byte("the library")
	clients := newFakeClients(t)
	clients.add(t, "npm", "/bin/sleep 0.5\n"+npmDelivers, packageOf(t, library))
	dir := t.TempDir()
	origins := make(chan string, goroutines+processes)
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			lib, err := testInstaller(dir, npmArtifact(library)).install(context.Background())
			if err != nil || lib.SHA256 != digestOf(library) {
				t.Errorf("goroutine: %+v, %v", lib, err)
			}
			origins <- lib.Origin
		})
	}
	for range processes {
		all.Go(func() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), processCache+"="+dir, processLibrary+"="+string(library))
			output, err := cmd.CombinedOutput()
			origin, digest, _ := strings.Cut(strings.TrimSpace(string(output)), " ")
			if err != nil || digest != digestOf(library) {
				t.Errorf("process: %v\n%s", err, output)
			}
			origins <- origin
		})
	}
	all.Wait()
	close(origins)
	count := make(map[string]int)
	for origin := range origins {
		count[origin]++
	}
	if count["installed"] != 1 || count["cache"] != goroutines+processes-1 {
		t.Errorf("origins %v, want one installed and the others cache", count)
	}
	if calls := clients.calls(t); len(calls) != 1 {
		t.Errorf("ran npm %d times", len(calls))
	}
	checkInstalled(t, testInstaller(dir, npmArtifact(library)).cache, library)
}

func TestInstallCancelled(t *testing.T) {
	library := []byte("the library")
	clients := newFakeClients(t)
	clients.add(t, "npm", "exec /bin/sleep 60", nil)
	in := testInstaller(t.TempDir(), npmArtifact(library), pipArtifact(library))
	ctx, cancel := context.WithCancel(context.Background())
	in.opts.Progress = func(step string, _, _ int64) {
		if strings.Contains(step, "npm") {
			cancel()
		}
	}
	_, err := in.install(ctx)
	if !errors.Is(err, ErrInstall) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want ErrInstall and Canceled", err)
	}
	if _, err := os.Stat(in.cache.path()); !os.IsNotExist(err) {
		t.Errorf("in the cache: %v", err)
	}
	// The lock is free again.
	clients.add(t, "npm", npmDelivers, packageOf(t, library))
	if _, err := in.install(context.Background()); err != nil {
		t.Error(err)
	}
	checkInstalled(t, in.cache, library)
}

func TestWaitingCancelled(t *testing.T) {
	newFakeClients(t)
	in := testInstaller(t.TempDir(), npmArtifact(nil))
	if err := os.MkdirAll(in.cache.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(context.Background(), filepath.Join(in.cache.dir, ".lock"), func() { t.Error("waited for a free lock") })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var steps []string
	in.opts.Progress = func(step string, _, _ int64) {
		steps = append(steps, step)
		cancel()
	}
	_, err = in.install(ctx)
	if !errors.Is(err, ErrInstall) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want ErrInstall and Canceled", err)
	}
	if len(steps) != 1 || !strings.Contains(steps[0], "waiting") {
		t.Errorf("steps %q", steps)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	// A deadline in the past does not keep a free lock.
	if _, err := in.install(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want Canceled", err)
	}
	unlock, err = lock(context.Background(), filepath.Join(in.cache.dir, ".lock"), func() { t.Error("the lock was kept") })
	if err != nil {
		t.Fatal(err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
}

func TestProgress(t *testing.T) {
	library := []byte("the library")
	clients := newFakeClients(t)
	// More bytes than announced, as npm needs, and time to see some of them.
	clients.add(t, "npm", "/bin/cp /bin/sh more\n/bin/sleep 0.5\n"+npmDelivers, packageOf(t, library))
	in := testInstaller(t.TempDir(), npmArtifact(library))
	returned := false
	last, total := int64(-1), int64(0)
	in.opts.Progress = func(step string, done, of int64) {
		if returned || done < last || done > of || !strings.Contains(step, "npm") {
			t.Errorf("%q %d of %d after %d, returned: %v", step, done, of, last, returned)
		}
		last, total = done, of
	}
	if _, err := in.install(context.Background()); err != nil {
		t.Fatal(err)
	}
	returned = true
	if total != npmArtifact(library).bytes || last != total {
		t.Errorf("ended at %d of %d", last, total)
	}
	time.Sleep(2 * watchInterval) // a watcher still running would report now
}

func TestInstallImpossible(t *testing.T) {
	newFakeClients(t)
	library := []byte("the library")
	notAFolder := filepath.Join(t.TempDir(), "file")
	writeFile(t, notAFolder, nil)
	musl := testInstaller(t.TempDir(), npmArtifact(library))
	musl.machine.musl = true
	writeFile(t, musl.cache.path(), library)
	unpublished := testInstaller(t.TempDir())
	unpublished.machine = machine{os: "linux", arch: "riscv64"}
	for _, tt := range []struct {
		name, want string
		in         *installer
	}{
		{"musl", "apk add onnxruntime", musl},
		{"platform", "not published for linux/riscv64", unpublished},
		{"cache folder", "the cache folder cannot be written", testInstaller(notAFolder, npmArtifact(library))},
	} {
		_, err := tt.in.install(context.Background())
		if !errors.Is(err, ErrInstall) {
			t.Errorf("%s: %v does not wrap ErrInstall", tt.name, err)
		}
		contains(t, err, tt.want)
	}
	// A cached library for glibc is no find on musl.
	t.Setenv(environmentPath, "")
	if _, err := musl.find(); !errors.Is(err, ErrNotFound) {
		t.Errorf("find on musl: %v", err)
	}
}

// TestReadOnlyCache: a library that is installed is found without writing.
func TestReadOnlyCache(t *testing.T) {
	t.Setenv(environmentPath, "")
	library := []byte("the library")
	in := testInstaller(t.TempDir(), npmArtifact(library))
	writeFile(t, in.cache.path(), library)
	if err := os.Chmod(in.cache.dir, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chmod(in.cache.dir, 0o755); err != nil {
			t.Error(err)
		}
	})
	if lib, err := in.find(); err != nil || lib.Origin != "cache" {
		t.Errorf("%+v, %v", lib, err)
	}
	entries, err := os.ReadDir(in.cache.dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the cache holds %v, %v", entries, err)
	}
}
