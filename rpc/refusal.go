package rpc

import (
	"encoding/base64"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"connectrpc.com/connect"
)

// refusal says why a request is not read.
type refusal struct {
	*connect.Error
	status int // of the answer in JSON; 0: the status of the error's code
	header map[string]string
}

// refused returns why a call is not read, or nil. Connect would refuse such calls too,
// but without a message. refused also removes the parameters of the request's media
// type, so that all ways to write it mean the same.
func (s *Server) refused(r *http.Request, m method) *refusal {
	var why *refusal
	if r.Method == http.MethodGet && m.get {
		why = refusedGet(r)
	} else {
		why = refusedPost(r, m)
	}
	if why != nil {
		return why
	}
	if err := s.unavailable(); err != nil {
		return &refusal{Error: err}
	}
	switch {
	case r.ContentLength > m.limit.bytes+envelopeBytes:
		return &refusal{Error: m.limit.exceeded()}
	}
	if why := refusedHeader(r); why != nil {
		return why
	}
	return s.refusedCrop(r, m)
}

// leftUnread is the longest body that net/http reads and drops after an answer. Over HTTP/1.1 the
// connection is closed on a client that still sends a longer one, and the client may not see why.
const leftUnread = 256 << 10

// refusedCrop refuses a crop before it is read if there is no room for it in the queue. Under overload most
// calls are refused, and to read and decode them first took time from those that are answered.
func (s *Server) refusedCrop(r *http.Request, m method) *refusal {
	if !m.queues || r.ProtoMajor < 2 && (r.ContentLength < 0 || r.ContentLength > leftUnread) {
		return nil
	}
	if err := s.open.Load().api.Embedder.QueueFull(callerOf(r.Context()).Token); err != nil {
		return &refusal{Error: translate(r.Context(), err)}
	}
	return nil
}

func refusedPost(r *http.Request, m method) *refusal {
	if r.Method != http.MethodPost {
		allow := http.MethodPost
		if m.get {
			allow = "GET, POST"
		}
		return wrongMethod("call", allow, ": curl sends a POST with --json '{…}'")
	}
	kind, why := plainMediaType(r.Header.Get("Content-Type"), m)
	if why != nil {
		return why
	}
	r.Header.Set("Content-Type", kind)
	if m.stream && r.ProtoMajor < 2 {
		return &refusal{
			Error:  newError(connect.CodeUnimplemented, "NEEDS_HTTP2", "a stream in both directions needs HTTP/2: use a generated client over HTTP/2 (h2c without TLS), or call Embed for one crop at a time", nil),
			status: http.StatusHTTPVersionNotSupported,
			header: map[string]string{"Connection": "close"},
		}
	}
	return nil
}

// refusedGet makes plain what a GET says of its encoding, and its base64.
func refusedGet(r *http.Request) *refusal {
	const inAddress = "?connect=v1&encoding=json&message={…}, with the message escaped"
	query := r.URL.Query()
	kind, why := plainMediaType("application/"+query.Get("encoding"), method{})
	switch {
	case !query.Has("message") || r.ContentLength != 0:
		return &refusal{Error: newError(connect.CodeInvalidArgument, "INVALID_REQUEST", "a GET has its request in the address, and no body: "+inAddress, nil)}
	case why != nil:
		return &refusal{
			Error:  newError(connect.CodeInvalidArgument, "UNSUPPORTED_MEDIA_TYPE", "the encoding of a GET must be json or proto, in UTF-8: "+inAddress, nil),
			status: http.StatusUnsupportedMediaType,
		}
	}
	query.Set("encoding", strings.TrimPrefix(kind, "application/"))
	if query.Get("base64") == "1" {
		message, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(query.Get("message"), "="))
		if err != nil {
			return &refusal{Error: newError(connect.CodeInvalidArgument, "INVALID_REQUEST", "the message is not base64 in the alphabet for addresses (- and _): write it so, or leave out base64=1", nil)}
		}
		query.Set("message", base64.RawURLEncoding.EncodeToString(message))
	}
	r.URL.RawQuery = query.Encode()
	return nil
}

var (
	// unaryKinds and streamKinds are the media types of calls, without parameters.
	unaryKinds  = append([]string{"application/json", "application/proto"}, grpcKinds...)
	streamKinds = append([]string{"application/connect+json", "application/connect+proto"}, grpcKinds...)
	grpcKinds   = []string{
		"application/grpc", "application/grpc+proto", "application/grpc+json",
		"application/grpc-web", "application/grpc-web+proto", "application/grpc-web+json",
	}
)

// plainMediaType returns a media type without its parameters. They change nothing, but a
// character set other than UTF-8 is refused.
func plainMediaType(sent string, m method) (string, *refusal) {
	kind, parameters, _ := mime.ParseMediaType(sent)
	kinds, send := unaryKinds, "application/json with a JSON object (curl does with --json '{…}', not with -d alone)"
	if m.stream || m.answers {
		kinds, send = streamKinds, "application/grpc or application/connect+json, as generated clients do"
	}
	problem := ""
	switch charset := strings.ToLower(parameters["charset"]); {
	case sent == "":
		problem = "the request has no Content-Type"
	case !slices.Contains(kinds, kind):
		problem = "this call does not take the Content-Type of the request"
	case !slices.Contains([]string{"", "utf-8", "utf8", "us-ascii"}, charset):
		problem, send = "the request is in a character set that is not UTF-8", kind+" in UTF-8"
	default:
		return kind, nil
	}
	return "", &refusal{
		Error:  newError(connect.CodeInvalidArgument, "UNSUPPORTED_MEDIA_TYPE", problem+": send "+send, nil),
		status: http.StatusUnsupportedMediaType,
		header: map[string]string{"Accept-Post": strings.Join(kinds, ", ")},
	}
}

// refusedHeader checks the headers that Connect reads.
func refusedHeader(r *http.Request) *refusal {
	invalid := func(what string) *refusal {
		return &refusal{Error: newError(connect.CodeInvalidArgument, "INVALID_HEADER", what, nil)}
	}
	for _, version := range []string{r.Header.Get("Connect-Protocol-Version"), strings.TrimPrefix(r.URL.Query().Get("connect"), "v")} {
		if version != "" && version != "1" {
			return invalid("this server speaks version 1 of Connect's protocol: send Connect-Protocol-Version: 1, or leave it out")
		}
	}
	if timeout := r.Header.Get("Connect-Timeout-Ms"); timeout != "" {
		if _, err := strconv.ParseUint(timeout, 10, 64); err != nil || len(timeout) > 10 {
			return invalid("Connect-Timeout-Ms must be a whole number of milliseconds of at most 10 digits")
		}
	}
	if name := compression(r); name != "" && name != "gzip" {
		return &refusal{Error: newError(connect.CodeUnimplemented, "UNSUPPORTED_COMPRESSION",
			"this server reads only gzip and uncompressed requests: send one of these", nil)}
	}
	return nil
}

// compression is the compression that a request names for its messages; "": none.
func compression(r *http.Request) string {
	kind := r.Header.Get("Content-Type")
	header := "Content-Encoding"
	switch {
	case r.Method == http.MethodGet:
		return strings.TrimSuffix(r.URL.Query().Get("compression"), "identity")
	case strings.HasPrefix(kind, "application/grpc"):
		header = "Grpc-Encoding"
	case strings.HasPrefix(kind, "application/connect+"):
		header = "Connect-Content-Encoding"
	}
	return strings.TrimSuffix(r.Header.Get(header), "identity")
}

// unknownPath refuses a path that is neither a call nor a page.
func unknownPath() *refusal {
	return &refusal{
		Error:  newError(connect.CodeUnimplemented, "UNKNOWN_PROCEDURE", "there is nothing at this path: a call is POST /rollcall.v1.SERVICE/METHOD, such as /rollcall.v1.AttendanceService/Identify; the pages are /livez, /readyz and /metrics", nil),
		status: http.StatusNotFound,
	}
}

// tooManyBytes refuses a request for which there is no memory now.
func tooManyBytes() *connect.Error {
	return busy("TOO_MANY_BYTES", "there is no memory for this request beside those that are being read, of this caller or of all", bytesRetryAfter)
}

// wrongMethod refuses all methods for what is at a path, a page say, but those of a list.
func wrongMethod(what, allow, advice string) *refusal {
	return &refusal{
		Error:  newError(connect.CodeUnimplemented, "METHOD_NOT_ALLOWED", "this "+what+" takes "+strings.ReplaceAll(allow, ", ", " or ")+advice, nil),
		status: http.StatusMethodNotAllowed,
		header: map[string]string{"Allow": allow},
	}
}
