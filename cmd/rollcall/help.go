package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"
)

// root is the whole tree of commands.
func root() command {
	return command{
		name:  "rollcall",
		short: "whose face is on this crop?",
		long: `Rollcall enrols faces and identifies them, for school attendance.

  rollcall serve                      runs the server
  rollcall enroll crops/              enrols a folder with a folder of crops for each student
  rollcall identify probe.jpg         whose face is it?
  rollcall verify ada probe.jpg       is it this student?
  rollcall rollcall class.jpg         who is on the photo of a class, and who is absent?`,
		children: []command{
			serveCommand(),
			enrollCommand(),
			identifyCommand(),
			verifyCommand(),
			rollCommand(),
			detectCommand(),
			studentsCommand(),
			rosterCommand(),
			galleriesCommand(),
			cropsCommand(),
			changesCommand(),
			undoCommand(),
			tokensCommand(),
			sealCommand(),
			modelsCommand(),
			settingsCommand(),
			calibrationCommand(),
			recordCommand(),
			auditCommand(),
			runtimeCommand(),
			tlsCommand(),
			backupCommand(),
			restoreCommand(),
			exportCommand(),
			importCommand(),
			checkCommand(),
			evalCommand(),
			benchCommand(),
			completionCommand(),
			versionCommand(),
		},
	}
}

// exitHelp ends the help of the whole program.
const exitHelp = `Every flag can also be set by an environment variable: --index-engine by
ROLLCALL_INDEX_ENGINE. "rollcall COMMAND --help" lists a command's flags.

Exit codes: 0 done; 1 failed; 2 wrong command line; 3 identify, verify: not a match;
4 enroll, import: something was left out; 5 the server cannot be reached or is busy;
130 interrupted.
`

// help prints the help of a command with children, or of the child that the words in
// args name.
func help(out io.Writer, cmd command, path string, args []string) error {
	for _, word := range args {
		if word == "help" || strings.HasPrefix(word, "-") {
			continue
		}
		child, err := findChild(cmd, path, word)
		if err != nil {
			return err
		}
		cmd, path = child, path+" "+word
	}
	if cmd.run != nil {
		set := pflag.NewFlagSet(path, pflag.ContinueOnError)
		set.SortFlags = false
		if cmd.flags != nil {
			cmd.flags(set)
		}
		return printCommandHelp(out, cmd, path, set)
	}
	fmt.Fprintf(out, "%s\n", cmd.long)
	if err := printChildren(out, cmd, path); err != nil {
		return err
	}
	if path == "rollcall" {
		fmt.Fprint(out, "\n", exitHelp)
	}
	return nil
}

func printChildren(out io.Writer, cmd command, path string) error {
	fmt.Fprint(out, "\nCommands:\n")
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	for _, child := range cmd.children {
		fmt.Fprintf(table, "  %s %s\t%s\n", path, child.name, child.short)
	}
	return table.Flush()
}

func printCommandHelp(out io.Writer, cmd command, path string, set *pflag.FlagSet) error {
	usage := path
	if set.HasFlags() {
		usage += " [flags]"
	}
	if cmd.args != "" {
		usage += " " + cmd.args
	}
	fmt.Fprintf(out, "usage: %s\n\n", usage)
	if cmd.long != "" {
		fmt.Fprintf(out, "%s\n", cmd.long)
	} else {
		fmt.Fprintf(out, "%s%s.\n", strings.ToUpper(cmd.short[:1]), cmd.short[1:])
	}
	if set.HasFlags() {
		fmt.Fprintf(out, "\nFlags:\n%s", set.FlagUsagesWrapped(100))
	}
	if cmd.children != nil {
		return printChildren(out, cmd, path)
	}
	return nil
}
