package embedder_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"rollcall/embedder"
	"rollcall/embedder/ortlib"
	"rollcall/models"
)

// Embed a crop with the default model and say what can be said of it.
func Example() {
	ctx := context.Background()
	if _, err := embedder.Start(ctx, ortlib.Options{}); err != nil {
		fmt.Println(err)
		return
	}
	installed, err := models.OpenLibrary("models")
	if err != nil {
		fmt.Println(err)
		return
	}
	e, err := embedder.New(installed, embedder.Options{TTL: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()

	crop, err := os.ReadFile("crop.jpg")
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := e.Embed(ctx, embedder.Request{Image: crop})
	var full *embedder.QueueFullError
	switch {
	case errors.As(err, &full):
		fmt.Println("busy, again in", full.RetryAfter)
	case err != nil:
		fmt.Println(err)
	case result.Embedding == nil:
		fmt.Println("unusable:", result.Quality.Reasons)
	default:
		fmt.Println(result.Dimension, "numbers from", result.Model, "in", result.Timings[embedder.StageRun])
	}
}
