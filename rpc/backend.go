package rpc

import (
	"context"
	"sync"
	"time"

	"connectrpc.com/connect"

	"rollcall/access"
	"rollcall/access/journal"
	"rollcall/embedder"
	"rollcall/gallery"
	"rollcall/models"
	"rollcall/rpc/erasure"
)

// Backend is what the handlers call.
type Backend struct {
	Embedder  Embedder
	Eraser    *erasure.Eraser
	Galleries *gallery.Galleries
	Journals  *journal.Journals
	Models    *models.Library
	Tokens    *access.Tokens
	// FreeBytes returns how much the disk with the data still takes, for the metrics; nil,
	// or an error: nobody can tell.
	FreeBytes func() (uint64, error)
	// Backups are those that the server writes by itself; nil: it writes none.
	Backups Backups
}

// Backups tells of the backups that the server writes by itself, for metrics and receipts;
// *backup.Keeper is one. It must be safe for concurrent use.
type Backups interface {
	// Newest returns when the newest good one was made; zero: there is none.
	Newest() time.Time
	// Failures returns how many have failed.
	Failures() uint64
	// HeldUntil returns until when one holds what left the files at a time; zero: none
	// does.
	HeldUntil(gone time.Time) time.Time
}

// Embedder turns crops into embeddings and finds the faces of photos;
// *embedder.Embedder is one. It must be safe for concurrent use.
type Embedder interface {
	Embed(ctx context.Context, req embedder.Request) (*embedder.Result, error)
	Faces(ctx context.Context, req embedder.PhotoRequest) (*embedder.Photo, error)
	EmbedFaces(ctx context.Context, req embedder.FacesRequest) (*embedder.Photo, []*embedder.Result, error)
	Load(ctx context.Context, model string) (embedder.Loaded, error)
	Recipe(model string) (string, error)
	QueueFull(caller string) error
	Stats() embedder.Stats
}

// Facts returns what galleries need to know of the installed models, for
// [gallery.Options.Models]. A contract is read once: if its file is replaced while the
// server runs, the server keeps the old contract.
func Facts(library *models.Library, e Embedder) func(name string) (gallery.Model, error) {
	var known sync.Map // name -> gallery.Model
	return func(name string) (gallery.Model, error) {
		recipe, err := e.Recipe(name)
		if err != nil {
			return gallery.Model{}, err
		}
		facts, ok := known.Load(name)
		if !ok {
			m, err := library.Model(name)
			if err != nil {
				return gallery.Model{}, err
			}
			if m.Contract.Kind != models.Embedder {
				return gallery.Model{}, newError(connect.CodeFailedPrecondition, "UNKNOWN_MODEL",
					"model "+name+" is a "+string(m.Contract.Kind)+": it makes no embeddings", nil)
			}
			facts, _ = known.LoadOrStore(name, factsOf(m.Contract))
		}
		m := facts.(gallery.Model)
		m.Recipe = recipe
		return m, nil
	}
}

func factsOf(c models.Contract) gallery.Model {
	m := gallery.Model{Name: c.Name, Digest: c.SHA256, Dimension: c.Output.Dimension, Threshold: c.Threshold}
	for _, p := range c.Calibration {
		m.Calibration = append(m.Calibration, gallery.Calibration{FMR: p.FMR, Similarity: p.Similarity})
	}
	return m
}
