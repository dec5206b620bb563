package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"

	"golang.org/x/sync/errgroup"

	"rollcall/embedder"
	"rollcall/gallery"
	"rollcall/models"
	"rollcall/storage"
)

// landmarkError is the mean distance of the five landmarks from those of faces.csv,
// in distances between the eyes.
func landmarkError(found, truth models.Landmarks) float64 {
	var sum float64
	for k, p := range found {
		sum += math.Hypot(float64(p.X-truth[k].X), float64(p.Y-truth[k].Y))
	}
	return sum / float64(len(truth)) / math.Hypot(float64(truth[1].X-truth[0].X), float64(truth[1].Y-truth[0].Y))
}

func measureLandmarks(crops []crop, found []*embedder.Result) *landmarkErrors {
	var distances []float64
	for i, r := range found {
		if r.Landmarks != nil {
			distances = append(distances, landmarkError(*r.Landmarks, crops[i].landmarks))
		}
	}
	return &landmarkErrors{Mean: mean(distances), P95: quantile(distances, 0.95)}
}

// verify compares all crops with a face with one another.
func (v *wayResult) verify(ctx context.Context, crops []crop, found []*embedder.Result) error {
	notFound, unusable := 0, 0
	for _, r := range found {
		if r.Embedding == nil {
			notFound++
		}
		if !usable(r) {
			unusable++
		}
	}
	v.NotFound, v.Unusable = ratioOf(notFound, len(found)), ratioOf(unusable, len(found))
	embeddings, people := embeddingsOf(found), peopleOf(crops, found)
	pairs, err := compareAll(ctx, embeddings, people)
	if err != nil {
		return err
	}
	v.pairs = pairs
	v.Genuine, v.Impostor = pairs.genuines, pairs.impostors
	v.Accuracy = pairs.accuracy()
	for _, fmr := range []float64{1e-2, 1e-3} {
		if similarity, tpr, ok := pairs.at(fmr); ok {
			v.Verification = append(v.Verification, verification{fmr, similarity, tpr, tprByCrop(embeddings, people, similarity)})
		}
	}
	return nil
}

// identify enrols the students, by what a server stores, in a gallery of its own and asks it for all
// probes.
func (v *wayResult) identify(ctx context.Context, crops []crop, stored, found []*embedder.Result, r roster, model gallery.Model, settings gallery.Settings) (err error) {
	store := storage.OpenMemory(storage.Faults{})
	defer func() { err = errors.Join(err, store.Close()) }()
	partition, err := store.Partition(gallery.DefaultGallery)
	if err != nil {
		return err
	}
	if settings.Margin == 0 {
		settings.Margin = -1 // none: 0 would be the default
	}
	g, err := gallery.Open(ctx, partition, gallery.Options{Models: only(model), New: settings})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()

	var probes []probe
	for _, s := range r.students {
		rest, err := v.enrol(ctx, g, s, crops, stored)
		if err != nil {
			return err
		}
		probes = append(probes, rest...)
	}
	for _, i := range r.strangers {
		probes = append(probes, probe{crop: i})
	}
	return v.judge(ctx, g, probes, found)
}

// only is the lookup of galleries that know one model.
func only(m gallery.Model) func(string) (gallery.Model, error) {
	return func(name string) (gallery.Model, error) {
		if name != m.Name {
			return gallery.Model{}, fmt.Errorf("the bench has no model %q", name)
		}
		return m, nil
	}
}

func embeddingOf(r *embedder.Result) gallery.Embedding {
	return gallery.Embedding{Model: r.Model, Digest: r.Digest, Recipe: r.Recipe, Vector: r.Embedding}
}

// A probe is a crop, the student that it shows ("": a stranger), and what came of it.
type probe struct {
	crop    int
	student string
	found   gallery.Identification // zero without an embedding
}

// enrol enrols the first usable crop of a student and returns the others as
// probes; none where no crop is usable.
func (v *wayResult) enrol(ctx context.Context, g *gallery.Gallery, s student, crops []crop, stored []*embedder.Result) ([]probe, error) {
	enrolled := s.enrolled(stored)
	if enrolled < 0 {
		v.NotEnrolled++
		return nil, nil
	}
	e := gallery.Enrolment{CropID: crops[enrolled].name, StudentID: s.person, Embedding: embeddingOf(stored[enrolled])}
	_, err := g.Enroll(ctx, e)
	var duplicate *gallery.DuplicateError
	if errors.As(err, &duplicate) {
		v.Refused++
		e.AllowDuplicate = true
		_, err = g.Enroll(ctx, e)
	}
	if err != nil {
		return nil, fmt.Errorf("enrol %s: %w", crops[enrolled].name, err)
	}
	var probes []probe
	for _, i := range s.crops {
		if i != enrolled {
			probes = append(probes, probe{crop: i, student: s.person})
		}
	}
	return probes, nil
}

// judge identifies all probes and counts what comes of it.
func (v *wayResult) judge(ctx context.Context, g *gallery.Gallery, probes []probe, found []*embedder.Result) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range probes {
		p := &probes[i]
		if found[p.crop].Embedding == nil {
			continue
		}
		group.Go(func() (err error) {
			p.found, err = g.Identify(gctx, gallery.Probe{Embedding: embeddingOf(found[p.crop]), Candidates: 2})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	v.probes, v.results = probes, found
	withFace, first := 0, 0
	for _, p := range probes {
		if found[p.crop].Embedding != nil {
			v.Threshold = float64(p.found.Threshold) // the same for all: the scope is everybody
		}
		if p.student == "" {
			v.Strangers.add(p, usable(found[p.crop]))
			continue
		}
		v.Enrolled.add(p, usable(found[p.crop]))
		if found[p.crop].Embedding != nil {
			withFace++
			if len(p.found.Candidates) > 0 && p.found.Candidates[0].StudentID == p.student {
				first++
			}
		}
	}
	v.Rank1, v.Rank1All = ratioOf(first, withFace), ratioOf(first, v.Enrolled.Probes)
	v.FNIR = ratioOf(v.Enrolled.Probes-v.Enrolled.Right, v.Enrolled.Probes)
	v.FPIR = ratioOf(v.Strangers.Wrong, v.Strangers.Probes)
	return nil
}

// add counts a probe. An unusable one gets no other verdict, as in a server.
func (c *verdictCounts) add(p probe, usable bool) {
	c.Probes++
	switch {
	case !usable:
		c.Unusable++
	case p.found.Verdict == gallery.Match && p.found.StudentID == p.student:
		c.Right++
	case p.found.Verdict == gallery.Match:
		c.Wrong++
	case p.found.Verdict == gallery.Ambiguous:
		c.Ambiguous++
	default:
		c.Unknown++
	}
}
