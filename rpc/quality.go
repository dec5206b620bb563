package rpc

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"rollcall/embedder"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

// A complaint says what is wrong with a crop that cannot be judged, and what to do.
type complaint struct {
	wrong  string
	figure string // of a shortfall: what was measured, and the limit
	do     string
}

var complaints = map[embedder.Reason]complaint{
	embedder.NoFace:     {wrong: "no face was found", do: "send a crop with one whole face and some space around it, or its landmarks"},
	embedder.TooSmall:   {"the face is too small", "%.1f pixels, at least %g are needed", "use a picture with more pixels"},
	embedder.TooDark:    {"the face is too dark", "brightness %.2f, at least %g is needed", "use a picture with more light"},
	embedder.TooBright:  {"the face is too bright", "brightness %.2f, at most %g is allowed", "use a picture with less light"},
	embedder.TooBlurred: {"the face is too blurred", "sharpness %.1f, at least %g is needed", "use a sharper picture"},
	embedder.LowQuality: {"the picture is too poor to recognise somebody by", "score %.2f, at least %g is needed",
		"use a picture of the whole face, sharp, straight from the front and in even light"},
	embedder.SeveralFaces: {wrong: "there are several faces", do: "send a crop of one of them, or send the landmarks of the right one"},
	embedder.NotUpright: {wrong: "the face is not turned as the landmarks say, or it is unclear how it is turned",
		do: "send an upright picture, or leave the landmarks out"},
	embedder.Distorted: {wrong: "the landmarks fit no face, or they fit a stretched face",
		do: "send the picture in its own proportions, with the landmarks in its pixels and in the order left eye, right eye, nose, left and right corner of the mouth, or leave the landmarks out"},
}

// say says what is wrong, with the figures of the shortfall where there is one.
func say(r embedder.Reason, shortfalls []embedder.Shortfall) string {
	c := complaints[r]
	for _, s := range shortfalls {
		if s.Reason == r {
			return fmt.Sprintf("%s (%s): %s", c.wrong, fmt.Sprintf(c.figure, s.Measured, s.Limit), c.do)
		}
	}
	return c.wrong + ": " + c.do
}

// unusable refuses to store a crop that cannot be judged. Its metadata are the figures
// of the first shortfall.
func unusable(q embedder.Quality) error {
	said := make([]string, len(q.Reasons))
	for i, r := range q.Reasons {
		said[i] = say(r, q.Shortfalls)
	}
	metadata := map[string]string{"score": decimal(q.Score)}
	for _, s := range q.Shortfalls {
		if s.Reason == q.Reasons[0] {
			metadata["measured"], metadata["limit"] = decimal(s.Measured), decimal(s.Limit)
		}
	}
	return badField(string(q.Reasons[0]), "image", strings.Join(said, "; "), metadata)
}

// unlike refuses a crop that is unlike the student's other ones.
func unlike(e *gallery.UnlikeError) *connect.Error {
	metadata := map[string]string{"measured": decimal(e.Similarity), "limit": decimal(e.Limit)}
	if e.StudentID != "" {
		metadata["student_id"] = e.StudentID
	}
	return badField("UNLIKE_STUDENT", "student_id",
		e.Error()+": correct the student, or look whether an earlier crop is wrong, or set allow_unlike if all is right", metadata)
}

// badField is fieldError with figures for programs.
func badField(reason, field, message string, metadata map[string]string) *connect.Error {
	err := newError(connect.CodeInvalidArgument, reason, message, metadata, &errdetails.BadRequest{
		FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: field, Description: message}},
	})
	var f *failure
	if errors.As(err, &f) {
		f.field = field
	}
	return err
}

func decimal(v float32) string { return strconv.FormatFloat(float64(v), 'g', 4, 32) }

func qualityPB(q embedder.Quality) *pb.Quality {
	out := storedQualityPB(storedQuality(q))
	out.Reasons, out.Turned, out.Stretched = reasonsPB(q.Reasons), int32(q.Turned), q.Stretched
	for _, s := range q.Shortfalls {
		out.Shortfalls = append(out.Shortfalls, &pb.Shortfall{
			Reason: reasonsPB([]embedder.Reason{s.Reason})[0], Measured: s.Measured, Limit: s.Limit, Message: say(s.Reason, q.Shortfalls),
		})
	}
	return out
}

// storedQuality is what the gallery keeps of a quality. It has no reasons, because a
// crop with reasons is never stored.
func storedQuality(q embedder.Quality) gallery.Quality {
	return gallery.Quality{
		Score:        q.Score,
		LocatorScore: q.LocatorScore,
		EyeDistance:  q.EyeDistance,
		Brightness:   q.Brightness,
		Contrast:     q.Contrast,
		Sharpness:    q.Sharpness,
		Yaw:          q.Pose.Yaw,
		Pitch:        q.Pose.Pitch,
		Roll:         q.Pose.Roll,
		Residual:     q.Residual,
		Width:        q.Width,
		Height:       q.Height,
	}
}

// storedQualityPB is the quality of a stored crop.
func storedQualityPB(q gallery.Quality) *pb.Quality {
	return &pb.Quality{
		Score:        q.Score,
		LocatorScore: q.LocatorScore,
		EyeDistance:  q.EyeDistance,
		Brightness:   q.Brightness,
		Contrast:     q.Contrast,
		Sharpness:    q.Sharpness,
		Yaw:          q.Yaw,
		Pitch:        q.Pitch,
		Roll:         q.Roll,
		Residual:     q.Residual,
		Width:        int32(q.Width),
		Height:       int32(q.Height),
	}
}
