// Command rollcall says whose face is on a crop. One binary is the server, its
// administrator's tool and its measurements. Run "rollcall help".
//
// Each subcommand has its own file with an options struct, its flags, and a run
// function. The work is done in the packages that they wire together.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"rollcall/models"
)

// console is where a command reads and writes.
type console struct {
	in  io.Reader // a person's answers
	out io.Writer // results
	err io.Writer // progress, hints, errors
}

// command is one subcommand. A command with children and a run of its own is run when its first
// argument names no child.
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
	context.AfterFunc(ctx, stop) // the second signal ends the program at once
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
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(c.err, "rollcall: interrupted")
		return exitInterrupted
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{code: exitFailure, err: err}
	}
	if exit.err != nil {
		printError(c.err, err) // not exit.err: the errors around it say where
	}
	return exit.code
}

// dispatch finds the command that args name, parses its flags and runs it.
func dispatch(ctx context.Context, c console, cmd command, path string, args []string) error {
	if cmd.run == nil || len(args) > 0 && (args[0] == "help" || cmd.hasChild(args[0])) {
		return dispatchChild(ctx, c, cmd, path, args)
	}
	set := pflag.NewFlagSet(path, pflag.ContinueOnError)
	set.SetOutput(io.Discard) // errors are printed once, by execute
	set.SortFlags = false
	if cmd.flags != nil {
		cmd.flags(set)
	}
	set.Usage = func() { _ = printCommandHelp(c.out, cmd, path, set) }
	if err := set.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return err
		}
		return flagError(err, set, path)
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
	if path == "rollcall" && args[0] == "--version" {
		args = append([]string{"version"}, args[1:]...)
	}
	child, err := findChild(cmd, path, args[0])
	if err != nil {
		return err
	}
	return dispatch(ctx, c, child, path+" "+child.name, args[1:])
}

func (cmd command) hasChild(word string) bool {
	return slices.ContainsFunc(cmd.children, func(child command) bool { return child.name == word })
}

// findChild returns the command that a word names.
func findChild(cmd command, path, word string) (command, error) {
	if strings.HasPrefix(word, "-") {
		return command{}, usageError("%s needs a command before %s; %q lists them", path, word, path+" help")
	}
	var names []string
	for _, child := range cmd.children {
		if child.name == word {
			return child, nil
		}
		names = append(names, child.name)
	}
	if near := models.Similar(word, names); len(near) > 0 {
		return command{}, usageError("%s has no command %q; did you mean %s?", path, word, strings.Join(near, " or "))
	}
	return command{}, usageError("%s has no command %q; %q lists them", path, word, path+" help")
}

// flagError adds to an error about an unknown flag which flag may be meant.
func flagError(err error, set *pflag.FlagSet, path string) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		word := unknown.GetSpecifiedName()
		if short := unknown.GetSpecifiedShortnames(); short != "" {
			word = short // a flag with one hyphen in place of two
		}
		var names []string
		set.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		near := models.Similar(word, names)
		if slices.Contains(names, word) {
			near = []string{word}
		}
		if len(near) > 0 {
			return usageError("%v; did you mean --%s?", err, strings.Join(near, " or --"))
		}
	}
	return usageError("%v; %q lists the flags", err, path+" --help")
}

// environmentPrefix begins the names of the variables that set flags: ROLLCALL_LISTEN
// sets --listen.
const environmentPrefix = "ROLLCALL_"

// setFromEnvironment sets the flags that the command line does not set. An empty variable counts
// as unset: containers and scripts often leave one empty.
func setFromEnvironment(set *pflag.FlagSet) error {
	var failed error
	set.VisitAll(func(f *pflag.Flag) {
		name := environmentPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value := os.Getenv(name)
		if value == "" || f.Changed || failed != nil {
			return
		}
		if err := set.Set(f.Name, value); err != nil {
			failed = usageError("the environment variable %s: %v", name, err)
		}
	})
	return failed
}
