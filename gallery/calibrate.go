package gallery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"rollcall/storage"
)

// The calibrator is one goroutine of each gallery. It looks at the similarities of the
// students once enough crops came or went, and stores a new calibration if that moves
// the threshold noticeably. It is an edit like others.

const (
	// calibrationPause is how long it waits after a change for those that follow.
	calibrationPause = 5 * time.Second

	// fewChanges and fewShare are how many vectors must have come or gone: so many, and
	// such a share of all.
	fewChanges = 10
	fewShare   = 20

	// noticeable is the change of the threshold below which a calibration stays: about a
	// fifth more or less strangers pass.
	noticeable = 0.005

	// mostStudents is how many students are compared. The pairs of 600 show similarities
	// that one in 10,000 reaches.
	mostStudents = 600

	// mostProbes is how many crops of each are compared with the others.
	mostProbes = 3

	// mostWork bounds the multiplications: a tenth of a second on one core.
	mostWork = 2e8
)

// poke tells the calibrator that something was stored. It does not wait.
func (g *Gallery) poke() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// calibrator calibrates until the gallery is closed.
func (g *Gallery) calibrator() {
	defer close(g.calibrated)
	for {
		select {
		case <-g.writer.stop:
			return
		case <-g.changed:
		}
		select {
		case <-g.writer.stop:
			return
		case <-time.After(calibrationPause):
		}
		for _, model := range g.due() {
			err := g.Calibrate(context.Background(), model)
			if err != nil && !errors.Is(err, ErrClosed) {
				g.opts.Logger.Warn("the gallery was not calibrated", "model", model, "error", err)
			}
		}
	}
}

// due returns the models under which enough changed since the last look.
func (g *Gallery) due() (models []string) {
	m, release, err := g.read(context.Background())
	if err != nil {
		return nil
	}
	defer release()
	for name, sp := range m.spaces {
		if changes := sp.changes.Load(); changes >= max(fewChanges, int64(sp.owned/fewShare)) && !sp.Calibration.Frozen {
			sp.changes.Add(-changes)
			models = append(models, name)
		}
	}
	slices.Sort(models)
	return models
}

// Calibrate looks at the similarities of the students now, and stores a new calibration of
// the model if it moves the threshold noticeably and the calibration is not frozen. The
// gallery does this by itself, some seconds after enough crops were enrolled. It takes a
// fraction of a second. The errors are those of [Options.Models], a *DigestError,
// ErrReadOnly, ErrUnavailable and ErrClosed.
func (g *Gallery) Calibrate(ctx context.Context, model string) error {
	facts, err := g.model(model)
	if err != nil {
		return err
	}
	seen, students, err := g.compareStudents(ctx, facts)
	if err != nil {
		return fmt.Errorf("calibrate model %q: %w", model, err)
	}
	// What is not compared makes the fit no surer.
	points := seen.points(facts, min(students, mostStudents))
	_, err = g.writer.do(ctx, "calibrate", func(e *edit) error {
		record, ok := lookup[storage.Model](e, modelRef(model))
		if !ok || record.Calibration.Frozen || facts.agrees(record) != nil {
			return nil
		}
		n := max(1, e.batch.memory.comparisons(model))
		fpir := e.fpir()
		if !noticeably(facts.with(record.Calibration.Points), facts.with(points), n, fpir) {
			return nil
		}
		record.Calibration = storage.Calibration{Points: points, Students: students, Comparisons: seen.n, LeftOut: seen.leftOut, Made: e.now}
		e.put(record)
		return nil
	})
	if err != nil {
		return fmt.Errorf("calibrate model %q: %w", model, err)
	}
	return nil
}

// noticeably reports whether the threshold of a search is noticeably another after than
// before. The first calibration is always noticed: by it a threshold follows the rate.
func noticeably(before, after Model, n int, fpir float64) bool {
	if (len(before.Calibration) == 0) != (len(after.Calibration) == 0) {
		return true
	}
	return math.Abs(float64(after.MatchThreshold(n, fpir)-before.MatchThreshold(n, fpir))) >= noticeable
}

// fpir returns the rate of the settings.
func (e *edit) fpir() float64 {
	r, _ := lookup[storage.Settings](e, settingsRef)
	return cmp.Or(r.FPIR, DefaultFPIR)
}

// comparisons returns how many comparisons a search of everybody counts for.
func (m *memory) comparisons(model string) int {
	r := roster{space: m.spaces[model]}
	if r.space != nil {
		r.students, r.vectors = len(r.space.students), r.space.owned
	}
	return r.comparisons()
}

// compareStudents compares crops of students with the scores of others, and returns how
// many students there are. Of many students it takes some, always the same ones.
func (g *Gallery) compareStudents(ctx context.Context, model Model) (*similarities, int, error) {
	seen := &similarities{}
	ids, students, err := g.someStudents(ctx, model)
	if err != nil || len(ids) < 2 {
		return seen, students, err
	}
	probes := max(1, min(mostProbes, int(mostWork/float64(len(ids)*len(ids)*model.Dimension))))
	vector := make([]float32, model.Dimension)
	// Each student has a hold of the lock of its own. Uniting the crops of all takes too long
	// for one.
	for _, each := range []func(r *roster, m *memory, id string){
		func(r *roster, m *memory, id string) {
			if st := m.students[id]; r.space.students[st] != nil {
				r.united(st)
			}
		},
		func(r *roster, m *memory, id string) { r.compare(m, id, ids, probes, vector, seen) },
	} {
		for _, id := range ids {
			m, release, err := g.read(ctx)
			if err != nil {
				return nil, 0, err
			}
			if r := (&roster{space: m.spaces[model.Name]}); r.space != nil {
				each(r, m, id)
			}
			release()
		}
	}
	return seen, students, nil
}

// someStudents returns the ids of at most mostStudents students with a vector, and how
// many there are.
func (g *Gallery) someStudents(ctx context.Context, model Model) ([]string, int, error) {
	ids, err := g.studentsUnder(ctx, model)
	if err != nil {
		return nil, 0, err
	}
	type hashed struct {
		hash uint64
		id   string
	}
	list := make([]hashed, len(ids))
	for i, id := range ids {
		h := fnv.New64a()
		h.Write([]byte(id))
		list[i] = hashed{h.Sum64(), id}
	}
	slices.SortFunc(list, func(a, b hashed) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.id, b.id)) })
	some := ids[:min(len(ids), mostStudents)]
	for i := range some {
		some[i] = list[i].id
	}
	return some, len(list), nil
}

// studentsUnder returns the ids of the students with a vector under the model, in no order.
func (g *Gallery) studentsUnder(ctx context.Context, model Model) ([]string, error) {
	m, release, err := g.read(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	sp := m.spaces[model.Name]
	if sp == nil {
		return nil, nil
	}
	if err := model.agrees(sp.Model); err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(sp.students))
	for st := range sp.students {
		ids = append(ids, st.ID)
	}
	return ids, nil
}

// compare adds the scores of the students for some crops of one of them.
// REQUIRES: the memory's lock is held.
func (r *roster) compare(m *memory, id string, ids []string, probes int, vector []float32, seen *similarities) {
	own := m.students[id]
	if r.space.students[own] == nil {
		return
	}
	var similarities []float32
	for _, probe := range r.united(own).ids[:min(probes, r.space.students[own].vectors)] {
		r.space.engine.Vector(probe, vector)
		for _, id := range ids {
			st := m.students[id]
			if st == own || r.space.students[st] == nil {
				continue
			}
			u := r.united(st)
			similarities = slices.Grow(similarities[:0], len(u.ids))[:len(u.ids)]
			r.space.engine.Similarities(vector, u.ids, similarities)
			seen.add(u.score(similarities), math.Sqrt(float64(len(u.ids))))
		}
	}
}
