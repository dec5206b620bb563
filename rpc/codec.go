package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// codecs replace all codecs of Connect. Connect's JSON codec ignores unknown fields, and
// is registered a second time under the media type that many clients send. None of
// Connect's codecs limits how much memory a small body takes once it is read.
func codecs(keepErrors bool) connect.HandlerOption {
	return connect.WithHandlerOptions(
		connect.WithCodec(codec{name: "proto", read: readProto, write: proto.Marshal, keepErrors: keepErrors}),
		connect.WithCodec(codec{name: "json", read: readJSON, write: writeJSON, keepErrors: keepErrors}),
		connect.WithCodec(codec{name: "json; charset=utf-8", read: readJSON, write: writeJSON, keepErrors: keepErrors}),
	)
}

// codec is one way to write messages.
type codec struct {
	name  string
	read  func([]byte, proto.Message) error // fails with a *fieldProblem, or another error if it is about no field
	write func(proto.Message) ([]byte, error)
	// keepErrors passes a message that cannot be read on to the interceptor, which
	// returns the error: Connect would remove the error's details.
	keepErrors bool
}

// Name serves connect.Codec.
func (c codec) Name() string { return c.name }

// Marshal serves connect.Codec.
func (c codec) Marshal(v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is not a protobuf message", v)
	}
	return c.write(m)
}

// Unmarshal serves connect.Codec.
func (c codec) Unmarshal(b []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is not a protobuf message", v)
	}
	err := c.read(b, m)
	if err == nil || !c.keepErrors {
		return err
	}
	return markUnreadable(m, err)
}

// unreadableField is the number of a field that is set in an unreadable message. It
// holds a google.rpc.BadRequest.FieldViolation that says what is wrong. No client can
// send it: readProto discards unknown fields.
const unreadableField = protowire.MaxValidNumber

func markUnreadable(m proto.Message, cause error) error {
	violation := &errdetails.BadRequest_FieldViolation{Description: cause.Error()}
	var problem *fieldProblem
	if errors.As(cause, &problem) {
		violation.Field = problem.field
	}
	b, err := proto.Marshal(violation)
	if err != nil {
		return err
	}
	proto.Reset(m)
	m.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, unreadableField, protowire.BytesType), b))
	return nil
}

// unreadable returns why a message could not be read, or nil if it could.
func unreadable(m proto.Message) error {
	unknown := m.ProtoReflect().GetUnknown()
	if len(unknown) == 0 {
		return nil
	}
	_, _, n := protowire.ConsumeTag(unknown)
	b, _ := protowire.ConsumeBytes(unknown[max(n, 0):])
	var violation errdetails.BadRequest_FieldViolation
	if err := proto.Unmarshal(b, &violation); err != nil {
		return err
	}
	if violation.GetField() == "" {
		return newError(connect.CodeInvalidArgument, "INVALID_REQUEST", violation.GetDescription(), nil)
	}
	return fieldError("INVALID_REQUEST", violation.GetField(), violation.GetDescription())
}

// fieldProblem is what is wrong with one field of a request. It never holds the value,
// which may be the image.
type fieldProblem struct {
	field string // such as "probes[3].image"; "" until within sets it
	what  string // follows the field's name: "is not base64"
}

// Error is for the client.
func (p *fieldProblem) Error() string { return p.field + " " + p.what }

// within adds the name of a field to a problem that is in this field, or in a message
// that this field holds.
func within(field string, err error) error {
	var p *fieldProblem
	if errors.As(err, &p) {
		if p.field != "" && p.field[0] != '[' {
			field += "."
		}
		p.field = field + p.field
	}
	return err
}

func readProto(b []byte, m proto.Message) error {
	if err := new(tally).count(m.ProtoReflect().Descriptor(), b); err != nil {
		return err
	}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, m); err != nil {
		return fmt.Errorf("the request is not a %s in protobuf's binary form, or it has a text that is not UTF-8", m.ProtoReflect().Descriptor().Name())
	}
	return nil
}

// writeJSON uses the field names of the .proto, as this project's documents do. Clients
// in all languages accept them as well as camel case.
func writeJSON(m proto.Message) ([]byte, error) {
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

// readJSON refuses a field that the message does not have: ignoring a misspelt
// "scope" would identify among everybody. It writes into b. The mark that Windows puts
// at the beginning of a text in UTF-8 is passed over.
func readJSON(b []byte, m proto.Message) error {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	r := jsonReader{text: b}
	if err := r.request(m.ProtoReflect().Descriptor()); err != nil {
		return err
	}
	if err := protojson.Unmarshal(r.rest(), m); err != nil {
		return describeJSONError(err, len(r.found) > 0)
	}
	for _, found := range r.found {
		found.set(m.ProtoReflect())
	}
	return nil
}

var jsonPlace = regexp.MustCompile(`\(line (\d+):(\d+)\)`)

// describeJSONError says where protojson found an error that jsonReader lets pass: a
// text that is not UTF-8, or an unknown escape. protojson's own words may hold the
// value, and do not know the right place if something was taken out of the text.
func describeJSONError(err error, shortened bool) error {
	if p := jsonPlace.FindStringSubmatch(err.Error()); p != nil && !shortened {
		return fmt.Errorf("the request is not valid JSON, at line %s column %s", p[1], p[2])
	}
	return errors.New("the request is not valid JSON: a text is not UTF-8, or has an escape that JSON does not know")
}
