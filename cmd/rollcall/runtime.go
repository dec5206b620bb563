package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/pflag"

	"rollcall/embedder"
	"rollcall/embedder/ortlib"
)

// runtimeOptions says which ONNX Runtime to use; every command that runs a
// model has them.
type runtimeOptions struct {
	path    string
	offline bool
}

func (o *runtimeOptions) addFlags(set *pflag.FlagSet) {
	set.StringVar(&o.path, "onnxruntime", "", "file or folder of the ONNX Runtime library; empty: find or install it")
	set.BoolVar(&o.offline, "offline", false, "never install ONNX Runtime, only find it")
}

// options are ortlib's. The path may be a folder here, as in the environment
// variable of the same name.
func (o *runtimeOptions) options(c console, logger *slog.Logger) (ortlib.Options, *meter) {
	m := &meter{out: c.err, what: "installing ONNX Runtime " + ortlib.Version, bytes: true}
	return ortlib.Options{
		Path:    o.path,
		Offline: o.offline,
		Logger:  logger,
		Progress: func(step string, done, total int64) {
			m.what = step
			m.step(done, total)
		},
	}, m
}

// start finds or installs ONNX Runtime and loads it into this process.
func (o *runtimeOptions) start(ctx context.Context, c console, logger *slog.Logger) (ortlib.Library, error) {
	opts, m := o.options(c, logger)
	lib, err := ortlib.Ensure(ctx, opts)
	m.end()
	if err != nil {
		return lib, err
	}
	return lib, embedder.Start(lib)
}

func runtimeCommand() command {
	var o runtimeOptions
	var output outputOptions
	var install bool
	return command{
		name:  "runtime",
		short: "show which ONNX Runtime is used, or install it",
		long: `Shows the ONNX Runtime library that models are run by: where it is, its version
and digest, and how it was found. "rollcall serve" installs it by itself where
there is none; --install does it beforehand.`,
		flags: func(set *pflag.FlagSet) {
			set.BoolVar(&install, "install", false, "install it into the cache where none is found")
			o.addFlags(set)
			output.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("runtime takes no arguments")
			}
			if err := output.validate(); err != nil {
				return err
			}
			lib, err := findRuntime(ctx, c, o, install)
			if err != nil {
				return err
			}
			if output.json() {
				return printJSON(c.out, map[string]string{"path": lib.Path, "version": lib.Version, "sha256": lib.SHA256, "origin": lib.Origin})
			}
			_, err = fmt.Fprintf(c.out, "library  %s\nversion  %s (as the loaded library reports it)\nsha256   %s\norigin   %s\n", lib.Path, lib.Version, lib.SHA256, lib.Origin)
			return err
		},
	}
}

// findRuntime finds the library and loads it, so that what is shown is what
// runs.
func findRuntime(ctx context.Context, c console, o runtimeOptions, install bool) (ortlib.Library, error) {
	if install {
		return o.start(ctx, c, slog.New(slog.DiscardHandler))
	}
	o.offline = true
	lib, err := o.start(ctx, c, slog.New(slog.DiscardHandler))
	if errors.Is(err, ortlib.ErrNotFound) {
		return lib, fmt.Errorf("%w\n\"rollcall runtime --install\" installs it", err)
	}
	return lib, err
}
