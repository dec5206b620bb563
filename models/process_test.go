package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// childJob, in the environment, makes the test program do a job in place of the tests, so that tests
// have other processes to share a folder with, and to kill.
const childJob = "ROLLCALL_TEST_MODELS_CHILD"

type job struct {
	Dir      string
	Contract Contract
	Files    []string // empty: pull once; otherwise: add and remove these in turn, for ever
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childJob); text != "" {
		if err := runJob(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func runJob(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	l, err := libraryOf(j.Dir, j.Contract)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if len(j.Files) == 0 {
		return l.Pull(ctx, j.Contract.Name, PullOptions{})
	}
	for i := 0; ; i++ {
		if _, err := l.Add(ctx, j.Contract.Name, j.Files[i%len(j.Files)], AddOptions{}); err != nil {
			return err
		}
		// To be killed while it replaces a file that was changed, too.
		if i%2 == 0 {
			if err := os.Truncate(filepath.Join(j.Dir, j.Contract.Name, modelFile), 1); err != nil {
				return err
			}
			if _, err := l.Add(ctx, j.Contract.Name, j.Files[i%len(j.Files)], AddOptions{}); err != nil {
				return err
			}
		}
		if err := l.Remove(j.Contract.Name); err != nil {
			return err
		}
	}
}

// start runs a job in another process.
func start(t *testing.T, j job) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(program)
	child.Env = append(os.Environ(), childJob+"="+string(text))
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	return child
}

// TestKilledProcess kills a process that adds and removes a model, again and again: what it leaves is a
// whole installation or none, and does not stand in the way of the next.
func TestKilledProcess(t *testing.T) {
	const rounds = 12
	dir := t.TempDir()
	files := [][]byte{fakeONNX(1, 300_000), fakeONNX(2, 200_000)}
	j := job{Dir: dir, Contract: testEmbedder("m")}
	for _, file := range files {
		j.Files = append(j.Files, writeFile(t, file))
	}
	l := testLibrary(t, dir, j.Contract)
	random := rand.New(rand.NewPCG(3, 3))
	for range rounds {
		child := start(t, j)
		for begun := time.Now(); !exists(filepath.Join(dir, workDir)); time.Sleep(time.Millisecond) {
			if time.Since(begun) > time.Minute {
				t.Fatal("the other process does nothing")
			}
		}
		time.Sleep(time.Duration(random.IntN(60_000)) * time.Microsecond)
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := child.Wait(); err == nil || child.ProcessState.Exited() {
			t.Fatalf("the other process ended by itself: %v", err)
		}
		m, err := l.Model("m")
		switch {
		case errors.Is(err, ErrNotInstalled):
		case err != nil:
			t.Fatalf("after the kill: %v", err)
		default:
			// The other process also cuts files on purpose, which must be seen.
			if data, err := m.Read(); err != nil && !errors.Is(err, ErrDigestMismatch) {
				t.Fatalf("after the kill: %v", err)
			} else if err == nil && string(data) != string(files[0]) && string(data) != string(files[1]) {
				t.Fatal("after the kill: another file")
			}
		}
		if err := l.Remove("m"); err != nil && !errors.Is(err, ErrNotInstalled) {
			t.Fatalf("remove after the kill: %v", err)
		}
		mustAdd(t, l, "m", files[0], AddOptions{})
		wantFile(t, l, "m", files[0])
		if err := os.RemoveAll(filepath.Join(dir, workDir)); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(dir, "m")); err != nil {
			t.Fatal(err)
		}
	}
}

// TestProcessesPullAtOnce lets processes pull one model: it is downloaded once.
func TestProcessesPullAtOnce(t *testing.T) {
	s, l, file := pullLibrary(t)
	s.set(func(b *behaviour) { b.dropAfter = 20_000 })
	var children []*exec.Cmd
	for range 4 {
		children = append(children, start(t, job{Dir: l.dir, Contract: l.catalogue["m"]}))
	}
	for _, child := range children {
		if err := child.Wait(); err != nil {
			t.Error(err)
		}
	}
	wantFile(t, l, "m", file)
	if _, sent := s.log(); sent != int64(len(file)) {
		t.Errorf("%d bytes were sent for a file of %d", sent, len(file))
	}
}

// TestRecover puts the folder into each state that a crash between two steps of a change leaves.
func TestRecover(t *testing.T) {
	file := fakeONNX(1, 100)
	for name, crash := range map[string]func(w *workshop) error{
		"half prepared": func(w *workshop) error {
			return errors.Join(os.Mkdir(w.path(stageDir), 0o755), os.WriteFile(filepath.Join(w.path(stageDir), modelFile), file[:50], 0o644))
		},
		"put away":        func(w *workshop) error { return os.Rename(w.installed, w.path(oldDir)) },
		"not yet removed": func(w *workshop) error { return os.CopyFS(w.path(oldDir), os.DirFS(w.installed)) },
	} {
		t.Run(name, func(t *testing.T) {
			l := testLibrary(t, t.TempDir(), testEmbedder("m"))
			mustAdd(t, l, "m", file, AddOptions{})
			w, err := l.openWorkshop(t.Context(), "m")
			if err != nil {
				t.Fatal(err)
			}
			err = crash(w)
			w.unlock()
			if err != nil {
				t.Fatal(err)
			}
			w, err = l.openWorkshop(t.Context(), "m")
			if err != nil {
				t.Fatal(err)
			}
			w.unlock()
			wantFile(t, l, "m", file)
			if exists(w.path(stageDir)) || exists(w.path(oldDir)) {
				t.Error("something has been left")
			}
		})
	}
}

// TestRecoverHalfRemoved leaves half of an installation that was being removed: it is not brought back.
func TestRecoverHalfRemoved(t *testing.T) {
	for _, place := range []string{oldDir, stageDir} {
		l := testLibrary(t, t.TempDir(), testEmbedder("m"))
		mustAdd(t, l, "m", fakeONNX(1, 100), AddOptions{})
		w, err := l.openWorkshop(t.Context(), "m")
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(os.Rename(w.installed, w.path(place)), os.Remove(filepath.Join(w.path(place), modelFile)), w.recover())
		w.unlock()
		if err != nil {
			t.Fatal(err)
		}
		wantNothing(t, l, "m")
	}
}

// TestStoreFailsWhole makes the last step of an installation fail: the previous one stays.
func TestStoreFailsWhole(t *testing.T) {
	// A folder in the way and no missing permission, since root has them all.
	l := testLibrary(t, t.TempDir(), testEmbedder("m"))
	mustAdd(t, l, "m", fakeONNX(1, 100), AddOptions{})
	w, err := l.openWorkshop(t.Context(), "m")
	if err != nil {
		t.Fatal(err)
	}
	defer w.unlock()
	if err := errors.Join(os.Mkdir(w.path(oldDir), 0o755), os.WriteFile(filepath.Join(w.path(oldDir), "in-the-way"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := w.store(fakeONNX(2, 100), []byte("{}")); err == nil {
		t.Fatal("the old installation went over another one")
	}
	if err := w.recover(); err != nil {
		t.Fatal(err)
	}
	wantFile(t, l, "m", fakeONNX(1, 100))
}

func TestLockHonoursContext(t *testing.T) {
	name := filepath.Join(t.TempDir(), lockFile)
	unlock, err := lock(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*lockPoll)
	defer cancel()
	if _, err := lock(ctx, name); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	unlock()
	unlock, err = lock(ctx, name)
	if err != nil {
		t.Fatalf("a free lock is taken even when the time is over: %v", err)
	}
	unlock()
}
