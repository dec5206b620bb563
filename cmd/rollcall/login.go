package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/pflag"
)

// login is how a command says who calls. It adds the token to each call.
type login struct{ token, file string }

func (l *login) addFlags(set *pflag.FlagSet) {
	set.StringVar(&l.token, "token", "", "token to call with; better in the environment (ROLLCALL_TOKEN), as others can see a command line")
	set.StringVar(&l.file, "token-file", "", "file with the token")
}

// read reads the file, if a token is in one.
func (l *login) read() error {
	if l.token != "" || l.file == "" {
		return nil
	}
	b, err := os.ReadFile(l.file)
	if err != nil && strings.HasPrefix(l.file, "rollcall_") { // the error would quote it
		return usageError("--token-file is the name of a file, and this looks like the token itself: give it with ROLLCALL_TOKEN")
	}
	if err != nil {
		return fmt.Errorf("the token cannot be read: %w", err)
	}
	if l.token = strings.TrimSpace(string(b)); l.token == "" || strings.ContainsAny(l.token, " \t\r\n") {
		return usageError("--token-file is %q; that file holds no token, or more than one", l.file)
	}
	return nil
}

// WrapUnary serves connect.Interceptor.
func (l login) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if l.token != "" {
			req.Header().Set("Authorization", "Bearer "+l.token)
		}
		return next(ctx, req)
	}
}

// WrapStreamingClient serves connect.Interceptor.
func (l login) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, spec)
		if l.token != "" {
			conn.RequestHeader().Set("Authorization", "Bearer "+l.token)
		}
		return conn
	}
}

// WrapStreamingHandler changes nothing: a login is a client's.
func (login) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}
