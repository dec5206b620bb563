// Command rollcall says whose face is on a crop: it is the server, its
// administrator's tool and its measurements in one binary. Run "rollcall help".
//
// Each subcommand is a file of its own: an options struct, its flags, and a
// run function. What they do is in the packages that they wire together.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
)

// console is where a command reads and writes.
type console struct {
	in  io.Reader // answers of a person
	out io.Writer // results
	err io.Writer // progress, hints, errors
}

// command is one subcommand. A command with children has no run of its own.
type command struct {
	name  string
	args  string // as the usage line shows them
	short string // one line for the list
	long  string // the help text
	// flags registers the options; run sees them set.
	flags    func(*pflag.FlagSet)
	run      func(ctx context.Context, c console, args []string) error
	children []command
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(execute(ctx, console{in: os.Stdin, out: os.Stdout, err: os.Stderr}, os.Args[1:]))
}

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, c console, args []string) int {
	err := dispatch(ctx, c, root(), "rollcall", args)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, pflag.ErrHelp):
		return exitOK
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{code: exitFailure, err: err}
	}
	if exit.err != nil {
		fmt.Fprintf(c.err, "rollcall: %v\n", err) // all of it: what wraps the exit code says where
	}
	return exit.code
}

// dispatch finds the command that args name, parses its flags and runs it.
func dispatch(ctx context.Context, c console, cmd command, path string, args []string) error {
	if cmd.children != nil {
		return dispatchChild(ctx, c, cmd, path, args)
	}
	set := pflag.NewFlagSet(path, pflag.ContinueOnError)
	set.SetOutput(io.Discard) // errors are printed once, by execute
	set.SortFlags = false
	if cmd.flags != nil {
		cmd.flags(set)
	}
	set.Usage = func() { printCommandHelp(c.out, cmd, path, set) }
	if err := set.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return err
		}
		return usageError("%v; %q lists the flags", err, path+" --help")
	}
	if err := setFromEnvironment(set); err != nil {
		return err
	}
	return cmd.run(ctx, c, set.Args())
}

func dispatchChild(ctx context.Context, c console, cmd command, path string, args []string) error {
	if len(args) == 0 || args[0] == "--help" || args[0] == "-h" || args[0] == "help" {
		return help(c.out, cmd, path, args)
	}
	for _, child := range cmd.children {
		if child.name == args[0] {
			return dispatch(ctx, c, child, path+" "+child.name, args[1:])
		}
	}
	return usageError("%s has no command %q; %q lists them", path, args[0], path+" help")
}

// environmentPrefix starts the variables that set flags: ROLLCALL_LISTEN is
// --listen.
const environmentPrefix = "ROLLCALL_"

// setFromEnvironment sets the flags that the command line leaves alone.
func setFromEnvironment(set *pflag.FlagSet) error {
	var failed error
	set.VisitAll(func(f *pflag.Flag) {
		name := environmentPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := os.LookupEnv(name)
		if !ok || f.Changed || failed != nil {
			return
		}
		if err := set.Set(f.Name, value); err != nil {
			failed = usageError("the environment variable %s: %v", name, err)
		}
	})
	return failed
}
