package storage

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rollcall/storage/powertest"
)

// personal commits records, changes and lines that are easy to find again, and returns what
// has to be sealed of them.
func personal(t *testing.T, s *Store) (hidden map[string][]byte) {
	t.Helper()
	vector := randomVector(rand.New(rand.NewPCG(1, 5)), 64)
	var raw []byte
	for _, x := range vector {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	p := partition(t, s, "elm-street")
	put(t, p,
		Settings{Model: "hidden-model", KeepVerdicts: 100, KeepChanges: 100},
		Model{Name: "m", Digest: "hidden-digest", Recipe: "hidden-recipe"},
		Student{ID: "ann", Groups: []string{"hidden-group"}},
		Crop{ID: "ann/1", StudentID: "hidden-student"},
		Embedding{CropID: "ann/1", Model: "m", Digest: "hidden-digest", Recipe: "hidden-recipe", Vector: vector})
	again := Change{Time: noon, Cause: "hidden-cause", By: "hidden-by", Writes: []Write{{
		Ref: Ref{Kind: KindStudent, ID: "ann"}, Before: Student{ID: "ann", Groups: []string{"hidden-before"}}}}}
	if err := p.Commit(t.Context(), 1, []Change{again}); err != nil {
		t.Fatal(err)
	}
	line := Line{Time: noon, Content: []byte("hidden-content"), Student: "hidden-asked", Who: []byte("hidden-who"), Request: "hidden-request"}
	if _, err := p.Append(t.Context(), []Line{line}); err != nil {
		t.Fatal(err)
	}
	put(t, partition(t, s, ServerPartition),
		Token{ID: "t", Name: "hidden-name", Role: "hidden-role", Groups: []string{"hidden-class"}, Digest: []byte("hidden-secret")})
	request := p.keys.hashOf("hidden-request")
	return map[string][]byte{"a text": []byte("hidden-"), "the vector": raw[8:24], "the hash of a request": request[:]}
}

// files returns the content of every file of a folder.
func files(t *testing.T, fs vfs.FS) map[string][]byte {
	t.Helper()
	names, err := fs.List("gallery")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, name := range names {
		file, err := fs.Open(fs.PathJoin("gallery", name))
		if err != nil {
			t.Fatal(err)
		}
		info, err := file.Stat()
		content := make([]byte, info.Size())
		if err == nil && len(content) > 0 {
			_, err = file.ReadAt(content, 0)
		}
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
		all[name] = content
	}
	return all
}

// TestSealedFilesShowNothing looks for personal data in every file, in Pebble's log and in
// its tables. Without sealing it is there.
func TestSealedFilesShowNothing(t *testing.T) {
	for _, key := range []*SealKey{nil, testKey(t, 1)} {
		fs := vfs.NewMem()
		s := openSealed(t, fs, key)
		hidden := personal(t, s)
		logs := files(t, fs)
		closeNow(t, s)
		for when, all := range map[string]map[string][]byte{"open": logs, "closed": files(t, fs)} {
			for what, bytesOf := range hidden {
				in := ""
				for name, content := range all {
					if bytes.Contains(content, bytesOf) {
						in += " " + name
					}
				}
				if key != nil && in != "" {
					t.Errorf("%s of the sealed folder shows %s in%s", when, what, in)
				}
				if key == nil && in == "" {
					t.Errorf("%s is not found in the %s folder without sealing: the test sees nothing", what, when)
				}
			}
		}
	}
}

// stored returns a copy of what lies below the sealing of a store, in order.
func stored(t *testing.T, s *Store) (all []pair) {
	t.Helper()
	for p, err := range s.backend.(*sealed).backend.scan(t.Context(), everything) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pair{bytes.Clone(p.key), bytes.Clone(p.value)})
	}
	return all
}

// plantStored changes a stored value behind the back of the store, which then reads the data
// keys anew.
func plantStored(t *testing.T, s *Store, key, value []byte) {
	t.Helper()
	b := &batch{head: pair{key: []byte(metaCopy)}}
	b.writes = []pair{{key, value}}
	if err := s.backend.(*sealed).backend.commit(b); err != nil {
		t.Fatal(err)
	}
	s.backend.(*sealed).forget()
}

// TestSealedFindsAlteredValues alters each stored value in every way: nothing is read from it.
func TestSealedFindsAlteredValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 5))
	s := openSealed(t, vfs.NewMem(), testKey(t, 1))
	personal(t, s)
	put(t, partition(t, s, "oak-lane"), Student{ID: "ann", Groups: []string{"1a"}}, Crop{ID: "ann/1", StudentID: "ann"})
	all := stored(t, s)
	read := func() error {
		for _, err := range s.backend.scan(t.Context(), everything) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for _, p := range all {
		kinds[Kind(p.key[len(partitionOf(p.key))]).String()] = true
		flipped := bytes.Clone(p.value)
		flipped[rng.IntN(len(flipped))] ^= 1 << rng.IntN(8)
		altered := map[string][]byte{
			"flipped": flipped, "cut": p.value[:rng.IntN(len(p.value))], "longer": append(bytes.Clone(p.value), 0), "empty": {},
		}
		for _, other := range all {
			if !bytes.Equal(other.key, p.key) {
				altered["that of "+fmt.Sprintf("%x", other.key)] = other.value
			}
		}
		for what, value := range altered {
			plantStored(t, s, p.key, value)
			if err := read(); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%x is %s: error %v, want ErrCorrupt", p.key, what, err)
			}
		}
		plantStored(t, s, p.key, p.value)
	}
	if err := read(); err != nil || len(kinds) < 9 {
		t.Errorf("at the end: %v, with %d kinds of values", err, len(kinds))
	}
}

// TestSealedReadsNothingAltered does the same through a single read, and through a commit.
func TestSealedReadsNothingAltered(t *testing.T) {
	s := openSealed(t, vfs.NewMem(), testKey(t, 1))
	p := partition(t, s, "school")
	put(t, p, Student{ID: "ann"}, Student{ID: "bob"})
	value := func(key []byte) []byte {
		v, err := s.backend.(*sealed).backend.get(key)
		if err != nil || v == nil {
			t.Fatal(err)
		}
		return v
	}
	ann, err := p.keys.record(Student{ID: "ann"}.Ref())
	if err != nil {
		t.Fatal(err)
	}
	bob, err := p.keys.record(Student{ID: "bob"}.Ref())
	if err != nil {
		t.Fatal(err)
	}
	before := value(ann)
	plantStored(t, s, ann, value(bob))
	_, err = p.Fetch(t.Context(), Student{ID: "ann"}.Ref())
	wantError(t, "Fetch of a swapped record", err, ErrCorrupt)
	plantStored(t, s, ann, before)
	head := value(p.keys.head())
	plantStored(t, s, p.keys.head(), append(bytes.Clone(head[:len(head)-1]), head[len(head)-1]^1))
	wantError(t, "Commit on an altered head", p.Commit(t.Context(), 1, []Change{change(Student{ID: "c"})}), ErrCorrupt)
	plantStored(t, s, p.keys.head(), head)

	// Without its data key the partition is lost. Nothing pretends that it is empty.
	plantStored(t, s, p.keys.dataKey(), nil)
	_, err = p.Sequence(t.Context())
	wantError(t, "Sequence without the data key", err, ErrCorrupt)
	wantError(t, "Load without the data key", last(p.Load(t.Context())), ErrCorrupt)
	_, err = s.Partitions(t.Context())
	wantError(t, "Partitions without the data key", err, ErrCorrupt)
	wantError(t, "Commit without the data key", p.Commit(t.Context(), 0, []Change{change(Student{ID: "c"})}), ErrCorrupt)
	_, err = p.Append(t.Context(), []Line{{Time: noon}})
	wantError(t, "Append without the data key", err, ErrCorrupt)
	if got := len(stored(t, s)); got != 4 {
		t.Errorf("%d values are left, want 4", got)
	}
}

// TestSealKeys opens folders with the right key, with a wrong one, and with none.
func TestSealKeys(t *testing.T) {
	first, second := testKey(t, 1), testKey(t, 2)
	sealedFS, plainFS := vfs.NewMem(), vfs.NewMem()
	s := openSealed(t, sealedFS, first)
	put(t, partition(t, s, "school"), Student{ID: "ann"})
	closeNow(t, s)
	closeNow(t, openMem(t, plainFS))
	before := files(t, sealedFS)
	for _, c := range []struct {
		what string
		fs   vfs.FS
		key  *SealKey
		says string
	}{
		{"no key", sealedFS, nil, first.String()},
		{"a wrong key", sealedFS, second, first.String()},
		{"a key for a plain folder", plainFS, first, "seal folder"},
	} {
		_, err := Open("gallery", Options{FS: c.fs, SealKey: c.key})
		wantError(t, c.what, err, ErrSealKey)
		if !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: error %v does not say %q", c.what, err, c.says)
		}
	}
	equal(t, "files after refusals", files(t, sealedFS), before)
	s = openSealed(t, sealedFS, first)
	equal(t, "records", load(t, partition(t, s, "school")), []Record{Student{ID: "ann"}})
}

// TestParseSealKey reads keys as people and programs write them.
func TestParseSealKey(t *testing.T) {
	secret := bytes.Repeat([]byte{7}, SealKeyBytes)
	in64 := base64.StdEncoding.EncodeToString(secret)
	for _, text := range []string{in64, in64 + "\n", "  " + in64 + "\r\n", fmt.Sprintf("%x\n", secret), fmt.Sprintf("%X", secret)} {
		key, err := ParseSealKey([]byte(text))
		if err != nil || key.String() != testKey(t, 7).String() {
			t.Errorf("%q: key %v, error %v", text, key, err)
		}
	}
	for _, text := range []string{"", in64[1:], in64 + in64, string(secret), strings.Repeat("x", 64), base64.StdEncoding.EncodeToString(secret[1:])} {
		_, err := ParseSealKey([]byte(text))
		if err == nil {
			t.Errorf("%q was taken for a key", text)
		} else if len(text) > 8 && strings.Contains(err.Error(), text[:8]) {
			t.Errorf("the error shows the text: %v", err)
		}
	}
	if key := testKey(t, 1); key.String() == testKey(t, 2).String() || strings.Contains(fmt.Sprintf("%v %+v", key, Options{SealKey: key}), "01010101") {
		t.Error("fingerprints are equal, or show the key")
	}
}

// TestRotateSealKey kills a rotation and cuts its power at every write, also while it rewrites the
// files: the folder opens with the old key or with the new one, whole, and with no other. From
// there it can be rotated again.
func TestRotateSealKey(t *testing.T) {
	first, second, third := testKey(t, 1), testKey(t, 2), testKey(t, 3)
	fs := vfs.NewCrashableMem()
	s := openSealed(t, fs, first)
	for _, id := range []string{"a", "a\x00", "b", ServerPartition} {
		logged(t, s, id)
	}
	want := content(t, s)
	closeNow(t, s)
	disk := powertest.New(fs, 4)
	wrapped, err := RotateSealKey(t.Context(), "gallery", Options{FS: disk.CutFS(), SealKey: first}, second)
	if err != nil || wrapped != 4 {
		t.Fatal(wrapped, err)
	}
	disk.Cut()
	with := map[*SealKey]int{}
	for i, left := range disk.Left() {
		var opens *SealKey
		for _, key := range []*SealKey{first, second} {
			s, err := Open("gallery", Options{FS: left.FS, SealKey: key})
			if errors.Is(err, ErrSealKey) {
				continue
			}
			if err != nil || opens != nil {
				t.Fatalf("error %v, or both keys open it", err)
			}
			opens = key
			with[key]++
			equal(t, "what the crash left", content(t, s), want)
			closeNow(t, s)
		}
		if opens == nil {
			t.Fatal("neither key opens what the crash left")
		}
		if i%7 > 0 { // 3 a cut: all of them in turn
			continue
		}
		next := map[*SealKey]*SealKey{first: second, second: third}[opens]
		if _, err := RotateSealKey(t.Context(), "gallery", Options{FS: left.FS, SealKey: opens}, next); err != nil {
			t.Fatalf("rotating again after a crash: %v", err)
		}
		s := openSealed(t, left.FS, next)
		equal(t, "what was rotated again", content(t, s), want)
		closeNow(t, s)
	}
	t.Logf("%d cuts: the old key opens %d, the new one %d", len(disk.Left()), with[first], with[second])
	if with[first] == 0 || with[second] == 0 {
		t.Errorf("the test misses the rotation")
	}
	_, err = RotateSealKey(t.Context(), "gallery", Options{FS: fs, SealKey: first}, second)
	wantError(t, "rotating with the old key", err, ErrSealKey)
	_, err = RotateSealKey(t.Context(), "gallery", Options{FS: fs, SealKey: second}, second)
	wantError(t, "rotating to the same key", err, ErrSealKey)
}

// TestRotateLeavesNothing looks into every file for data keys that the old key opens.
func TestRotateLeavesNothing(t *testing.T) {
	first, second := testKey(t, 1), testKey(t, 2)
	for _, compacted := range []bool{false, true} {
		dir := t.TempDir()
		s, err := Open(dir, Options{SealKey: first, MinFreeBytes: -1})
		must(t, err)
		var old [][]byte
		for _, id := range []string{"a", "b", ServerPartition} {
			logged(t, s, id)
			wrapped, err := s.backend.(*sealed).backend.get(partition(t, s, id).keys.dataKey())
			must(t, err)
			old = append(old, bytes.Clone(wrapped))
		}
		if compacted {
			must(t, onPebble(s).db.Compact(t.Context(), []byte{0}, []byte{0xff}, false))
		}
		closeNow(t, s)
		if _, err := RotateSealKey(t.Context(), dir, Options{SealKey: first, MinFreeBytes: -1}, second); err != nil {
			t.Fatal(err)
		}
		for _, wrapped := range old {
			if file := fileHolding(t, dir, wrapped[xaesNonce:]); file != "" {
				t.Errorf("compacted %v: %s holds a data key that the old key opens", compacted, filepath.Base(file))
			}
		}
	}
}

// TestRotateRefusesDamage finds a data key altered: nothing is changed.
func TestRotateRefusesDamage(t *testing.T) {
	first, second := testKey(t, 1), testKey(t, 2)
	fs := vfs.NewMem()
	s := openSealed(t, fs, first)
	put(t, partition(t, s, "a"), Student{ID: "ann"})
	p := partition(t, s, "b")
	put(t, p, Student{ID: "ann"})
	plantStored(t, s, p.keys.dataKey(), make([]byte, xaesOverhead+xaesKeyBytes))
	closeNow(t, s)
	_, err := RotateSealKey(t.Context(), "gallery", Options{FS: fs, SealKey: first}, second)
	wantError(t, "rotating", err, ErrCorrupt)
	put(t, partition(t, openSealed(t, fs, first), "a"), Student{ID: "bob"})
}

// TestSealedDropsAndMakes drops partitions that others write to and read at the same time.
// Whatever is stored can be read: it was not sealed with a data key that is gone.
func TestSealedDropsAndMakes(t *testing.T) {
	s := openSealed(t, vfs.NewMem(), testKey(t, 1))
	ids := []string{"a", "b"}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, id := range ids {
		p := partition(t, s, id)
		for range 2 {
			running.Go(func() { // decides anew when somebody else was first
				for ctx.Err() == nil {
					after, err := p.Sequence(t.Context())
					if err == nil {
						err = p.Commit(t.Context(), after, []Change{change(Student{ID: "ann"})})
					}
					if err != nil && !errors.Is(err, ErrConflict) {
						t.Error(err)
						return
					}
				}
			})
		}
		running.Go(func() {
			for ctx.Err() == nil {
				if _, err := p.Append(t.Context(), []Line{{Time: noon, Student: "ann", Request: "r"}}); err != nil && !errors.Is(err, ErrConflict) {
					t.Error(err)
					return
				}
				if err := last(p.Load(t.Context())); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	server := partition(t, s, ServerPartition)
	for i := range uint64(300) {
		c := change()
		c.Drop = ids[i%2]
		if err := server.Commit(t.Context(), i, []Change{c}); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	running.Wait()
	for _, id := range ids {
		if _, err := partition(t, s, id).Verify(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestDropDestroysDataKey makes a dropped partition again: it gets another data key.
func TestDropDestroysDataKey(t *testing.T) {
	s := openSealed(t, vfs.NewMem(), testKey(t, 1))
	p, server := partition(t, s, "school"), partition(t, s, ServerPartition)
	key := func() string {
		v, err := s.backend.(*sealed).backend.get(p.keys.dataKey())
		if err != nil {
			t.Fatal(err)
		}
		return string(v)
	}
	put(t, p, Student{ID: "ann"})
	before := key()
	c := change()
	c.Drop = "school"
	if err := server.Commit(t.Context(), 0, []Change{c}); err != nil {
		t.Fatal(err)
	}
	if key() != "" {
		t.Error("the dropped partition still has a data key")
	}
	put(t, p, Student{ID: "ann"})
	if key() == before || before == "" {
		t.Error("the new partition has the data key of the old one")
	}
}

// FuzzSealed opens altered and invented values: only what was sealed opens.
func FuzzSealed(f *testing.F) {
	// An example of the specification, as each process that fuzzes must have the same.
	x, at, value := newXAES(bytes.Repeat([]byte{3}, xaesKeyBytes)), []byte("c2sp.org/XAES-256-GCM"), []byte("XAES-256-GCM")
	good := []byte("ABCDEFGHIJKLMNOPQRSTUVWX\x98\x6e\xc1\x83\x25\x93\xdf\x54\x43\xa1\x79\x43\x7f\xd0\x83\xbf\x3f\xdb\x41\xab\xd7\x40\xa2\x1f\x71\xeb\x76\x9d")
	f.Add(good, at)
	f.Add(good[:xaesOverhead], at)
	f.Add(good, []byte("another key"))
	f.Add([]byte{}, []byte{})
	f.Add(make([]byte, xaesOverhead), at)
	f.Fuzz(func(t *testing.T, sealed, additional []byte) {
		got, ok := x.open(nil, sealed, additional)
		if is := bytes.Equal(sealed, good) && bytes.Equal(additional, at); ok != is || ok && !bytes.Equal(got, value) {
			t.Errorf("opened %v, want %v", ok, is)
		}
		again, ok := x.open(nil, x.seal(sealed, additional), additional)
		if !ok || !bytes.Equal(again, sealed) {
			t.Error("what was sealed does not open again")
		}
	})
}
