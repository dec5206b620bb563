package main

import (
	"errors"
	"fmt"

	"connectrpc.com/connect"
)

// The exit codes, which scripts rely on; help.go explains them to people.
const (
	exitOK          = 0
	exitFailure     = 1 // what was asked for failed
	exitUsage       = 2 // the command line is wrong
	exitNoMatch     = 3 // identify: a probe is no MATCH
	exitSome        = 4 // enroll: some crops were not enrolled
	exitUnavailable = 5 // the server cannot be reached or takes no calls now
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
	if !connect.IsWireError(answer) && answer.Code() == connect.CodeUnavailable {
		return &exitError{exitUnavailable, fmt.Errorf("no server answers at %s: start one with \"rollcall serve\", or name it with --server (%s)", server, answer.Message())}
	}
	code := exitFailure
	if answer.Code() == connect.CodeUnavailable || answer.Code() == connect.CodeResourceExhausted {
		code = exitUnavailable
	}
	return &exitError{code, fmt.Errorf("%s (%s)", answer.Message(), answer.Code())}
}
