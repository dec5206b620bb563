package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	"rollcall/embedder"
	"rollcall/embedder/ortlib"
)

// startRuntime finds or installs ONNX Runtime and loads it into this process.
func startRuntime(ctx context.Context, c console, o ortlib.Options, logger *slog.Logger) (ortlib.Library, error) {
	m := terminal.NewMeter(c.err, "", terminal.Bytes)
	defer m.End()
	o.Logger, o.Progress = logger, m.Name
	return embedder.Start(ctx, o)
}

func runtimeCommand() command {
	var o ortlib.Options
	var output terminal.Output
	var install bool
	return command{
		name:  "runtime",
		short: "show which ONNX Runtime is used, or install it",
		long: `Shows the ONNX Runtime library that runs the models: where it is, its version and
digest, and how it was found. If there is none, "rollcall serve" installs it;
--install does it beforehand.`,
		flags: func(set *pflag.FlagSet) {
			set.BoolVar(&install, "install", false, "install it into the cache if none is found")
			o.AddFlags(set)
			output.AddFlag(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("runtime takes no arguments")
			}
			lib, err := findRuntime(ctx, c, o, install)
			if err != nil {
				return err
			}
			if output.JSON() {
				return terminal.PrintJSON(c.out, map[string]string{"path": lib.Path, "version": lib.Version, "sha256": lib.SHA256, "origin": lib.Origin})
			}
			_, err = fmt.Fprintf(c.out, "library  %s\nversion  %s (as the loaded library reports it)\nsha256   %s\norigin   %s\n", lib.Path, lib.Version, lib.SHA256, lib.Origin)
			return err
		},
	}
}

// findRuntime finds the library and loads it, so that what is shown is what
// runs.
func findRuntime(ctx context.Context, c console, o ortlib.Options, install bool) (ortlib.Library, error) {
	o.Offline = o.Offline || !install
	lib, err := startRuntime(ctx, c, o, slog.New(slog.DiscardHandler))
	if !install && errors.Is(err, ortlib.ErrNotFound) {
		return lib, fmt.Errorf("%w\n\"rollcall runtime --install\" installs it", err)
	}
	return lib, err
}
