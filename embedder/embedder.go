package embedder

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// Embedder computes embeddings. It is safe for concurrent use.
type Embedder struct {
	options  Options
	queue    *queue
	photos   *queue // of photos larger than frames, see turns.go
	registry *registry
	closing  chan struct{}
	janitor  sync.WaitGroup

	mu struct {
		sync.Mutex
		closed bool
	}
	// calls counts the calls of Embed, Faces and Load under way. It grows only while mu is held and closed
	// is false.
	calls sync.WaitGroup
}

// New returns an embedder over the installed models. It loads none. The error is [ErrNotStarted].
// The caller closes it.
func New(m Models, opts Options) (*Embedder, error) {
	if !isStarted() {
		return nil, fmt.Errorf("new embedder: %w", ErrNotStarted)
	}
	e := &Embedder{options: opts.withDefaults(), closing: make(chan struct{})}
	e.queue = newQueue(e.options.Sessions, e.options.Queue)
	e.photos = newQueue(photosAtOnce(e.options.Sessions), e.options.Queue)
	e.registry = newRegistry(m, e.options, e.queue.alone, e.closing)
	if e.options.TTL > 0 {
		e.janitor.Add(1)
		go e.sweep()
	}
	return e, nil
}

// Embed decodes a crop, finds and aligns the face, and runs a model on it.
//
// A crop without a face, or one that is too small, dark, bright or blurred, is not an error:
// Quality.Reasons says so. Only a crop without a face has no embedding. A model that does not align takes
// the whole crop as the face, and no locator is asked. So a crop without a face is not noticed.
//
// With [Request.Face] the image is a photo, which waits and works as in [Embedder.Faces], and the detector
// finds the face. Its quality has the size of the photo.
//
// The errors are those of this package, of package picture for unusable bytes, of package models for models
// that cannot be used, and ctx's. models.ErrNoneInstalled also means that the model aligns, the request has
// no landmarks and there is no locator. A call whose ctx ends leaves the queue at once; a call that works
// already returns after its current stage.
func (e *Embedder) Embed(ctx context.Context, req Request) (*Result, error) {
	if req.Face != "" {
		return e.embedChosen(ctx, req)
	}
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.calls.Done()
	ticket, err := e.queue.enter(req.Caller)
	if err != nil {
		return nil, err
	}
	defer e.queue.leave(ticket)
	watch := &stopwatch{last: time.Now()}
	defer watch.report(e.options.Observe)

	m, err := e.registry.acquire(ctx, models.Embedder, req.Model)
	if err != nil {
		return nil, err
	}
	defer e.registry.release(m)
	eyes, err := e.eyesFor(ctx, m, req)
	if err != nil {
		return nil, err
	}
	defer e.close(eyes)
	done, err := e.queue.begin(ctx, e.closing, ticket)
	watch.lap(StageQueue)
	if err != nil {
		return nil, err
	}
	defer done()
	result, err := e.work(ctx, req, m, eyes, watch)
	if err != nil {
		return nil, err
	}
	result.Timings = watch.timings
	return result, nil
}

// QueueFull returns the [QueueFullError] with which [Embedder.Embed] would refuse a crop of this caller now; nil:
// it would not. It is for who can spare itself the reading of a request, and takes nothing: the next call may
// still be refused.
func (e *Embedder) QueueFull(caller string) error { return e.queue.refusal(caller) }

// eyes are the models that find the face of a crop. Both may be nil.
type eyes struct {
	locator *model // finds the landmarks
	check   *model // confirms landmarks of the request, or of a locator without a second look
}

// eyesFor returns the models that a request needs to find the face. The caller closes them.
func (e *Embedder) eyesFor(ctx context.Context, m *model, req Request) (_ eyes, err error) {
	if m.contract.Input.Fit != models.FitAlign || e.options.Locator == LocatorNone {
		return eyes{}, nil
	}
	locator, err := e.registry.acquire(ctx, models.Locator, e.options.Locator)
	if errors.Is(err, models.ErrNoneInstalled) {
		if req.Landmarks != nil {
			return eyes{}, nil
		}
		return eyes{}, fmt.Errorf("model %s aligns faces and needs a locator, or landmarks in the request: %w", m.name, err)
	}
	if err != nil {
		return eyes{}, err
	}
	own := eyes{locator: locator}
	if c := locator.contract; c.SecondLook == 0 && c.ConfirmedBy != "" {
		if own.check, err = e.registry.acquire(ctx, models.Locator, c.ConfirmedBy); err != nil {
			e.close(own)
			return eyes{}, err
		}
	}
	if req.Landmarks != nil {
		if own.check == nil && locator.contract.SecondLook > 0 {
			return eyes{check: locator}, nil
		}
		e.registry.release(locator)
		own.locator = nil
	}
	return own, nil
}

// close gives the models back.
func (e *Embedder) close(own eyes) {
	for _, m := range []*model{own.locator, own.check} {
		if m != nil {
			e.registry.release(m)
		}
	}
}

// work does all the costly work. REQUIRES: the caller holds a place of the queue and the models.
func (e *Embedder) work(ctx context.Context, req Request, m *model, own eyes, watch *stopwatch) (*Result, error) {
	pic, _, err := picture.Decode(req.Image, e.options.Limits)
	watch.lap(StageDecode)
	if err != nil {
		return nil, err
	}
	defer pic.Release()
	if req.Box != nil && req.Landmarks == nil {
		return e.workInBox(ctx, pic, *req.Box, req, m, own, watch)
	}
	return e.workOn(ctx, pic, req, m, own, watch)
}

// resultOf returns a result that has no embedding yet.
func (e *Embedder) resultOf(m *model) (*Result, error) {
	recipe, err := e.registry.recipe(ingredientOf(m.contract))
	if err != nil {
		return nil, err
	}
	return &Result{
		Model: m.name, Digest: m.contract.SHA256, Recipe: recipe, Dimension: m.contract.Output.Dimension,
		LandmarksFrom: FromNone,
	}, nil
}

// workOn does what comes after decoding.
func (e *Embedder) workOn(ctx context.Context, pic *picture.Picture, req Request, m *model, own eyes, watch *stopwatch) (*Result, error) {
	result, err := e.resultOf(m)
	if err != nil {
		return nil, err
	}
	f := finding{view: asShown}
	switch {
	case own.locator != nil:
		if f, err = find(ctx, own.locator, own.check, pic, watch); err != nil {
			return nil, err
		}
		if !f.found {
			result.Quality = assess(pic, nil, f, probeLimits)
			// The score and the other reasons would describe something that is not a face.
			result.Quality.Score, result.Quality.Reasons, result.Quality.Shortfalls = 0, []Reason{NoFace}, nil
			watch.lap(StageFinish)
			return result, nil
		}
		result.Landmarks, result.LandmarksFrom = &f.face.Landmarks, FromLocator
	case req.Landmarks != nil:
		if err := checkLandmarks(*req.Landmarks, pic); err != nil {
			return nil, err
		}
		if f, err = confirmGiven(ctx, own.check, pic, *req.Landmarks, watch); err != nil {
			return nil, err
		}
		given := *req.Landmarks
		result.Landmarks, result.LandmarksFrom = &given, FromRequest
	}
	if result.Embedding, err = infer(ctx, m, pic, result.Landmarks, f.view, req.Enrol, watch); err != nil {
		return nil, err
	}
	least := probeLimits
	if req.Enrol {
		least = enrolmentLimits
	}
	result.Quality = assess(pic, result.Landmarks, f, least)
	watch.lap(StageFinish)
	return result, nil
}

// infer aligns a crop, runs a model on it and returns the embedding.
func infer(ctx context.Context, m *model, pic *picture.Picture, landmarks *models.Landmarks, v view, enrol bool, watch *stopwatch) ([]float32, error) {
	t, err := transformOf(m.contract, pic, landmarks, v)
	if err != nil {
		return nil, unusable(err)
	}
	s, err := m.pool.take(ctx)
	watch.lap(StageQueue)
	if err != nil {
		return nil, err
	}
	defer m.pool.put(s)
	embedding, err := m.run(s, pic, t, watch)
	if err != nil || !enrol || !m.contract.MirrorEnrolled {
		return embedding, err
	}
	mirror := align.Transform{A: -1, Tx: float64(m.contract.Input.Width - 1), D: 1}
	mirrored, err := m.run(s, pic, mirror.After(t), watch)
	if err != nil {
		return nil, err
	}
	for i, v := range mirrored {
		embedding[i] += v
	}
	return normalise(embedding)
}

// run runs a model on a picture that t takes to its input. REQUIRES: s.mu is held.
func (m *model) run(s *session, pic *picture.Picture, t align.Transform, watch *stopwatch) ([]float32, error) {
	if err := align.Warp(s.input, pic, t, m.contract.Input); err != nil {
		return nil, unusable(err)
	}
	watch.lap(StageAlign)
	err := s.run()
	watch.lap(StageRun)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w: %w", m.name, ErrOutput, err)
	}
	embedding, err := normalise(s.outputs[m.output])
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", m.name, err)
	}
	return embedding, nil
}

// unusable says that no transform can be made from the landmarks.
func unusable(err error) error {
	if errors.Is(err, align.ErrDegenerate) {
		return fmt.Errorf("%w: %w", ErrLandmarks, err)
	}
	return err
}

// Loaded is a model that is ready.
type Loaded struct {
	Contract models.Contract // as locked; its slices must not be changed
	Sessions int             // copies of it that run side by side
	Took     time.Duration   // how long the call waited for it
}

// Load loads a model and, where it aligns, the locator, so that the first request does not wait. An empty
// name means the default embedder. A model that is already loaded costs nothing. The errors are those of
// [Embedder.Embed] that concern models.
func (e *Embedder) Load(ctx context.Context, name string) (Loaded, error) {
	if err := e.enter(); err != nil {
		return Loaded{}, err
	}
	defer e.calls.Done()
	start := time.Now()
	m, err := e.registry.acquire(ctx, models.Embedder, name)
	if err != nil {
		return Loaded{}, err
	}
	defer e.registry.release(m)
	own, err := e.eyesFor(ctx, m, Request{})
	if err != nil {
		return Loaded{}, err
	}
	e.close(own)
	return Loaded{Contract: m.contract, Sessions: len(m.pool.all), Took: time.Since(start)}, nil
}

// enter counts a call, or refuses it with ErrClosed. The caller calls e.calls.Done at the end.
func (e *Embedder) enter() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.closed {
		return ErrClosed
	}
	e.calls.Add(1)
	return nil
}

// Close refuses new calls, ends those in the queue with [ErrClosed], waits for the runs and loads under
// way, and frees all models. Closing again does nothing.
func (e *Embedder) Close() error {
	e.mu.Lock()
	if e.mu.closed {
		e.mu.Unlock()
		return nil
	}
	e.mu.closed = true
	e.mu.Unlock()
	close(e.closing)
	e.janitor.Wait()
	e.calls.Wait()
	e.registry.close()
	return nil
}

// sweepsPerTTL is how many times in one TTL idle models are searched for. So a model is unloaded at most a
// quarter of the TTL late.
const sweepsPerTTL = 4

// sweep unloads idle models until Close.
func (e *Embedder) sweep() {
	defer e.janitor.Done()
	ticker := time.NewTicker(max(e.options.TTL/sweepsPerTTL, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			e.registry.unloadIdle(now.Add(-e.options.TTL))
		case <-e.closing:
			return
		}
	}
}

// stopwatch attributes the time of one call to stages.
type stopwatch struct {
	last    time.Time
	timings Timings
	seen    [stages]bool
}

// lap adds the time since the last lap to a stage.
func (w *stopwatch) lap(s Stage) {
	now := time.Now()
	w.timings[s] += now.Sub(w.last)
	w.seen[s] = true
	w.last = now
}

// report tells observe about the stages that happened.
func (w *stopwatch) report(observe func(Stage, time.Duration)) {
	for s, seen := range w.seen {
		if seen {
			observe(Stage(s), w.timings[s])
		}
	}
}
