package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

// enrollOptions are the flags of enroll.
type enrollOptions struct {
	clientOptions
	student, crop string
	groups        []string
	model         string
	duplicates    bool
}

func enrollCommand() command {
	var o enrollOptions
	return command{
		name:  "enroll",
		args:  "FILE|FOLDER",
		short: "enrol one crop, or a folder with a folder of crops for each student",
		long: `Enrols one crop of --student, or a folder:

  crops/STUDENT/any-name.jpg

The crop's id is STUDENT/any-name.jpg; enrolling it again replaces it. A bad file
does not stop the others: it is listed at the end, and the exit code is 4.`,
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&o.student, "student", "", "whose face it is; for a single file")
			set.StringVar(&o.crop, "crop", "", "the crop's id; for a single file; empty: STUDENT/FILE")
			set.StringArrayVar(&o.groups, "group", nil, "add the students to this group; may be repeated")
			set.StringVar(&o.model, "model", "", "the model; empty: the server's default")
			set.BoolVar(&o.duplicates, "allow-duplicate", false, "enrol even where another student looks the same (twins)")
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 1 {
				return usageError("enroll needs one file or folder: rollcall enroll crops/")
			}
			return runEnroll(ctx, c, o, args[0])
		},
	}
}

// cropFile is a file and what it is to be enrolled as.
type cropFile struct{ path, crop, student string }

func runEnroll(ctx context.Context, c console, o enrollOptions, path string) error {
	if err := o.validate(); err != nil {
		return err
	}
	files, err := cropFiles(o, path)
	if err != nil {
		return err
	}
	result, err := enrollAll(ctx, c, o, files)
	// What was enrolled before a failure is enrolled: say it in any case.
	if perr := printEnrolled(c, o, result); perr != nil {
		return errors.Join(err, perr)
	}
	if err != nil {
		return callError(o.server, err)
	}
	if len(result.Failed) > 0 {
		return &exitError{exitSome, fmt.Errorf("%d of %d crops were not enrolled", len(result.Failed), len(files))}
	}
	return nil
}

// cropFiles lists what is to be enrolled.
func cropFiles(o enrollOptions, path string) ([]cropFile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		if o.student != "" || o.crop != "" {
			return nil, usageError("--student and --crop are for a single file; in a folder, the folders' names are the students")
		}
		return folderFiles(path)
	}
	if o.student == "" {
		return nil, usageError("whose face is it? give --student, or a folder with a folder for each student")
	}
	crop := o.crop
	if crop == "" {
		crop = o.student + "/" + filepath.Base(path)
	}
	return []cropFile{{path, crop, o.student}}, nil
}

// folderFiles lists FOLDER/STUDENT/FILE, leaving out dot files.
func folderFiles(folder string) ([]cropFile, error) {
	var files []cropFile
	var stray []string
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == folder {
			return nil
		}
		if strings.HasPrefix(entry.Name(), ".") {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		student, _, ok := strings.Cut(rel, "/")
		if !ok {
			stray = append(stray, rel)
			return nil
		}
		files = append(files, cropFile{path, rel, student})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no crops: put each student's into a folder of the student's id, %s/STUDENT/any-name.jpg (files beside the folders: %d)", folder, folder, len(stray))
	}
	return files, nil
}

// enrolment is the result of a whole enroll.
type enrolment struct {
	Crops     int          `json:"crops"`    // files given
	Enrolled  int          `json:"enrolled"` // now on disk
	Replaced  int          `json:"replaced"` // of these, there before
	Students  int          `json:"students"`
	Corrected []string     `json:"corrected,omitempty"` // kept by an earlier correction
	Failed    []failedCrop `json:"failed,omitempty"`
	students  map[string]bool
}

// failedCrop is a file that was not enrolled, and why.
type failedCrop struct {
	File    string `json:"file"`
	Code    string `json:"code"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message"`
}

// enrollAll sends the files through one EnrollStream: a goroutine reads and
// sends, this one takes the answers.
func enrollAll(ctx context.Context, c console, o enrollOptions, files []cropFile) (*enrolment, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	result := &enrolment{Crops: len(files), students: make(map[string]bool)}
	watcher := c.err
	if o.output.JSON() && !terminal.Attended(c.err) {
		watcher = io.Discard
	}
	progress := terminal.NewMeter(watcher, "enrolling", "crops")
	defer progress.End()
	stream, err := o.streaming().EnrollStream(ctx)
	if err != nil {
		return result, err
	}
	sent := make(chan sendResult, 1)
	go func() { sent <- sendCrops(stream, o, files) }()

	for {
		resp, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			cancel()
			<-sent
			return result, err
		}
		progress.Add(len(files))
		if err := result.take(resp); err != nil {
			cancel()
			<-sent
			return result, err
		}
	}
	outcome := <-sent
	result.Failed = append(result.Failed, outcome.unread...)
	slices.SortFunc(result.Failed, func(a, b failedCrop) int { return strings.Compare(a.File, b.File) })
	result.Students = len(result.students)
	return result, errors.Join(outcome.err, stream.CloseResponse())
}

// sendResult is what became of the sending half.
type sendResult struct {
	unread []failedCrop // files that could not be read here
	err    error
}

// sendCrops reads and sends the files; flow control slows it to the server's
// pace, so that few crops are in memory at a time.
func sendCrops(stream *connect.BidiStreamForClientSimple[pb.EnrollStreamRequest, pb.EnrollStreamResponse], o enrollOptions, files []cropFile) (out sendResult) {
	defer func() { out.err = errors.Join(out.err, stream.CloseRequest()) }()
	for _, f := range files {
		image, err := readCrop(f.path)
		if err != nil {
			out.unread = append(out.unread, failedCrop{File: f.crop, Code: "unreadable", Message: err.Error()})
			continue
		}
		err = stream.Send(&pb.EnrollStreamRequest{Crop: &pb.EmbedRequest{
			Image:          image,
			CropId:         f.crop,
			StudentId:      f.student,
			Groups:         o.groups,
			Model:          o.model,
			AllowDuplicate: o.duplicates,
		}})
		if errors.Is(err, io.EOF) {
			return out // the server ended the stream: Receive says why
		}
		if err != nil {
			out.err = err
			return out
		}
	}
	return out
}

// take notes one answer. The error is a problem that every crop would meet, such
// as a missing model: going on would only repeat it.
func (e *enrolment) take(resp *pb.EnrollStreamResponse) error {
	if p := resp.GetProblem(); p != nil {
		switch p.GetCode() {
		case "failed_precondition", "unavailable", "unauthenticated", "permission_denied":
			return fmt.Errorf("stopped at %s: %s (%s)", resp.GetCropId(), p.GetMessage(), p.GetCode())
		}
		e.Failed = append(e.Failed, failedCrop{File: resp.GetCropId(), Code: p.GetCode(), Reason: p.GetReason(), Message: p.GetMessage()})
		return nil
	}
	e.Enrolled++
	e.students[resp.GetEmbedded().GetStudentId()] = true
	if resp.GetEmbedded().GetReplaced() {
		e.Replaced++
	}
	if resp.GetEmbedded().GetCorrected() {
		e.Corrected = append(e.Corrected, resp.GetCropId())
	}
	return nil
}

func printEnrolled(c console, o enrollOptions, e *enrolment) error {
	if o.output.JSON() {
		return terminal.PrintJSON(c.out, e)
	}
	fmt.Fprintf(c.out, "%d of %d crops enrolled (%d replaced), %d students\n", e.Enrolled, e.Crops, e.Replaced, e.Students)
	for _, crop := range e.Corrected {
		fmt.Fprintf(c.out, "  %s: kept with the student that a correction gave it to\n", crop)
	}
	for _, f := range e.Failed {
		fmt.Fprintf(c.out, "  %s: %s (%s)\n", f.File, f.Message, f.Code)
	}
	return nil
}
