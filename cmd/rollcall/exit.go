package main

import (
	"context"
	"crypto/tls"
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
	exitNoMatch     = 3   // identify, verify: a probe is no MATCH
	exitSome        = 4   // enroll, import: something was left out
	exitUnavailable = 5   // the server cannot be reached or is busy
	exitInterrupted = 130 // the code that shells use for SIGINT
)

// exitError is an error with an exit code. If err is nil nothing is printed: the command
// has already said everything.
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

// brokeOff is for what Connect calls canceled or internal without an answer of the server: a
// connection that broke, or an answer in no protocol that it knows.
func brokeOff(server string, err *connect.Error) error {
	return &exitError{exitUnavailable, fmt.Errorf("the connection to the server at %s broke, or something else answers there: look whether it still runs (%s)", server, err.Message())}
}

// callError says what a failed call means to the person at the terminal.
func callError(server string, err error) error {
	if err == nil {
		return nil
	}
	var answer *connect.Error
	if !errors.As(err, &answer) {
		return err
	}
	if errors.Is(err, errSpeaksTLS) {
		return usageError("the server at %s speaks TLS: write https:// in --server, and give --ca with the file of its authority", server)
	}
	if !connect.IsWireError(answer) {
		switch answer.Code() {
		case connect.CodeCanceled:
			if errors.Is(err, context.Canceled) {
				return context.Canceled
			}
			return brokeOff(server, answer)
		case connect.CodeInternal:
			if errors.Is(err, proto.Error) { // the request cannot be written
				return usageError("a name on the command line is not UTF-8")
			}
			return brokeOff(server, answer)
		case connect.CodeUnavailable:
			if why := new(tls.CertificateVerificationError); errors.As(err, &why) {
				return &exitError{exitFailure, fmt.Errorf("the server at %s is not trusted, and was asked nothing: give --ca with the file of its authority, and call it by a name that its certificate is for (%w)", server, why)}
			}
			return &exitError{exitUnavailable, fmt.Errorf("no server answers at %s: start one with \"rollcall serve\", or give its address with --server (%s)", server, answer.Message())}
		case connect.CodeDeadlineExceeded:
			return &exitError{exitUnavailable, fmt.Errorf("the server at %s has not answered in time: try again, or give it more time with --timeout", server)}
		}
	}
	code := exitFailure
	if answer.Code() == connect.CodeUnavailable || answer.Code() == connect.CodeResourceExhausted {
		code = exitUnavailable
	}
	return &exitError{code, fmt.Errorf("%s (%s)", withFlagNames(answer.Message()), answer.Code())}
}

// flagNames are the names that the command line has for fields of the contract. The server's
// messages name the fields.
var flagNames = map[string]string{
	"allow_duplicate": "--allow-duplicate",
	"allow_unlike":    "--allow-unlike",
	"max_candidates":  "--candidates",
	"least_size":      "--least-size",
	"student_id":      "student",
	"student_ids":     "students",
	"crop_id":         "crop",
}

// quotedOrField finds quoted texts, which are ids, and what may be the name of a field.
var quotedOrField = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[a-z]+(?:_[a-z]+)+`)

// withFlagNames changes a message of the server for the person at the terminal, who knows flags
// but not fields.
func withFlagNames(message string) string {
	return quotedOrField.ReplaceAllStringFunc(message, func(found string) string {
		if name, ok := flagNames[found]; ok {
			return name
		}
		return found
	})
}

// printError prints an error. Its line breaks stay; all other control characters are escaped.
func printError(out io.Writer, err error) {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		lines[i] = terminal.Escape(line)
	}
	fmt.Fprintf(out, "rollcall: %s\n", strings.Join(lines, "\n"))
}
