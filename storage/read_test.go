package storage

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestSequenceIsOneView changes the store within a loop over it.
func TestSequenceIsOneView(t *testing.T) {
	s := closeAtEnd(t, openMem(t, vfs.NewMem()))
	var c Change
	c.PutStudent(Student{ID: "a"})
	c.PutStudent(Student{ID: "c"})
	apply(t, s, &c)
	var seen []string
	for student, err := range s.Students("") {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, student.ID)
		var c Change
		c.PutStudent(Student{ID: "b"})
		c.DeleteStudent("c")
		apply(t, s, &c)
	}
	equal(t, "students of the view", seen, []string{"a", "c"})
	_, err := s.Student("c")
	wantError(t, "Student after the loop", err, ErrNotFound)
}

// TestLoopsCloseTheirIterators leaves loops in every way. Pebble's Close
// reports an iterator that was left open.
func TestLoopsCloseTheirIterators(t *testing.T) {
	s := openMem(t, vfs.NewMem())
	var c Change
	for _, id := range trickyIDs {
		c.PutStudent(Student{ID: id})
		c.PutCrop(Crop{ID: id, StudentID: "a"})
	}
	apply(t, s, &c)
	if err := s.db.Flush(); err != nil { // an iterator over a table holds it
		t.Fatal(err)
	}
	for range s.Students("") {
		break
	}
	func() {
		defer func() { _ = recover() }()
		for range s.Crops("") {
			panic("out of the loop")
		}
	}()
	plant(t, s, kindStudent, "\xff", "b")
	var last error
	for _, last = range s.Students("a") {
	}
	wantError(t, "the last pair", last, ErrCorrupt)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestReadsRefuseInvalidIDs(t *testing.T) {
	s := closeAtEnd(t, openMem(t, vfs.NewMem()))
	long := strings.Repeat("x", MaxIDBytes+1)
	_, student := s.Student("")
	_, crop := s.Crop(long)
	_, model := s.Model("")
	_, noModel := s.Embedding("x", "")
	for what, err := range map[string]error{
		"Student": student, "Crop": crop, "Model": model, "Embedding": noModel,
		"Students": only(s.Students(long)), "Crops": only(s.Crops(long)),
		"CropsOf": only(s.CropsOf("")), "EmbeddingsOf": only(s.EmbeddingsOf("")),
	} {
		wantError(t, what, err, ErrInvalidID)
	}
}

// TestDamagedFile flips bits of a table. Reads must say ErrCorrupt, and the
// process must live: a damaged gallery still has to be looked at.
func TestDamagedFile(t *testing.T) {
	fs := vfs.NewMem()
	s := openMem(t, fs)
	var c Change
	vector := randomVector(rand.New(rand.NewPCG(6, 6)), 512)
	for _, id := range trickyIDs {
		c.PutEmbedding(Embedding{CropID: id, Model: "m", Vector: vector})
	}
	apply(t, s, &c)
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := fs.List("gallery")
	if err != nil {
		t.Fatal(err)
	}
	tables := 0
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			tables++
			damage(t, fs, fs.PathJoin("gallery", name))
		}
	}
	if tables == 0 {
		t.Fatal("no tables in the folder")
	}
	s = closeAtEnd(t, openMem(t, fs))
	var last error
	for _, last = range s.Embeddings() {
	}
	wantError(t, "Embeddings", last, ErrCorrupt)
}

// damage overwrites a part of the middle of a file, where a table has its
// records: those of the schema are in its first block.
func damage(t *testing.T, fs vfs.FS, name string) {
	t.Helper()
	file, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte("not what was here"), info.Size()/2); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
