package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// filled returns an engine with n vectors, some of whose IDs lie far apart, after
// some were replaced and some deleted, and what it holds.
func filled(t testing.TB, name string, dim, n int, seed uint64) (Engine, model) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, uint64(dim)))
	e, err := New(name, dim, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := model{}
	for i := range n + n/4 {
		id := ID(i)
		switch rng.IntN(8) {
		case 0:
			id = ID(rng.IntN(i + 1))
		case 1:
			id = ID(rng.IntN(40)) * 0x05555555
		}
		m[id] = randomUnit(rng, dim)
		if err := e.Upsert(id, m[id]); err != nil {
			t.Fatal(err)
		}
	}
	for id := range m {
		if len(m) <= n {
			break
		}
		e.Delete(id)
		delete(m, id)
	}
	return e, m
}

func mustWrite(t testing.TB, path string, e Engine, s Snapshot) {
	t.Helper()
	if err := WriteSnapshot(path, e, s); err != nil {
		t.Fatal(err)
	}
}

// mustHold reads the snapshot and compares it.
func mustHold(t *testing.T, path, name string, dim int, m model, want Snapshot) Engine {
	t.Helper()
	e, s, err := ReadSnapshot(path, name, dim, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Sequence != want.Sequence || !bytes.Equal(s.Note, want.Note) {
		t.Fatalf("snapshot %d with a note of %d bytes, want %d with %d", s.Sequence, len(s.Note), want.Sequence, len(want.Note))
	}
	m.checkState(t, e)
	if got := slices.Sorted(slices.Values(s.IDs)); !slices.Equal(got, slices.Sorted(maps.Keys(m))) {
		t.Fatalf("the snapshot is said to hold %v", got)
	}
	return e
}

// TestSnapshot writes with each engine and reads with each, and goes on with
// what was read.
func TestSnapshot(t *testing.T) {
	forEach(t, Engines, func(t *testing.T, writes string) {
		for _, size := range []struct{ dim, n int }{{1, 0}, {3, 40}, {130, 70}} {
			for _, reads := range Engines {
				t.Run(fmt.Sprintf("%s/dim=%d,n=%d", reads, size.dim, size.n), func(t *testing.T) {
					e, m := filled(t, writes, size.dim, size.n, 71)
					path := filepath.Join(t.TempDir(), "snapshot")
					s := Snapshot{Sequence: 1<<63 + 7, Note: bytes.Repeat([]byte("note"), size.n)}
					mustWrite(t, path, e, s)
					got := mustHold(t, path, reads, size.dim, m, s)

					rng := rand.New(rand.NewPCG(72, uint64(size.dim)))
					for range 10 {
						id := ID(rng.IntN(size.n + 10))
						if rng.IntN(3) == 0 {
							got.Delete(id)
							delete(m, id)
						} else {
							m[id] = randomUnit(rng, size.dim)
							if err := got.Upsert(id, m[id]); err != nil {
								t.Fatal(err)
							}
						}
						m.checkSearch(t, got, randomQuery(rng, size.dim, size.n+10, m))
					}
					m.checkState(t, got)
				})
			}
		}
	})
}

// TestSnapshotFile looks at the file itself: who may read it, and that nothing
// lies beside it.
func TestSnapshotFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "snapshot")
	for _, name := range []string{path, path + ".tmp"} { // as an earlier release, or a crash, left them
		if err := os.WriteFile(name, bytes.Repeat([]byte("old"), 10_000), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	e, m := filled(t, exactName, 8, 50, 73)
	mustWrite(t, path, e, Snapshot{Sequence: 1})
	mustHold(t, path, exactName, 8, m, Snapshot{Sequence: 1})
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("the folder holds %v, %v", entries, err)
	}
	info, err := entries[0].Info()
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
}

func TestSnapshotRefusals(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "snapshot")
	e, _ := filled(t, exactName, 8, 50, 73)
	mustWrite(t, path, e, Snapshot{})
	if _, _, err := ReadSnapshot(path, exactName, 9, Options{}); !errors.Is(err, ErrSnapshot) {
		t.Errorf("other dimension: %v", err)
	}
	if _, _, err := ReadSnapshot(path, "no-such-engine", 8, Options{}); err == nil || errors.Is(err, ErrSnapshot) {
		t.Errorf("unknown engine: %v", err)
	}
	if _, _, err := ReadSnapshot(filepath.Join(dir, "none"), exactName, 8, Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, _, err := ReadSnapshot(dir, exactName, 8, Options{}); err == nil {
		t.Error("a folder was read")
	}
	if err := WriteSnapshot(filepath.Join(dir, "none", "snapshot"), e, Snapshot{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("write into no folder: %v", err)
	}
}

// smallSnapshot returns the bytes of a snapshot of few vectors.
func smallSnapshot(t testing.TB, name string, dim, n int) []byte {
	t.Helper()
	e, _ := filled(t, name, dim, n, 74)
	path := filepath.Join(t.TempDir(), "snapshot")
	mustWrite(t, path, e, Snapshot{Sequence: 5, Note: []byte("whose they are")})
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// read reads a snapshot from memory.
func read(b []byte, name string, dim int) (Engine, Snapshot, error) {
	e, err := New(name, dim, Options{})
	if err != nil {
		return nil, Snapshot{}, err
	}
	s, err := readSnapshotFrom(bytes.NewReader(b), uint64(len(b)), e)
	return e, s, err
}

// TestDamagedSnapshot flips bits in each byte, cuts the file at each length and
// makes it longer: none of it is believed.
func TestDamagedSnapshot(t *testing.T) {
	forEach(t, Engines, func(t *testing.T, name string) {
		const dim = 3
		whole := smallSnapshot(t, name, dim, 12)
		if _, _, err := read(whole, name, dim); err != nil {
			t.Fatal(err)
		}
		refused := func(what string, at int, b []byte) {
			t.Helper()
			if _, _, err := read(b, name, dim); !errors.Is(err, ErrSnapshot) {
				t.Errorf("%s %d: %v", what, at, err)
			}
		}
		for i := range whole {
			for _, flip := range []byte{1, 0x80, 0xff} {
				b := slices.Clone(whole)
				b[i] ^= flip
				refused("byte", i, b)
			}
			path := filepath.Join(t.TempDir(), "cut")
			if err := os.WriteFile(path, whole[:i], 0o600); err != nil {
				t.Fatal(err)
			}
			if _, _, err := ReadSnapshot(path, name, dim, Options{}); !errors.Is(err, ErrSnapshot) {
				t.Errorf("cut to %d: %v", i, err)
			}
		}
		refused("one byte more", 1, append(slices.Clone(whole), 0))
		refused("twice", 2, append(slices.Clone(whole), whole...))
	})
}

// seal makes every checksum of b right, as far as the header's lengths lead.
func seal(b []byte) {
	at := 0
	sum := func(n uint64) {
		if n > uint64(len(b)) || uint64(at)+n+checksumBytes > uint64(len(b)) {
			at = len(b)
			return
		}
		end := at + int(n)
		binary.LittleEndian.PutUint32(b[end:], crc32.Checksum(b[at:end], castagnoli))
		at = end + checksumBytes
	}
	number := func(i int) uint64 { return binary.LittleEndian.Uint64(b[16+8*i:]) }
	sum(headerBytes)
	dim := uint64(binary.LittleEndian.Uint32(b[12:]))
	sum(number(2))
	sum(number(0) % (1 << 33) * (dim % (1 << 17)) * 4)
	sum(number(0) % (1 << 33) * 4)
	sum(number(3))
}

// TestSealedSnapshot changes what a file says and makes its checksums right, as
// a fault before the checksum was made would.
func TestSealedSnapshot(t *testing.T) {
	const dim, n = 3, 12
	whole := smallSnapshot(t, exactName, dim, n)
	rows := graphAt + checksumBytes
	ids := rows + n*dim*4 + checksumBytes
	put64 := func(at int, x uint64) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint64(b[at:], x) }
	}
	float := func(at int, x float32) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint32(b[at:], math.Float32bits(x)) }
	}
	for name, change := range map[string]func([]byte){
		"other version":   func(b []byte) { b[8]++ },
		"no dimension":    func(b []byte) { b[12] = 0 },
		"other dimension": func(b []byte) { b[12]++ },
		"large dimension": func(b []byte) { b[15] = 0xff },
		"fewer rows":      put64(16, n-1),
		"more rows":       put64(16, n+1),
		"many rows":       put64(16, 1<<31),
		"absurd rows":     put64(16, math.MaxUint64),
		"long graph":      put64(32, 1<<40),
		"absurd graph":    put64(32, math.MaxUint64),
		"long note":       put64(40, 1<<40),
		"absurd note":     put64(40, math.MaxUint64),
		"other length":    put64(48, 1),
		"ID twice":        func(b []byte) { copy(b[ids:ids+4], b[ids+4:]) },
		"NaN":             float(rows, float32(math.NaN())),
		"not unit":        float(rows+4, 1.5),
		"infinite":        float(rows+n*dim*4-4, float32(math.Inf(1))),
		"zero row":        func(b []byte) { clear(b[rows : rows+4*dim]) },
	} {
		t.Run(name, func(t *testing.T) {
			b := slices.Clone(whole)
			change(b)
			seal(b)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, _, err := read(b, exactName, dim); !errors.Is(err, ErrSnapshot) {
				t.Errorf("%v", err)
			}
			runtime.ReadMemStats(&after)
			if asked := after.TotalAlloc - before.TotalAlloc; asked > 64<<20 {
				t.Errorf("%d bytes were asked for", asked)
			}
		})
	}
	b := slices.Clone(whole)
	seal(b)
	if !bytes.Equal(b, whole) {
		t.Error("seal changes a whole file")
	}
}

var errDisk = errors.New("disk failed")

// tearingFile fails at one of its operations, having done half of it.
type tearingFile struct {
	*os.File
	left *int // operations until it fails; it goes on failing
}

func (f tearingFile) broken() bool {
	*f.left--
	return *f.left < 0
}

func (f tearingFile) Write(p []byte) (int, error) {
	if f.broken() {
		n, err := f.File.Write(p[:len(p)/2])
		return n, errors.Join(errDisk, err)
	}
	return f.File.Write(p)
}

func (f tearingFile) WriteAt(p []byte, off int64) (int, error) {
	if f.broken() {
		n, err := f.File.WriteAt(p[:len(p)/2], off)
		return n, errors.Join(errDisk, err)
	}
	return f.File.WriteAt(p, off)
}

func (f tearingFile) Sync() error {
	if f.broken() {
		return errDisk
	}
	return f.File.Sync()
}

func (f tearingFile) Close() error {
	if f.broken() {
		return errors.Join(errDisk, f.File.Close())
	}
	return f.File.Close()
}

// TestTornWrite fails each operation of a write in turn. The old snapshot stays,
// and nothing beside it.
func TestTornWrite(t *testing.T) {
	const dim = 2048
	dir := t.TempDir()
	path := filepath.Join(dir, "snapshot")
	old, oldModel := filled(t, exactName, dim, 20, 75)
	mustWrite(t, path, old, Snapshot{Sequence: 1})
	e, m := filled(t, exactName, dim, 2*snapshotBuffer/(4*dim), 76) // several buffers
	for operations := 0; ; operations++ {
		left := operations
		err := writeBeside(path, func(name string) (snapshotFile, error) {
			f, err := os.Create(name)
			return tearingFile{f, &left}, err
		}, func(f snapshotFile) error { return writeSnapshot(f, e, Snapshot{Sequence: 2}) })
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Fatalf("after %d operations the folder holds %v, %v", operations, entries, err)
		}
		if err == nil {
			if operations < 5 { // two writes, the header, sync, close
				t.Errorf("only %d operations failed", operations)
			}
			break
		}
		if !errors.Is(err, errDisk) {
			t.Fatal(err)
		}
		mustHold(t, path, exactName, dim, oldModel, Snapshot{Sequence: 1})
	}
	mustHold(t, path, exactName, dim, m, Snapshot{Sequence: 2})

	// The rename fails: a folder is in its place.
	blocked := filepath.Join(dir, "blocked")
	if err := os.MkdirAll(filepath.Join(blocked, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteSnapshot(blocked, e, Snapshot{}); err == nil {
		t.Error("a folder was replaced")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

// TestSnapshotMeanwhile writes while others change and search. Vectors that
// stayed are in the file; of the others there is at most what was once stored.
func TestSnapshotMeanwhile(t *testing.T) {
	forEach(t, Engines, func(t *testing.T, name string) {
		const dim, fixed, moving = 16, 150, 30
		e, m := mustNew(t, name, dim), model{}
		rng := rand.New(rand.NewPCG(77, 78))
		for id := range ID(fixed) {
			m[id] = randomUnit(rng, dim)
			if err := e.Upsert(id, m[id]); err != nil {
				t.Fatal(err)
			}
		}
		stop := make(chan struct{})
		var others sync.WaitGroup
		others.Go(func() {
			rng := rand.New(rand.NewPCG(79, 80))
			for {
				select {
				case <-stop:
					return
				default:
				}
				id := ID(fixed + rng.IntN(moving))
				if e.Delete(id); rng.IntN(3) > 0 {
					v := make([]float32, dim) // tells its ID
					v[int(id)%dim] = 1
					if err := e.Upsert(id, v); err != nil {
						t.Error(err)
					}
				}
				if _, err := e.Search(Query{Vector: randomUnit(rng, dim), K: 5}); err != nil {
					t.Error(err)
				}
			}
		})
		for i := range 3 {
			path := filepath.Join(t.TempDir(), "snapshot")
			mustWrite(t, path, e, Snapshot{Sequence: uint64(i)})
			got, _, err := ReadSnapshot(path, name, dim, Options{})
			if err != nil {
				t.Fatal(err)
			}
			found := 0
			for id, v := range got.Vectors() {
				if id < fixed && slices.Equal(v, m[id]) {
					found++
				} else if id < fixed || v[int(id)%dim] != 1 {
					t.Fatalf("vector of %d is not what was stored", id)
				}
			}
			if found != fixed {
				t.Fatalf("%d of %d vectors that stayed are in the file", found, fixed)
			}
		}
		close(stop)
		others.Wait()
	})
}

// FuzzSnapshot reads any bytes, as they are and with checksums made right. It is
// an engine that works, or ErrSnapshot.
func FuzzSnapshot(f *testing.F) {
	const dim = 2
	for _, name := range []string{exactName, hnswName} {
		for _, n := range []int{0, 1, 9} {
			f.Add(smallSnapshot(f, name, dim, n))
		}
	}
	f.Add([]byte(snapshotMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < headerBytes+checksumBytes {
			return
		}
		for range 2 {
			for _, name := range Engines {
				e, s, err := read(b, name, dim)
				if err != nil {
					if !errors.Is(err, ErrSnapshot) {
						t.Fatal(err)
					}
					continue
				}
				checkFuzzed(t, b, e, s)
			}
			b = slices.Clone(b)
			seal(b)
		}
	})
}

// checkFuzzed uses an engine that was believed: searching, changing, and writing
// it again.
func checkFuzzed(t *testing.T, b []byte, e Engine, s Snapshot) {
	t.Helper()
	m := model{}
	for id, v := range e.Vectors() {
		m[id] = v
	}
	if len(m) != e.Len() || len(b) < len(m)*12+len(s.Note) {
		t.Fatalf("%d vectors, %d counted, in %d bytes", len(m), e.Len(), len(b))
	}
	rng := rand.New(rand.NewPCG(81, 82))
	for range 3 {
		m.checkSearch(t, e, Query{Vector: randomUnit(rng, e.Dim()), K: 3})
		id := ID(rng.IntN(20))
		m[id] = randomUnit(rng, e.Dim())
		if err := e.Upsert(id, m[id]); err != nil {
			t.Fatal(err)
		}
	}
	for id := range m {
		e.Delete(id)
		delete(m, id)
		break
	}
	m.checkState(t, e)
}
