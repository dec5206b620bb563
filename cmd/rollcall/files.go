package main

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"
)

// eachFile does something with each file; do returns the errors of its call as they are. What fails for
// one file is printed with its name, and the others are still done: in the end the exit code says so.
// What every file would meet ends it at once.
func (o *clientOptions) eachFile(ctx context.Context, c console, files []string, do func(file string) error) error {
	failed := false
	for _, file := range files {
		err := do(file)
		if err == nil {
			continue
		}
		everyFile := ctx.Err() != nil
		if answer := new(connect.Error); errors.As(err, &answer) {
			everyFile = everyFile || stopsAll(answer.Code())
			err = fmt.Errorf("%s: %w", file, callError(o.server, err))
		}
		if everyFile || len(files) == 1 {
			return err
		}
		failed = true
		fmt.Fprintf(c.err, "rollcall: %v\n", err)
	}
	if failed {
		return &exitError{code: exitFailure}
	}
	return nil
}

// stopsAll reports whether another file would be answered in the same way.
func stopsAll(code connect.Code) bool {
	switch code {
	case connect.CodeUnavailable, connect.CodeResourceExhausted, // no server, or one that is busy
		connect.CodeFailedPrecondition, connect.CodeNotFound, // the model, the scope
		connect.CodeUnauthenticated, connect.CodePermissionDenied, connect.CodeUnimplemented:
		return true
	}
	return false
}
