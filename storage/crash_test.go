package storage

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rollcall/storage/powertest"
)

// TestCrash cuts the power at every step of a random history, one crash after another on what
// the last one left. Whatever part of the unsynced data reached the disk, the store that opens
// afterwards must be the one after some commit of the history, whole, and no earlier than the
// last one that was acknowledged. No crash is taken for a loss.
func TestCrash(t *testing.T) {
	for seed := range histories() {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 7))
			fs := vfs.NewCrashableMem()
			history := []*model{newModel()} // after each commit
			for range 3 {
				clones := crashes(t, fs, &history, rng)
				for _, c := range clones {
					s := openMem(t, c.FS)
					survived(t, c, partition(t, s, "school"), history, rng)
					closeNow(t, s)
				}
				last := pick(rng, clones)
				fs = last.FS
				s := openMem(t, fs)
				history = history[:survived(t, last, partition(t, s, "school"), history, rng)+1]
				closeNow(t, s)
			}
		})
	}
}

// histories is powerSeeds; one under the race detector, which makes the many starts ten times slower.
func histories() uint64 {
	if testing.Short() {
		return 1
	}
	return uint64(*powerSeeds)
}

// powerSeeds is how many histories have their power cut.
var powerSeeds = flag.Int("power-seeds", 2, "how many random histories TestCrash and TestJournalCrash cut the power of")

// crashes commits to the store on fs, adds to the history, and returns what power cuts left.
func crashes(t *testing.T, fs *vfs.MemFS, history *[]*model, rng *rand.Rand) []powertest.Left {
	t.Helper()
	cuts := powertest.New(fs, rng.Uint64())
	cuts.Acknowledged.Store(int64(len(*history) - 1))
	cuts.Begun.Store(cuts.Acknowledged.Load())
	s := openMem(t, cuts.CutFS())
	p := partition(t, s, "school")
	for range 8 {
		m := (*history)[len(*history)-1].clone()
		after := m.sequence()
		changes := m.next(rng)
		*history = append(*history, m)
		cuts.Begun.Add(1)
		if err := p.Commit(t.Context(), after, changes); err != nil {
			t.Fatal(err)
		}
		cuts.Acknowledged.Add(1)
		if rng.IntN(4) == 0 {
			if err := onPebble(s).db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	cuts.Cut()
	closeNow(t, s)
	if len(cuts.Left()) < 3*3*8 {
		t.Fatalf("only %d cuts: the test does not reach the files", len(cuts.Left()))
	}
	return cuts.Left()
}

// survived returns which commit of the history is the last one in the partition,
// and fails the test unless there is one that may be.
func survived(t *testing.T, c powertest.Left, p *Partition, history []*model, rng *rand.Rand) int {
	t.Helper()
	sequence, err := p.Sequence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range history {
		if m.sequence() == sequence {
			if i < c.Acknowledged || i > c.Begun {
				t.Fatalf("the crash left commit %d; %d were acknowledged and %d begun", i, c.Acknowledged, c.Begun)
			}
			m.compare(t, p, rng)
			return i
		}
	}
	t.Fatalf("the crash left half a commit: change %d", sequence)
	return 0
}

// TestCrashWithWriters crashes under writers of several partitions: what was
// acknowledged before the crash is there after it, and of no commit there is a
// half.
func TestCrashWithWriters(t *testing.T) {
	const writers, rounds = 8, 6
	disk := powertest.New(vfs.NewCrashableMem(), 5)
	s := openMem(t, disk.FS())
	rng := rand.New(rand.NewPCG(5, 5))
	var stop atomic.Bool
	var acknowledged [writers]atomic.Uint64
	var running sync.WaitGroup
	for w := range writers {
		p := partition(t, s, fmt.Sprint(w))
		running.Go(func() {
			for i := uint64(1); !stop.Load(); i++ {
				text := fmt.Sprint(i)
				c := change(Crop{ID: "crop", StudentID: text}, Embedding{CropID: "crop", Model: "m", Digest: text, Vector: []float32{1}})
				if err := p.Commit(t.Context(), i-1, []Change{c}); err != nil {
					t.Error(err)
					return
				}
				acknowledged[w].Store(i)
			}
		})
	}
	for round := range uint64(rounds) {
		var before [writers]uint64
		for w := range writers { // every writer gets on before the next crash
			for before[w] = 0; before[w] <= round && !t.Failed(); before[w] = acknowledged[w].Load() {
				time.Sleep(time.Millisecond)
			}
		}
		after := openMem(t, disk.CutNow(rng.IntN(101)).FS)
		for w := range writers {
			p := partition(t, after, fmt.Sprint(w))
			sequence, err := p.Sequence(t.Context())
			if err != nil || sequence < before[w] {
				t.Errorf("writer %d: change %d is there, %d was acknowledged (%v)", w, sequence, before[w], err)
			}
			text := fmt.Sprint(sequence)
			equal(t, "records", load(t, p), []Record{
				Crop{ID: "crop", StudentID: text}, Embedding{CropID: "crop", Model: "m", Digest: text, Vector: []float32{1}},
			})
			equal(t, "changes", len(collect(t, p.Changes(t.Context(), 0))), int(sequence))
		}
		closeNow(t, after)
	}
	stop.Store(true)
	running.Wait()
}

// TestGroupCommit holds the log's first sync back while 50 partitions commit. No
// commit may return before it, and after it the rest must share a sync.
func TestGroupCommit(t *testing.T) {
	const commits = 50
	gate := make(chan struct{})
	var armed, open atomic.Bool
	var syncs atomic.Int64
	s := openMem(t, syncFS{vfs.NewMem(), func(name string) error {
		if armed.Load() && isLog(name) {
			syncs.Add(1)
			<-gate
		}
		return nil
	}})
	armed.Store(true)
	var running sync.WaitGroup
	for i := range commits {
		p := partition(t, s, fmt.Sprint(i))
		running.Go(func() {
			put(t, p, Student{ID: "ann"})
			if !open.Load() {
				t.Error("a commit returned before the sync")
			}
		})
	}
	for n := 0; n < commits; { // every commit is in Pebble's log
		n = 0
		for range s.backend.scan(t.Context(), span{[]byte{keyVersion}, []byte{keyVersion + 1}}) {
			n++
		}
		n /= 3 // head, line and record
	}
	open.Store(true)
	close(gate)
	running.Wait()
	// One that began with the first commit and one for all that came after it;
	// the first can be of an empty log.
	if got := syncs.Load(); got > 3 {
		t.Errorf("%d commits took %d syncs", commits, got)
	}
}

// TestFailStop fails the log's sync under several writers. The process must end
// before it acknowledges a change, also when a server recovers panics.
func TestFailStop(t *testing.T) {
	const acknowledged, stopped = "ACKNOWLEDGED", "ending the process"
	if os.Getenv(childEnv) == "" {
		output, status := runChild(t, "commit")
		if status != 1 || strings.Contains(output, acknowledged) || !strings.Contains(output, stopped) {
			t.Errorf("exit status %d and output:\n%s", status, output)
		}
		return
	}
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
	var running sync.WaitGroup
	for i := range 100 {
		p := partition(t, s, fmt.Sprint(i))
		running.Go(func() {
			defer func() {
				if failure := recover(); failure != nil {
					fmt.Println("recovered", failure)
				}
			}()
			if p.Commit(t.Context(), 0, []Change{change(Student{ID: "ann"})}) == nil {
				fmt.Println(acknowledged)
			}
		})
	}
	running.Wait()
}
