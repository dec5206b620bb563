package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"rollcall/access"
	"rollcall/access/journal"
	"rollcall/embedder"
	"rollcall/embedder/align"
	"rollcall/embedder/picture"
	"rollcall/gallery"
	"rollcall/models"
)

// errorDomain is ErrorInfo.domain of every error of this server.
const errorDomain = "rollcall"

// failure is what the *connect.Errors of this package wrap. The log and the counters
// take the reason from it.
type failure struct {
	reason   string            // ErrorInfo.reason: upper case, stable
	field    string            // the wrong one of an invalid_argument; "": none
	metadata map[string]string // ErrorInfo.metadata
	message  string            // for the client
	internal error             // for the log alone
}

// Error is the client's message.
func (f *failure) Error() string { return f.message }

// newError makes an error with its ErrorInfo.
func newError(code connect.Code, reason, message string, metadata map[string]string, details ...proto.Message) *connect.Error {
	err := connect.NewError(code, &failure{reason: reason, metadata: metadata, message: message})
	info := &errdetails.ErrorInfo{Reason: reason, Domain: errorDomain, Metadata: metadata}
	for _, d := range append([]proto.Message{info}, details...) {
		detail, derr := connect.NewErrorDetail(d)
		if derr != nil { // only for a message that does not marshal
			slog.Error("an error detail does not marshal", "error", derr)
			continue
		}
		err.AddDetail(detail)
	}
	return err
}

// fieldError is an invalid_argument that names the wrong field.
func fieldError(reason, field, message string) *connect.Error {
	return badField(reason, field, message, nil)
}

// Validate says what is wrong with a request, as the server would, or returns nil. It is for
// who does in the data folder what the server does for a call.
func Validate(req proto.Message) error {
	if _, err := proto.Marshal(req); err != nil {
		return errors.New("a text is not UTF-8")
	}
	err := validate(req)
	var invalid *connect.Error
	if errors.As(err, &invalid) {
		return errors.New(invalid.Message())
	}
	return err
}

// validate checks a request with the rules in its .proto.
func validate(msg any) error {
	m, ok := msg.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is not a protobuf message", msg)
	}
	if err := unreadable(m); err != nil {
		return err
	}
	// The first violation is enough: a list of all was a thousand times as large as
	// the request.
	err := protovalidate.Validate(m, protovalidate.WithFailFast())
	var invalid *protovalidate.ValidationError
	if !errors.As(err, &invalid) {
		return err // nil, or rules that do not compile: internal
	}
	bad := new(errdetails.BadRequest)
	var lines []string
	for _, v := range invalid.Violations {
		field := protovalidate.FieldPathString(v.Proto.GetField())
		what := v.Proto.GetMessage()
		if v.Proto.GetRuleId() == "string.pattern" {
			// The rule's own message is a regular expression.
			what = "must not hold control characters"
			if strings.HasSuffix(field, "model") {
				what = "must be a model's name: lower case letters, digits and hyphens (see ListModels)"
			}
		}
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: field, Description: what})
		if field != "" {
			what = field + ": " + what
		}
		lines = append(lines, what)
	}
	return newError(connect.CodeInvalidArgument, "INVALID_REQUEST", strings.Join(lines, "; "), nil, bad)
}

// rule gives an error of the packages below its code.
type rule struct {
	is     error
	code   connect.Code
	reason string
	field  string // of the request; "" when no single field is wrong
}

// rules are tried in order with errors.Is. The errors' own messages are
// written for clients: what happened, and what to do.
var rules = []rule{
	{picture.ErrEmpty, connect.CodeInvalidArgument, "EMPTY_IMAGE", "image"},
	{picture.ErrTooManyBytes, connect.CodeInvalidArgument, "IMAGE_TOO_LARGE", "image"},
	{picture.ErrTooManyPixels, connect.CodeInvalidArgument, "IMAGE_TOO_LARGE", "image"},
	{picture.ErrNotImage, connect.CodeInvalidArgument, "NOT_AN_IMAGE", "image"},
	{picture.ErrBroken, connect.CodeInvalidArgument, "BROKEN_IMAGE", "image"},
	{align.ErrDegenerate, connect.CodeInvalidArgument, "BAD_LANDMARKS", "landmarks"},
	{embedder.ErrLandmarks, connect.CodeInvalidArgument, "BAD_LANDMARKS", "landmarks"},
	{embedder.ErrBox, connect.CodeInvalidArgument, "BAD_BOX", "box"},
	{embedder.ErrWrongKind, connect.CodeFailedPrecondition, "UNKNOWN_MODEL", "model"},
	{gallery.ErrInvalidFPIR, connect.CodeInvalidArgument, "INVALID_FPIR", "fpir"},
	{gallery.ErrInvalidConsent, connect.CodeInvalidArgument, "INVALID_CONSENT", ""},
	{gallery.ErrInvalidSettings, connect.CodeInvalidArgument, "INVALID_SETTINGS", ""},
	{access.ErrInvalid, connect.CodeUnauthenticated, "INVALID_TOKEN", ""},
	{access.ErrExpired, connect.CodeUnauthenticated, "EXPIRED_TOKEN", ""},
	{access.ErrRevoked, connect.CodeUnauthenticated, "REVOKED_TOKEN", ""},
	{access.ErrInvalidCode, connect.CodeUnauthenticated, "INVALID_CODE", ""},
	{access.ErrNotFound, connect.CodeNotFound, "TOKEN_NOT_FOUND", "token_id"},
	{access.ErrUnavailable, connect.CodeUnavailable, "TOKENS_UNAVAILABLE", ""},
	{gallery.ErrGalleryNotFound, connect.CodeNotFound, "GALLERY_NOT_FOUND", ""},
	{gallery.ErrDamaged, connect.CodeFailedPrecondition, "GALLERY_DAMAGED", ""},
	{gallery.ErrGalleryExists, connect.CodeAlreadyExists, "GALLERY_EXISTS", ""},
	{gallery.ErrDefaultGallery, connect.CodeFailedPrecondition, "DEFAULT_GALLERY", ""},
	{journal.ErrNoGallery, connect.CodeNotFound, "GALLERY_NOT_FOUND", ""},
	{gallery.ErrInvalidID, connect.CodeInvalidArgument, "INVALID_ID", ""},
	{models.ErrUnknownModel, connect.CodeFailedPrecondition, "UNKNOWN_MODEL", "model"},
	{models.ErrNoneInstalled, connect.CodeFailedPrecondition, "MODEL_NOT_INSTALLED", "model"},
	{models.ErrNotInstalled, connect.CodeFailedPrecondition, "MODEL_NOT_INSTALLED", "model"},
	{models.ErrDamaged, connect.CodeFailedPrecondition, "MODEL_BROKEN", "model"},
	{models.ErrDigestMismatch, connect.CodeFailedPrecondition, "MODEL_CHANGED", "model"},
	{gallery.ErrStudentNotFound, connect.CodeNotFound, "STUDENT_NOT_FOUND", "student_id"},
	{gallery.ErrCropNotFound, connect.CodeNotFound, "CROP_NOT_FOUND", "crop_id"},
	{gallery.ErrErased, connect.CodeFailedPrecondition, "ERASED", ""},
	{gallery.ErrInvalidVector, connect.CodeInvalidArgument, "INVALID_VECTOR", ""},
	{gallery.ErrSameStudent, connect.CodeInvalidArgument, "SAME_STUDENT", "into_student_id"},
	{gallery.ErrChangeNotFound, connect.CodeNotFound, "CHANGE_NOT_FOUND", "change"},
	{gallery.ErrNotUndoable, connect.CodeFailedPrecondition, "NOT_UNDOABLE", "change"},
	{gallery.ErrEmptyScope, connect.CodeNotFound, "EMPTY_SCOPE", "scope"},
	{gallery.ErrNoEmbedding, connect.CodeFailedPrecondition, "NO_EMBEDDING", "crop_id"},
	{gallery.ErrReadOnly, connect.CodeUnavailable, "READ_ONLY", ""},
	{gallery.ErrUnavailable, connect.CodeUnavailable, "GALLERY_UNAVAILABLE", ""},
}

// translate is the one place where an error becomes a code. An unknown error is
// internal: the client gets the request id, and the log gets the cause.
func translate(ctx context.Context, err error) *connect.Error {
	if end := tokenEnd(ctx); end != nil && errors.Is(err, context.Canceled) {
		err = end
	}
	var done *connect.Error
	for e := err; errors.As(e, &done); e = done.Unwrap() {
		if _, ours := done.Unwrap().(*failure); ours {
			return done
		}
	}
	if errors.As(err, &done) {
		return ofConnect(done)
	}
	var full *embedder.QueueFullError
	var duplicate *gallery.DuplicateError
	var apart *gallery.UnlikeError
	var refused *gallery.NoConsentError
	var digest *gallery.DigestError
	var moved *gallery.StudentChangedError
	var newer *gallery.NewerChangeError
	var request *access.RequestError
	var many *tooManyCrops
	var trimmed *journal.TrimmedError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return newError(connect.CodeDeadlineExceeded, "DEADLINE_EXCEEDED", "the call took longer than its deadline: retry; if this happens often, the server is overloaded", nil)
	case errors.Is(err, context.Canceled):
		return newError(connect.CodeCanceled, "CANCELED", "the caller gave up", nil)
	case errors.Is(err, gallery.ErrClosed), errors.Is(err, embedder.ErrClosed):
		return draining()
	case errors.As(err, &full):
		return busy("QUEUE_FULL", "too many crops are waiting", full.RetryAfter)
	case errors.As(err, &many):
		return busy("TOO_MANY_CROPS", "this token, or this address, sends too many crops a minute", many.retryAfter)
	case errors.Is(err, gallery.ErrBackupRunning):
		return busy("BACKUP_RUNNING", "another backup is being made", backupRetryAfter)
	case errors.As(err, &request):
		return fieldError("INVALID_REQUEST", request.Field, request.What)
	case errors.As(err, &duplicate):
		return newError(connect.CodeAlreadyExists, "DUPLICATE_FACE", duplicate.Error()+": correct the student, or set allow_duplicate for twins",
			map[string]string{"student_id": duplicate.StudentID})
	case errors.As(err, &refused):
		return newError(connect.CodeFailedPrecondition, "NO_CONSENT", refused.Error(),
			map[string]string{"student_id": refused.StudentID, "consent": string(refused.State)})
	case errors.As(err, &moved):
		return newError(connect.CodeFailedPrecondition, "STUDENT_CHANGED", moved.Error()+": look at the crop again",
			map[string]string{"student_id": moved.StudentID})
	case errors.As(err, &newer):
		return newError(connect.CodeFailedPrecondition, "NEWER_CHANGE", newer.Error(),
			map[string]string{"change": strconv.FormatUint(newer.Seq, 10), "cause": newer.Cause})
	case errors.As(err, &apart):
		return unlike(apart)
	case errors.As(err, &trimmed):
		return newError(connect.CodeOutOfRange, "TRIMMED", fmt.Sprintf("the lines up to %d were deleted, because they are older than the gallery keeps them: begin after %d", trimmed.After, trimmed.After),
			map[string]string{"after": fmt.Sprint(trimmed.After)})
	case errors.Is(err, journal.ErrTrimmed):
		return newError(connect.CodeOutOfRange, "NO_SUCH_LINE", "the journal has no line with this number: begin after the number of a line that it has, or after 0", nil)
	case errors.As(err, &digest):
		return newError(connect.CodeFailedPrecondition, "OTHER_MODEL_FILE", digest.Error(),
			map[string]string{"model": digest.Model, "gallery_digest": digest.Have, "server_digest": digest.Want})
	}
	if errors.Is(err, embedder.ErrModel) {
		// ONNX Runtime's messages name places in its source code: they are for the log.
		return internally(err, newError(connect.CodeFailedPrecondition, "MODEL_BROKEN",
			"the model cannot be used: its file does not do what its contract says; \"rollcall models verify\" on the server tells more", nil))
	}
	for _, r := range rules {
		if !errors.Is(err, r.is) {
			continue
		}
		if r.code == connect.CodeInvalidArgument && r.field != "" {
			return fieldError(r.reason, r.field, err.Error())
		}
		return newError(r.code, r.reason, err.Error(), nil)
	}
	return internally(err, newError(connect.CodeInternal, "INTERNAL", internalMessage(recordOf(ctx)), nil))
}

// ofConnect gives its reason to an error that Connect itself made, in a stream.
func ofConnect(e *connect.Error) *connect.Error {
	switch e.Code() {
	case connect.CodeResourceExhausted:
		return onePhoto.exceeded()
	case connect.CodeInternal: // so it calls what a client has framed wrongly
		return brokenEnvelope()
	}
	return newError(e.Code(), "INVALID_REQUEST", e.Message(), nil)
}

// internally gives an error its cause, for the log alone.
func internally(cause error, e *connect.Error) *connect.Error {
	var f *failure
	if errors.As(e, &f) {
		f.internal = cause
	}
	return e
}

func internalMessage(r *callRecord) string {
	return fmt.Sprintf("something went wrong in the server: look in its log for request id %s", r.id)
}
