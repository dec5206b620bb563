package gallery

import (
	"context"
	"time"

	"rollcall/storage"
)

// loadBatch is how many records are applied at a time while a gallery is loaded:
// enough to keep all cores at work on their vectors, 8 MiB at 512 dimensions.
const loadBatch = 4096

// load makes the memory of what is stored.
//
// A record that does not fit is left out and logged, so that one bad record does
// not keep a school from checking in; CheckConsistency names each of them. A record
// that cannot be read ends the load with an error.
func load(ctx context.Context, partition *storage.Partition, opts *Options) (*memory, error) {
	start := time.Now()
	seq, err := partition.Sequence(ctx)
	if err != nil {
		return nil, err
	}
	m := newMemory(opts.Engine)
	l := loader{opts: opts, memory: m, full: make(chan *portion), empty: make(chan *portion, 2)}
	l.empty <- new(portion)
	l.empty <- new(portion)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go l.read(ctx, partition)
	for p := range l.full {
		l.apply(p)
	}
	if l.failed != nil {
		return nil, l.failed
	}
	// An empty change gives the state its number.
	if err := m.apply(seq, nil); err != nil {
		return nil, err
	}
	opts.Logger.Info("gallery open", "students", len(m.students), "crops", len(m.crops),
		"embeddings", m.vectors(), "models", len(m.spaces), "took", time.Since(start))
	return m, nil
}

// loader reads records in one goroutine while another applies those before them.
type loader struct {
	opts   *Options
	memory *memory
	loaded int // embeddings so far

	full, empty chan *portion
	failed      error // of the disk; set before full is closed
}

// portion is records that are applied, or compared, together.
type portion struct {
	writes  []storage.Write
	vectors []float32 // copies, of the embeddings among them: a record's own vector is valid until the next record only
	loaded  int       // embeddings among them
}

// read hands on what is stored, in portions.
func (l *loader) read(ctx context.Context, partition *storage.Partition) {
	defer close(l.full)
	p := <-l.empty
	for record, err := range partition.Load(ctx) {
		if err != nil {
			l.failed = err
			return
		}
		p.add(record)
		if len(p.writes) == loadBatch {
			l.full <- p
			p = <-l.empty
		}
	}
	l.full <- p
}

func (p *portion) add(record storage.Record) {
	if e, ok := record.(storage.Embedding); ok {
		from := len(p.vectors)
		p.vectors = append(p.vectors, e.Vector...)
		e.Vector = p.vectors[from:len(p.vectors):len(p.vectors)]
		record = e
		p.loaded++
	}
	p.writes = append(p.writes, storage.Write{Ref: record.Ref(), Put: record})
}

// empty makes room for other records.
func (p *portion) empty() {
	clear(p.writes)
	p.writes, p.vectors, p.loaded = p.writes[:0], p.vectors[:0], 0
}

// apply applies a portion, and gives it back empty.
func (l *loader) apply(p *portion) {
	m := l.memory
	if sp := m.spaces[m.settings.Model]; sp != nil && p.loaded > 0 {
		// All crops are known by now, and most have one embedding under this model.
		sp.engine.Reserve(len(m.crops))
	}
	if err := m.apply(0, p.writes); err != nil {
		l.opts.Logger.Error("records left out of the gallery", "error", err)
	}
	if l.loaded += p.loaded; l.opts.Progress != nil {
		l.opts.Progress(l.loaded, max(l.loaded, len(m.crops)))
	}
	p.empty()
	l.empty <- p
}
