package gallery

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"rollcall/index"
	"rollcall/storage"
)

// TestSequences runs random sequences of every operation against the oracle, with
// every engine and on every backend, closing and opening in between.
func TestSequences(t *testing.T) {
	for name, backend := range backends {
		for _, engine := range index.Engines {
			for seed := range uint64(4) {
				t.Run(fmt.Sprintf("%s/%s/%d", name, engine, seed), func(t *testing.T) {
					newWalk(t, seed, backend(t), engine).run()
				})
			}
		}
	}
}

// walk is one random sequence.
type walk struct {
	t         *testing.T
	rng       *rand.Rand
	openStore func() *storage.Store
	opts      Options
	store     *storage.Store
	g         *Gallery
	o         *oracle
	step      int
}

func newWalk(t *testing.T, seed uint64, openStore func() *storage.Store, engine string) *walk {
	w := &walk{t: t, rng: newRand(t, seed), openStore: openStore,
		opts: Options{Engine: engine, New: Settings{FPIR: 0.01}},
		o:    newOracle(Settings{FPIR: 0.01, Margin: DefaultMargin})}
	w.open()
	t.Cleanup(func() {
		if err := errors.Join(w.g.Close(), w.store.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *walk) run() {
	for w.step = range 300 {
		w.act()
		if err := checkMemory(w.g.writer.memory.Load()); err != nil {
			w.fatalf("%v", err)
		}
	}
	w.reopen()
	w.checkAll()
}

func (w *walk) open() {
	w.store = w.openStore()
	var err error
	if w.g, err = open(w.store, w.opts); err != nil {
		w.t.Fatal(err)
	}
}

func (w *walk) reopen() {
	before := stateOf(w.g.writer.memory.Load())
	if err := w.g.Close(); err != nil {
		w.t.Error(err)
	}
	w.open()
	if after := stateOf(w.g.writer.memory.Load()); !maps.Equal(before, after) {
		w.fatalf("opened again, the gallery differs:\n%v\n%v", before, after)
	}
}

func (w *walk) fatalf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("step %d: "+format, append([]any{w.step}, args...)...)
}

func (w *walk) act() {
	switch n := w.rng.IntN(100); {
	case n < 40:
		w.enroll()
	case n < 48:
		w.assign()
	case n < 53:
		w.deleteCrop()
	case n < 56:
		w.deleteStudent()
	case n < 60:
		w.updateStudent()
	case n < 78:
		w.identify()
	case n < 84:
		w.identifyCrop()
	case n < 90:
		w.rollCall()
	case n < 93:
		w.checkAll()
	case n < 95:
		w.wrongDigest()
	case n < 96:
		w.reopen()
	case n < 98:
		w.updateSettings()
	default:
		mustBeConsistent(w.t, w.g)
		mustBeAsStored(w.t, w.g)
	}
}

// Few ids, so that they meet again.
func (w *walk) cropID() string    { return fmt.Sprintf("crop-%d", w.rng.IntN(60)) }
func (w *walk) studentID() string { return fmt.Sprintf("student-%d", w.rng.IntN(15)) }
func (w *walk) model() Model      { return []Model{small, plain}[w.rng.IntN(2)] }

func (w *walk) groups() []string {
	groups := []string{}
	for range w.rng.IntN(3) {
		groups = append(groups, fmt.Sprintf("group-%d", w.rng.IntN(5)))
	}
	return groups
}

func (w *walk) scope() Scope {
	var sc Scope
	if w.rng.IntN(2) == 0 {
		sc.Groups = w.groups()
	}
	for range w.rng.IntN(2) * w.rng.IntN(6) {
		sc.StudentIDs = append(sc.StudentIDs, w.studentID())
	}
	return sc
}

func (w *walk) vector(m Model) []float32 {
	spread := []float64{0.02, 0.2, 0.5, 2}[w.rng.IntN(4)]
	return face(w.rng, w.rng.IntN(15), m.Dimension, spread)
}

// near is the tolerance within which float32 and float64 may see a comparison
// differently; then either outcome is right.
const near = 1e-5

// made returns an embedding, by the model's recipe or another one.
func (w *walk) made(m Model, vector []float32) Embedding {
	e := made(m, vector)
	if w.rng.IntN(8) == 0 {
		e.Recipe = "another"
	}
	return e
}

func (w *walk) enroll() {
	m := w.model()
	e := Enrolment{CropID: w.cropID(), Embedding: w.made(m, w.vector(m)), Groups: w.groups(), AllowDuplicate: w.rng.IntN(3) == 0,
		AllowUnlike: w.rng.IntN(3) > 0,
		Quality:     Quality{Width: 1 + w.rng.IntN(100)}}
	if w.rng.IntN(5) > 0 {
		e.StudentID = w.studentID()
	}
	old := w.o.crops[e.CropID]
	if old != nil && old.vectors[m.Name] != nil && w.rng.IntN(4) == 0 { // a retry
		e.Embedding.Vector, e.StudentID = old.vectors[m.Name], old.student
	}
	want := w.o.expect(e, m)

	out, err := w.g.Enroll(ctx, e)
	var dup *DuplicateError
	if errors.As(err, &dup) {
		if !want.checked || e.AllowDuplicate || want.nearest < want.threshold-near {
			w.fatalf("refused %v, want %+v", err, want)
		}
		if math.Abs(float64(dup.Similarity)-want.nearest) > near {
			w.fatalf("refused with similarity %v, want %v", dup.Similarity, want.nearest)
		}
		return
	}
	var unlike *UnlikeError
	if errors.As(err, &unlike) {
		if limit := want.ownLimit(e); !want.checked || e.AllowUnlike || want.own > limit+near || want.refused == errDuplicate && want.nearest > want.threshold+near {
			w.fatalf("refused %v, want %+v", err, want)
		}
		if math.Abs(float64(unlike.Similarity)-want.own) > near {
			w.fatalf("refused with similarity %v, want %v", unlike.Similarity, want.own)
		}
		return
	}
	if err != nil {
		w.fatalf("enrol: %v", err)
	}
	if want.checked && !e.AllowDuplicate && want.nearest > want.threshold+near {
		w.fatalf("enrolled beside a duplicate: %+v", want)
	}
	if want.checked && !e.AllowUnlike && want.own < want.ownLimit(e)-near {
		w.fatalf("enrolled though it is unlike the others: %+v", want)
	}
	if out.Crop.StudentID != want.student || out.Student.ID != want.student || out.Corrected != want.corrected ||
		out.Replaced != want.replaced || (len(out.Warnings) > 0) != want.otherwise || out.Seq != sequence(w.t, w.g) {
		w.fatalf("enrolled %+v, want %+v", out, want)
	}
	w.o.enrol(e, want)
	crops := 0
	for _, c := range w.o.crops {
		if want.student != "" && c.student == want.student {
			crops++
		}
	}
	if out.Crops != crops {
		w.fatalf("the student has %d crops, want %d", out.Crops, crops)
	}
	w.checkCrop(e.CropID)
}

func (w *walk) assign() {
	id, student := w.cropID(), ""
	if w.rng.IntN(4) > 0 {
		student = w.studentID()
	}
	_, err := w.g.AssignCrop(ctx, id, student)
	if !w.o.assign(id, student) {
		w.wantError(err, ErrCropNotFound)
		return
	}
	w.wantError(err, nil)
	w.checkCrop(id)
}

func (w *walk) deleteCrop() {
	id := w.cropID()
	err := w.g.DeleteCrop(ctx, id)
	if w.o.crops[id] == nil {
		w.wantError(err, ErrCropNotFound)
		return
	}
	w.wantError(err, nil)
	delete(w.o.crops, id)
	w.checkCrop(id)
}

func (w *walk) deleteStudent() {
	id := w.studentID()
	n, err := w.g.DeleteStudent(ctx, id)
	crops, known := w.o.deleteStudent(id)
	if !known {
		w.wantError(err, ErrStudentNotFound)
		return
	}
	w.wantError(err, nil)
	if n.ErasedCrops != len(crops) {
		w.fatalf("%d crops deleted, want %d", n.ErasedCrops, len(crops))
	}
	w.checkStudent(id)
}

func (w *walk) updateStudent() {
	id, groups := w.studentID(), w.groups()
	update := w.g.UpdateStudent
	if w.rng.IntN(2) == 0 {
		update = w.g.PutStudent
		w.o.join(id, nil)
	}
	_, err := update(ctx, id, groups)
	if !w.o.regroup(id, groups) {
		w.wantError(err, ErrStudentNotFound)
		return
	}
	w.wantError(err, nil)
	w.checkStudent(id)
}

func (w *walk) updateSettings() {
	margin := float32(w.rng.IntN(4)) / 32
	m := w.model()
	got, err := w.g.UpdateSettings(ctx, SettingsChange{Model: &m.Name, Margin: &margin})
	w.wantError(err, nil)
	w.o.settings.Model, w.o.settings.Margin = m.Name, margin
	if _, locked := w.o.models[m.Name]; locked {
		w.o.models[m.Name] = m.Recipe
	}
	if got != w.o.settings {
		w.fatalf("settings %+v, want %+v", got, w.o.settings)
	}
}

func (w *walk) wantError(err, want error) {
	w.t.Helper()
	if !errors.Is(err, want) {
		w.fatalf("error %v, want %v", err, want)
	}
}

func (w *walk) wrongDigest() {
	m := w.model()
	m.Digest = "other"
	var digest *DigestError
	if _, err := w.g.Enroll(ctx, Enrolment{CropID: "new", StudentID: "new", Embedding: made(m, w.vector(m))}); !errors.As(err, &digest) {
		w.fatalf("enrol with another file: %v", err)
	}
	if _, err := w.g.Identify(ctx, Probe{Embedding: made(m, w.vector(m))}); !errors.As(err, &digest) {
		w.fatalf("identify with another file: %v", err)
	}
	if digest.Have == digest.Want || digest.Want != "other" {
		w.fatalf("%v", digest)
	}
}

func (w *walk) identify() {
	m := w.model()
	p := Probe{Embedding: w.made(m, w.vector(m)), Scope: w.scope(), Candidates: w.rng.IntN(8)}
	got, err := w.g.Identify(ctx, p)
	w.check(w.o.checkIdentification(p, m, "", got, err))
}

func (w *walk) identifyCrop() {
	id, m := w.cropID(), w.model()
	p := Probe{Embedding: Embedding{Model: m.Name}, Scope: w.scope(), Candidates: w.rng.IntN(8)}
	got, err := w.g.IdentifyCrop(ctx, id, p)
	w.check(w.o.checkCropIdentification(id, p, m, got, err))
}

func (w *walk) check(err error) {
	w.t.Helper()
	if err != nil {
		w.fatalf("%v", err)
	}
}

// checkCropIdentification compares an answer with what it should be.
func (o *oracle) checkCropIdentification(id string, p Probe, m Model, got Identification, err error) error {
	c := o.crops[id]
	switch {
	case c == nil:
		return wantError(err, ErrCropNotFound)
	case c.vectors[m.Name] == nil:
		return wantError(err, ErrNoEmbedding)
	}
	p.Embedding = made(m, c.vectors[m.Name])
	p.Embedding.Recipe = c.recipes[m.Name]
	return o.checkIdentification(p, m, id, got, err)
}

func wantError(err, want error) error {
	if !errors.Is(err, want) {
		return fmt.Errorf("error %v, want %v", err, want)
	}
	return nil
}

// checkIdentification compares an answer with what it should be.
func (o *oracle) checkIdentification(p Probe, m Model, exclude string, got Identification, err error) error {
	if !p.Scope.everybody() && !o.enrolledInScope(m.Name, p.Scope) {
		return wantError(err, ErrEmptyScope)
	}
	if err != nil {
		return err
	}
	want := o.scores(p.Embedding.Vector, m.Name, p.Scope, exclude)
	if got.Students != len(want) {
		return fmt.Errorf("compared with %d students, want %d", got.Students, len(want))
	}
	threshold := m.MatchThreshold(o.comparisons(m.Name, p.Scope, exclude), o.settings.FPIR)
	if got.Threshold != threshold {
		return fmt.Errorf("threshold %v, want %v", got.Threshold, threshold)
	}
	if warnings := o.warnings(p.Embedding, m); !slices.Equal(got.Warnings, warnings) {
		return fmt.Errorf("warnings %v, want %v", got.Warnings, warnings)
	}
	return errors.Join(o.checkCandidates(p, exclude, got.Candidates, want, got.Exact), o.checkVerdict(got, want))
}

// checkCandidates compares with the oracle's ranking: exact answers in full,
// approximate ones as far as they say something.
func (o *oracle) checkCandidates(p Probe, exclude string, got, want []Candidate, exact bool) error {
	limit := p.Candidates
	if limit == 0 {
		limit = DefaultCandidates
	}
	if exact && len(got) != min(limit, len(want)) || len(got) > limit {
		return fmt.Errorf("%d candidates, want %d of %d", len(got), limit, len(want))
	}
	for i, c := range got {
		at := slices.IndexFunc(want, func(x Candidate) bool { return x.StudentID == c.StudentID })
		if at < 0 {
			return fmt.Errorf("candidate %q is not in scope", c.StudentID)
		}
		crop := o.crops[c.CropID]
		if crop == nil || crop.student != c.StudentID || c.CropID == exclude {
			return fmt.Errorf("candidate %+v has not that crop", c)
		}
		if score := want[at].Similarity; math.Abs(float64(score-c.Similarity)) > near {
			return fmt.Errorf("candidate %+v, whose score is %v", c, score)
		}
		if nearest := similarity(o.crops[want[at].CropID].vectors[p.Embedding.Model], p.Embedding.Vector); exact &&
			math.Abs(similarity(crop.vectors[p.Embedding.Model], p.Embedding.Vector)-nearest) > near {
			return fmt.Errorf("candidate %+v, whose nearest crop is %q", c, want[at].CropID)
		}
		if exact && math.Abs(float64(want[i].Similarity-c.Similarity)) > near {
			return fmt.Errorf("candidate %d has %v, want %v", i, c.Similarity, want[i].Similarity)
		}
	}
	return nil
}

// checkVerdict compares with the oracle's scores; a verdict by approximate search
// only with the candidates that it found.
func (o *oracle) checkVerdict(got Identification, want []Candidate) error {
	if !got.Exact {
		want = got.Candidates
		if len(want) == 1 { // the runner-up may not be listed
			want = nil
		}
	}
	allowed := map[Verdict]bool{}
	for _, d := range []float32{-near, 0, near} {
		verdict, _ := judge(want, got.Threshold+d, o.settings.Margin+d)
		allowed[verdict] = true
	}
	if !allowed[got.Verdict] && (got.Exact || len(want) > 0) {
		return fmt.Errorf("%+v, but the scores are %v", got, want)
	}
	if got.Exact && got.Verdict == Match && math.Abs(float64(want[0].Similarity-got.Similarity)) > near {
		return fmt.Errorf("match %+v, best is %v", got, want[0])
	}
	if (got.StudentID != "") != (got.Verdict == Match) {
		return fmt.Errorf("student %q with %v", got.StudentID, got.Verdict)
	}
	return nil
}

func (w *walk) rollCall() {
	m, sc := w.model(), w.scope()
	var probes []Embedding
	for range w.rng.IntN(5) { // trying all seats grows fast
		probes = append(probes, w.made(m, w.vector(m)))
	}
	roll, err := w.g.RollCall(ctx, m.Name, probes, sc, 0)
	w.check(w.o.checkRoll(m, probes, sc, roll, err))
}

// checkRoll compares a roll call with what it should be.
func (o *oracle) checkRoll(m Model, probes []Embedding, sc Scope, roll Roll, err error) error {
	if !sc.everybody() && !o.enrolledInScope(m.Name, sc) {
		return wantError(err, ErrEmptyScope)
	}
	if err != nil {
		return err
	}
	if want := m.MatchThreshold(o.comparisons(m.Name, sc, ""), o.settings.FPIR); roll.Threshold != want {
		return fmt.Errorf("roll call with threshold %v, want %v", roll.Threshold, want)
	}
	seated := map[string]bool{}
	for _, s := range roll.Seats {
		if s.Assigned != "" && seated[s.Assigned] {
			return fmt.Errorf("%q sits twice", s.Assigned)
		}
		seated[s.Assigned] = true
	}
	if err := o.checkLastRound(m, probes, sc, roll); err != nil {
		return err
	}
	for _, id := range roll.Absent {
		if seated[id] {
			return fmt.Errorf("%q sits and is absent", id)
		}
	}
	for id := range o.students {
		if o.inScope(sc, id) && !seated[id] && !slices.Contains(roll.Absent, id) {
			return fmt.Errorf("%q is neither seated nor absent", id)
		}
	}
	return nil
}

// checkLastRound checks that the seats that were open in the last round, which are those with
// the lowest threshold, are assigned with the greatest sum to students without an earlier seat.
func (o *oracle) checkLastRound(m Model, probes []Embedding, sc Scope, roll Roll) error {
	threshold := roll.Threshold
	for _, s := range roll.Seats {
		threshold = min(threshold, s.Threshold)
	}
	column := map[string]int{}
	for _, s := range roll.Seats {
		if s.Threshold > threshold {
			column[s.StudentID] = -1
		}
	}
	var gain [][]float64
	sum := 0.0
	for i, e := range probes {
		s := roll.Seats[i]
		if s.Threshold > threshold {
			continue
		}
		row := slices.Repeat([]float64{-1}, 20)
		for _, c := range o.scores(e.Vector, m.Name, sc, "") {
			at, known := column[c.StudentID]
			if at < 0 {
				continue
			}
			if !known {
				at = len(column)
				column[c.StudentID] = at
			}
			// Within the tolerance of the threshold a pair counts for nothing, or
			// next to it, so that it changes no sum.
			row[at] = float64(c.Similarity) - float64(threshold)
		}
		if s.Assigned != "" {
			if column[s.Assigned] < 0 {
				return fmt.Errorf("%q has a seat already", s.Assigned)
			}
			sum += row[column[s.Assigned]]
		}
		gain = append(gain, row)
	}
	if want := bestByTrying(gain, 0, map[int]bool{}); math.Abs(sum-want) > float64(len(probes)+1)*near {
		return fmt.Errorf("the last round of a roll call sums to %v, want %v", sum, want)
	}
	return nil
}

// checkAll compares everything that can be read.
func (w *walk) checkAll() {
	w.t.Helper()
	mustBeConsistent(w.t, w.g)
	for i := range 60 {
		w.checkCrop(fmt.Sprintf("crop-%d", i))
	}
	for i := range 15 {
		w.checkStudent(fmt.Sprintf("student-%d", i))
	}
	w.checkPages("")
	w.checkPages("group-1")
	for _, m := range []Model{small, plain} {
		if got, err := w.g.Coverage(ctx, m.Name); err != nil || got != w.o.coverage(m.Name) {
			w.fatalf("coverage %+v, %v, want %+v", got, err, w.o.coverage(m.Name))
		}
	}
	stats := w.g.Stats()
	if stats.Students != len(w.o.students) || stats.Crops != len(w.o.crops) || stats.Sequence != sequence(w.t, w.g) {
		w.fatalf("%+v, want %d students, %d crops", stats, len(w.o.students), len(w.o.crops))
	}
	for _, m := range stats.Models {
		n := 0
		for _, c := range w.o.crops {
			if c.student != "" && c.vectors[m.Name] != nil {
				n++
			}
		}
		if m.Vectors != n {
			w.fatalf("%+v, want %d vectors", m, n)
		}
	}
}

func (w *walk) checkCrop(id string) {
	w.t.Helper()
	got, err := w.g.Crop(ctx, id)
	want := w.o.crops[id]
	if want == nil {
		w.wantError(err, ErrCropNotFound)
		return
	}
	w.wantError(err, nil)
	if got.ID != id || got.StudentID != want.student || got.Corrected != want.corrected || len(got.Embeddings) != len(want.vectors) {
		w.fatalf("crop %+v, want %+v", got, want)
	}
	for _, e := range got.Embeddings {
		if want.vectors[e.Model] == nil || want.recipes[e.Model] != e.Recipe || e.Digest == "" || e.Created.IsZero() || e.Quality.Width == 0 {
			w.fatalf("embedding %+v", e)
		}
	}
}

func (w *walk) checkStudent(id string) {
	w.t.Helper()
	got, err := w.g.Student(ctx, id)
	if w.o.students[id] == nil {
		w.wantError(err, ErrStudentNotFound)
		return
	}
	w.wantError(err, nil)
	var crops []string
	for _, c := range got.Crops {
		crops = append(crops, c.ID)
	}
	if !slices.Equal(got.Groups, w.o.groupsOf(id)) || !slices.Equal(crops, w.o.cropsOf(id)) || got.CropCount != len(crops) {
		w.fatalf("student %+v, want %v with %v", got, w.o.groupsOf(id), w.o.cropsOf(id))
	}
}

// checkPages reads all pages of a list.
func (w *walk) checkPages(group string) {
	w.t.Helper()
	var want, got []string
	for id, groups := range w.o.students {
		if group == "" || groups[group] {
			want = append(want, id)
		}
	}
	slices.Sort(want)
	limit := 1 + w.rng.IntN(6)
	for after := ""; ; {
		page, next, total, err := w.g.Students(ctx, after, limit, group)
		w.wantError(err, nil)
		if total != len(want) {
			w.fatalf("%d students, want %d", total, len(want))
		}
		for _, st := range page {
			got = append(got, st.ID)
			if st.CropCount != len(w.o.cropsOf(st.ID)) || st.Crops != nil {
				w.fatalf("listed %+v", st)
			}
		}
		if next == "" {
			break
		}
		if len(page) != limit || next != page[limit-1].ID {
			w.fatalf("page of %d, limit %d, next %q", len(page), limit, next)
		}
		after = next
	}
	if !slices.Equal(got, want) {
		w.fatalf("listed %v, want %v", got, want)
	}
}
