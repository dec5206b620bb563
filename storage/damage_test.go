package storage

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// holding is all that can be read of a partition.
type holding struct {
	records []Record
	changes []Change
	lines   []Line
	days    []Day
}

// readAll returns what each partition holds, and the error that reading it gave.
func readAll(ctx context.Context, s *Store) (all map[string]holding, failed map[string]error, err error) {
	ids, err := s.Partitions(ctx)
	all, failed = map[string]holding{}, map[string]error{}
	for _, id := range ids {
		p, err := s.Partition(id)
		if err != nil {
			return nil, nil, err
		}
		var c holding
		c.records, err = gather(p.Load(ctx))
		var errs [3]error
		c.changes, errs[0] = gather(p.Changes(ctx, 0))
		c.lines, errs[1] = gather(p.Lines(ctx, 0))
		c.days, errs[2] = gather(p.Days(ctx))
		all[id], failed[id] = c, errors.Join(err, errs[0], errs[1], errs[2])
	}
	return all, failed, err
}

func gather[T any](seq iter.Seq2[T, error]) (all []T, err error) {
	for v, err := range seq {
		if err != nil {
			return all, err
		}
		if e, ok := any(v).(Embedding); ok {
			e.Vector = slices.Clone(e.Vector)
			v = any(e).(T)
		}
		all = append(all, v)
	}
	return all, nil
}

// plantedFolder is a folder, and what it holds.
type plantedFolder struct {
	fs   *vfs.MemFS
	key  *SealKey
	want map[string]holding
}

// plantFolder makes a folder with several partitions, a log and journals, over several
// tables, sealed with the key if there is one. It returns what a kill leaves of it, and
// what a close leaves.
func plantFolder(t *testing.T, seed uint64, key *SealKey) map[string]plantedFolder {
	t.Helper()
	fs := vfs.NewCrashableMem()
	s := openSealed(t, fs, key)
	rng := rand.New(rand.NewPCG(seed, 27))
	models := map[string]*model{"elm": newModel(), "oak": newModel(), "pine": newModel(), ServerPartition: newModel()}
	ids := []string{"elm", "oak", "pine", ServerPartition}
	db := onPebble(s).db
	for round := range 4 {
		for range 3 {
			id := pick(rng, ids)
			p, m := partition(t, s, id), models[id]
			after := m.sequence()
			if err := p.Commit(t.Context(), after, m.next(rng)); err != nil {
				t.Fatal(err)
			}
			l := Line{Time: noon.Add(time.Duration(round) * 6 * time.Hour), Content: []byte("match"), Student: "ann", Who: []byte("the door")}
			if _, err := p.Append(t.Context(), []Line{l, l}); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Flush(); err != nil {
			t.Fatal(err)
		}
		if round == 2 {
			if err := db.Compact(t.Context(), []byte{0}, []byte{0xff}, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	read := func() map[string]holding {
		all, failed, err := readAll(t.Context(), s)
		for _, e := range failed {
			err = errors.Join(err, e)
		}
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for range 3 {
		id := pick(rng, ids)
		if err := partition(t, s, id).Commit(t.Context(), models[id].sequence(), models[id].next(rng)); err != nil {
			t.Fatal(err)
		}
		appendLines(t, partition(t, s, id), 2)
	}
	want := read()
	killed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng})
	closeNow(t, s)
	closed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng})
	return map[string]plantedFolder{"closed": {closed, key, want}, "killed": {killed, key, want}}
}

// names returns the files of the folder.
func (f plantedFolder) names(t *testing.T) []string {
	t.Helper()
	names, err := f.fs.List("gallery")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// outcome damages a copy of the folder, opens it and reads all. It fails the test unless
// each error names one of the files, and what is read without an error is what was stored.
func (f plantedFolder) outcome(t *testing.T, what string, damage func(*vfs.MemFS), files ...string) string {
	t.Helper()
	fs := vfs.NewMem()
	if ok, err := vfs.Clone(f.fs, fs, "gallery", "gallery"); err != nil || !ok {
		t.Fatal(ok, err)
	}
	damage(fs)
	check := func(err error) {
		t.Helper()
		for i, name := range files { // of a file that is gone, the error can only say what kind it is
			if strings.HasPrefix(name, "marker.") {
				name = strings.Join(strings.Split(name, ".")[:2], ".")
			} else if _, gone := fs.Stat("gallery/" + name); gone != nil && strings.HasSuffix(name, ".log") {
				name = "*.log"
			}
			files[i] = name
		}
		if !errors.Is(err, ErrLost) && !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "restore a backup") && !strings.Contains(err.Error(), "make an empty file") ||
			!slices.ContainsFunc(files, func(name string) bool { return strings.Contains(err.Error(), name) }) {
			t.Errorf("%s: %v", what, err)
		}
	}
	s, err := Open("gallery", Options{FS: fs, MinFreeBytes: -1, SealKey: f.key})
	if err != nil {
		check(err)
		return "refused"
	}
	defer closeNow(t, s)
	all, failed, err := readAll(t.Context(), s)
	if err != nil {
		check(err)
		return "in part"
	}
	out := "right"
	for id, want := range f.want {
		if failed[id] != nil {
			check(failed[id])
			out = "in part"
		} else if !reflect.DeepEqual(all[id], want) {
			t.Errorf("%s: %q holds %d of %d records, %d of %d changes, %d of %d lines, and no error", what, id,
				len(all[id].records), len(want.records), len(all[id].changes), len(want.changes), len(all[id].lines), len(want.lines))
		}
	}
	return out
}

// damagePlaces bounds the sweep: some seconds. With ROLLCALL_DAMAGE=500, every file is damaged
// at so many places.
func damagePlaces(t *testing.T) int {
	if n, err := strconv.Atoi(os.Getenv("ROLLCALL_DAMAGE")); err == nil {
		return n
	}
	return 2
}

// damageBlock is where TestDamage cuts each file: at its multiples.
const damageBlock = 4096

// TestDamage damages every file of a folder that was closed, and of one whose server was
// killed, sealed and not: it flips bits, cuts, and removes each. What opens holds exactly
// what was stored, or an error names the file and says what to do.
func TestDamage(t *testing.T) {
	t.Run("plain", func(t *testing.T) { testDamage(t, nil) })
	t.Run("sealed", func(t *testing.T) { testDamage(t, testKey(t, 1)) })
}

func testDamage(t *testing.T, key *SealKey) {
	const seed = 27
	for kind, f := range plantFolder(t, seed, key) {
		for i, name := range f.names(t) {
			t.Run(kind+"/"+name, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, uint64(i)))
				size := int(sizeOf(t, f.fs, "gallery/"+name))
				outcomes := map[string]int{}
				try := func(what string, damage func(fs *vfs.MemFS)) {
					outcomes[f.outcome(t, fmt.Sprint(what, ", seed ", seed), damage, name)]++
				}
				flip := func(at int) {
					bit := byte(1) << rng.IntN(8)
					try(fmt.Sprintf("%s: bits %#x of byte %d flipped", name, bit, at), func(fs *vfs.MemFS) {
						alter(t, fs, "gallery/"+name, func(b []byte) []byte { b[at] ^= bit; return b })
					})
				}
				cut := func(at int) {
					try(fmt.Sprintf("%s: cut to %d bytes", name, at), func(fs *vfs.MemFS) {
						alter(t, fs, "gallery/"+name, func(b []byte) []byte { return b[:at] })
					})
				}
				for range min(size, damagePlaces(t)) {
					flip(rng.IntN(size))
					flip(max(0, size-1-rng.IntN(60))) // the footer of a table, the end of a log
					cut(rng.IntN(size))
				}
				for at := 0; at < size; at += damageBlock {
					cut(at)
				}
				try(name+" removed", func(fs *vfs.MemFS) {
					if err := fs.Remove("gallery/" + name); err != nil {
						t.Fatal(err)
					}
				})
				t.Log(size, "bytes:", outcomes)
			})
		}
	}
}

// TestManifestEnds cuts the list of tables at every byte, in a folder whose server was killed
// before it deleted the logs that are in tables. Without its end Pebble takes changes in tables
// for later ones, and would overwrite them.
func TestManifestEnds(t *testing.T) {
	planted := plantFolder(t, 27, nil)
	f, killed := planted["closed"], planted["killed"]
	for _, log := range list(t, killed.fs, ".log") {
		if ok, err := vfs.Clone(killed.fs, f.fs, log, log); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	manifest := f.manifest(t)
	outcomes := map[string]int{}
	for at := range int(sizeOf(t, f.fs, "gallery/"+manifest)) {
		outcomes[f.outcome(t, fmt.Sprintf("%s: cut to %d bytes", manifest, at), func(fs *vfs.MemFS) {
			alter(t, fs, "gallery/"+manifest, func(b []byte) []byte { return b[:at] })
		}, manifest)]++
	}
	t.Log(outcomes)
	if outcomes["refused"] == 0 {
		t.Error("the test does not reach the file")
	}
}

// manifest returns the name of the file that lists the tables.
func (f plantedFolder) manifest(t *testing.T) (name string) {
	for _, marker := range f.names(t) {
		if strings.HasPrefix(marker, "marker.manifest.") {
			_, name, _ = strings.Cut(strings.TrimPrefix(marker, "marker.manifest."), ".")
		}
	}
	return name
}

// TestExchangedFiles gives any two files of a folder each other's names.
func TestExchangedFiles(t *testing.T) {
	f := plantFolder(t, 28, nil)["killed"]
	names := f.names(t)
	for i, a := range names {
		for _, b := range names[:i] {
			f.outcome(t, fmt.Sprint(a, " and ", b, " exchanged"), exchange(t, a, b), a, b)
		}
	}
}

func exchange(t *testing.T, a, b string) func(fs *vfs.MemFS) {
	return func(fs *vfs.MemFS) {
		for _, name := range [][2]string{{a, "x"}, {b, a}, {"x", b}} {
			if err := fs.Rename("gallery/"+name[0], "gallery/"+name[1]); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestExchangedTables exchanges two tables of the same size: Pebble alone does not see it.
func TestExchangedTables(t *testing.T) {
	for range 100 {
		f, tables := twoTables(t)
		if len(tables) != 2 || sizeOf(t, f.fs, tables[0]) != sizeOf(t, f.fs, tables[1]) {
			continue // Pebble has compacted them already
		}
		a, b := f.fs.PathBase(tables[0]), f.fs.PathBase(tables[1])
		if out := f.outcome(t, "exchanged", exchange(t, a, b), a, b); out != "refused" {
			t.Errorf("the outcome is: %s", out)
		}
		return
	}
	t.Fatal("no two tables have the same size: the test is void")
}

// twoTables makes a folder, and returns its two newest tables.
func twoTables(t *testing.T) (f plantedFolder, tables []string) {
	t.Helper()
	fs := vfs.NewCrashableMem()
	s := openMem(t, fs)
	put(t, partition(t, s, "ash"), Student{ID: "bob"})
	if err := onPebble(s).db.Compact(t.Context(), []byte{0}, []byte{0xff}, false); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"elm", "oak"} {
		put(t, partition(t, s, id), Student{ID: "bob"})
		if err := onPebble(s).db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	f = plantedFolder{fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))}), nil, nil}
	var err error
	if f.want, _, err = readAll(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	closeNow(t, s)
	tables = list(t, f.fs, ".sst")
	slices.Sort(tables)
	return f, tables[max(0, len(tables)-2):]
}

func sizeOf(t *testing.T, fs vfs.FS, name string) int64 {
	t.Helper()
	info, err := fs.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestDamagedManifestIsNoAcceptableLoss damages the list of tables: also who accepts a loss
// is refused, and no file is touched, because Pebble would delete all tables.
func TestDamagedManifestIsNoAcceptableLoss(t *testing.T) {
	for kind, f := range plantFolder(t, 29, nil) {
		manifest := f.manifest(t)
		alter(t, f.fs, "gallery/"+manifest, func(b []byte) []byte { b[9] ^= 1; return b })
		before := f.names(t)
		_, err := Open("gallery", Options{FS: f.fs, AcceptLoss: true})
		wantError(t, kind, err, ErrCorrupt)
		if err != nil && (!strings.Contains(err.Error(), manifest) || strings.Contains(err.Error(), "accept-loss")) {
			t.Errorf("%s: %v", kind, err)
		}
		equal(t, "files", f.names(t), before)
	}
}
