package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"rollcall/cmd/terminal"
	"rollcall/gallery"
	"rollcall/storage"
)

// folderReport is what check --data prints as JSON.
type folderReport struct {
	Folder    string          `json:"folder"`
	Whole     bool            `json:"whole"`             // everything is there, and as it was written
	Error     string          `json:"error,omitempty"`   // why the folder cannot be opened
	Damages   []folderDamage  `json:"damages,omitempty"` // of files
	Galleries []galleryReport `json:"galleries,omitempty"`
	Tokens    int             `json:"tokens"`
}

type folderDamage struct {
	File string `json:"file"`
	What string `json:"what"`
	Lost string `json:"lost"` // empty: nothing
	Do   string `json:"do"`
}

// galleryReport is about one gallery, or, without a name, about the server's own records.
type galleryReport struct {
	Gallery     string               `json:"gallery"`
	Students    int                  `json:"students"`
	Crops       int                  `json:"crops"`
	Embeddings  int                  `json:"embeddings"`
	FirstChange uint64               `json:"first_change"`
	LastChange  uint64               `json:"last_change"`
	FirstLine   uint64               `json:"first_line"`
	LastLine    uint64               `json:"last_line"`
	Differences []gallery.Difference `json:"differences,omitempty"`
	Total       int                  `json:"differences_total"`
	Error       string               `json:"error,omitempty"`
	Unlisted    bool                 `json:"unlisted,omitempty"` // it lies on disk, and is not in the list of galleries
}

func (r *galleryReport) name() string {
	if r.Gallery == "" {
		return "the server"
	}
	return "gallery " + r.Gallery
}

// runCheckFolder checks a data folder that no server has open.
func runCheckFolder(ctx context.Context, c console, o checkOptions) (err error) {
	if err := folderExists(o.data); err != nil {
		return err
	}
	report := folderReport{Folder: o.data, Whole: true}
	key, err := o.sealKey.key(ctx)
	if err != nil {
		return err
	}
	store, err := storage.OpenReadOnly(o.data, storage.Options{SealKey: key})
	switch {
	case errors.Is(err, storage.ErrLocked):
		return fmt.Errorf("a server has %s open: stop it, or leave --data (and ROLLCALL_DATA) out to ask the server", o.data)
	case errors.Is(err, storage.ErrCorrupt), errors.Is(err, storage.ErrLost):
		report.Error, report.Whole = err.Error(), false
	case err != nil:
		return err
	default:
		defer func() { err = errors.Join(err, store.Close()) }()
	}
	if err := report.files(ctx, c, store); err != nil {
		return err
	}
	if store != nil {
		if err := report.galleries(ctx, c, store); err != nil {
			return err
		}
	}
	if o.output.JSON() {
		err = terminal.PrintJSON(c.out, report)
	} else {
		err = report.print(c)
	}
	if err == nil && !report.Whole {
		return &exitError{exitFailure, errors.New("the folder is damaged: copy it before you do anything with it; docs/damage.md says how to go on")}
	}
	return err
}

func (r *folderReport) files(ctx context.Context, c console, store *storage.Store) error {
	meter := terminal.NewMeter(c.err, "checking the files", terminal.Bytes)
	defer meter.End()
	damages, err := storage.CheckFiles(ctx, r.Folder, store, nil, meter.Step)
	for _, d := range damages {
		r.Damages = append(r.Damages, folderDamage(d))
		r.Whole = r.Whole && d.Lost == ""
	}
	return err
}

// galleries examines the server's partition and each gallery.
func (r *folderReport) galleries(ctx context.Context, c console, store *storage.Store) error {
	ids, err := store.Partitions(ctx)
	if err != nil {
		r.Error, r.Whole = err.Error(), false
		return nil
	}
	listed, tokens, err := r.server(ctx, store)
	if err != nil {
		return err
	}
	r.Tokens = tokens
	meter := terminal.NewMeter(c.err, "reading the galleries", "galleries")
	defer meter.End()
	for i, id := range ids {
		p, err := store.Partition(id)
		if err != nil {
			return err
		}
		x, err := gallery.Examine(ctx, p)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		g := galleryReport{
			Gallery: id, Students: x.Students, Crops: x.Crops, Embeddings: x.Embeddings,
			FirstChange: x.FirstChange, LastChange: x.LastChange, FirstLine: x.FirstLine, LastLine: x.LastLine,
			Differences: x.Differences, Total: x.Total,
		}
		if id == storage.ServerPartition {
			g.Gallery = ""
		} else if listed != nil {
			g.Unlisted = !slices.Contains(listed, id)
		}
		if err != nil {
			g.Error = err.Error()
		}
		r.Whole = r.Whole && err == nil && x.Total == 0 && !g.Unlisted
		r.Galleries = append(r.Galleries, g)
		meter.Step(int64(i+1), int64(len(ids)))
	}
	return nil
}

// server returns the galleries of the list, and how many tokens there are. Damage ends it:
// it is found again, and reported, where the server's partition is examined.
func (r *folderReport) server(ctx context.Context, store *storage.Store) (listed []string, tokens int, err error) {
	own, err := store.Partition(storage.ServerPartition)
	if err != nil {
		return nil, 0, err
	}
	for record, err := range own.Load(ctx) {
		if err != nil {
			return nil, tokens, ctx.Err()
		}
		switch record := record.(type) {
		case storage.Gallery:
			listed = append(listed, record.ID)
		case storage.Token:
			tokens++
		}
	}
	return listed, tokens, nil
}

func (r *folderReport) print(c console) error {
	for i := range r.Galleries {
		r.Galleries[i].print(c.out)
	}
	for _, d := range r.Damages {
		lost := d.Lost
		if lost == "" {
			lost = "nothing"
		}
		terminal.Printf(c.out, "file %s: %s\n  lost: %s\n  to do: %s\n", d.File, d.What, lost, d.Do)
	}
	if r.Error != "" {
		terminal.Printf(c.out, "the folder cannot be opened: %s\n", r.Error)
	}
	if !r.Whole {
		return nil
	}
	return terminal.Printf(c.out, "%s is whole\n", r.Folder)
}

func (r *galleryReport) print(out io.Writer) {
	terminal.Printf(out, "%s: ", r.name())
	if r.Gallery != "" {
		terminal.Printf(out, "%s, %s, %s, ", count(r.Students, "student"), count(r.Crops, "crop"), count(r.Embeddings, "embedding"))
	}
	terminal.Printf(out, "%s, %s\n", numbered("change", r.FirstChange, r.LastChange), numbered("line", r.FirstLine, r.LastLine))
	if r.Unlisted {
		terminal.Printf(out, "  it is not in the list of galleries: take it in with \"rollcall galleries create\", or erase it with \"rollcall galleries delete\"\n")
	}
	if r.Error != "" {
		terminal.Printf(out, "  damaged: %s\n", r.Error)
	}
	for _, d := range r.Differences[:min(len(r.Differences), printedDifferences)] {
		terminal.Printf(out, "  %s: crop %s, student %s, model %s\n", d.Kind, orDash(d.CropID), orDash(d.StudentID), orDash(d.Model))
	}
	if more := r.Total - printedDifferences; more > 0 {
		terminal.Printf(out, "  and %s more\n", count(more, "difference"))
	}
}

// printedDifferences is how many a person reads; --output json has more.
const printedDifferences = 20
