package gallery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/storage"
)

// ErrErased says that a record of an import was erased from this server since the record was
// made: it does not come back.
var ErrErased = errors.New("erased from this server after it was made: it is not imported")

// ImportOptions say how records are taken in.
type ImportOptions struct {
	Settings       bool // take the settings too, but for the model
	AllowDuplicate bool // as in [Enrolment]
	AllowUnlike    bool // as in [Enrolment]
	DryRun         bool // store nothing; what the records would do to each other is not seen
}

// Imported is what an import did.
type Imported struct {
	Stored  int     // records that were stored, or in a dry run could be
	Skipped int     // records that are there already
	Errors  []error // by the place of the record; nil: it was taken in
	Erased  bool    // a refusal erased crops: the caller has the erasure finished
}

// imports is how many students are taken in at once: they share one commit.
const imports = 32

// Import takes records into a gallery as the edits that they are: every rule of an
// enrolment holds, and nothing comes back that is in the server's list of erasures. Records
// that are there already are skipped, so that an import can be repeated. The crops of one
// student are taken in by their order. The error is that of the whole call; those of single
// records are in [Imported].
func (s *Galleries) Import(ctx context.Context, g *Gallery, id string, records []Record, opts ImportOptions) (Imported, error) {
	erased, err := s.store.Erasures(ctx)
	if err != nil {
		return Imported{}, err
	}
	im := &importer{gallery: g, id: id, erased: erased, opts: opts}
	out := Imported{Errors: make([]error, len(records))}
	stored := make([]bool, len(records))
	// Students go first, with what they consented to.
	var crops [][]int
	ofStudent := map[string]int{}
	for i, r := range records {
		if r.Crop == nil {
			stored[i], out.Errors[i] = im.small(ctx, r)
			continue
		}
		at, known := ofStudent[r.Crop.StudentID]
		if !known || r.Crop.StudentID == "" {
			at = len(crops)
			crops, ofStudent[r.Crop.StudentID] = append(crops, nil), at
		}
		crops[at] = append(crops[at], i)
	}
	var running errgroup.Group
	running.SetLimit(imports)
	for _, places := range crops {
		running.Go(func() error {
			for _, i := range places {
				stored[i], out.Errors[i] = im.crop(ctx, *records[i].Crop)
			}
			return nil
		})
	}
	_ = running.Wait() // the errors are in out
	out.Erased = im.erases
	for i, err := range out.Errors {
		switch {
		case err != nil && (errors.Is(err, ErrClosed) || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrReadOnly) || ctx.Err() != nil):
			return Imported{}, err // of the gallery, not of the record: the same call can be made again
		case err == nil && stored[i]:
			out.Stored++
		case err == nil:
			out.Skipped++
		}
	}
	return out, nil
}

// importer takes records into one gallery.
type importer struct {
	gallery *Gallery
	id      string
	erased  *storage.Erasures
	opts    ImportOptions

	erases bool // a refusal erased crops
}

// errDryRun ends an edit that could have been made.
var errDryRun = errors.New("dry run")

// do makes an edit, or only decides it.
func (im *importer) do(ctx context.Context, cause string, decide func(*edit) error) error {
	_, err := im.gallery.writer.do(ctx, cause, func(e *edit) error {
		if err := decide(e); err != nil {
			return err
		}
		if im.opts.DryRun {
			return errDryRun
		}
		return nil
	})
	if errors.Is(err, errDryRun) {
		return nil
	}
	return err
}

func (im *importer) small(ctx context.Context, r Record) (stored bool, err error) {
	switch {
	case r.Settings != nil:
		return im.settings(ctx, *r.Settings)
	case r.Model != nil:
		return false, im.model(*r.Model)
	case r.Student != nil:
		return im.student(ctx, *r.Student)
	}
	return false, nil
}

func (im *importer) settings(ctx context.Context, s Settings) (stored bool, err error) {
	if !im.opts.Settings {
		return false, nil
	}
	return true, im.do(ctx, "import settings", func(e *edit) error {
		if r, ok := lookup[storage.Settings](e, settingsRef); ok {
			s.Model = settingsOf(r).Model // the first embedding chooses it
		} else {
			s.Model = ""
		}
		if err := s.Check(); err != nil {
			return err
		}
		e.putSettings(s)
		return nil
	})
}

// model checks that the server has the same file of a model. The first embedding stores it.
func (im *importer) model(m ModelRecord) error {
	known, err := im.gallery.model(m.Name)
	if err == nil {
		err = known.agrees(m)
	}
	return err
}

func (im *importer) student(ctx context.Context, st StudentRecord) (stored bool, err error) {
	if st.ID, err = parseID("student", st.ID); err != nil {
		return false, err
	}
	if im.erased.Student(im.id, st.ID, st.Created) {
		return false, fmt.Errorf("student %q: %w", st.ID, ErrErased)
	}
	groups, err := groupSet(st.Groups...)
	if err != nil {
		return false, err
	}
	if st.Consent != (Consent{}) {
		if err := checkConsent(st.Consent); err != nil {
			return false, err
		}
	}
	if st.DeleteAfter != "" {
		if err := checkDate(st.DeleteAfter); err != nil {
			return false, err
		}
	}
	var names []string
	var digests storage.Digests
	if st.Consent.State.Refuses() {
		if names, _, err = im.gallery.namesOf(ctx, st.ID); err == nil {
			digests, err = im.gallery.digests(ctx)
		}
		if err != nil {
			return false, err
		}
	}
	erases := false
	err = im.do(ctx, "import student", func(e *edit) error {
		before, known, err := e.student(st.ID)
		if err != nil {
			return err
		}
		after := before
		after.Consent = before.Consent.Against(st.Consent)
		if after.DeleteAfter == "" {
			after.DeleteAfter = st.DeleteAfter
		}
		all, err := groupSet(append(slices.Clone(before.Groups), groups...)...)
		if err != nil {
			return err
		}
		after.Groups = all
		switch {
		case before.Consent.State.Refuses():
			after.Groups = nil
		case after.Consent.State.Refuses():
			erases = e.refuse(digests, names, &after, known).Open
		}
		stored = !known || !slices.Equal(after.Groups, before.Groups) || after.Consent != before.Consent || after.DeleteAfter != before.DeleteAfter
		if after.Updated = e.now; stored {
			e.put(after)
		}
		return nil
	})
	im.erases = im.erases || erases && err == nil && !im.opts.DryRun
	return stored, err
}

func (im *importer) crop(ctx context.Context, c CropRecord) (stored bool, err error) {
	if c.ID, err = parseID("crop", c.ID); err != nil {
		return false, err
	}
	if c.StudentID, err = parseIfAny("student", c.StudentID); err != nil {
		return false, err
	}
	made := cropMade(c)
	if im.erased.Crop(im.id, c.ID, made) || c.StudentID != "" && im.erased.Student(im.id, c.StudentID, made) {
		return false, fmt.Errorf("crop %q: %w", c.ID, ErrErased)
	}
	if len(c.Embeddings) == 0 {
		return false, fmt.Errorf("%w: crop %q has no embedding", ErrInvalidVector, c.ID)
	}
	for _, e := range c.Embeddings {
		there, err := im.there(ctx, c, e)
		if err != nil {
			return stored, err
		}
		if there {
			continue
		}
		if err := im.embedding(ctx, c, e); err != nil {
			return stored, err
		}
		stored = true
	}
	return stored, nil
}

// cropMade is when the picture of a crop is from.
func cropMade(c CropRecord) time.Time {
	if c.Pictured.IsZero() {
		return c.Created
	}
	return c.Pictured
}

// there says whether an embedding is stored already, for the same student.
func (im *importer) there(ctx context.Context, c CropRecord, e EmbeddingRecord) (bool, error) {
	if _, err := parseID("model", e.Model); err != nil {
		return false, err
	}
	records, err := im.gallery.writer.partition.Fetch(ctx, cropRef(c.ID), embeddingRef(c.ID, e.Model))
	if err != nil || len(records) < 2 {
		return false, err
	}
	crop, of := records[0].(storage.Crop), records[1].(storage.Embedding)
	return (c.StudentID == "" || crop.StudentID == c.StudentID) && of.Digest == e.Digest && of.Recipe == e.Recipe && slices.Equal(of.Vector, e.Vector), nil
}

func (im *importer) embedding(ctx context.Context, c CropRecord, e EmbeddingRecord) error {
	enrolment := Enrolment{
		CropID: c.ID, StudentID: c.StudentID, Groups: c.Groups, Quality: e.Quality,
		Embedding:      Embedding{Model: e.Model, Digest: e.Digest, Recipe: e.Recipe, Vector: e.Vector},
		AllowDuplicate: im.opts.AllowDuplicate, AllowUnlike: im.opts.AllowUnlike,
	}
	d, err := im.gallery.decision(ctx, enrolment)
	if err != nil {
		return err
	}
	d.pictured, d.assigned = cropMade(c), c.Corrected
	if err := im.do(ctx, "import crop", d.decide); err != nil {
		return fmt.Errorf("import crop %q: %w", c.ID, err)
	}
	return nil
}
