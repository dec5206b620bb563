package main

import (
	"context"

	"rollcall/bench"
)

func benchCommand() command {
	cmd := command{
		name:  "bench",
		short: "measure speed, accuracy and steadiness on this machine",
		long:  "Measures on this machine the figures that the README and bench/README.md quote.",
	}
	for _, b := range bench.All() {
		cmd.children = append(cmd.children, measureCommand(b, "bench "+b.Name))
	}
	return cmd
}

// measureCommand is the command of a measurement.
func measureCommand(b bench.Bench, path string) command {
	cmd := command{name: b.Name, short: b.Short, long: b.Long, flags: b.Flags}
	if b.Folder != nil {
		cmd.args = "DIR"
	}
	cmd.run = func(ctx context.Context, c console, args []string) error {
		switch {
		case b.Folder == nil && len(args) > 0:
			return usageError("%s takes no arguments", path)
		case b.Folder != nil && len(args) != 1:
			return usageError("%s needs one folder", path)
		case b.Folder != nil:
			*b.Folder = args[0]
		}
		if err := b.Validate(); err != nil {
			return usageError("%w", err)
		}
		return b.Run(ctx, c.out, c.err)
	}
	return cmd
}
