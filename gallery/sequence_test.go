package gallery

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rollcall/storage"
)

// TestSequences runs random sequences of every operation against the oracle,
// for an exact and an approximate engine, closing and opening in between.
func TestSequences(t *testing.T) {
	for _, engine := range []string{"exact", "hnsw", "coder-hnsw"} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("%s/%d", engine, seed), func(t *testing.T) {
				w := newWalk(t, seed, Options{Engine: engine})
				w.run()
			})
		}
	}
}

// TestSequencesWithSnapshots does the same with snapshots, which are written at
// every other change, and with crashes, after which only those are there that
// were written by then. Whatever an index is made of, it has to be the same.
func TestSequencesWithSnapshots(t *testing.T) {
	for _, engine := range []string{"auto", "hnsw", "coder-hnsw"} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s/%d", engine, seed), func(t *testing.T) {
				log := new(eventLog)
				w := newWalk(t, seed, Options{Engine: engine, SnapshotDir: t.TempDir(), Logger: log.logger(), policy: eager})
				w.run()
				if n := log.count(eventRefused) + log.count(eventFailed); n > 0 {
					t.Errorf("%d snapshots failed or were refused", n)
				}
				if log.count(eventWritten) < 10 || log.count(eventAdopted) < 5 {
					t.Errorf("only %d snapshots were written and %d used", log.count(eventWritten), log.count(eventAdopted))
				}
			})
		}
	}
}

// TestSequencesOverStorage does the same with engines that leave the vectors in
// storage, with and without snapshots. (One may fail there, when a vector is
// deleted while it is written.)
func TestSequencesOverStorage(t *testing.T) {
	for _, engine := range []string{"exact", "hnsw"} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s/%d", engine, seed), func(t *testing.T) {
				opts := Options{Engine: engine, VectorsInStorage: true}
				if seed > 0 {
					opts.SnapshotDir, opts.policy = t.TempDir(), eager
				}
				w := newWalk(t, seed, opts)
				w.run()
			})
		}
	}
}

// walk is one random sequence.
type walk struct {
	t      *testing.T
	rng    *rand.Rand
	fs     vfs.FS
	opts   Options
	store  *storage.Store
	g      *Gallery
	o      *oracle
	step   int
	locked map[string]bool // models that the gallery has
}

func newWalk(t *testing.T, seed uint64, opts Options) *walk {
	opts.FPIR = 0.01
	w := &walk{t: t, rng: newRand(t, seed), fs: vfs.NewMem(), opts: opts, o: newOracle(), locked: map[string]bool{}}
	w.open()
	t.Cleanup(w.close)
	return w
}

func (w *walk) run() {
	for w.step = range 300 {
		w.act()
	}
	w.reopen()
	w.checkAll()
}

func (w *walk) open() {
	w.store = openStore(w.t, w.fs)
	var err error
	if w.g, err = Open(ctx, w.store, w.opts); err != nil {
		w.t.Fatal(err)
	}
}

func (w *walk) close() {
	if err := w.g.Close(); err != nil {
		w.t.Error(err)
	}
	if err := w.store.Close(); err != nil {
		w.t.Error(err)
	}
}

func (w *walk) reopen() {
	before := picture(w.g)
	if w.g.snapshots != nil && w.rng.IntN(2) == 0 {
		crash(w.g)
		if err := w.store.Close(); err != nil {
			w.t.Error(err)
		}
	} else {
		w.close()
	}
	w.open()
	if after := picture(w.g); !mapsEqual(before, after) {
		w.fatalf("opened again, the gallery differs:\n%v\n%v", before, after)
	}
}

func mapsEqual(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
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
	case n < 95+w.reopens():
		w.reopen()
	default:
		mustBeConsistent(w.t, w.g)
	}
}

// reopens is how often, in a hundred steps, the gallery is opened again.
func (w *walk) reopens() int {
	if w.g.snapshots != nil {
		return 4
	}
	return 1
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

func (w *walk) enroll() {
	e := Enrolment{CropID: w.cropID(), Model: w.model(), Groups: w.groups(), AllowDuplicate: w.rng.IntN(3) == 0,
		Quality: Quality{Width: 1 + w.rng.IntN(100)}}
	if w.rng.IntN(5) > 0 {
		e.StudentID = w.studentID()
	}
	e.Vector = w.vector(e.Model)
	old := w.o.crops[e.CropID]
	if old != nil && old.vectors[e.Model.Name] != nil && w.rng.IntN(4) == 0 { // a retry
		e.Vector, e.StudentID = old.vectors[e.Model.Name], old.student
	}

	student, corrected := e.StudentID, false
	if old != nil && (old.corrected || e.StudentID == "") {
		student, corrected = old.student, e.StudentID != "" && e.StudentID != old.student
	}
	best, whose, others := w.o.nearestOther(e, student)
	threshold := float64(e.Model.duplicateThreshold(others, w.opts.FPIR))
	checked := student != "" && !e.AllowDuplicate && (old == nil || !old.corrected) &&
		(old == nil || old.student != student || !slices.Equal(old.vectors[e.Model.Name], e.Vector))

	out, err := w.g.Enroll(ctx, e)
	var dup *DuplicateError
	if errors.As(err, &dup) {
		if !checked || best < threshold-near {
			w.fatalf("refused %v for %q, whose nearest is %q with %v, threshold %v, checked %v", err, student, whose, best, threshold, checked)
		}
		if math.Abs(float64(dup.Similarity)-best) > near {
			w.fatalf("refused with similarity %v, want %v", dup.Similarity, best)
		}
		return
	}
	if err != nil {
		w.fatalf("enrol: %v", err)
	}
	if checked && best > threshold+near {
		w.fatalf("%q enrolled beside %q with %v, threshold %v", student, whose, best, threshold)
	}
	replaced := old != nil && old.vectors[e.Model.Name] != nil
	if out.Crop.StudentID != student || out.Student.ID != student || out.Corrected != corrected || out.Replaced != replaced || out.Seq != w.store.Sequence() {
		w.fatalf("enrolled %+v, want student %q, corrected %v, replaced %v", out, student, corrected, replaced)
	}
	w.locked[e.Model.Name] = true
	if old == nil {
		old = &oracleCrop{vectors: map[string][]float32{}}
		w.o.crops[e.CropID] = old
	}
	old.student = student
	old.vectors[e.Model.Name] = e.Vector
	if student != "" {
		w.o.join(student, nil)
		if e.StudentID == student {
			w.o.join(student, e.Groups)
		}
	}
	w.checkCrop(e.CropID)
}

func (w *walk) assign() {
	id, student := w.cropID(), ""
	if w.rng.IntN(4) > 0 {
		student = w.studentID()
	}
	_, err := w.g.AssignCrop(ctx, id, student)
	c := w.o.crops[id]
	if c == nil {
		w.wantError(err, ErrCropNotFound)
		return
	}
	w.wantError(err, nil)
	c.student, c.corrected = student, true
	if student != "" {
		w.o.join(student, nil)
	}
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
	if w.o.students[id] == nil {
		w.wantError(err, ErrStudentNotFound)
		return
	}
	w.wantError(err, nil)
	crops := w.o.cropsOf(id)
	if n != len(crops) {
		w.fatalf("%d crops deleted, want %d", n, len(crops))
	}
	for _, c := range crops {
		delete(w.o.crops, c)
	}
	delete(w.o.students, id)
	w.checkStudent(id)
}

func (w *walk) updateStudent() {
	id, groups := w.studentID(), w.groups()
	_, err := w.g.UpdateStudent(ctx, id, groups)
	if w.o.students[id] == nil {
		w.wantError(err, ErrStudentNotFound)
		return
	}
	w.wantError(err, nil)
	w.o.students[id] = nil
	w.o.join(id, groups)
	w.checkStudent(id)
}

func (w *walk) wantError(err, want error) {
	w.t.Helper()
	if !errors.Is(err, want) {
		w.fatalf("error %v, want %v", err, want)
	}
}

func (w *walk) wrongDigest() {
	m := w.model()
	if !w.locked[m.Name] {
		return
	}
	m.Digest = "other"
	var digest *DigestError
	if _, err := w.g.Enroll(ctx, Enrolment{CropID: "new", StudentID: "new", Model: m, Vector: w.vector(m)}); !errors.As(err, &digest) {
		w.fatalf("enrol with another file: %v", err)
	}
	if _, err := w.g.Identify(ctx, Probe{Vector: w.vector(m), Model: m}); !errors.As(err, &digest) {
		w.fatalf("identify with another file: %v", err)
	}
	if digest.Have == digest.Want || digest.Want != "other" {
		w.fatalf("%v", digest)
	}
}

func (w *walk) identify() {
	m := w.model()
	p := Probe{Vector: w.vector(m), Model: m, Scope: w.scope(), Candidates: w.rng.IntN(8)}
	got, err := w.g.Identify(ctx, p)
	w.checkIdentification(p, got, err)
}

func (w *walk) identifyCrop() {
	id := w.cropID()
	p := Probe{Model: w.model(), Scope: w.scope(), Candidates: w.rng.IntN(8)}
	got, err := w.g.IdentifyCrop(ctx, id, p)
	c := w.o.crops[id]
	switch {
	case c == nil:
		w.wantError(err, ErrCropNotFound)
	case c.vectors[p.Model.Name] == nil:
		w.wantError(err, ErrNoEmbedding)
	default:
		p.Vector, p.ExcludeCrop = c.vectors[p.Model.Name], id
		w.checkIdentification(p, got, err)
	}
}

func (w *walk) checkIdentification(p Probe, got Identification, err error) {
	w.t.Helper()
	if !p.Scope.everybody() && !w.o.enrolledInScope(p.Model.Name, p.Scope) {
		w.wantError(err, ErrEmptyScope)
		return
	}
	w.wantError(err, nil)
	want := w.o.scores(p.Vector, p.Model.Name, p.Scope, p.ExcludeCrop)
	if got.Students != len(want) {
		w.fatalf("compared with %d students, want %d", got.Students, len(want))
	}
	threshold := p.Model.threshold(w.o.comparisons(p.Model.Name, p.Scope, p.ExcludeCrop), w.opts.FPIR)
	if got.Threshold != threshold {
		w.fatalf("threshold %v, want %v", got.Threshold, threshold)
	}
	w.checkCandidates(p, got.Candidates, want, got.Exact)
	w.checkVerdict(got, want)
}

// checkCandidates compares with the oracle's ranking: exact answers in full,
// approximate ones as far as they say something.
func (w *walk) checkCandidates(p Probe, got, want []Candidate, exact bool) {
	w.t.Helper()
	limit := p.Candidates
	if limit == 0 {
		limit = DefaultCandidates
	}
	if exact && len(got) != min(limit, len(want)) || len(got) > limit {
		w.fatalf("%d candidates, want %d of %d", len(got), limit, len(want))
	}
	for i, c := range got {
		at := slices.IndexFunc(want, func(x Candidate) bool { return x.StudentID == c.StudentID })
		if at < 0 {
			w.fatalf("candidate %q is not in scope", c.StudentID)
		}
		crop := w.o.crops[c.CropID]
		if crop.student != c.StudentID || c.CropID == p.ExcludeCrop ||
			math.Abs(similarity(crop.vectors[p.Model.Name], p.Vector)-float64(c.Similarity)) > near {
			w.fatalf("candidate %+v does not agree with its crop", c)
		}
		if exact && math.Abs(float64(want[i].Similarity-c.Similarity)) > near {
			w.fatalf("candidate %d has %v, want %v", i, c.Similarity, want[i].Similarity)
		}
	}
}

func (w *walk) checkVerdict(got Identification, want []Candidate) {
	w.t.Helper()
	if !got.Exact {
		if got.Verdict != Match || got.Similarity < got.Threshold+DefaultMargin {
			w.fatalf("approximate search said %+v", got)
		}
		return
	}
	allowed := map[Verdict]bool{}
	for _, d := range []float32{-near, 0, near} {
		verdict, _ := judge(want, got.Threshold+d, DefaultMargin+d)
		allowed[verdict] = true
	}
	if !allowed[got.Verdict] {
		w.fatalf("%+v, but the scores are %v", got, want)
	}
	if got.Verdict == Match && math.Abs(float64(want[0].Similarity-got.Similarity)) > near {
		w.fatalf("match %+v, best is %v", got, want[0])
	}
	if (got.StudentID != "") != (got.Verdict == Match) {
		w.fatalf("student %q with %v", got.StudentID, got.Verdict)
	}
}

func (w *walk) rollCall() {
	m, sc := w.model(), w.scope()
	var probes [][]float32
	for range w.rng.IntN(5) { // trying all seats grows fast
		probes = append(probes, w.vector(m))
	}
	roll, err := w.g.RollCall(ctx, probes, m, sc, 0)
	if !sc.everybody() && !w.o.enrolledInScope(m.Name, sc) {
		w.wantError(err, ErrEmptyScope)
		return
	}
	w.wantError(err, nil)
	gain := make([][]float64, len(probes))
	column := map[string]int{}
	for i, v := range probes {
		gain[i] = slices.Repeat([]float64{-1}, 20)
		for _, c := range w.o.scores(v, m.Name, sc, "") {
			if _, ok := column[c.StudentID]; !ok {
				column[c.StudentID] = len(column)
			}
			// Within the tolerance of the threshold a pair counts for nothing, or
			// next to it, so that it changes no sum.
			gain[i][column[c.StudentID]] = float64(c.Similarity) - float64(roll.Threshold)
		}
	}
	sum, seated := 0.0, map[string]bool{}
	for i, s := range roll.Seats {
		if s.Assigned == "" {
			continue
		}
		if seated[s.Assigned] {
			w.fatalf("%q sits twice", s.Assigned)
		}
		seated[s.Assigned] = true
		sum += gain[i][column[s.Assigned]]
	}
	if want := bestByTrying(gain, 0, map[int]bool{}); math.Abs(sum-want) > float64(len(probes)+1)*near {
		w.fatalf("roll call sums to %v, want %v", sum, want)
	}
	for _, id := range roll.Absent {
		if seated[id] {
			w.fatalf("%q sits and is absent", id)
		}
	}
	for id := range w.o.students {
		if w.o.inScope(sc, id) && !seated[id] && !slices.Contains(roll.Absent, id) {
			w.fatalf("%q is neither seated nor absent", id)
		}
	}
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
	stats := w.g.Stats()
	if stats.Students != len(w.o.students) || stats.Crops != len(w.o.crops) || stats.Sequence != w.store.Sequence() {
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
		if want.vectors[e.Model] == nil || e.Digest == "" || e.Created.IsZero() || e.Quality.Width == 0 {
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
		page, next, err := w.g.Students(ctx, after, limit, group)
		w.wantError(err, nil)
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
	if !slices.Equal(got, want) || w.g.CountStudents(group) != len(want) {
		w.fatalf("listed %v, want %v", got, want)
	}
}
