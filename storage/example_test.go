package storage_test

import (
	"context"
	"fmt"
	"time"

	"rollcall/storage"
)

// Enrol a crop, and read everything back.
func Example() {
	ctx := context.Background()
	store := storage.OpenMemory(storage.Faults{}) // or Open, for a folder
	school, err := store.Partition("elm-street")
	if err != nil {
		fmt.Println(err)
		return
	}

	records := []storage.Record{
		storage.Student{ID: "ann", Groups: []string{"1a"}},
		storage.Crop{ID: "ann/1", StudentID: "ann"},
		storage.Embedding{CropID: "ann/1", Model: "sface", Vector: []float32{0.6, 0.8}},
	}
	change := storage.Change{Time: time.Now(), Cause: "enrol", By: "the office"}
	for _, r := range records {
		change.Writes = append(change.Writes, storage.Write{Ref: r.Ref(), Put: r})
	}
	newest, err := school.Sequence(ctx)
	if err == nil {
		err = school.Commit(ctx, newest, []storage.Change{change}) // now it may be acknowledged
	}
	if err != nil {
		fmt.Println(err)
		return
	}

	for record, err := range school.Load(ctx) {
		fmt.Println(record.Ref(), err)
	}
	for change, err := range school.Changes(ctx, newest) {
		fmt.Println(change.Sequence, change.Cause, change.By, len(change.Writes), err)
	}
	fmt.Println(store.Close())
	// Output:
	// {student ann } <nil>
	// {crop ann/1 } <nil>
	// {embedding ann/1 sface} <nil>
	// 1 enrol the office 3 <nil>
	// <nil>
}
