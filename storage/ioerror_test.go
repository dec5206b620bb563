package storage

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"rollcall/storage/powertest"
)

// ioEvery says which operations TestIOErrors fails.
var ioEvery = flag.Int("io-every", 61, "TestIOErrors fails every so manieth operation of its history; 1: each")

// How a disk fails: one operation alone, or that one and all that come after it, or these as far
// as they write, as on a disk that was made read-only.
const (
	failsOnce    = "once"
	failsForGood = "for-good"
	failsToWrite = "writes-for-good"
)

// TestIOErrors has the n-th operation on the files fail, for many n. In a process of its own a
// history of commits, reads and starts goes on until that. No answer may be wrong: a read is right
// or an error; after a commit that failed there is what was before it, or all of it. The process
// may end, and says why then; it may not hang. What it leaves opens on a healthy disk, with what
// was acknowledged.
func TestIOErrors(t *testing.T) {
	if part := os.Getenv(childEnv); part != "" {
		var kind, base string
		var n int
		if _, err := fmt.Sscan(part, &kind, &n, &base); err != nil {
			t.Fatal(err)
		}
		for ; faultyHistory(t, kind, n, filepath.Join(base, fmt.Sprint(kind, n))); n += *ioEvery {
		}
		return
	}
	for _, kind := range []string{failsOnce, failsForGood, failsToWrite} {
		t.Run(kind, func(t *testing.T) { failEach(t, kind) })
	}
}

// failEach runs children until the history has no more operations to fail.
func failEach(t *testing.T, kind string) {
	base := t.TempDir()
	ended := 0
	for n := 1; ; {
		output, status := runChildOf(t, "TestIOErrors", fmt.Sprint(kind, " ", n, " ", base), fmt.Sprint("-io-every=", *ioEvery))
		if status != 0 && (status != 1 || !strings.Contains(output, "ending the process")) {
			t.Fatalf("exit status %d and output:\n%s", status, output)
		}
		var at, acknowledged, begun int
		look := func() {
			if at > 0 {
				healthy(t, filepath.Join(base, fmt.Sprint(kind, at)), at, acknowledged, begun)
			}
		}
		for line := range strings.Lines(output) {
			var number int
			if got, _ := fmt.Sscanf(line, "operation %d", &number); got == 1 {
				look()
				at, acknowledged, begun = number, 0, 0
			} else if got, _ := fmt.Sscanf(line, "begun %d", &number); got == 1 {
				begun = number
			} else if got, _ := fmt.Sscanf(line, "acknowledged %d", &number); got == 1 {
				acknowledged = number
			}
		}
		look()
		if status == 0 {
			t.Logf("up to operation %d failed; %d ended the process", at, ended)
			if at < 100 || kind == failsToWrite && ended == 0 {
				t.Error("the test does not reach the files")
			}
			return
		}
		ended++
		n = at + *ioEvery
	}
}

// faultyCommits is the length of a history; the store is opened anew in its middle.
const faultyCommits = 8

// faultyModels are the states after each commit of the history, and the changes of each.
func faultyModels() (states []*model, changes [][]Change) {
	rng := rand.New(rand.NewPCG(41, 1))
	states = []*model{newModel()}
	for i := range faultyCommits {
		m := states[i].clone()
		changes = append(changes, m.next(rng))
		states = append(states, m)
	}
	return states, changes
}

// faultyHistory runs the history on a disk whose n-th operation fails, and prints what was begun
// and acknowledged. It reports false if there was no n-th operation.
func faultyHistory(t *testing.T, kind string, n int, dir string) bool {
	fmt.Println("operation", n)
	var done atomic.Int64
	disk := powertest.Hooked(vfs.Default, func(op errorfs.Op) error {
		i := done.Add(1)
		if i == int64(n) || i > int64(n) && (kind == failsForGood || kind == failsToWrite && op.Kind.ReadOrWrite() == errorfs.OpIsWrite) {
			return syscall.EIO
		}
		return nil
	})
	states, changes := faultyModels()
	s := openFaulty(disk, dir)
	if s == nil {
		return true
	}
	for i, batch := range changes {
		if i == faultyCommits/2 {
			if err := s.Close(); err != nil {
				fmt.Println("closing:", err)
				return true
			}
			if s = openFaulty(disk, dir); s == nil {
				return true
			}
		}
		p := partition(t, s, "school")
		fmt.Println("begun", i+1)
		err := p.Commit(t.Context(), states[i].sequence(), batch)
		if err != nil {
			fmt.Println("commit:", err)
			readFaulty(t, p, states[i], states[i+1])
			break
		}
		fmt.Println("acknowledged", i+1)
		readFaulty(t, p, states[i+1])
		if i%3 == 1 {
			if err := onPebble(s).db.Flush(); err != nil {
				fmt.Println("flush:", err)
			}
			readFaulty(t, p, states[i+1])
		}
	}
	if err := s.Close(); err != nil {
		fmt.Println("closing:", err)
	}
	return done.Load() >= int64(n)
}

// openFaulty opens a store, or returns nil if that fails.
func openFaulty(disk vfs.FS, dir string) *Store {
	s, err := Open(dir, Options{MinFreeBytes: -1, FS: disk, Logger: slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		fmt.Println("open:", err)
		return nil
	}
	return s
}

// readFaulty reads everything: it is an error, or one of the states.
func readFaulty(t *testing.T, p *Partition, may ...*model) {
	var records []Record
	for r, err := range p.Load(t.Context()) {
		if err != nil {
			fmt.Println("load:", err)
			return
		}
		if e, ok := r.(Embedding); ok {
			e.Vector = slices.Clone(e.Vector)
			r = e
		}
		records = append(records, r)
	}
	var read []Change
	for c, err := range p.Changes(t.Context(), 0) {
		if err != nil {
			fmt.Println("changes:", err)
			return
		}
		read = append(read, c)
	}
	for _, m := range may {
		if fmt.Sprint(records) == fmt.Sprint(m.sorted()) && len(read) == len(m.changes) {
			return
		}
	}
	t.Fatalf("a wrong answer: %d records and %d changes", len(records), len(read))
}

// healthy opens what a faulty disk has left, on a healthy one.
func healthy(t *testing.T, dir string, n, acknowledged, begun int) {
	t.Helper()
	s, err := Open(dir, Options{MinFreeBytes: -1})
	if err != nil {
		t.Fatalf("operation %d failed, and then, with %d commits acknowledged: %v", n, acknowledged, err)
	}
	defer closeNow(t, s)
	states, _ := faultyModels()
	p := partition(t, s, "school")
	sequence, err := p.Sequence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range states {
		if m.sequence() == sequence && i >= acknowledged && i <= begun {
			m.compare(t, p, rand.New(rand.NewPCG(1, 1)))
			return
		}
	}
	t.Fatalf("operation %d failed: change %d is the newest; %d commits were acknowledged and %d begun", n, sequence, acknowledged, begun)
}
