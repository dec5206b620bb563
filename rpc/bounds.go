package rpc

import (
	"fmt"
	"sync"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// mostItems is how many items a list or map of a request may have whose rules in
// the .proto do not say.
const mostItems = 1000

// bounds are what one field of a request may hold. They are looked at before a
// message is built: an empty item takes two bytes in a request, in one that is
// compressed a hundredth of one, and a hundred in memory.
type bounds struct {
	items int // of a list or map
	bytes int // of each text or bytes; 0: no more than the request's
}

var knownBounds sync.Map // protoreflect.FullName -> bounds

// boundsOf returns those of the rules in the .proto.
func boundsOf(field protoreflect.FieldDescriptor) bounds {
	if known, ok := knownBounds.Load(field.FullName()); ok {
		return known.(bounds)
	}
	b := bounds{items: mostItems}
	// A field without rules has none, and one whose rules do not resolve does not
	// compile either: see Server.compileRules.
	rules, _ := protovalidate.ResolveFieldRules(field)
	if list := rules.GetRepeated(); list != nil {
		if list.HasMaxItems() {
			b.items = int(list.GetMaxItems())
		}
		rules = list.GetItems()
	} else if pairs := rules.GetMap(); pairs != nil && pairs.HasMaxPairs() {
		b.items = int(pairs.GetMaxPairs())
	}
	b.bytes = int(max(rules.GetString().GetMaxBytes(), rules.GetBytes().GetMaxLen()))
	knownBounds.Store(field.FullName(), b)
	return b
}

func (b bounds) tooLong() error {
	return &fieldProblem{what: fmt.Sprintf("is longer than the %d bytes that are allowed", b.bytes)}
}

func (b bounds) tooMany() error {
	return &fieldProblem{what: fmt.Sprintf("has more than the %d items that are allowed", b.items)}
}

// tally counts the items of one message in protobuf's binary form. A message that
// comes several times in a field for one is merged, so its lists go on growing: the
// counts go on as well.
type tally struct {
	items  map[protoreflect.FieldNumber]int
	merged map[protoreflect.FieldNumber]*tally
}

// count returns a *fieldProblem for the first field that is beyond its bounds. What
// is not protobuf passes: reading it fails.
func (t *tally) count(message protoreflect.MessageDescriptor, b []byte) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil
		}
		b = b[n:]
		n = protowire.ConsumeFieldValue(number, kind, b)
		if n < 0 {
			return nil
		}
		if field := message.Fields().ByNumber(number); field != nil {
			if err := t.field(field, kind, b[:n]); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}

func (t *tally) field(field protoreflect.FieldDescriptor, kind protowire.Type, value []byte) error {
	bounds := boundsOf(field)
	if kind == protowire.BytesType {
		value, _ = protowire.ConsumeBytes(value)
	}
	place := func() string { return string(field.Name()) }
	if field.Cardinality() == protoreflect.Repeated {
		if t.items == nil {
			t.items = make(map[protoreflect.FieldNumber]int)
		}
		t.items[field.Number()] += itemsOf(field, kind, value)
		index := t.items[field.Number()] - 1
		if index >= bounds.items {
			return within(place(), bounds.tooMany())
		}
		place = func() string { return fmt.Sprintf("%s[%d]", field.Name(), index) }
	}
	switch field.Kind() {
	case protoreflect.MessageKind:
		if err := t.inner(field).count(field.Message(), value); err != nil {
			return within(place(), err)
		}
	case protoreflect.StringKind, protoreflect.BytesKind:
		if bounds.bytes > 0 && len(value) > bounds.bytes {
			return within(place(), bounds.tooLong())
		}
	}
	return nil
}

// inner returns the tally of a message in a field: a new one for an item of a list.
func (t *tally) inner(field protoreflect.FieldDescriptor) *tally {
	if field.Cardinality() == protoreflect.Repeated {
		return new(tally)
	}
	if t.merged == nil {
		t.merged = make(map[protoreflect.FieldNumber]*tally)
	}
	if t.merged[field.Number()] == nil {
		t.merged[field.Number()] = new(tally)
	}
	return t.merged[field.Number()]
}

// itemsOf returns how many items of a list one value holds: several where numbers
// are packed.
func itemsOf(field protoreflect.FieldDescriptor, kind protowire.Type, value []byte) int {
	if kind != protowire.BytesType || !packable(field.Kind()) {
		return 1
	}
	n := 0
	for _, b := range value { // a varint ends with a byte below 0x80
		if b < 0x80 {
			n++
		}
	}
	switch field.Kind() {
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		n = len(value) / 4
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		n = len(value) / 8
	}
	return n
}

func packable(kind protoreflect.Kind) bool {
	switch kind {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind, protoreflect.GroupKind:
		return false
	}
	return true
}
