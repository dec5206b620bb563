package embedder

import (
	"bytes"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/embedder/onnxtest"
	"rollcall/models"
)

// poolOf loads a model outside any embedder, with two sessions.
func poolOf(t *testing.T, library *models.Library, name string, threads int) (*blueprint, *pool) {
	t.Helper()
	m, err := library.Model(name)
	if err != nil {
		t.Fatal(err)
	}
	onnx, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBlueprint(m.Contract, onnx)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPool(b, 2, threads, func() bool { return true }, nil, func(s *session) error { return prove(b, s) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.destroy)
	return b, p
}

// fill writes numbers that a seed determines.
func fill(input []float32, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range input {
		input[i] = 2*rng.Float32() - 1
	}
}

// sameBits reports whether two runs wrote the same numbers.
func sameBits(a, b map[string][]float32) bool {
	for name, values := range a {
		if !slices.EqualFunc(values, b[name], func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) }) {
			return false
		}
	}
	return len(a) == len(b)
}

// TestWideIsNarrow: a wide run gives, bit by bit, what a narrow one gives, alone and beside another, and
// both give what a session with weights of its own gives. Verdicts must not depend on the load.
func TestWideIsNarrow(t *testing.T) {
	builtin, err := models.OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rollcall-base-2", "rollcall-points", "rollcall-faces-full", "rollcall-faces-short"} {
		t.Run(name, func(t *testing.T) { wideIsNarrow(t, builtin, name) })
	}
	for _, name := range []string{"mobilefacenet-128", "yunet"} {
		t.Run(name, func(t *testing.T) { wideIsNarrow(t, realLibrary(t), name) })
	}
	t.Run("mobilefacenet-192", func(t *testing.T) {
		file := filepath.Join(sharedFolder, "models", "mobilefacenet-192")
		text, err := os.ReadFile(file + ".json")
		if err != nil {
			t.Skipf("needs the real model mobilefacenet-192: %v", err)
		}
		contract, err := models.ParseContract(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := builtin.Add(t.Context(), contract.Name, file+".onnx", models.AddOptions{Contract: &contract, Check: Check}); err != nil {
			t.Fatal(err)
		}
		wideIsNarrow(t, builtin, contract.Name)
	})
}

func wideIsNarrow(t *testing.T, library *models.Library, name string) {
	for threads := 2; threads <= 4; threads++ {
		b, p := poolOf(t, library, name, threads)
		if len(p.network.sessions) != 2 {
			t.Fatal("it has no wide runs")
		}
		if b.contract.Kind == models.Embedder {
			goldenIsServed(t, b, p)
		}
		own, err := openSession(b)
		if err != nil {
			t.Fatal(err)
		}
		defer own.Close()
		for seed := range uint64(times(4, 1)) {
			fill(own.Input(), seed)
			if err := own.Run(); err != nil {
				t.Fatal(err)
			}
			run := func(s *session, w width) {
				fill(s.input, seed)
				clear(s.outputs[b.outputs[0].name])
				if err := p.network.run(s.tensors, w); err != nil {
					t.Error(err)
				}
				if !sameBits(s.outputs, own.Outputs()) {
					t.Errorf("width %d of %d threads, seed %d: another answer", w, threads, seed)
				}
			}
			for _, w := range p.network.widths() {
				run(p.all[0], w)
			}
			var group sync.WaitGroup
			for i, w := range p.network.widths() {
				group.Go(func() { run(p.all[i], w) })
			}
			group.Wait()
		}
	}
}

// goldenIsServed: Check, which measures the golden embedding, gives bit by bit what a server gives. The
// tolerance must be left to other processors: in a network in whole numbers one rounding that goes the other
// way changes many more.
func goldenIsServed(t *testing.T, b *blueprint, p *pool) {
	want, err := Check(b.contract, b.onnx)
	if err != nil {
		t.Fatal(err)
	}
	err = p.prove(p.all[0], func(s *session) error {
		got, err := embedGolden(b, s)
		if !slices.Equal(got, want) {
			t.Errorf("%d threads: not the answer of Check", p.network.threads)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestWithoutRoomForWeights: where no file can be written, runs are narrow, and nothing else changes.
func TestWithoutRoomForWeights(t *testing.T) {
	library, err := models.OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	options := Options{Threads: 2, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	const warning = "could not be shared"
	e := overLibrary(t, library, options)
	with := embed(t, e, Request{Image: onnxtest.Face(1, 0)})
	if len(e.registry.mu.models["rollcall-base-2"].pool.network.sessions) != 2 {
		t.Fatal("it has no wide runs")
	}
	if strings.Contains(log.String(), warning) {
		t.Errorf("a warning without a reason: %s", log.String())
	}
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	e = overLibrary(t, library, options)
	without := embed(t, e, Request{Image: onnxtest.Face(1, 0)})
	if len(e.registry.mu.models["rollcall-base-2"].pool.network.sessions) != 1 {
		t.Error("it has wide runs")
	}
	if !strings.Contains(log.String(), warning) {
		t.Errorf("no warning: %s", log.String())
	}
	if !slices.Equal(with.Embedding, without.Embedding) {
		t.Error("another answer")
	}
}

// TestWeightsLeaveNoFile: what loading writes is gone when the model is loaded.
func TestWeightsLeaveNoFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	library, err := models.OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, p := poolOf(t, library, "rollcall-base-2", 2)
	if len(p.network.sessions) != 2 {
		t.Error("it has no wide runs")
	}
	if left, err := os.ReadDir(dir); len(left) != 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestAlone: a run is wide only if no other call works, and what is known of the times comes from such runs.
func TestAlone(t *testing.T) {
	library, err := models.OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, p := poolOf(t, library, "rollcall-base-2", 2)
	alone := false
	p.network.alone = func() bool { return alone }
	wide := p.network.sessions[wideRun]
	p.network.sessions[wideRun] = nil // whose run would panic
	s := p.all[0]
	for range 3 {
		if err := s.run(); err != nil {
			t.Fatal(err)
		}
	}
	p.network.sessions[wideRun] = wide
	if pace := &p.network.pace; pace.took[narrowRun].Load() != 0 || pace.took[wideRun].Load() != 0 {
		t.Error("runs beside others were noted")
	}
	alone = true
	for range 3 {
		if err := s.run(); err != nil {
			t.Fatal(err)
		}
	}
	if pace := &p.network.pace; pace.took[narrowRun].Load() == 0 || pace.took[wideRun].Load() == 0 {
		t.Error("not both widths were tried by a lone call")
	}
	q := newQueue(3, 1)
	for i, want := range []bool{true, true, false, false} {
		if got := q.alone(); got != want {
			t.Errorf("%d places taken: alone is %v", i, got)
		}
		if i < q.places {
			if _, err := q.turn(t.Context(), nil, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestPace: wide runs are chosen while they pay, whatever was known before, and one disturbed run changes
// nothing.
func TestPace(t *testing.T) {
	const enough = 3 * tried
	took := [2]time.Duration{narrowRun: 3 * time.Millisecond, wideRun: 2 * time.Millisecond}
	var p pace
	share := func(runs int) float64 {
		wides := 0
		for range runs {
			w := p.choose()
			p.note(w, took[w])
			wides += int(w)
		}
		return float64(wides) / float64(runs)
	}
	p.note(narrowRun, took[narrowRun])
	p.note(wideRun, 100*time.Millisecond) // the first one reads the weights from disk
	share(enough)
	if s := share(enough); s < 0.9 {
		t.Errorf("they pay, and %.2f of the runs are wide", s)
	}
	p.note(wideRun, time.Second)
	if s := share(enough); s < 0.9 {
		t.Errorf("after a disturbed one %.2f of the runs are wide", s)
	}
	took[wideRun] = 9 * time.Millisecond // others use the cores
	share(enough)
	if s := share(enough); s > 0.1 || s == 0 {
		t.Errorf("they do not pay, and %.2f of the runs are wide", s)
	}
	took[wideRun] = 2 * time.Millisecond
	share(enough)
	if s := share(enough); s < 0.9 {
		t.Errorf("they pay again, and %.2f of the runs are wide", s)
	}
	took = [2]time.Duration{narrowRun: 90 * time.Microsecond, wideRun: 60 * time.Microsecond}
	p = pace{}
	share(2)
	if s := share(enough); s != 0 {
		t.Errorf("runs are too short to divide, and %.2f of them are wide", s)
	}
}
