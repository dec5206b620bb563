package rpc

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Requests of random content in the JSON that protojson writes, and in that which
// others write, are read as protojson reads them: the check in front lets all pass
// that is right.
func TestRandomRequestsAreReadAsProtojsonReadsThem(t *testing.T) {
	const seed = 23
	random := rand.New(rand.NewPCG(seed, 0))
	for _, path := range slices.Sorted(maps.Keys(methods())) {
		message := methods()[path].input
		if message == nil {
			continue
		}
		for range 300 {
			want := dynamicpb.NewMessage(message)
			fill(random, want)
			text, err := protojson.MarshalOptions{UseProtoNames: random.IntN(2) == 0, Multiline: random.IntN(2) == 0}.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			got := dynamicpb.NewMessage(message)
			if err := readJSON(bytes.Clone(text), got); err != nil || !proto.Equal(got, want) {
				t.Fatalf("seed %d: %s:\n%s\n%v\nread as %v", seed, message.Name(), text, err, got)
			}
			// Anything else: what protojson reads is read alike, what it refuses is
			// refused, and nothing panics. In base64 more is taken. Protojson reads some
			// numbers that are no JSON, such as 1e.
			broken := mutate(random, text)
			theirs, ours := dynamicpb.NewMessage(message), dynamicpb.NewMessage(message)
			theirErr, ourErr := protojson.Unmarshal(bytes.Clone(broken), theirs), readJSON(bytes.Clone(broken), ours)
			if theirErr == nil && json.Valid(broken) && (ourErr != nil || !proto.Equal(ours, theirs)) {
				t.Fatalf("seed %d: %s:\n%s\nprotojson reads %v, here it is %v (%v)", seed, message.Name(), broken, theirs, ours, ourErr)
			}
		}
	}
}

func mutate(random *rand.Rand, text []byte) []byte {
	out := bytes.Clone(text)
	for range 1 + random.IntN(3) {
		at := random.IntN(len(out))
		const alphabet = `{}[]",:\ntrue09.-eE+ /=_`
		switch random.IntN(3) {
		case 0:
			out[at] = alphabet[random.IntN(len(alphabet))]
		case 1:
			out = append(out[:at:at], out[at+1:]...)
		default:
			out = append(out[:at:at], append([]byte{alphabet[random.IntN(len(alphabet))]}, out[at:]...)...)
		}
		if len(out) == 0 {
			return []byte("{}")
		}
	}
	return out
}

// fill gives a message random content within its bounds.
func fill(random *rand.Rand, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		switch {
		case random.IntN(4) == 0:
		case field.IsList():
			list := m.Mutable(field).List()
			for range random.IntN(4) {
				list.Append(randomValue(random, field, list.NewElement))
			}
		default:
			m.Set(field, randomValue(random, field, func() protoreflect.Value { return m.NewField(field) }))
		}
	}
}

func randomValue(random *rand.Rand, field protoreflect.FieldDescriptor, empty func() protoreflect.Value) protoreflect.Value {
	texts := []string{"", "ada", `q"\`, "größe", "\u0007", "\U0001F600", "</script>"}
	switch field.Kind() {
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(random.Uint64() >> random.IntN(64))
	case protoreflect.MessageKind:
		v := empty()
		if field.Message().FullName() == timestamp {
			when := v.Message()
			when.Set(when.Descriptor().Fields().ByName("seconds"), protoreflect.ValueOfInt64(random.Int64N(1<<34)))
			when.Set(when.Descriptor().Fields().ByName("nanos"), protoreflect.ValueOfInt32(random.Int32N(1e9)))
			return v
		}
		fill(random, v.Message())
		return v
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(random.IntN(field.Enum().Values().Len() + 1)))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(texts[random.IntN(len(texts))])
	case protoreflect.BytesKind:
		b := make([]byte, random.IntN(50))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return protoreflect.ValueOfBytes(b)
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(random.IntN(2) == 0)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(random.Uint32()))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(random.Float32() * 1e6)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(random.NormFloat64() * 1e-9)
	}
	panic("no request has a field of the kind " + field.Kind().String() + ": teach jsonReader and this test")
}
