package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	"rollcall/cmd/terminal"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/rpc"
)

// enrolment is the result of a whole enroll.
type enrolment struct {
	Crops     int             `json:"crops"`    // files to enrol, and folders that cannot be read
	Enrolled  int             `json:"enrolled"` // now on disk
	Replaced  int             `json:"replaced"` // of these, those that replaced an older one
	Students  int             `json:"students"`
	Unknown   int             `json:"unknown,omitempty"`   // sent, but the connection broke before the answer
	Corrected []string        `json:"corrected,omitempty"` // kept with the student of an earlier correction
	Alike     []likeness      `json:"alike,omitempty"`     // enrolled, though they resemble another student
	Failed    []fileFailure   `json:"failed,omitempty"`
	FewCrops  int             `json:"few_crops,omitempty"` // of the students, those with fewer crops than are good
	students  map[string]int  // how many crops each has now
	done      map[string]bool // crops that are answered or cannot be read
}

// likeness is a crop that resembles another student's.
type likeness struct {
	Crop       string  `json:"crop"`
	Student    string  `json:"student"`
	Other      string  `json:"other"` // that student's crop
	Similarity float32 `json:"similarity"`
}

// enrollPatiently enrols the files. If the server refuses a stream for the moment, it sends what is
// not answered through another one, when the server says. It gives up once nothing was answered for
// --timeout.
func (e *enrolment) enrollPatiently(ctx context.Context, c console, o enrollOptions, files []cropFile) (err error) {
	for more := true; more; {
		before := len(e.done)
		err = patience(o.timeout).patiently(ctx, func() error { return e.enroll(ctx, c, o, files) })
		_, told := rpc.RetryDelay(err)
		more = told && len(e.done) > before
	}
	return err
}

// enroll sends the files that are not done through one EnrollStream. Another goroutine reads and sends; this one
// takes the answers. If the sending ends early, for example by an interrupt, enroll still waits
// for the answers to what was sent: otherwise nobody would know what is stored.
func (e *enrolment) enroll(ctx context.Context, c console, o enrollOptions, files []cropFile) error {
	calling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	sending, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(o.timeout, cancel) })()
	watcher := c.err
	if o.output.JSON() && !terminal.Attended(c.err) {
		watcher = io.Discard
	}
	progress := terminal.NewMeter(watcher, "enrolling", "crops")
	defer progress.End()
	stream, err := o.streaming().EnrollStream(calling)
	if err != nil {
		return err
	}
	sent := make(chan sendResult, 1)
	left := slices.DeleteFunc(slices.Clone(files), func(f cropFile) bool { return e.done[f.crop] })
	go func() { sent <- sendCrops(sending, stream, o, left) }()

	var failed error // the first problem that ends the stream
	answers := 0
	for {
		resp, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			failed = errors.Join(failed, err)
			cancel()
			break
		}
		answers++
		progress.Add(len(files))
		if err := e.take(resp); err != nil && failed == nil {
			failed = err
			stop()
		}
	}
	outcome := <-sent
	e.Unknown = outcome.sent - answers
	e.Failed = append(e.Failed, outcome.unread...)
	for _, f := range outcome.unread {
		e.done[f.File] = true
	}
	e.FewCrops = 0
	slices.SortFunc(e.Failed, func(a, b fileFailure) int { return strings.Compare(a.File, b.File) })
	e.Students = len(e.students)
	for _, crops := range e.students {
		if crops < gallery.EnoughCrops {
			e.FewCrops++
		}
	}
	if failed != nil {
		return failed
	}
	return errors.Join(outcome.err, stream.CloseResponse())
}

// sendResult is the result of the sending.
type sendResult struct {
	sent   int
	unread []fileFailure // files that could not be read here
	err    error
}

// sendCrops reads and sends the files until ctx is done. Flow control slows it to the server's
// pace, so few crops are in memory at a time.
func sendCrops(ctx context.Context, stream *connect.BidiStreamForClientSimple[pb.EnrollStreamRequest, pb.EnrollStreamResponse], o enrollOptions, files []cropFile) (out sendResult) {
	defer func() { out.err = errors.Join(out.err, stream.CloseRequest()) }()
	for _, f := range files {
		image, err := o.face.read(ctx, f.path)
		if ctx.Err() != nil {
			return out
		}
		if err != nil {
			out.unread = append(out.unread, unreadable(f.crop, err))
			continue
		}
		groups := o.groups
		if f.group != "" {
			groups = append(slices.Clone(groups), f.group)
		}
		err = stream.Send(&pb.EnrollStreamRequest{Crop: &pb.EmbedRequest{
			Image:          image,
			CropId:         f.crop,
			StudentId:      f.student,
			Groups:         groups,
			Model:          o.model,
			Face:           o.face.face,
			AllowDuplicate: o.duplicates,
			AllowUnlike:    o.unlike,
		}})
		if errors.Is(err, io.EOF) {
			return out // the server ended the stream: Receive says why
		}
		if err != nil {
			out.err = err
			return out
		}
		out.sent++
	}
	return out
}

// take notes one answer. It returns an error for a problem that every crop would have, such as a
// missing model: to go on would only repeat it.
func (e *enrolment) take(resp *pb.EnrollStreamResponse) error {
	e.done[resp.GetCropId()] = true
	if p := resp.GetProblem(); p != nil {
		message := withFlagNames(p.GetMessage())
		code := exitFailure
		switch {
		case p.GetReason() == "NO_CONSENT": // of this student
		case p.GetCode() == "unavailable":
			code = exitUnavailable
			fallthrough
		case slices.Contains([]string{"failed_precondition", "unauthenticated", "permission_denied"}, p.GetCode()):
			return &exitError{code, fmt.Errorf("stopped at %s: %s (%s)", resp.GetCropId(), message, p.GetCode())}
		}
		e.Failed = append(e.Failed, fileFailure{File: resp.GetCropId(), Code: p.GetCode(), Reason: p.GetReason(), Message: message})
		return nil
	}
	e.Enrolled++
	e.students[resp.GetEmbedded().GetStudentId()] = int(resp.GetEmbedded().GetStudentCrops())
	if resp.GetEmbedded().GetReplaced() {
		e.Replaced++
	}
	if resp.GetEmbedded().GetCorrected() {
		e.Corrected = append(e.Corrected, resp.GetCropId())
	}
	if other := resp.GetEmbedded().GetResembles(); other != nil {
		e.Alike = append(e.Alike, likeness{resp.GetCropId(), other.GetStudentId(), other.GetCropId(), other.GetSimilarity()})
	}
	return nil
}

// print prints the result: as lines for people, or as one JSON object for programs.
func (e *enrolment) print(c console, output terminal.Output) error {
	if output.JSON() {
		return terminal.PrintJSON(c.out, e)
	}
	fmt.Fprintf(c.out, "%d of %s enrolled (%d replaced), %s\n", e.Enrolled, count(e.Crops, "crop"), e.Replaced, count(e.Students, "student"))
	if e.Unknown > 0 {
		fmt.Fprintf(c.out, "  %s more may be stored: the connection broke before the server answered; enrol again: what is stored is replaced\n", count(e.Unknown, "crop"))
	}
	for _, crop := range e.Corrected {
		terminal.Printf(c.out, "  %s: stays with the student to whom a correction gave it\n", crop)
	}
	for _, l := range e.Alike {
		terminal.Printf(c.out, "  %s: looks like student %s (similarity %.3f, crop %s): one person under two ids, or siblings? look at both\n", l.Crop, l.Student, l.Similarity, l.Other)
	}
	if e.FewCrops > 0 {
		fmt.Fprintf(c.out, "  %s with fewer than %d crops: with %[2]d a quarter as many probes are missed as with one, with five a seventh\n", count(e.FewCrops, "student"), gallery.EnoughCrops)
	}
	for _, f := range e.Failed {
		terminal.Printf(c.out, "  %s: %s (%s)\n", f.File, f.Message, f.Code)
	}
	return nil
}
