package erasure_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/access/journal"
	"rollcall/gallery"
	"rollcall/rpc/erasure"
	"rollcall/storage"
)

// TestSweep sets last days, and lets days go by.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, quiet := context.Background(), slog.New(slog.DiscardHandler)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		store := storage.OpenMemory(storage.Faults{})
		galleries, err := gallery.OpenGalleries(ctx, store, gallery.Options{
			Models: func(name string) (gallery.Model, error) { return gallery.Model{Name: name}, nil },
		}, 0)
		must(err)
		journals := journal.Open(store, quiet)
		eraser := erasure.Open(store, galleries, journals, quiet)
		defer func() {
			eraser.Close()
			must(galleries.Close())
			must(journals.Close())
			must(store.Close())
		}()
		g, release, err := galleries.Use(ctx, gallery.DefaultGallery)
		must(err)
		defer release()
		day := func(days int) gallery.Date { return storage.DateOf(time.Now().AddDate(0, 0, days)) }
		for id, last := range map[string]gallery.Date{"today": day(0), "next week": day(7), "never": ""} {
			_, _, err := g.SetConsent(ctx, id, gallery.Consent{State: gallery.ConsentGiven})
			must(err)
			_, err = g.SetDeleteAfter(ctx, id, last)
			must(err)
		}
		for _, step := range []struct {
			days int
			left int
		}{{0, 3}, {2, 2}, {4, 2}, {4, 1}, {400, 1}} {
			time.Sleep(time.Duration(step.days) * 24 * time.Hour)
			synctest.Wait()
			if page, _, _, err := g.Students(ctx, "", 0, ""); err != nil || len(page) != step.left {
				t.Errorf("after %d more days %d students are left (%v), want %d", step.days, len(page), err, step.left)
			}
		}
		if _, err := g.Student(ctx, "never"); errors.Is(err, gallery.ErrStudentNotFound) {
			t.Error("who has no last day is gone")
		}
		p, err := store.Partition(gallery.DefaultGallery)
		must(err)
		list, err := p.Erasures(ctx)
		must(err)
		if len(list) != 2 || list[0].Open || list[1].Open || list[0].Finished.IsZero() {
			t.Errorf("the erasures are %+v", list)
		}
	})
}
