package embedder

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/embedder/onnxtest"
	"rollcall/models"
)

// gate is a models folder that counts who asks for a model, and makes them wait while it is shut.
type gate struct {
	Models
	asked atomic.Int64
	open  chan struct{} // closed: open
	err   error         // returned instead of a model
}

func newGate(m Models) *gate { return &gate{Models: m, open: make(chan struct{})} }

func (g *gate) Model(name string) (models.Model, error) {
	g.asked.Add(1)
	<-g.open
	if g.err != nil {
		return models.Model{}, g.err
	}
	return g.Models.Model(name)
}

func TestLoadedOnceForAll(t *testing.T) {
	const callers = 50
	g := newGate(onnxtest.Install(t, t.TempDir(), onnxtest.FaceNet(1)))
	e := overLibrary(t, g, Options{Sessions: 2, Queue: callers})
	answers := make(chan error, callers)
	for range callers {
		go func() {
			_, err := e.Embed(t.Context(), Request{Image: onnxtest.Face(1, 0)})
			answers <- err
		}()
	}
	// One more, who does not want to wait so long: the others are not disturbed.
	ctx, cancel := context.WithCancel(t.Context())
	impatient := make(chan error)
	go func() {
		_, err := e.Load(ctx, "")
		impatient <- err
	}()
	users := func() int {
		e.registry.mu.Lock()
		defer e.registry.mu.Unlock()
		if m := e.registry.mu.models["test-facenet"]; m != nil {
			return m.users
		}
		return 0
	}
	eventually(t, "all wait", func() bool { return users() == callers+1 })
	cancel()
	if err := <-impatient; !errors.Is(err, context.Canceled) {
		t.Errorf("impatient: %v", err)
	}
	close(g.open)
	for range callers {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if got := g.asked.Load(); got != 1 {
		t.Errorf("loaded %d times, want once", got)
	}
	s := e.Stats()
	if s.Loads != 1 || len(s.Models) != 1 || s.Models[0].Sessions != 2 || s.Models[0].Uses != callers+1 {
		t.Errorf("%+v", s)
	}
}

func TestFailedLoadIsToldToAllAndTriedAgain(t *testing.T) {
	const callers = 10
	broken := errors.New("the disk is gone")
	g := newGate(onnxtest.Install(t, t.TempDir(), onnxtest.FaceNet(1)))
	g.err = broken
	e := overLibrary(t, g, Options{Queue: callers})
	answers := make(chan error, callers)
	for range callers {
		go func() {
			_, err := e.Load(t.Context(), "test-facenet")
			answers <- err
		}()
	}
	eventually(t, "it is asked for", func() bool { return g.asked.Load() >= 1 })
	close(g.open)
	for range callers {
		if err := <-answers; !errors.Is(err, broken) {
			t.Errorf("%v, want %v", err, broken)
		}
	}
	g.err = nil
	if _, err := e.Load(t.Context(), "test-facenet"); err != nil {
		t.Errorf("tried again: %v", err)
	}
}

func TestDefaultStays(t *testing.T) {
	dir := t.TempDir()
	e := overLibrary(t, onnxtest.Install(t, dir, onnxtest.FaceNet(1)), Options{})
	if r := embed(t, e, Request{Image: onnxtest.Face(1, 0)}); r.Model != "test-facenet" {
		t.Fatalf("the default is %s", r.Model)
	}
	better := onnxtest.FaceNet(2).Named("a-better-one")
	onnxtest.Install(t, dir, better)
	if r := embed(t, e, Request{Image: onnxtest.Face(1, 0)}); r.Model != "test-facenet" {
		t.Errorf("the default became %s in a running embedder", r.Model)
	}
	if r := embed(t, e, Request{Image: onnxtest.Face(1, 0), Model: "a-better-one"}); r.Digest != better.Contract.SHA256 {
		t.Errorf("the new model has digest %s", r.Digest)
	}
}

func TestIdleModelsAreUnloaded(t *testing.T) {
	e := newEmbedder(t, Options{}, onnxtest.FaceNet(1), onnxtest.ArcFace(1), onnxtest.Points())
	first := embed(t, e, Request{Image: onnxtest.Face(1, 0), Model: "test-facenet"})
	embed(t, e, Request{Image: onnxtest.Face(1, 0), Model: "test-arcface"})
	held, err := e.registry.acquire(t.Context(), models.Embedder, "test-arcface")
	if err != nil {
		t.Fatal(err)
	}
	e.registry.unloadIdle(time.Now().Add(-time.Hour))
	if s := e.Stats(); len(s.Models) != 3 {
		t.Errorf("nobody was idle for an hour: %+v", s)
	}
	e.registry.unloadIdle(time.Now().Add(time.Hour))
	if s := e.Stats(); len(s.Models) != 1 || s.Models[0].Name != "test-arcface" || s.Unloads != 2 {
		t.Errorf("the one in use stays alone: %+v", s)
	}
	e.registry.release(held)
	again := embed(t, e, Request{Image: onnxtest.Face(1, 0), Model: "test-facenet"})
	if similarity(first.Embedding, again.Embedding) < 1-1e-12 {
		t.Error("a reloaded model answers otherwise")
	}
	if s := e.Stats(); s.Loads != 4 {
		t.Errorf("%d loads, want 4", s.Loads)
	}
}

func TestTTL(t *testing.T) {
	e := newEmbedder(t, Options{TTL: time.Millisecond}, onnxtest.FaceNet(1))
	embed(t, e, Request{Image: onnxtest.Face(1, 0)})
	eventually(t, "it is unloaded", func() bool { return len(e.Stats().Models) == 0 })
}

func TestMemoryBudget(t *testing.T) {
	names := []string{"one", "two", "three"}
	var install []onnxtest.Model
	for i, name := range names {
		install = append(install, onnxtest.FaceNet(int64(i)).Named(name))
	}
	library := onnxtest.Install(t, t.TempDir(), install...)
	measure := overLibrary(t, library, Options{Sessions: 1})
	if _, err := measure.Load(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	one := measure.Stats().Models[0].Bytes
	if one <= 0 {
		t.Fatalf("a model takes %d bytes", one)
	}

	e := overLibrary(t, library, Options{Sessions: 1, MemoryBudget: 2*one + one/2}) // room for two
	loaded := func() string {
		var names []string
		for _, m := range e.Stats().Models {
			names = append(names, m.Name)
		}
		return strings.Join(names, " ")
	}
	load := func(name, want string) {
		t.Helper()
		if _, err := e.Load(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if got := loaded(); got != want {
			t.Errorf("after %s: loaded are %q, want %q", name, got, want)
		}
	}
	load("one", "one")
	load("two", "one two")
	load("one", "one two")     // used again, so that
	load("three", "one three") // the other one goes
	var held []*model
	for _, name := range names {
		m, err := e.registry.acquire(t.Context(), models.Embedder, name)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, m)
	}
	if got := loaded(); got != "one three two" {
		t.Errorf("all are in use, loaded are %q", got)
	}
	e.registry.release(held[2])
	if got := loaded(); got != "one two" {
		t.Errorf("over budget after a release: loaded are %q", got)
	}
	e.registry.release(held[0])
	e.registry.release(held[1])
}

// TestUnloadingUnderLoad: random calls of more models than the budget holds, with a TTL that has
// always just ended. A model that were unloaded in use would crash the process or give other numbers.
func TestUnloadingUnderLoad(t *testing.T) {
	const callers, rounds = 8, 25
	var install []onnxtest.Model
	names := []string{"one", "two", "three"}
	for i, name := range names {
		install = append(install, onnxtest.FaceNet(int64(i)).Named(name))
	}
	library := onnxtest.Install(t, t.TempDir(), install...)
	e := overLibrary(t, library, Options{Sessions: 2, Queue: callers, TTL: time.Microsecond, MemoryBudget: 1})
	calm := overLibrary(t, library, Options{Sessions: 1})
	want := make([][]float32, len(names))
	for i, name := range names {
		want[i] = embed(t, calm, Request{Image: onnxtest.Face(1, 0), Model: name}).Embedding
	}
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(caller), 1))
			for range rounds {
				i := rng.IntN(len(names))
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if rng.IntN(4) == 0 {
					ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.IntN(5000))*time.Microsecond)
				}
				r, err := e.Embed(ctx, Request{Image: onnxtest.Face(1, 0), Model: names[i]})
				cancel()
				if errors.Is(err, context.DeadlineExceeded) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				for k, v := range r.Embedding {
					if v != want[i][k] {
						t.Errorf("%s: component %d is %g, want %g", names[i], k, v, want[i][k])
						return
					}
				}
			}
		})
	}
	group.Wait()
	eventually(t, "all are unloaded", func() bool { return len(e.Stats().Models) == 0 })
	if s := e.Stats(); s.Loads != s.Unloads || s.Unloads < uint64(len(names)) {
		t.Errorf("%d loads, %d unloads", s.Loads, s.Unloads)
	}
}

func TestCloseDuringLoad(t *testing.T) {
	g := newGate(onnxtest.Install(t, t.TempDir(), onnxtest.FaceNet(1)))
	e, err := New(g, Options{Sessions: 4})
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan error)
	go func() {
		_, err := e.Embed(t.Context(), Request{Image: onnxtest.Face(1, 0), Model: "test-facenet"})
		answer <- err
	}()
	eventually(t, "it loads", func() bool { return g.asked.Load() == 1 })
	closed := make(chan error)
	go func() { closed <- e.Close() }()
	<-e.closing
	select {
	case err := <-closed:
		t.Fatalf("Close did not wait for the load: %v", err)
	default:
	}
	close(g.open)
	if err := <-answer; !errors.Is(err, ErrClosed) {
		t.Errorf("a caller that waits while the embedder closes: %v, want ErrClosed", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := e.Embed(t.Context(), Request{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Embed after Close: %v", err)
	}
	if _, err := e.Load(t.Context(), ""); !errors.Is(err, ErrClosed) {
		t.Errorf("Load after Close: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
	if s := e.Stats(); len(s.Models) != 0 {
		t.Errorf("left behind: %+v", s)
	}
}

// TestCloseSendsTheQueueAway: who waits for a place is answered; who works is waited for.
func TestCloseSendsTheQueueAway(t *testing.T) {
	e, err := New(onnxtest.Install(t, t.TempDir(), onnxtest.FaceNet(1)), Options{Sessions: 1})
	if err != nil {
		t.Fatal(err)
	}
	embed(t, e, Request{Image: onnxtest.Face(1, 0)})
	release := occupy(e)
	defer release()
	answer := make(chan error)
	go func() {
		_, err := e.Embed(t.Context(), Request{Image: onnxtest.Face(1, 0)})
		answer <- err
	}()
	eventually(t, "it waits", func() bool { return e.Stats().Waiting == 1 })
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := <-answer; !errors.Is(err, ErrClosed) {
		t.Errorf("%v, want ErrClosed", err)
	}
}

func TestLoad(t *testing.T) {
	m := onnxtest.ArcFace(1)
	e := newEmbedder(t, Options{Sessions: 2}, m, onnxtest.Points())
	loaded, err := e.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Contract.Name != "test-arcface" || loaded.Contract.SHA256 != m.Contract.SHA256 || loaded.Sessions != 2 || loaded.Took <= 0 {
		t.Errorf("%+v", loaded)
	}
	if s := e.Stats(); len(s.Models) != 2 {
		t.Errorf("the locator is not loaded with it: %+v", s)
	}
	if _, err := e.Load(t.Context(), "test-points"); !errors.Is(err, ErrWrongKind) {
		t.Errorf("%v, want ErrWrongKind", err)
	}
}

// TestLogsHoldNoCrop: what is logged names models, and nothing of what was asked.
func TestLogsHoldNoCrop(t *testing.T) {
	var log bytes.Buffer
	e := newEmbedder(t, Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))}, onnxtest.FaceNet(1))
	embed(t, e, Request{Image: onnxtest.Face(1, 0)})
	if _, err := e.Embed(t.Context(), Request{Image: []byte("a secret crop")}); err == nil {
		t.Fatal("no error")
	} else if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error quotes the crop: %v", err)
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), "model loaded") {
		t.Errorf("logged: %s", log.String())
	}
}
