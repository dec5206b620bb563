package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

// maxFrames is what the contract allows.
const maxFrames = 10

// runBurst asks about all files at once: they are frames of one person.
func runBurst(ctx context.Context, c console, o identifyOptions, files []string) error {
	if len(files) > maxFrames {
		return usageError("identify --burst takes at most %d files, and there are %d", maxFrames, len(files))
	}
	req := &pb.IdentifyBurstRequest{
		Scope: &pb.Scope{Groups: o.groups, StudentIds: o.students},
		Model: o.model, Fpir: o.fpir, MaxCandidates: o.candidates,
	}
	for _, file := range files {
		image, err := readCrop(ctx, file)
		if err != nil {
			return fileError(file, err)
		}
		req.Frames = append(req.Frames, &pb.BurstFrame{Image: image, Face: o.face.face})
	}
	resp, err := o.attendance().IdentifyBurst(ctx, req)
	if err != nil {
		file := frameFile(files, err)
		if err = callError(o.server, err); file != "" {
			return fileError(file, err)
		}
		return err
	}
	if o.output.JSON() {
		err = printMessage(c.out, resp)
	} else {
		err = printBurst(c, files, resp)
	}
	if err == nil && resp.GetVerdict() != pb.Verdict_VERDICT_MATCH {
		return &exitError{code: exitNoMatch}
	}
	return err
}

// frameFile returns the file of the frame that an answer is about; "" if it is about none.
func frameFile(files []string, err error) string {
	var answer *connect.Error
	if !errors.As(err, &answer) {
		return ""
	}
	for _, detail := range answer.Details() {
		value, _ := detail.Value()
		bad, _ := value.(*errdetails.BadRequest)
		for _, violation := range bad.GetFieldViolations() {
			var at int
			if n, _ := fmt.Sscanf(violation.GetField(), "frames[%d]", &at); n == 1 && at < len(files) {
				return files[at]
			}
		}
	}
	return ""
}

func printBurst(c console, files []string, resp *pb.IdentifyBurstResponse) error {
	counted := 0
	for _, f := range resp.GetFrames() {
		if f.GetCounted() {
			counted++
		}
	}
	fmt.Fprintf(c.out, "%d of %s  %s", counted, count(len(files), "frame"), strings.TrimPrefix(resp.GetVerdict().String(), "VERDICT_"))
	if resp.GetStudentId() != "" {
		terminal.Printf(c.out, "  %s", resp.GetStudentId())
	}
	if resp.GetVerdict() != pb.Verdict_VERDICT_UNUSABLE {
		fmt.Fprintf(c.out, "  similarity %.3f, threshold %.3f, %s in scope",
			resp.GetSimilarity(), resp.GetThreshold(), count(int(resp.GetStudentsInScope()), "student"))
	}
	printWhy(c.out, resp)
	for i, f := range resp.GetFrames() {
		if !f.GetCounted() {
			terminal.Printf(c.out, "    %s does not count: %s\n", files[i], reasonsText(f.GetReasons()))
		}
	}
	return printCandidates(c.out, resp.GetCandidates())
}
