package embedder

import (
	"slices"
	"strings"
	"time"

	"rollcall/models"
)

// Stats is a snapshot of an embedder, for metrics and health.
type Stats struct {
	Models  []ModelStats // the loaded ones, by name
	Loads   uint64       // models loaded since the start, reloads included
	Unloads uint64
	Working int // calls, and turns of photos, that hold a place: they decode, locate or run
	Waiting int // calls, with crops or photos, that wait for a place or for a model to load
	Queue   int // how many may wait before calls are refused
}

// ModelStats is a snapshot of one loaded model.
type ModelStats struct {
	Name     string
	Kind     models.Kind
	Digest   string // SHA-256 of its file
	Sessions int
	Busy     int // sessions that run or are being filled
	Waiting  int // calls that hold or wait for the model, but have no session of it
	Uses     uint64
	Since    time.Time // when it was loaded
	Bytes    int64     // an estimate of its memory, see package documentation
}

// count returns how many calls and turns hold a place, and how many calls hold only a ticket.
func (q *queue) count() (working, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.working, max(0, q.mu.entered-(q.mu.working-q.mu.turns))
}

// Stats returns a snapshot. Its figures are read one after the other, so they need not add up exactly
// while calls come and go.
func (e *Embedder) Stats() Stats {
	working, crops := e.queue.count()
	_, photos := e.photos.count()
	s := Stats{Working: working, Waiting: crops + photos, Queue: e.options.Queue}
	r := e.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Loads, s.Unloads = r.mu.loads, r.mu.unloads
	for _, m := range r.mu.models {
		if !m.loaded() {
			continue
		}
		busy := m.pool.busy()
		s.Models = append(s.Models, ModelStats{
			Name: m.name, Kind: m.contract.Kind, Digest: m.contract.SHA256,
			Sessions: len(m.pool.all), Busy: busy, Waiting: max(0, m.users-busy),
			Uses: m.uses, Since: m.since, Bytes: m.bytes,
		})
	}
	slices.SortFunc(s.Models, func(a, b ModelStats) int { return strings.Compare(a.Name, b.Name) })
	return s
}
