package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestGroupCommit holds the log's first sync back while 50 changes are
// applied. Apply must not wait for it, reads must see the changes, no Wait may
// return before it, and after it the rest must share a sync.
func TestGroupCommit(t *testing.T) {
	const changes = 50
	gate := make(chan struct{})
	var armed atomic.Bool
	var syncs atomic.Int64
	s := closeAtEnd(t, openMem(t, syncFS{vfs.NewMem(), func(name string) error {
		if armed.Load() && isLog(name) {
			syncs.Add(1)
			<-gate
		}
		return nil
	}}))
	armed.Store(true)

	var early atomic.Int64
	var waiting sync.WaitGroup
	for i := range changes {
		var c Change
		c.PutStudent(Student{ID: fmt.Sprint("student-", i)})
		commit, err := s.Apply(&c)
		if err != nil {
			t.Fatal(err)
		}
		waiting.Go(func() {
			if err := commit.Wait(); err != nil {
				t.Error(err)
			}
			select {
			case <-gate:
			default:
				early.Add(1)
			}
		})
	}
	if got := len(collect(t, s.Students(""))); got != changes {
		t.Errorf("%d students are visible before the sync, want %d", got, changes)
	}
	close(gate)
	waiting.Wait()
	if early.Load() > 0 {
		t.Errorf("%d of %d Waits returned before the sync", early.Load(), changes)
	}
	// One that began with the first change and one for all that came after it;
	// the first can be of an empty log.
	if got := syncs.Load(); got > 3 {
		t.Errorf("%d changes took %d syncs", changes, got)
	}
}

// TestConcurrentWriters has writers that take crops from one another, with
// readers beside them. The outcome must be that of the changes one after the
// other, in the order of their sequence numbers.
func TestConcurrentWriters(t *testing.T) {
	const writers, each = 8, 60
	s := closeAtEnd(t, openMem(t, vfs.NewMem()))
	owner := make([]string, writers*each+1) // of crop seq%5, by sequence number
	crop := make([]string, len(owner))
	var running, readers sync.WaitGroup
	var done atomic.Bool
	for w := range writers {
		running.Go(func() {
			for i := range each {
				c := Crop{ID: fmt.Sprint("crop-", i%5), StudentID: fmt.Sprint("student-", w)}
				var change Change
				change.PutCrop(c)
				commit, err := s.Apply(&change)
				if err == nil {
					err = commit.Wait()
				}
				if err != nil {
					t.Error(err)
					return
				}
				if seen := s.Sequence(); seen < commit.Seq {
					t.Errorf("Sequence() = %d after change %d", seen, commit.Seq)
				}
				owner[commit.Seq], crop[commit.Seq] = c.StudentID, c.ID
			}
		})
	}
	readers.Go(func() {
		for !done.Load() {
			for c, err := range s.Crops("") {
				if err != nil || c.StudentID == "" {
					t.Errorf("read crop %+v, %v", c, err)
				}
			}
		}
	})
	running.Wait()
	done.Store(true)
	readers.Wait()

	last := map[string]string{}
	for seq := 1; seq < len(owner); seq++ {
		if crop[seq] == "" {
			t.Fatalf("no change got the sequence number %d", seq)
		}
		last[crop[seq]] = owner[seq]
	}
	for w := range writers {
		student := fmt.Sprint("student-", w)
		var want []string
		for id, owner := range last {
			if owner == student {
				want = append(want, id)
			}
		}
		slices.Sort(want)
		equal(t, "crops of "+student, collect(t, s.CropsOf(student)), want)
	}
}

// childEnv names the part that a test plays when it runs itself as a child
// process.
const childEnv = "ROLLCALL_STORAGE_TEST_CHILD"

// childLimit ends a child that hangs; one takes about a second.
const childLimit = 20 * time.Second

// runChild runs the calling test in a process of its own, which finds part in
// childEnv, and returns what it printed and its exit status.
func runChild(t *testing.T, part string) (output string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), childLimit)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), childEnv+"="+part)
	printed, err := child.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(printed), child.ProcessState.ExitCode()
}

// TestFailStop fails the log's sync. The process must end, before it
// acknowledges the change and also when a server recovers panics.
func TestFailStop(t *testing.T) {
	const acknowledged, stopped = "ACKNOWLEDGED", "ending the process"
	switch part := os.Getenv(childEnv); part {
	case "":
		for _, part := range []string{"wait", "panic"} {
			output, status := runChild(t, part)
			if status != 1 || strings.Contains(output, acknowledged) || !strings.Contains(output, stopped) {
				t.Errorf("%s: exit status %d and output:\n%s", part, status, output)
			}
		}
	case "wait":
		failStopChild(t, 1, func(commit *Commit) {
			if commit.Wait() == nil {
				fmt.Println(acknowledged)
			}
		})
	case "panic":
		// Nobody waits: the next changes run into Pebble's failed log.
		failStopChild(t, 10000, func(*Commit) {})
		fmt.Println(acknowledged)
	}
}

// failStopChild applies n changes to a store whose log fails, and recovers
// panics as net/http does.
func failStopChild(t *testing.T, n int, after func(*Commit)) {
	var armed atomic.Bool
	s, err := Open("gallery", Options{
		Logger: slog.New(slog.NewTextHandler(os.Stdout, nil)),
		FS: syncFS{vfs.NewMem(), func(name string) error {
			if armed.Load() && isLog(name) {
				return errors.New("injected: the disk is gone")
			}
			return nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	for range n {
		func() {
			defer func() {
				if failure := recover(); failure != nil {
					fmt.Println("recovered", failure)
				}
			}()
			var c Change
			c.PutStudent(Student{ID: "ann"})
			if commit, err := s.Apply(&c); err == nil {
				after(commit)
			}
		}()
	}
}
