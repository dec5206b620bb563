package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// killed returns what the operating system has of a store after a kill: half of
// its 14 students, each of a change, are in tables, and half in Pebble's log
// alone. Every second one is in another partition.
func killed(t *testing.T) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashableMem()
	s := openMem(t, fs)
	for i := range 14 {
		put(t, partition(t, s, fmt.Sprint("school-", i%2)), Student{ID: fmt.Sprint(i)})
		if i == 6 {
			if err := onPebble(s).db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
}

// students returns how many students are in both partitions.
func students(t *testing.T, s *Store) int {
	t.Helper()
	return len(load(t, partition(t, s, "school-0"))) + len(load(t, partition(t, s, "school-1")))
}

// alter replaces the content of a file.
func alter(t *testing.T, fs vfs.FS, name string, edit func([]byte) []byte) {
	t.Helper()
	file, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(file)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	if file, err = fs.Create(name, vfs.WriteCategoryUnspecified); err != nil {
		t.Fatal(err)
	}
	_, err = file.Write(edit(content))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestLostLog deletes Pebble's log after a kill.
func TestLostLog(t *testing.T) {
	fs := killed(t)
	for _, name := range list(t, fs, ".log") {
		if err := fs.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the error stays until the loss is accepted
		_, err := Open("gallery", Options{FS: fs})
		wantError(t, "Open", err, ErrLost)
		if err != nil && !strings.Contains(err.Error(), "changes 8 to 14 were acknowledged and are missing") {
			t.Errorf("the error does not say what is missing: %v", err)
		}
		if err != nil && !strings.Contains(err.Error(), "restore a backup, or go on with what is there: serve --accept-loss") {
			t.Errorf("the error does not say what to do: %v", err)
		}
	}
	var log bytes.Buffer
	s, err := Open("gallery", Options{FS: fs, AcceptLoss: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "changes 8 to 14") {
		t.Error("what is missing was not logged")
	}
	equal(t, "students", students(t, s), 7)
	put(t, partition(t, s, "school-0"), Student{ID: "later"})
	closeNow(t, s)
	equal(t, "students", students(t, openMem(t, fs)), 8)
}

// TestDamagedLog cuts Pebble's log short and flips bytes in it, at every length
// and place. Every student is there, or Open says what to do.
func TestDamagedLog(t *testing.T) {
	fs := killed(t)
	logs := list(t, fs, ".log")
	slices.Sort(logs)
	name := logs[len(logs)-1]
	refused := 0
	damage := func(what string, edit func([]byte) []byte) {
		t.Helper()
		copied := vfs.NewMem()
		if ok, err := vfs.Clone(fs, copied, "gallery", "gallery"); err != nil || !ok {
			t.Fatal(ok, err)
		}
		alter(t, copied, name, edit)
		s, err := Open("gallery", Options{FS: copied})
		if err != nil {
			refused++
			if !errors.Is(err, ErrLost) && !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "restore a backup, or go on with what") {
				t.Errorf("%s: %v", what, err)
			}
			accept(t, copied, what)
			return
		}
		if n := students(t, s); n != 14 {
			t.Errorf("%s: %d students and no error", what, n)
		}
		closeNow(t, s)
	}
	var size int
	damage("as it is", func(b []byte) []byte { size = len(b); return b })
	if refused > 0 {
		t.Fatal("the log was refused as it is")
	}
	step := max(1, size/200)
	for at := 0; at < size; at += step {
		damage(fmt.Sprint("cut at ", at), func(b []byte) []byte { return b[:at] })
		damage(fmt.Sprint("flipped at ", at), func(b []byte) []byte { b[at] ^= 0x55; return b })
		damage(fmt.Sprint("zero from ", at), func(b []byte) []byte { clear(b[at:]); return b })
	}
	if refused < 100 {
		t.Errorf("only %d of the damages were seen", refused)
	}
}

// accept opens a damaged store with what is there: the oldest changes, without a
// gap, and not fewer than were in tables.
func accept(t *testing.T, fs vfs.FS, what string) {
	t.Helper()
	s, err := Open("gallery", Options{FS: fs, AcceptLoss: true})
	if err != nil {
		t.Errorf("%s, the loss accepted: %v", what, err)
		return
	}
	n := students(t, s)
	for i := range 2 {
		last := uint64(0)
		for c, err := range partition(t, s, fmt.Sprint("school-", i)).Changes(t.Context(), 0) {
			if err != nil {
				t.Errorf("%s, the loss accepted: %v", what, err)
			}
			last = c.Sequence
		}
		if want := uint64(n+1-i) / 2; last != want { // they came in turns
			t.Errorf("%s: %d students are left, and %d changes in partition %d", what, n, last, i)
		}
	}
	if n < 7 || n > 13 {
		t.Errorf("%s: %d students are left", what, n)
	}
	put(t, partition(t, s, "school-0"), Student{ID: "later"})
	closeNow(t, s)
	s = openMem(t, fs)
	equal(t, "students", students(t, s), n+1)
	closeNow(t, s)
}

// TestCloseLeavesNothingInTheLog deletes Pebble's log after a close.
func TestCloseLeavesNothingInTheLog(t *testing.T) {
	fs := vfs.NewMem()
	s := openMem(t, fs)
	put(t, partition(t, s, "school-0"), Student{ID: "ann"})
	closeNow(t, s)
	for _, name := range list(t, fs, ".log") {
		if err := fs.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "students", students(t, openMem(t, fs)), 1)
}

// TestOneChangeMissing is TestLostLog in the singular.
func TestOneChangeMissing(t *testing.T) {
	fs := killed(t)
	alter(t, fs, "gallery/"+acknowledgedFile, func([]byte) []byte { return []byte(acknowledgedLine(15)) })
	_, err := Open("gallery", Options{FS: fs})
	wantError(t, "Open", err, ErrLost)
	if err != nil && !strings.Contains(err.Error(), "change 15 was acknowledged and is missing") {
		t.Error(err)
	}
}

// TestUnreadableCount damages the file that counts the changes, or deletes it:
// the store opens, says so in its log, and counts anew.
func TestUnreadableCount(t *testing.T) {
	const name = "gallery/" + acknowledgedFile
	for what, edit := range map[string]func(*testing.T, vfs.FS){
		"missing": func(t *testing.T, fs vfs.FS) {
			if err := fs.Remove(name); err != nil {
				t.Fatal(err)
			}
		},
		"empty":   func(t *testing.T, fs vfs.FS) { alter(t, fs, name, func([]byte) []byte { return nil }) },
		"short":   func(t *testing.T, fs vfs.FS) { alter(t, fs, name, func(b []byte) []byte { return b[:20] }) },
		"flipped": func(t *testing.T, fs vfs.FS) { alter(t, fs, name, func(b []byte) []byte { b[3] ^= 1; return b }) },
		"zero":    func(t *testing.T, fs vfs.FS) { alter(t, fs, name, func(b []byte) []byte { clear(b); return b }) },
	} {
		t.Run(what, func(t *testing.T) {
			fs := killed(t)
			edit(t, fs)
			var log bytes.Buffer
			s, err := Open("gallery", Options{FS: fs, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "students", students(t, s), 14)
			if got := log.String(); !strings.Contains(got, "cannot be read") || len(got) > 400 {
				t.Errorf("the log does not say so, in a line: %s", got)
			}
			closeNow(t, s)
			file, err := fs.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			n, err := readAcknowledged(file)
			if err := errors.Join(err, file.Close()); err != nil || n != 14 {
				t.Errorf("the file says %d, %v", n, err)
			}
		})
	}
}

// twoLogs returns what the operating system has of a store after a kill while a table
// was written: 7 of its 14 students in each of two logs.
func twoLogs(t *testing.T) *vfs.MemFS {
	t.Helper()
	base := vfs.NewCrashableMem()
	closeNow(t, openMem(t, base))
	gate := make(chan struct{})
	s, err := Open("gallery", Options{MinFreeBytes: -1, FS: syncFS{base, func(name string) error {
		if strings.HasSuffix(name, ".sst") {
			<-gate
		}
		return nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 14 {
		put(t, partition(t, s, "school-0"), Student{ID: fmt.Sprint(i)})
		if i == 6 {
			if _, err := onPebble(s).db.AsyncFlush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for len(list(t, base, ".log")) > 2 { // Pebble deletes the log of the first Open when it comes to it
		time.Sleep(time.Millisecond)
	}
	fs := base.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	close(gate)
	closeNow(t, s)
	return fs
}

// cutFails is a file system on which nothing can be renamed.
type cutFails struct{ vfs.FS }

func (cutFails) Rename(string, string) error { return errors.New("injected: no rename") }

// TestInterruptedSalvage damages the older of two logs and interrupts the salvage: what
// is sound is still there for the next one, and no change follows a gap.
func TestInterruptedSalvage(t *testing.T) {
	fs := twoLogs(t)
	logs := list(t, fs, ".log")
	slices.Sort(logs)
	alter(t, fs, logs[0], func(b []byte) []byte { b[len(b)/2] ^= 0x55; return b })
	if _, err := Open("gallery", Options{FS: cutFails{fs}, AcceptLoss: true}); err == nil {
		t.Fatal("opened without a cut")
	}
	if left := list(t, fs, ".cut"); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
	s, err := Open("gallery", Options{FS: fs, AcceptLoss: true})
	if err != nil {
		t.Fatal(err)
	}
	p := partition(t, s, "school-0")
	n := len(load(t, p))
	changes := uint64(0)
	for c, err := range p.Changes(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		changes = c.Sequence
	}
	if n < 1 || n > 6 || changes != uint64(n) {
		t.Errorf("%d students and %d changes are left", n, changes)
	}
	closeNow(t, s)
}

// TestLostOlderLog loses the older of two logs, as there are while a table is written:
// Pebble does not miss it.
func TestLostOlderLog(t *testing.T) {
	fs := twoLogs(t)
	logs := list(t, fs, ".log")
	slices.Sort(logs)
	if len(logs) != 2 {
		t.Fatalf("the logs are %v: the test is void", logs)
	}
	if err := fs.Remove(logs[0]); err != nil {
		t.Fatal(err)
	}
	_, err := Open("gallery", Options{FS: fs})
	wantError(t, "Open", err, ErrLost)
	if err != nil && !strings.Contains(err.Error(), "changes 1 to 7 were acknowledged and are missing") {
		t.Error(err)
	}
	s, err := Open("gallery", Options{FS: fs, AcceptLoss: true})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "students", len(load(t, partition(t, s, "school-0"))), 7)
	closeNow(t, s)
}
