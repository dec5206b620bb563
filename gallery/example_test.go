package gallery_test

import (
	"context"
	"errors"
	"fmt"

	"rollcall/gallery"
	"rollcall/storage"
)

// models stands for the catalogue: one model, with vectors of two elements.
func models(name string) (gallery.Model, error) {
	if name != "eyes" {
		return gallery.Model{}, fmt.Errorf("no model %q", name)
	}
	return gallery.Model{Name: "eyes", Digest: "aa11", Dimension: 2, Recipe: "eyes, 1", Threshold: 0.7}, nil
}

// embedding stands for what the embedder makes of a crop.
func embedding(x, y float32) gallery.Embedding {
	return gallery.Embedding{Model: "eyes", Digest: "aa11", Recipe: "eyes, 1", Vector: []float32{x, y}}
}

// Two students are enrolled; a crop of one of them is identified, and one of a
// stranger.
func Example() {
	ctx := context.Background()
	store := storage.OpenMemory(storage.Faults{}) // or storage.Open, for a folder
	defer store.Close()
	galleries, err := gallery.OpenGalleries(ctx, store, gallery.Options{Models: models}, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer galleries.Close()
	school, release, err := galleries.Use(ctx, gallery.DefaultGallery)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer release()

	for _, e := range []gallery.Enrolment{
		{CropID: "ann/1", StudentID: "ann", Groups: []string{"3b"}, Embedding: embedding(1, 0)},
		{CropID: "ben/1", StudentID: "ben", Groups: []string{"3b"}, Embedding: embedding(0, 1)},
	} {
		if _, err := school.Enroll(ctx, e); err != nil {
			fmt.Println(err)
			return
		}
	}
	for _, probe := range []gallery.Embedding{embedding(0.96, 0.28), embedding(-0.6, -0.8)} {
		found, err := school.Identify(ctx, gallery.Probe{Embedding: probe, Scope: gallery.Scope{Groups: []string{"3b"}}})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(found.Verdict, found.StudentID, found.Reasons, found.Exact)
	}
	// Output:
	// MATCH ann [] true
	// UNKNOWN  [BELOW_THRESHOLD] true
}

// A face that is enrolled under one student is refused under another, unless that is
// allowed, as for twins.
func ExampleGallery_Enroll() {
	ctx := context.Background()
	store := storage.OpenMemory(storage.Faults{})
	defer store.Close()
	partition, err := store.Partition("elm-street")
	if err != nil {
		fmt.Println(err)
		return
	}
	school, err := gallery.Open(ctx, partition, gallery.Options{Models: models})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer school.Close()

	_, err = school.Enroll(ctx, gallery.Enrolment{CropID: "ann/1", StudentID: "ann", Embedding: embedding(1, 0)})
	fmt.Println(err)

	twin := gallery.Enrolment{CropID: "eve/1", StudentID: "eve", Embedding: embedding(0.96, 0.28)}
	_, err = school.Enroll(ctx, twin)
	var duplicate *gallery.DuplicateError
	fmt.Println(errors.As(err, &duplicate), err)

	twin.AllowDuplicate = true
	_, err = school.Enroll(ctx, twin)
	fmt.Println(err)
	// Output:
	// <nil>
	// true enrol crop "eve/1": the face is enrolled under student "ann" (similarity 0.960)
	// <nil>
}
