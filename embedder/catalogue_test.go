package embedder

import (
	"context"
	"errors"
	"strings"
	"testing"

	"rollcall/embedder/onnxtest"
	"rollcall/models"
)

// TestCatalogueInstalls pulls every model of the catalogue that has a source from a mirror: files of the
// real sizes, inputs and outputs, in archives where the makers use them, tried out by Check. Each
// download is interrupted once and has to go on from there. In a short run the files are smaller.
func TestCatalogueInstalls(t *testing.T) {
	shrink := int64(1)
	if testing.Short() {
		shrink = 64
	}
	mirror := onnxtest.NewMirror(t, shrink)
	real, err := models.OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	list, err := real.List()
	if err != nil {
		t.Fatal(err)
	}
	pulled := 0
	for _, known := range list {
		c := known.Contract
		if c.Source == nil {
			continue
		}
		pulled++
		t.Run(c.Name, func(t *testing.T) {
			library, err := models.OpenCatalogue(t.TempDir(), mirror.Catalogue)
			if err != nil {
				t.Fatal(err)
			}
			before, err := library.Model(c.Name)
			if !errors.Is(err, models.ErrNotInstalled) {
				t.Fatal(err)
			}
			if shrink == 1 && before.Contract.Source.Bytes != c.Source.Bytes {
				t.Fatalf("the mirror has %d bytes where the makers have %d", before.Contract.Source.Bytes, c.Source.Bytes)
			}
			interruptedPull(t, mirror, library, c)
			after, err := library.Model(c.Name)
			if err != nil {
				t.Fatal(err)
			}
			if c.Kind == models.Locator {
				return
			}
			if after.Contract.Golden == nil {
				t.Fatal("what it answers has not been recorded")
			}
			want := goldenReference(onnxtest.Like(c, 1))
			if got := similarity(after.Contract.Golden.Embedding, want); got < sameSimilarity {
				t.Errorf("similarity of the golden embedding to the reference %.6f", got)
			}
		})
	}
	if pulled < 8 {
		t.Errorf("only %d models of the catalogue have a source", pulled)
	}
}

// interruptedPull pulls a model in two goes.
func interruptedPull(t *testing.T, mirror *onnxtest.Mirror, library *models.Library, c models.Contract) {
	t.Helper()
	opts := models.PullOptions{Check: Check, AcceptLicence: true}
	if c.SHA256 == "" {
		if err := library.Pull(t.Context(), c.Name, opts); !errors.Is(err, models.ErrNoDigest) || !strings.Contains(err.Error(), "--trust-first") {
			t.Fatalf("without a digest: %v, want ErrNoDigest", err)
		}
		opts.TrustFirst = true
	}
	// Less than any network takes.
	mirror.Stop(c.Name, 3_000)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	first := opts
	first.Progress = func(done, total int64) {
		if done > 0 {
			interrupt()
		}
	}
	if err := library.Pull(ctx, c.Name, first); !errors.Is(err, context.Canceled) {
		t.Fatalf("the interrupted pull: %v", err)
	}
	begun, total := int64(-1), int64(0)
	opts.Progress = func(done, all int64) {
		if begun < 0 {
			begun = done
		}
		total = all
	}
	if err := library.Pull(t.Context(), c.Name, opts); err != nil {
		t.Fatal(err)
	}
	ranges := mirror.Ranges(c.Name)
	if begun <= 0 || len(ranges) != 2 || ranges[0] != "" || ranges[1] == "" {
		t.Errorf("it went on from byte %d of %d, asking for %q", begun, total, ranges)
	}
	if err := library.Verify(c.Name); err != nil {
		t.Error(err)
	}
}
