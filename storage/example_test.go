package storage_test

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rollcall/storage"
)

// Enrol a crop, and read it back.
func Example() {
	store, err := storage.Open("gallery", storage.Options{FS: vfs.NewMem()})
	if err != nil {
		fmt.Println(err)
		return
	}

	var change storage.Change
	change.PutStudent(storage.Student{ID: "ann", Groups: []string{"1a"}})
	change.PutCrop(storage.Crop{ID: "ann/1", StudentID: "ann"})
	change.PutEmbedding(storage.Embedding{CropID: "ann/1", Model: "sface", Vector: []float32{0.6, 0.8}})
	commit, err := store.Apply(&change)
	if err == nil {
		err = commit.Wait() // now it may be acknowledged
	}
	if err != nil {
		fmt.Println(err)
		return
	}

	for crop, err := range store.CropsOf("ann") {
		fmt.Println(crop, err)
	}
	_, err = store.Student("bob")
	fmt.Println(errors.Is(err, storage.ErrNotFound))
	fmt.Println(store.Close())
	// Output:
	// ann/1 <nil>
	// true
	// <nil>
}
