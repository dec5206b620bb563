package rpc

import (
	"fmt"
	"sync"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// mostItems is how many items a list or map of a request may have if its rules in the
// .proto do not say.
const mostItems = 1000

// bounds limit what one field of a request may hold. They are checked before a
// message is built: an empty item takes two bytes in a request, a hundredth of a byte
// in a compressed one, and a hundred bytes in memory.
type bounds struct {
	items int // of a list or map
	bytes int // of each text or bytes value; 0: only the request's limit holds
}

var knownBounds sync.Map // protoreflect.FullName -> bounds

// boundsOf returns the bounds that the rules in the .proto give a field.
func boundsOf(field protoreflect.FieldDescriptor) bounds {
	if known, ok := knownBounds.Load(field.FullName()); ok {
		return known.(bounds)
	}
	b := bounds{items: mostItems}
	// The error can be ignored: rules that do not resolve do not compile either, and
	// Server.compileRules reports them.
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
	return &fieldProblem{what: fmt.Sprintf("is longer than the allowed %d bytes", b.bytes)}
}

func (b bounds) tooMany() error {
	return &fieldProblem{what: fmt.Sprintf("has more than the allowed %d items", b.items)}
}

// tally counts the items of one message in protobuf's binary form. If a field for one
// message holds several, protobuf merges them and their lists grow: so the counts go on
// too.
type tally struct {
	items  map[protoreflect.FieldNumber]int
	merged map[protoreflect.FieldNumber]*tally
}

// count returns a *fieldProblem for the first field that is beyond its bounds. It lets
// pass what is not protobuf, because reading that fails anyway.
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

// inner returns the tally of a message in a field; each item of a list has a new one.
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

// itemsOf returns how many items of a list one value holds: several if it is packed
// numbers.
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
