package embedder

import (
	"context"
	"fmt"
	"sync"
	"time"

	"rollcall/models"
)

// model is a model that is loaded or being loaded.
type model struct {
	name  string
	ready chan struct{} // closed when loading has ended

	// Set before ready is closed, and not changed after.
	err      error
	contract models.Contract
	pool     *pool
	output   string // name of an embedder's output
	since    time.Time

	// Guarded by registry.mu.
	bytes int64     // estimated memory; 0 until it is known
	users int       // calls that wait for it or use it
	idle  time.Time // since when users is 0
	uses  uint64    // calls that it was lent to
}

// registry loads models when they are first wanted and unloads them when nobody uses them. It is safe
// for concurrent use.
type registry struct {
	source  Models
	options Options
	alone   func() bool // whether at most one call works
	closing <-chan struct{}

	// background counts the loads and unloads under way.
	background sync.WaitGroup

	mu struct {
		sync.Mutex
		models map[string]*model // by name: loaded, or being loaded
		chosen map[models.Kind]string
		// ingredients of recipes, by name, so that a call need not read a contract.
		ingredients map[string]ingredient
		loads       uint64
		unloads     uint64
	}
}

func newRegistry(source Models, options Options, alone func() bool, closing <-chan struct{}) *registry {
	r := &registry{source: source, options: options, alone: alone, closing: closing}
	r.mu.models = make(map[string]*model)
	r.mu.chosen = make(map[models.Kind]string)
	r.mu.ingredients = make(map[string]ingredient)
	return r
}

// acquire returns a loaded model of the given kind. The caller gives it back with release. An empty name
// means the default of the kind. A model is loaded once, however many callers ask for it meanwhile. A
// caller whose ctx ends leaves without disturbing the others. A load that fails fails for all who wait, and
// the next caller tries again.
func (r *registry) acquire(ctx context.Context, kind models.Kind, name string) (*model, error) {
	if name == "" {
		var err error
		if name, err = r.choose(kind); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	m, ok := r.mu.models[name]
	if !ok {
		m = &model{name: name, ready: make(chan struct{})}
		r.mu.models[name] = m
		r.background.Add(1)
		go r.load(m)
	}
	m.users++
	m.uses++
	r.mu.Unlock()

	var err error
	select {
	case <-m.ready:
		err = m.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil && m.contract.Kind != kind {
		err = fmt.Errorf("model %s: %w: it is a %s, not a %s", m.name, ErrWrongKind, m.contract.Kind, kind)
	}
	if err != nil {
		r.release(m)
		return nil, err
	}
	return m, nil
}

// choose returns the default of a kind. It stays the same for the life of the embedder: installing a better
// model must not change the embeddings of a running server.
func (r *registry) choose(kind models.Kind) (string, error) {
	r.mu.Lock()
	name, ok := r.mu.chosen[kind]
	r.mu.Unlock()
	if ok {
		return name, nil
	}
	m, err := r.source.Default(kind)
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if first, ok := r.mu.chosen[kind]; ok {
		return first, nil
	}
	r.mu.chosen[kind] = m.Contract.Name
	return m.Contract.Name, nil
}

// release gives back a model that acquire returned.
func (r *registry) release(m *model) {
	r.mu.Lock()
	m.users--
	if m.users == 0 {
		m.idle = time.Now()
	}
	victims := r.overBudget()
	r.mu.Unlock()
	r.unload(victims)
}

// load loads m in the background.
func (r *registry) load(m *model) {
	defer r.background.Done()
	start := time.Now()
	err := r.open(m)
	trim()
	m.since = time.Now()
	m.err = err
	r.mu.Lock()
	bytes := m.bytes
	m.idle = m.since
	if err != nil {
		delete(r.mu.models, m.name)
	} else {
		r.mu.loads++
	}
	r.mu.Unlock()
	if err == nil { // the callers that wait report an error
		r.options.Logger.Info("model loaded", "model", m.name, "sha256", m.contract.SHA256,
			"sessions", len(m.pool.all), "threads", m.pool.network.threads, "bytes", bytes, "took", m.since.Sub(start))
		if why := m.pool.network.unshared; why != nil {
			r.options.Logger.Warn("each run has one core, also of a call that is alone: the weights could not be shared through a temporary folder (TMPDIR)",
				"model", m.name, "error", why)
		}
	}
	close(m.ready)
}

// open reads the file, compares its digest, and builds the sessions.
func (r *registry) open(m *model) error {
	found, err := r.source.Model(m.name)
	if err != nil {
		return err
	}
	onnx, err := found.Read()
	if err != nil {
		return err
	}
	b, err := newBlueprint(found.Contract, onnx)
	if err != nil {
		return err
	}
	m.contract = found.Contract
	m.output = b.outputs[0].name
	r.makeRoom(m, modelBytes(b, r.options.Sessions, r.options.Threads))
	m.pool, err = newPool(b, r.options.Sessions, r.options.Threads, r.alone, r.closing, func(s *session) error { return prove(b, s) })
	return err
}

// The memory of a model beside the tensors of its sessions. The weights are there once. In each run that goes
// on at the same time ONNX Runtime keeps what the layers hand on: from 3 MiB (YuNet at 320 x 320) to 10
// (ArcFace's ResNet-34). Weights in half precision take twice their file, which matters only for small files.
// With two sessions and a wide one YuNet took 12.4 MiB, estimated 14.8, and MobileFaceNet 14.4, estimated 16.1
// (2026-11-26).
//
// It is an estimate. The difference in resident memory before and after a load would also contain the crops
// of other callers, and which models are unloaded must not depend on chance. BenchmarkModelMemory compares.
const bytesPerRun = 4 << 20

// modelBytes estimates the memory of a model.
func modelBytes(b *blueprint, sessions, threads int) int64 {
	tensors := b.input.length()
	for _, t := range b.outputs {
		tensors += t.length()
	}
	runs := sessions
	if threads > 1 {
		runs++ // a wide run has memory of its own
	}
	return int64(len(b.onnx)) + 4*int64(sessions*tensors) + bytesPerRun*int64(runs)
}

// makeRoom notes the memory that m will take, and unloads idle models until it fits the budget or none is
// idle.
func (r *registry) makeRoom(m *model, bytes int64) {
	r.mu.Lock()
	m.bytes = bytes
	victims := r.overBudget()
	r.mu.Unlock()
	r.destroy(victims)
}

// overBudget takes idle models out of the map, the longest idle first, until the others fit the
// budget, and returns them. REQUIRES: r.mu is held.
func (r *registry) overBudget() (victims []*model) {
	if r.options.MemoryBudget <= 0 {
		return nil
	}
	var sum int64
	for _, m := range r.mu.models {
		sum += m.bytes
	}
	for sum > r.options.MemoryBudget {
		var oldest *model
		for _, m := range r.mu.models {
			if m.loaded() && m.users == 0 && (oldest == nil || m.idle.Before(oldest.idle)) {
				oldest = m
			}
		}
		if oldest == nil {
			return victims // models in use stay
		}
		sum -= oldest.bytes
		victims = append(victims, r.forget(oldest))
	}
	return victims
}

// unloadIdle unloads the models that have been idle since before the given time.
func (r *registry) unloadIdle(before time.Time) {
	r.mu.Lock()
	var victims []*model
	for _, m := range r.mu.models {
		if m.loaded() && m.users == 0 && m.idle.Before(before) {
			victims = append(victims, r.forget(m))
		}
	}
	r.mu.Unlock()
	r.unload(victims)
}

// forget takes a model out of the map, so nobody can acquire it any more. The caller destroys it. REQUIRES:
// r.mu is held and nobody uses m.
func (r *registry) forget(m *model) *model {
	delete(r.mu.models, m.name)
	r.mu.unloads++
	r.background.Add(1)
	return m
}

// unload destroys forgotten models in the background, because it may take a while.
func (r *registry) unload(victims []*model) {
	if len(victims) > 0 {
		go r.destroy(victims)
	}
}

// destroy frees forgotten models.
func (r *registry) destroy(victims []*model) {
	for _, m := range victims {
		m.pool.destroy()
		r.options.Logger.Info("model unloaded", "model", m.name)
		trim()
		r.background.Done()
	}
}

// loaded reports whether m is ready for use.
func (m *model) loaded() bool {
	select {
	case <-m.ready:
		return m.err == nil
	default:
		return false
	}
}

// close waits for the loads and unloads under way and unloads everything. REQUIRES: closing is closed and
// no caller holds or waits for a model.
func (r *registry) close() {
	r.background.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, m := range r.mu.models {
		m.pool.destroy()
		delete(r.mu.models, name)
		r.mu.unloads++
	}
	trim()
}
