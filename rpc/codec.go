package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// jsonCodec is Connect's JSON with three differences. It writes the fields by
// their names in the .proto, as this project's documents do. A field that the message
// does not have is an error: ignoring a misspelt "scope" would identify among
// everybody. And an error never repeats the value that was wrong: it may be
// the image.
type jsonCodec struct{}

func (jsonCodec) Name() string { return "json" }

// Marshal gives fields the names of the .proto, which clients of all languages
// accept beside the camel case.
func (jsonCodec) Marshal(v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is not a protobuf message", v)
	}
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer // protojson varies its spaces on purpose
	if err := json.Compact(&out, b); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// MarshalStable is for GET requests, whose addresses caches compare.
func (c jsonCodec) MarshalStable(v any) ([]byte, error) { return c.Marshal(v) }

// IsBinary says that this codec's GET messages need no base64.
func (jsonCodec) IsBinary() bool { return false }

func (jsonCodec) Unmarshal(b []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is not a protobuf message", v)
	}
	if len(b) == 0 {
		return errors.New("the body is empty: send a JSON object, {} at least")
	}
	if err := protojson.Unmarshal(b, m); err != nil {
		return describeJSONError(err, m)
	}
	return nil
}

var (
	jsonPlace   = regexp.MustCompile(`\(line (\d+):(\d+)\)`)
	jsonUnknown = regexp.MustCompile(`unknown field "([A-Za-z0-9_.\-]{1,64})"`)
	jsonInvalid = regexp.MustCompile(`invalid value for (\w+) (?:field|type)`)
)

// describeJSONError says what is wrong and where, in words of our own.
func describeJSONError(err error, m proto.Message) error {
	text := err.Error()
	name := m.ProtoReflect().Descriptor().Name()
	what := "is not valid JSON"
	if f := jsonUnknown.FindStringSubmatch(text); f != nil {
		what = fmt.Sprintf("has no field %q", f[1])
	} else if t := jsonInvalid.FindStringSubmatch(text); t != nil {
		what = "has a value that its field cannot take, of type " + t[1]
		if t[1] == "bytes" {
			what = "has an image that is not base64 (make it with: base64 -w0 FILE)"
		}
	}
	if p := jsonPlace.FindStringSubmatch(text); p != nil {
		return fmt.Errorf("the request (%s) %s, at line %s column %s", name, what, p[1], p[2])
	}
	return fmt.Errorf("the request (%s) %s", name, what)
}
