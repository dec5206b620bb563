package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"rollcall/cmd/terminal"
)

// The exit codes, which scripts rely on; help.go explains them to people.
const (
	exitOK          = 0
	exitFailure     = 1   // what was asked for failed
	exitUsage       = 2   // the command line is wrong
	exitNoMatch     = 3   // identify: a probe is no MATCH
	exitSome        = 4   // enroll: some crops were not enrolled
	exitUnavailable = 5   // the server cannot be reached or takes no calls now
	exitInterrupted = 130 // as shells say it of SIGINT
)

// exitError is an error with an exit code. Without err nothing is printed:
// what there is to say has been said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usageError(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// callError says what a failed call means for the person at the terminal.
func callError(server string, err error) error {
	if err == nil {
		return nil
	}
	var answer *connect.Error
	if !errors.As(err, &answer) {
		return err
	}
	if !connect.IsWireError(answer) {
		switch answer.Code() {
		case connect.CodeCanceled:
			return context.Canceled
		case connect.CodeInternal:
			if errors.Is(err, proto.Error) { // the request cannot be written
				return usageError("a name on the command line is not UTF-8")
			}
		case connect.CodeUnavailable:
			return &exitError{exitUnavailable, fmt.Errorf("no server answers at %s: start one with \"rollcall serve\", or name it with --server (%s)", server, answer.Message())}
		case connect.CodeDeadlineExceeded:
			return &exitError{exitUnavailable, fmt.Errorf("the server at %s has not answered in time: try again, or allow more with --timeout", server)}
		}
	}
	code := exitFailure
	if answer.Code() == connect.CodeUnavailable || answer.Code() == connect.CodeResourceExhausted {
		code = exitUnavailable
	}
	return &exitError{code, fmt.Errorf("%s (%s)", withFlagNames(answer.Message()), answer.Code())}
}

// flagNames is what the command line calls the fields of the contract that the server's
// messages name.
var flagNames = map[string]string{
	"allow_duplicate": "--allow-duplicate",
	"max_candidates":  "--candidates",
	"least_size":      "--least-size",
	"student_id":      "student",
	"student_ids":     "students",
	"crop_id":         "crop",
}

// quotedOrField finds what may be the name of a field, and passes over what is quoted: an id.
var quotedOrField = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[a-z]+(?:_[a-z]+)+`)

// withFlagNames returns a message of the server for the person at the terminal, who knows
// flags and not fields.
func withFlagNames(message string) string {
	return quotedOrField.ReplaceAllStringFunc(message, func(found string) string {
		if name, ok := flagNames[found]; ok {
			return name
		}
		return found
	})
}

// printError prints an error. Its lines stay lines; nothing else in it steers the terminal.
func printError(out io.Writer, err error) {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		lines[i] = terminal.Escape(line)
	}
	fmt.Fprintf(out, "rollcall: %s\n", strings.Join(lines, "\n"))
}
