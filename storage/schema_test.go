package storage

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// addToDimension is a migration that shows when it is run twice, or not.
func addToDimension(n int) migration {
	return func(db *pebble.DB, batch *pebble.Batch) error {
		w := &writer{batch: batch}
		keys, err := kindSpan(kindModel, "")
		if err != nil {
			return err
		}
		for m, err := range walk(db, keys, decodeModel) {
			if err != nil {
				return err
			}
			m.Dimension += n
			if err := w.putModel(m); err != nil {
				return err
			}
		}
		return nil
	}
}

// schema1 returns a file system with a store of schema 1 that holds models of
// dimension 100, after 1 change.
func schema1(t *testing.T) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashableMem()
	s, err := open("gallery", Options{FS: fs}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var c Change
	for i := range 3 {
		c.PutModel(Model{Name: fmt.Sprint("model-", i), Dimension: 100})
	}
	apply(t, s, &c)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return fs
}

// checkSchema opens the store with the steps, and compares what it holds.
func checkSchema(t *testing.T, fs vfs.FS, steps []migration, dimension int) {
	t.Helper()
	s, err := open("gallery", Options{FS: fs}, steps)
	if err != nil {
		t.Fatal(err)
	}
	models := collect(t, s.Models())
	if len(models) != 3 {
		t.Errorf("%d models, want 3", len(models))
	}
	for _, m := range models {
		if m.Dimension != dimension {
			t.Errorf("%s has dimension %d, want %d", m.Name, m.Dimension, dimension)
		}
	}
	if s.Sequence() != 1 {
		t.Errorf("Sequence() = %d, want 1", s.Sequence())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMigrate migrates at once, step by step, and not again.
func TestMigrate(t *testing.T) {
	steps := []migration{addToDimension(1), addToDimension(10), addToDimension(100)}
	atOnce, oneByOne := schema1(t), schema1(t)
	checkSchema(t, atOnce, steps, 211)
	checkSchema(t, atOnce, steps, 211)
	checkSchema(t, oneByOne, nil, 100)
	checkSchema(t, oneByOne, steps[:1], 101)
	checkSchema(t, oneByOne, steps[:2], 111)
	checkSchema(t, oneByOne, steps, 211)
	checkSchema(t, vfsWithNewStore(t, steps), steps, 100)
}

// vfsWithNewStore returns a store made with the steps known: new stores begin
// at the current schema and are not migrated.
func vfsWithNewStore(t *testing.T, steps []migration) vfs.FS {
	t.Helper()
	fs := vfs.NewMem()
	s, err := open("gallery", Options{FS: fs}, steps)
	if err != nil {
		t.Fatal(err)
	}
	var c Change
	for i := range 3 {
		c.PutModel(Model{Name: fmt.Sprint("model-", i), Dimension: 100})
	}
	apply(t, s, &c)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return fs
}

// TestMigrationFails fails the second step after it has written: the first
// stays done, nothing of the second is left, and the next Open goes on there.
func TestMigrationFails(t *testing.T) {
	fs := schema1(t)
	broken := errors.New("broken step")
	failing := func(db *pebble.DB, batch *pebble.Batch) error {
		return errors.Join(addToDimension(1000)(db, batch), broken)
	}
	_, err := open("gallery", Options{FS: fs}, []migration{addToDimension(1), failing})
	wantError(t, "Open", err, broken)
	if err != nil && !strings.Contains(err.Error(), "from schema 2 to 3") {
		t.Errorf("the error does not name the step: %v", err)
	}
	checkSchema(t, fs, []migration{addToDimension(1), addToDimension(10)}, 111)
}

// TestCrashInMigration cuts the power at every sync of a migration.
func TestCrashInMigration(t *testing.T) {
	steps := []migration{addToDimension(1), addToDimension(10)}
	s, clones := openCloning(t, schema1(t), steps)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, fs := range clones {
		checkSchema(t, fs, steps, 111)
	}
}

func TestNewerSchema(t *testing.T) {
	fs := schema1(t)
	steps := []migration{addToDimension(1), addToDimension(10)}
	checkSchema(t, fs, steps, 111)
	_, err := open("gallery", Options{FS: fs}, steps[:1])
	wantError(t, "Open", err, ErrNewerSchema)
	if err != nil && !strings.Contains(err.Error(), "schema is 3 and this release knows up to 2") {
		t.Errorf("the error does not name both versions: %v", err)
	}
	checkSchema(t, fs, steps, 111)
}

func TestCorruptMeta(t *testing.T) {
	for name, value := range map[string]string{"no number": "1", "version 0": strings.Repeat("\x00", 8)} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			s := openMem(t, fs)
			plant(t, s, kindMeta, value, metaSchema)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			_, err := Open("gallery", Options{FS: fs})
			wantError(t, "Open", err, ErrCorrupt)
		})
	}
}
