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
		cmd.children = append(cmd.children, command{
			name:  b.Name,
			short: b.Short,
			long:  b.Long,
			flags: b.Flags,
			run: func(ctx context.Context, c console, args []string) error {
				if len(args) > 0 {
					return usageError("bench %s takes no arguments", b.Name)
				}
				if err := b.Validate(); err != nil {
					return usageError("%w", err)
				}
				return b.Run(ctx, c.out, c.err)
			},
		})
	}
	return cmd
}
