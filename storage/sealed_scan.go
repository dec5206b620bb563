package storage

import (
	"bytes"
	"context"
	"iter"
	"slices"
)

// scan reads data keys in the same view as the values: a partition may be dropped and made
// again meanwhile. Requests come in the order of their keys above the backend, which is not
// the stored order. Only Copy reads them in order.
func (s *sealed) scan(ctx context.Context, spans ...span) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		v := &sealedView{sealed: s, spans: spans, yield: yield}
		for stored, err := range s.backend.scan(ctx, storedSpans(spans)...) {
			if err != nil {
				yield(pair{}, err)
				return
			}
			if !v.take(stored) {
				return
			}
		}
		v.yieldRequests()
	}
}

// storedSpans returns what has to be read for the spans: the data key first, and requests
// from the beginning.
func storedSpans(spans []span) []span {
	stored := slices.Clone(spans)
	for i, s := range spans {
		if p := partitionOf(s.lower); p != nil && bytes.HasPrefix(s.lower, p.of(kindRequest)) {
			stored[i].lower = p.of(kindRequest)
		}
	}
	if p := partitionOf(spans[0].lower); p != nil {
		stored = slices.Insert(stored, 0, span{p.dataKey(), p.of(kindDataKey + 1)})
	}
	return stored
}

// sealedView opens what one scan reads.
type sealedView struct {
	*sealed
	spans []span
	yield func(pair, error) bool

	partition keys // of the newest pair
	key       *dataKey
	value     []byte // the buffer of an opened value
	requests  []pair // of the partition, not yet yielded
}

// take yields what was stored as this pair. It reports whether the loop goes on.
func (v *sealedView) take(stored pair) bool {
	if v.partition == nil || !bytes.HasPrefix(stored.key, v.partition) {
		if !v.yieldRequests() {
			return false
		}
		v.partition, v.key = bytes.Clone(partitionOf(stored.key)), nil
	}
	p := v.partition
	switch {
	case p == nil: // not sealed
		return v.yield(stored, nil)
	case isDataKey(p, stored.key):
		return v.takeKey(stored.value)
	case v.key == nil:
		v.yield(pair{}, errDataKey)
		return false
	case isRequest(p, stored.key):
		opened, err := v.key.open(p, stored, nil)
		if err != nil {
			v.yield(pair{}, err)
			return false
		}
		if slices.ContainsFunc(v.spans, func(s span) bool { return s.has(opened.key) }) {
			v.requests = append(v.requests, opened)
		}
		return true
	}
	if !v.yieldRequests() {
		return false
	}
	opened, err := v.key.open(p, stored, v.value[:0])
	if err != nil {
		v.yield(pair{}, err)
		return false
	}
	v.value = opened.value
	return v.yield(opened, nil)
}

// takeKey takes the data key of the partition.
func (v *sealedView) takeKey(wrapped []byte) bool {
	v.known.Lock()
	v.key = v.known.keys[string(v.partition)]
	v.known.Unlock()
	if v.key != nil && bytes.Equal(v.key.wrapped, wrapped) {
		return true
	}
	var err error
	if v.key, err = v.operator.unwrap(v.partition, wrapped); err != nil {
		v.yield(pair{}, err)
	}
	return err == nil
}

// yieldRequests yields the requests of the partition, if there are any.
func (v *sealedView) yieldRequests() bool {
	slices.SortFunc(v.requests, func(a, b pair) int { return bytes.Compare(a.key, b.key) })
	for _, r := range v.requests {
		if !v.yield(r, nil) {
			return false
		}
	}
	v.requests = nil
	return true
}
