package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// jsonReader checks a request in JSON before protojson builds the message: its fields,
// their types, and the number of items. It says what is wrong and in which field;
// protojson would quote the value. It also limits lists, which protojson does not. Bytes
// may be written in every form of base64: it decodes them itself.
type jsonReader struct {
	text  []byte
	at    int
	path  []step       // to the value that is read
	found []foundBytes // in the order of the text
}

// step leads to a field or, where that is a list, to one of its items.
type step struct {
	field protoreflect.FieldDescriptor
	index int
}

// foundBytes are the bytes of a field, and the place of their base64 in the text.
type foundBytes struct {
	path     []step
	value    []byte
	from, to int
}

// rest returns the text with empty texts in the place of all bytes. It writes into the text.
func (r *jsonReader) rest() []byte {
	rest, from := r.text[:0], 0
	for _, b := range r.found {
		rest = append(rest, r.text[from:b.from]...)
		from = b.to
	}
	return append(rest, r.text[from:]...)
}

// set puts the bytes into the message that was made from the rest. No request has a list of bytes.
func (b foundBytes) set(m protoreflect.Message) {
	last := len(b.path) - 1
	for _, s := range b.path[:last] {
		if s.field.IsList() {
			m = m.Mutable(s.field).List().Get(s.index).Message()
		} else {
			m = m.Mutable(s.field).Message()
		}
	}
	m.Set(b.path[last].field, protoreflect.ValueOfBytes(b.value))
}

// request reads the whole text, which must be one message and nothing else.
func (r *jsonReader) request(message protoreflect.MessageDescriptor) error {
	r.blanks()
	if r.at == len(r.text) {
		return errors.New("the body is empty: send a JSON object, at least {}")
	}
	if r.text[r.at] != '{' {
		return fmt.Errorf("the request must be a JSON object, at least {}, but is %s", r.kind())
	}
	if err := r.message(message); err != nil {
		return err
	}
	if r.blanks(); r.at < len(r.text) {
		return r.broken("there is something after the end of the object")
	}
	return nil
}

// message reads an object.
// REQUIRES: the next byte is its brace.
func (r *jsonReader) message(message protoreflect.MessageDescriptor) error {
	seen := make([]protoreflect.FieldNumber, 0, 16) // no request has more fields
	return r.sequence('}', func(int) error {
		key, err := r.key()
		if err != nil {
			return err
		}
		field := fieldNamed(message, key)
		if field == nil {
			return unknownField(message, key)
		}
		name := string(field.Name())
		if slices.Contains(seen, field.Number()) {
			return &fieldProblem{name, "occurs twice"}
		}
		seen = append(seen, field.Number())
		r.path = append(r.path, step{field: field})
		defer func() { r.path = r.path[:len(r.path)-1] }()
		switch {
		case r.literal("null"):
			return nil // the same as a missing field
		case field.IsList():
			return within(name, r.list(field))
		}
		return within(name, r.value(field))
	})
}

// fieldNamed finds a field by its name in the .proto or its name in camel case.
func fieldNamed(message protoreflect.MessageDescriptor, key string) protoreflect.FieldDescriptor {
	if field := message.Fields().ByJSONName(key); field != nil {
		return field
	}
	return message.Fields().ByTextName(key)
}

// longestName is how long an unknown field's name may be to be repeated in an error. A
// client may send an image as a name, and no image may come into a log.
const longestName = 64

func unknownField(message protoreflect.MessageDescriptor, key string) error {
	names := make([]string, message.Fields().Len())
	for i := range names {
		names[i] = string(message.Fields().Get(i).Name())
	}
	has := "none"
	if len(names) > 0 {
		has = strings.Join(names, ", ")
	}
	if len(key) > longestName {
		return fmt.Errorf("a name of %d bytes is not a field of %s, which has these fields: %s", len(key), message.Name(), has)
	}
	return &fieldProblem{strings.ToValidUTF8(key, "?"), fmt.Sprintf("is not a field of %s, which has these fields: %s", message.Name(), has)}
}

// list reads a list in brackets.
func (r *jsonReader) list(field protoreflect.FieldDescriptor) error {
	bounds := boundsOf(field)
	if r.next() != '[' {
		return r.wrong("a list in brackets")
	}
	return r.sequence(']', func(i int) error {
		if i >= bounds.items {
			return bounds.tooMany()
		}
		r.path[len(r.path)-1].index = i
		if err := r.value(field); err != nil {
			return within(fmt.Sprintf("[%d]", i), err)
		}
		return nil
	})
}

// value reads the value of a field, or an item of its list. In the end only numbers are
// left, because no request has a map.
func (r *jsonReader) value(field protoreflect.FieldDescriptor) error {
	switch first := r.next(); field.Kind() {
	case protoreflect.MessageKind:
		if field.Message().FullName() == timestampName {
			return r.timestamp()
		}
		if first != '{' {
			return r.wrong("an object in braces")
		}
		return r.message(field.Message())
	case protoreflect.StringKind:
		if first != '"' {
			return r.wrong("a text in quotes")
		}
		text, err := r.quoted()
		// An escape takes at most six bytes for one byte of its meaning.
		if most := boundsOf(field).bytes; err == nil && most > 0 && len(text) > 6*most {
			return boundsOf(field).tooLong()
		}
		return err
	case protoreflect.BytesKind:
		if first != '"' {
			return r.wrong("base64 in quotes")
		}
		return r.base64(boundsOf(field))
	case protoreflect.BoolKind:
		if !r.literal("true") && !r.literal("false") {
			return r.wrong("true or false")
		}
		return nil
	case protoreflect.EnumKind:
		if first == '"' {
			return r.enum(field.Enum())
		}
		return r.number(protoreflect.Int32Kind)
	}
	return r.number(field.Kind())
}

var timestampName = (*timestamppb.Timestamp)(nil).ProtoReflect().Descriptor().FullName()

func (r *jsonReader) timestamp() error {
	const must = "a time in quotes, such as \"2026-11-26T08:00:00Z\""
	if r.next() != '"' {
		return r.wrong(must)
	}
	text, err := r.quoted()
	if err != nil {
		return err
	}
	if _, err := time.Parse(time.RFC3339Nano, string(text)); err != nil && !bytes.Contains(text, []byte(`\`)) {
		return &fieldProblem{what: "must be " + must}
	}
	return nil
}

// enum reads the name of a value.
func (r *jsonReader) enum(enum protoreflect.EnumDescriptor) error {
	text, err := r.quoted()
	if err != nil || enum.Values().ByName(protoreflect.Name(text)) != nil || bytes.Contains(text, []byte(`\`)) {
		return err
	}
	names := make([]string, enum.Values().Len())
	for i := range names {
		names[i] = string(enum.Values().Get(i).Name())
	}
	return &fieldProblem{what: "must be one of " + strings.Join(names, ", ")}
}

// whole are the kinds of whole numbers, each with its least and greatest value.
var whole = map[protoreflect.Kind][2]float64{
	protoreflect.Int32Kind:  {math.MinInt32, math.MaxInt32},
	protoreflect.Uint32Kind: {0, math.MaxUint32},
	protoreflect.Int64Kind:  {math.MinInt64, math.MaxInt64},
	protoreflect.Uint64Kind: {0, math.MaxUint64},
}

// number reads a number, which may be in quotes.
func (r *jsonReader) number(kind protoreflect.Kind) error {
	bounds, isWhole := whole[kind]
	must := "a number"
	if isWhole {
		must = fmt.Sprintf("a whole number from %.0f to %.0f", bounds[0], bounds[1])
	}
	var text []byte
	switch c := r.next(); {
	case c == '"':
		var err error
		if text, err = r.quoted(); err != nil {
			return err
		}
	case c == '-' || c >= '0' && c <= '9':
		text = r.word()
	default:
		return r.wrong(must)
	}
	bits := 64
	if kind == protoreflect.FloatKind {
		bits = 32
	}
	v, err := strconv.ParseFloat(string(text), bits)
	if err != nil || isWhole && (v != math.Trunc(v) || v < bounds[0] || v > bounds[1]) {
		return &fieldProblem{what: "must be " + must}
	}
	return nil
}

// key reads a field's name and the colon after it.
func (r *jsonReader) key() (string, error) {
	if r.next() != '"' {
		return "", r.broken("a field's name in quotes is missing")
	}
	raw, err := r.quoted()
	if err != nil {
		return "", err
	}
	name := string(raw)
	if strings.Contains(name, `\`) {
		if err := json.Unmarshal([]byte(`"`+name+`"`), &name); err != nil {
			return "", r.broken("a field's name has an unknown escape")
		}
	}
	if r.blanks(); r.next() != ':' {
		return "", r.broken("a colon is missing")
	}
	r.at++
	r.blanks()
	return name, nil
}

// sequence reads from an opening bracket to the closing one. It calls each to read an
// item.
func (r *jsonReader) sequence(end byte, each func(i int) error) error {
	r.at++
	if r.blanks(); r.next() == end {
		r.at++
		return nil
	}
	for i := 0; ; i++ {
		if err := each(i); err != nil {
			return err
		}
		r.blanks()
		switch r.next() {
		case end:
			r.at++
			return nil
		case ',':
			r.at++
			r.blanks()
		default:
			return r.broken("a comma or " + string(end) + " is missing")
		}
	}
}

// quoted reads a text and returns what is between its quotes, with its escapes.
// REQUIRES: the next byte is its quote.
func (r *jsonReader) quoted() ([]byte, error) {
	start := r.at + 1
	for i := start; ; {
		n := bytes.IndexByte(r.text[i:], '"')
		if n < 0 {
			return nil, r.broken("the closing quote of a text is missing")
		}
		i += n + 1
		if escapes := len(r.text[start:i-1]) - len(bytes.TrimRight(r.text[start:i-1], `\`)); escapes%2 == 0 {
			r.at = i
			return r.text[start : i-1], nil
		}
	}
}

// word reads a value without quotes: a number, true, false or null.
func (r *jsonReader) word() []byte {
	start := r.at
	for r.at < len(r.text) && !strings.ContainsRune(" \t\r\n,:]}[{\"", rune(r.text[r.at])) {
		r.at++
	}
	return r.text[start:r.at]
}

// literal reads this word if it comes next, and says whether it did.
func (r *jsonReader) literal(word string) bool {
	start := r.at
	if string(r.word()) == word {
		return true
	}
	r.at = start
	return false
}

func (r *jsonReader) blanks() {
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
}

// next is the next byte to read; 0: none is left.
func (r *jsonReader) next() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

// kind says what comes next.
func (r *jsonReader) kind() string {
	switch r.next() {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a text"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return "a number"
	}
	return "no JSON"
}

// wrong says what must come next, and what comes instead.
func (r *jsonReader) wrong(must string) error {
	if r.at == len(r.text) {
		return r.broken("it ends too soon")
	}
	return &fieldProblem{what: "must be " + must + ", but is " + r.kind()}
}

// broken says where the text is not JSON.
func (r *jsonReader) broken(what string) error {
	before := r.text[:r.at]
	line := bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("the request is not valid JSON, at line %d column %d: %s", line+1, column, what)
}
