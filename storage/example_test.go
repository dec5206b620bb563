package storage_test

import (
	"context"
	"errors"
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

// Two callers decide on the same state: the second one reads what the first did, and
// decides anew.
func ExamplePartition_Commit() {
	ctx := context.Background()
	store := storage.OpenMemory(storage.Faults{})
	school, err := store.Partition("elm-street")
	if err != nil {
		fmt.Println(err)
		return
	}
	enrol := func(after uint64, id string) error {
		s := storage.Student{ID: id}
		return school.Commit(ctx, after, []storage.Change{{
			Time: time.Now(), Cause: "enrol", Writes: []storage.Write{{Ref: s.Ref(), Put: s}},
		}})
	}
	var seen uint64
	fmt.Println(enrol(seen, "ann"))

	err = enrol(seen, "ben")
	fmt.Println(errors.Is(err, storage.ErrConflict))
	for change, err := range school.Changes(ctx, seen) {
		if err != nil {
			fmt.Println(err)
			return
		}
		records, err := school.Fetch(ctx, change.Writes[0].Ref)
		fmt.Println(change.Sequence, len(records), err)
		seen = change.Sequence
	}
	fmt.Println(enrol(seen, "ben"))
	fmt.Println(store.Close())
	// Output:
	// <nil>
	// true
	// 1 1 <nil>
	// <nil>
	// <nil>
}
