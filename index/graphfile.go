package index

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
)

// In a snapshot a graph is, with nodes numbered as the rows are:
//
//	graphM, graphM0 uint32, how many nodes there ever were uint64,
//	the node where searches begin uint32, or noSlot
//	the level of each node, a byte each
//	for each node, for each layer up to its level: how many links, a byte, and
//	the nodes that they lead to, uint32 each
const graphHeadBytes = 4 + 4 + 8 + 4

// encode returns the graph of the nodes at slots, which are in ascending order,
// with each numbered by its place there. Links to others are left out.
// REQUIRES: the caller is the writer.
func (g *graph) encode(slots []uint32) []byte {
	v := g.view()
	number := make([]uint32, v.used)
	for slot := range number {
		number[slot] = noSlot
	}
	for i, slot := range slots {
		number[slot] = uint32(i)
	}
	entry := noSlot
	if top, _, ok := g.top(); ok {
		entry = number[top]
	}
	b := binary.LittleEndian.AppendUint32(nil, graphM)
	b = binary.LittleEndian.AppendUint32(b, graphM0)
	b = binary.LittleEndian.AppendUint64(b, g.inserted)
	b = binary.LittleEndian.AppendUint32(b, entry)
	for _, slot := range slots {
		b = append(b, byte(v.level(slot)))
	}
	for _, slot := range slots {
		for layer := range v.level(slot) + 1 {
			at := len(b)
			b = append(b, 0)
			for _, to := range linked(v.neighbours(slot, layer)) {
				if to = number[to]; to != noSlot {
					b = binary.LittleEndian.AppendUint32(b, to)
					b[at]++
				}
			}
		}
	}
	return b
}

// decode fills the graph, which has no links yet, with one of n nodes at the slots
// 0 to n-1. Nothing is believed: a link has to lead to another node that reaches
// up to its layer, and no two of a list to the same.
func (g *graph) decode(b []byte, n int) error {
	if len(b) < graphHeadBytes+n {
		return fmt.Errorf("%w: its graph is too short", ErrSnapshot)
	}
	m, m0 := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	if m != graphM || m0 != graphM0 {
		return fmt.Errorf("%w: its graph has %d and %d links a node", ErrSnapshot, m, m0)
	}
	g.inserted = binary.LittleEndian.Uint64(b[8:])
	entry := binary.LittleEndian.Uint32(b[16:])
	levels := b[graphHeadBytes : graphHeadBytes+n]
	d := graphDecoder{graph: g, levels: levels, rest: b[graphHeadBytes+n:], seen: make([]uint64, n)}
	for node, level := range levels {
		if level > maxLevel {
			return fmt.Errorf("%w: a node is on layer %d", ErrSnapshot, level)
		}
		if !d.node(node) {
			return fmt.Errorf("%w: the links of node %d are wrong", ErrSnapshot, node)
		}
	}
	if len(d.rest) != 0 {
		return fmt.Errorf("%w: its graph is too long", ErrSnapshot)
	}
	switch {
	case n == 0 && entry == noSlot:
	case int64(entry) >= int64(n):
		return fmt.Errorf("%w: searches begin at no node", ErrSnapshot)
	default:
		g.setTop(entry, int(levels[entry]))
	}
	return nil
}

// graphDecoder is a graph that is being read.
type graphDecoder struct {
	*graph
	levels []byte
	rest   []byte
	list   uint64   // number of the list that is being read, from 1
	seen   []uint64 // by node: the last list with a link to it
}

// node reads the links of a node.
func (d *graphDecoder) node(node int) bool {
	c, at := d.at(uint32(node))
	level := int(d.levels[node])
	if level > 0 {
		upper := make([]atomic.Uint32, level*graphM)
		for i := range upper {
			upper[i].Store(noSlot)
		}
		c.upper[at].Store(&upper)
	}
	v := d.view()
	for layer := range level + 1 {
		if !d.links(node, layer, v.neighbours(uint32(node), layer)) {
			return false
		}
	}
	return true
}

// links reads one list of links.
func (d *graphDecoder) links(node, layer int, list []atomic.Uint32) bool {
	if len(d.rest) == 0 {
		return false
	}
	n := int(d.rest[0])
	d.rest = d.rest[1:]
	if n > len(list) || len(d.rest) < 4*n {
		return false
	}
	d.list++
	for i := range n {
		to := binary.LittleEndian.Uint32(d.rest[4*i:])
		if int64(to) >= int64(len(d.levels)) || int(to) == node || int(d.levels[to]) < layer || d.seen[to] == d.list {
			return false
		}
		d.seen[to] = d.list
		list[i].Store(to)
	}
	d.rest = d.rest[4*n:]
	return true
}
