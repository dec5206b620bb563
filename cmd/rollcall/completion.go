package main

import (
	"context"
	"strings"
	"text/template"

	"github.com/spf13/pflag"
)

func completionCommand() command {
	cmd := command{
		name:  "completion",
		short: "print a script that completes commands and flags in a shell",
		long: `Prints a script with which a shell completes Rollcall's commands and flags. To load it,
put one of these lines into the file that the shell reads when it starts:

  source <(rollcall completion bash)        ~/.bashrc
  source <(rollcall completion zsh)         ~/.zshrc, after compinit
  rollcall completion fish | source         ~/.config/fish/config.fish`,
	}
	for _, shell := range []struct{ name, script string }{{"bash", bashScript}, {"zsh", zshScript}, {"fish", fishScript}} {
		cmd.children = append(cmd.children, command{
			name:  shell.name,
			short: "print the script for " + shell.name,
			run: func(_ context.Context, c console, args []string) error {
				if len(args) > 0 {
					return usageError("completion %s takes no arguments", shell.name)
				}
				funcs := template.FuncMap{"quote": func(s string) string { return strings.ReplaceAll(s, "'", `'\''`) }}
				return template.Must(template.New(shell.name).Funcs(funcs).Parse(shell.script)).Execute(c.out, completions(root(), "rollcall"))
			},
		})
	}
	return cmd
}

// completion is what may come after the words of a command.
type completion struct {
	Command         string // "rollcall students"
	Children, Flags []completionWord
}

type completionWord struct{ Word, About string }

// completions lists a command and all below it.
func completions(cmd command, path string) []completion {
	at := completion{Command: path}
	if cmd.run != nil {
		set := pflag.NewFlagSet(path, pflag.ContinueOnError)
		set.SortFlags = false
		if cmd.flags != nil {
			cmd.flags(set)
		}
		set.VisitAll(func(f *pflag.Flag) { at.Flags = append(at.Flags, completionWord{f.Name, f.Usage}) })
		at.Flags = append(at.Flags, completionWord{"help", "show help for the command"})
	}
	var below []completion
	for _, child := range cmd.children {
		at.Children = append(at.Children, completionWord{child.name, child.short})
		below = append(below, completions(child, path+" "+child.name)...)
	}
	return append([]completion{at}, below...)
}

// The scripts follow the words that name commands. For a command without children they offer its
// flags after a hyphen, and else files.

const bashScript = `_rollcall() {
  local word cmd=rollcall current=${COMP_WORDS[COMP_CWORD]}
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$cmd $word" in
{{- range .}}{{$cmd := .Command}}{{range .Children}}
      '{{$cmd}} {{.Word}}') ;;
{{- end}}{{end}}
      *) continue ;;
    esac
    cmd="$cmd $word"
  done
  local words= flags=
  case $cmd in
{{- range .}}
    '{{.Command}}') words='{{range .Children}}{{.Word}} {{end}}' flags='{{range .Flags}}--{{.Word}} {{end}}' ;;
{{- end}}
  esac
  if [[ $current == -* ]]; then words=$flags; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _rollcall rollcall
`

const zshScript = `#compdef rollcall
_rollcall() {
  local word cmd=rollcall
  local -a commands flags
  for word in ${words[2,CURRENT-1]}; do
    case "$cmd $word" in
{{- range .}}{{$cmd := .Command}}{{range .Children}}
      '{{$cmd}} {{.Word}}') ;;
{{- end}}{{end}}
      *) continue ;;
    esac
    cmd="$cmd $word"
  done
  case $cmd in
{{- range .}}
    '{{.Command}}') commands=({{range .Children}}'{{.Word}}:{{quote .About}}' {{end}}) flags=({{range .Flags}}'--{{.Word}}:{{quote .About}}' {{end}}) ;;
{{- end}}
  esac
  if [[ $PREFIX == -* ]]; then
    _describe flag flags
  elif (( $#commands )); then
    _describe command commands
  else
    _files
  fi
}
compdef _rollcall rollcall
`

const fishScript = `function __rollcall_command
  set -l cmd rollcall
  for word in (commandline -opc)[2..]
    switch "$cmd $word"
{{- range .}}{{$cmd := .Command}}{{range .Children}}
      case '{{$cmd}} {{.Word}}'
        set cmd "$cmd $word"
{{- end}}{{end}}
    end
  end
  echo $cmd
end
{{- range .}}{{$cmd := .Command}}
{{- range .Children}}
complete -c rollcall -n 'test (__rollcall_command) = "{{$cmd}}"' -f -a {{.Word}} -d '{{quote .About}}'
{{- end}}
{{- range .Flags}}
complete -c rollcall -n 'test (__rollcall_command) = "{{$cmd}}"' -l {{.Word}} -d '{{quote .About}}'
{{- end}}
{{- end}}
`
