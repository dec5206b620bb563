package rpc

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"connectrpc.com/connect"

	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// rawPath takes a picture as it is: to most people it is a file. A POST becomes a call of
// Identify in JSON, so all that holds for that call holds here: rights, limits, the
// journal, the answer, the errors.
const rawPath = "/v1/identify"

// rawFields are the parameters of rawPath, and how each is said in JSON.
var rawFields = map[string]func(values []string, to *rawRequest) error{
	"group":   func(v []string, to *rawRequest) error { to.scope().Groups = v; return nil },
	"student": func(v []string, to *rawRequest) error { to.scope().StudentIDs = v; return nil },
	"model":   func(v []string, to *rawRequest) (err error) { to.Model, err = single(v); return err },
	"face": func(v []string, to *rawRequest) error {
		face, err := single(v)
		to.Face = "FACE_" + strings.ToUpper(face)
		if err == nil && face != "only" && face != "largest" {
			err = errors.New("is only or largest")
		}
		return err
	},
	"fpir": func(v []string, to *rawRequest) error {
		text, err := single(v)
		if err != nil {
			return err
		}
		if to.FPIR, err = strconv.ParseFloat(text, 64); err != nil {
			return errors.New("is a number")
		}
		return nil
	},
	"max_candidates": func(v []string, to *rawRequest) error {
		text, err := single(v)
		if err != nil {
			return err
		}
		if to.MaxCandidates, err = strconv.Atoi(text); err != nil {
			return errors.New("is a whole number")
		}
		return nil
	},
}

func single(values []string) (string, error) {
	if len(values) != 1 {
		return "", errors.New("is given once")
	}
	return values[0], nil
}

// rawRequest is what of an IdentifyRequest is not the image.
type rawRequest struct {
	Scope         *rawScope `json:"scope,omitempty"`
	Model         string    `json:"model,omitempty"`
	Face          string    `json:"face,omitempty"`
	FPIR          float64   `json:"fpir,omitempty"`
	MaxCandidates int       `json:"max_candidates,omitempty"`
}

type rawScope struct {
	Groups     []string `json:"groups,omitempty"`
	StudentIDs []string `json:"student_ids,omitempty"`
}

func (r *rawRequest) scope() *rawScope {
	if r.Scope == nil {
		r.Scope = new(rawScope)
	}
	return r.Scope
}

// rawIdentify turns a request of rawPath into one of Identify. Why says what is wrong with
// it; the request can then only be refused.
func rawIdentify(r *http.Request) (call *http.Request, why *refusal) {
	call = r.Clone(r.Context())
	call.URL = &url.URL{Path: rollcallv1connect.AttendanceServiceIdentifyProcedure}
	call.Header.Set("Content-Type", "application/json")
	if r.Method != http.MethodPost {
		return call, wrongMethod("address", "POST", ": curl sends one with --data-binary @face.jpg, or -F image=@face.jpg")
	}
	refuse := func(err *connect.Error) (*http.Request, *refusal) { return call, &refusal{Error: err} }
	if err := crossOrigin(r); err != nil { // a form of another site's page could send this
		return refuse(err)
	}
	if compression(r) != "" || r.Header.Get("Content-Encoding") != "" {
		return refuse(fieldError("INVALID_REQUEST", "image", "the picture is compressed once more: send the file as it is"))
	}
	query, wrong := url.ParseQuery(r.URL.RawQuery)
	if wrong != nil { // to leave out a part of the scope would be to ask about everybody
		return refuse(fieldError("INVALID_REQUEST", "query", "what follows the question mark cannot be read: parameters stand between &, and what is no letter or digit in them as %XX"))
	}
	tail, err := rawTail(query)
	if err != nil {
		return refuse(err)
	}
	kind, params, broken := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if broken == nil && kind == "application/json" {
		return refuse(newError(connect.CodeInvalidArgument, "UNSUPPORTED_MEDIA_TYPE", "this address takes a picture: curl --data-binary @face.jpg, or -F image=@face.jpg; JSON goes to "+call.URL.Path, nil))
	}
	raw := &rawBody{ReadCloser: r.Body, image: r.Body, tail: tail}
	call.Body, call.ContentLength = raw, -1
	if broken == nil && kind == "multipart/form-data" {
		raw.form, raw.image = multipart.NewReader(wire{r.Body, &raw.beside}, params["boundary"]), nil
	} else if r.ContentLength >= 0 {
		call.ContentLength = int64(len(rawHead)+len(tail)) + int64(base64.StdEncoding.EncodedLen(int(r.ContentLength)))
	}
	return call, nil
}

const rawHead = `{"image":"`

// rawTail returns what stands behind the image.
func rawTail(query url.Values) (string, *connect.Error) {
	var fields rawRequest
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		set := rawFields[name]
		if set == nil {
			return "", fieldError("INVALID_REQUEST", name, "there is no parameter of this name: there are group, student, model, face, fpir and max_candidates")
		}
		if err := set(query[name], &fields); err != nil {
			return "", fieldError("INVALID_REQUEST", name, name+" "+err.Error())
		}
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return "", fieldError("INVALID_REQUEST", "fpir", "fpir is a number from 0 to 0.5") // NaN, which JSON cannot say
	}
	if string(text) == "{}" {
		return `"}`, nil
	}
	return `",` + string(text[1:]), nil
}

// rawBody reads a picture as JSON. Read is for one goroutine at a time.
type rawBody struct {
	io.ReadCloser // what the client sends
	form          *multipart.Reader
	image         io.Reader // nil: the form's part is still to be found
	beside        int64     // bytes of the form that are not of the picture, or not yet
	tail          string

	begun, ended bool
	picture      [3 << 12]byte
	text         []byte // that waits to be read
}

// mostBeside is how much a form may hold beside the picture: names and boundaries. It is
// kept in memory, outside of the room that all bodies share.
const mostBeside = 64 << 10

// wire counts what it reads.
type wire struct {
	io.Reader
	beside *int64
}

// Read serves io.Reader.
func (w wire) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if *w.beside += int64(n); *w.beside > mostBeside {
		return 0, fieldError("INVALID_REQUEST", "image", "the form holds too much beside the picture: curl -F image=@face.jpg")
	}
	return n, err
}

// Read serves io.Reader.
func (b *rawBody) Read(p []byte) (int, error) {
	for len(b.text) == 0 {
		if b.ended {
			return 0, io.EOF
		}
		switch err := b.fill(); {
		case b.form != nil && errors.Is(err, io.ErrUnexpectedEOF):
			return 0, newError(connect.CodeInvalidArgument, "BROKEN_BODY", "the form ends in the middle: send it whole", nil)
		case err != nil:
			return 0, err
		}
	}
	n := copy(p, b.text)
	b.text = b.text[n:]
	return n, nil
}

// fill makes the next piece of text.
func (b *rawBody) fill() error {
	if !b.begun {
		b.begun, b.text = true, []byte(rawHead)
		return nil
	}
	if b.image == nil {
		if err := b.findPart(); err != nil {
			return err
		}
	}
	n, err := 0, error(nil)
	for n < len(b.picture) && err == nil { // whole threes, so that nothing is left over
		var more int
		more, err = b.image.Read(b.picture[n:])
		n += more
	}
	b.beside -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	b.text = base64.StdEncoding.AppendEncode(b.text[:0], b.picture[:n])
	if err != nil {
		b.text, b.ended = append(b.text, b.tail...), true
		return b.lastPart()
	}
	return nil
}

// findPart finds the picture in a form.
func (b *rawBody) findPart() error {
	part, err := b.form.NextPart()
	if errors.Is(err, io.EOF) {
		return fieldError("INVALID_REQUEST", "image", "the form has no part: curl -F image=@face.jpg")
	}
	if err != nil {
		return err
	}
	if part.FormName() != "image" {
		return fieldError("INVALID_REQUEST", "image", "the form has another part than image: curl -F image=@face.jpg, and what else is asked for in the address")
	}
	b.image = part
	return nil
}

// lastPart refuses a form that has more than the picture.
func (b *rawBody) lastPart() error {
	if b.form == nil {
		return nil
	}
	switch _, err := b.form.NextPart(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return fieldError("INVALID_REQUEST", "image", "the form has more than one part: send one picture at a time")
}
