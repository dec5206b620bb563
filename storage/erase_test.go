package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// fileHolding returns the first file of a folder that holds a text, "" if none does.
func fileHolding(t *testing.T, dir string, text []byte) string {
	t.Helper()
	found := ""
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // Pebble deletes files in the background
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && bytes.Contains(b, text) {
			found = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestRewrite deletes students and looks for them, and for what was in their records, in
// every file, with the deletion in the same memtable, in another, and after everything was
// compacted or opened again.
func TestRewrite(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3, 4, 5, 6} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			dir := t.TempDir()
			s, err := Open(dir, Options{MinFreeBytes: -1})
			must(t, err)
			defer func() { must(t, s.Close()) }()
			p, err := s.Partition("school")
			must(t, err)
			ctx, seq := context.Background(), uint64(0)
			commit := func(w ...Write) {
				must(t, p.Commit(ctx, seq, []Change{{Time: time.Now(), Cause: "test", Writes: w}}))
				seq++
			}
			for round := range 4 {
				found := false
				var gone []Write
				var secrets [][]byte
				for range 40 {
					id := fmt.Sprintf("student-%08x", random.Uint32())
					crop := fmt.Sprintf("crop-%08x", random.Uint32())
					vector := make([]float32, 128)
					for j := range vector {
						vector[j] = random.Float32()
					}
					e := Embedding{CropID: crop, Model: "m", Vector: vector, Created: time.Now()}
					commit(Write{Ref: Student{ID: id}.Ref(), Put: Student{ID: id, Groups: []string{"group " + id}}},
						Write{Ref: e.Ref(), Put: e})
					if random.IntN(4) == 0 {
						gone = append(gone, Write{Ref: Student{ID: id}.Ref()}, Write{Ref: e.Ref()})
						value, err := e.encode()
						must(t, err)
						secrets = append(secrets, value[10:400], []byte(id[9:]), []byte(crop[6:]))
					}
					if random.IntN(30) == 0 {
						must(t, onPebble(s).db.Flush())
					}
				}
				if random.IntN(2) == 0 {
					must(t, onPebble(s).db.Compact(ctx, []byte{0}, []byte{0xff}, false))
				}
				commit(gone...)
				if random.IntN(2) == 0 {
					must(t, s.Close())
					s, err = Open(dir, Options{MinFreeBytes: -1})
					must(t, err)
					p, err = s.Partition("school")
					must(t, err)
				}
				for _, secret := range secrets {
					found = found || fileHolding(t, dir, secret) != ""
				}
				if !found && len(secrets) > 0 {
					t.Fatal("nothing was there to be erased")
				}
				e := Erasure{Change: seq}
				for _, w := range gone {
					if w.Ref.Kind == KindStudent {
						e.Students = append(e.Students, w.Ref.ID)
					} else {
						e.Crops = append(e.Crops, w.Ref.ID)
					}
				}
				if _, err := p.BlankChanges(ctx, e); err != nil {
					t.Fatal(err)
				}
				must(t, p.Rewrite(ctx))
				for _, secret := range secrets {
					if file := fileHolding(t, dir, secret); file != "" {
						t.Fatalf("seed %d, round %d: %q is in %s", seed, round, secret[:8], filepath.Base(file))
					}
				}
				if _, err := p.Verify(ctx); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
