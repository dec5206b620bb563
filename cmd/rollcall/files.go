package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"unicode/utf8"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"rollcall/cmd/terminal"
)

// fileCalls asks the server about several files. ask returns the errors of its call unchanged; show
// prints an answer for people.
type fileCalls[M proto.Message] struct {
	ask  func(file string) (M, error)
	show func(file string, answer M) error
}

// each asks about each file and prints the answers: one line of JSON for each file, or what
// show prints. If one file fails, each prints its name and error and goes on with the others; the
// exit code says so in the end. An error that every file would have ends each at once.
func (f fileCalls[M]) each(ctx context.Context, c console, o *clientOptions, files []string) error {
	failed := false
	for i, file := range files {
		answer, err := f.ask(file)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && o.output.JSON():
			err = printFileJSON(c.out, file, answer)
		case err == nil:
			err = f.show(file, answer)
		default:
			if o.output.JSON() {
				if err := json.NewEncoder(c.out).Encode(failureOf(file, err)); err != nil {
					return err
				}
			}
			said := fileError(file, callError(o.server, err))
			if wire := new(connect.Error); errors.As(err, &wire) && stopsAll(wire.Code()) {
				if left := len(files) - i - 1; left > 0 {
					said = fmt.Errorf("%w; stopped before %s", said, count(left, "other file"))
				}
				return said
			}
			if len(files) == 1 {
				return said
			}
			failed = true
			printError(c.err, said)
			continue
		}
		if err != nil {
			return err
		}
	}
	if failed {
		return &exitError{code: exitFailure}
	}
	return nil
}

// stopsAll reports whether every other file would have the same error.
func stopsAll(code connect.Code) bool {
	switch code {
	case connect.CodeUnavailable, connect.CodeResourceExhausted, // no server, or one that is busy
		connect.CodeFailedPrecondition, connect.CodeNotFound, // the model, the scope
		connect.CodeUnauthenticated, connect.CodePermissionDenied, connect.CodeUnimplemented:
		return true
	}
	return false
}

// printFileJSON prints a response as one line of JSON. The first field is "file".
func printFileJSON(out io.Writer, file string, m proto.Message) error {
	answer, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return err
	}
	name, err := json.Marshal(utf8Name(file))
	if err != nil {
		return err
	}
	line := bytes.NewBuffer(append([]byte(`{"file":`), name...))
	if proto.Size(m) > 0 {
		line.WriteByte(',')
	}
	var fields bytes.Buffer
	if err := json.Compact(&fields, answer); err != nil { // protojson puts blanks in at random
		return err
	}
	line.Write(fields.Bytes()[len("{"):])
	line.WriteByte('\n')
	_, err = line.WriteTo(out)
	return err
}

// fileFailure is a file that could not be used, and why.
type fileFailure struct {
	File    string `json:"file"`
	Code    string `json:"code"` // a code of the contract, or "unreadable"
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message"`
}

// unreadable is a file that was not sent to the server.
func unreadable(file string, err error) fileFailure {
	return fileFailure{File: utf8Name(file), Code: "unreadable", Message: withoutPath(err).Error()}
}

// failureOf turns an error of the call, or of reading the file, into a fileFailure.
func failureOf(file string, err error) fileFailure {
	var answer *connect.Error
	if !errors.As(err, &answer) {
		return unreadable(file, err)
	}
	f := fileFailure{File: utf8Name(file), Code: answer.Code().String(), Message: withFlagNames(answer.Message())}
	for _, detail := range answer.Details() {
		if value, err := detail.Value(); err == nil {
			if info, ok := value.(*errdetails.ErrorInfo); ok {
				f.Reason = info.GetReason()
			}
		}
	}
	return f
}

// fileError puts the name of the file before an error, and only once.
func fileError(file string, err error) error {
	return fmt.Errorf("%s: %w", file, withoutPath(err))
}

// withoutPath removes the name of the file from an error, because it is already named.
func withoutPath(err error) error {
	if path, ok := err.(*fs.PathError); ok {
		return path.Err
	}
	return err
}

// utf8Name returns a name as JSON can hold it.
func utf8Name(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	return terminal.Escape(name)
}

// readImage reads an image file or a pipe, but no more than the server would take.
func readImage(ctx context.Context, file string, most int64, advice string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// Reading a pipe may wait long: an interrupt ends it.
	defer context.AfterFunc(ctx, func() { f.Close() })()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errors.New("it is a folder, not an image")
	}
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, err
	case len(b) == 0:
		return nil, errors.New("it is empty")
	case int64(len(b)) > most:
		return nil, fmt.Errorf("it has more than the allowed %d bytes: %s", most, advice)
	}
	return b, nil
}

const (
	// maxCropBytes is what the contract allows a crop to have.
	maxCropBytes = 8 << 20
	// maxPhotoBytes is what the contract allows a photo to have.
	maxPhotoBytes = 16 << 20
)

func readCrop(ctx context.Context, file string) ([]byte, error) {
	return readImage(ctx, file, maxCropBytes, "cut the face out")
}

func readPhoto(ctx context.Context, file string) ([]byte, error) {
	return readImage(ctx, file, maxPhotoBytes, "save it in a lower quality")
}
