package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	"rollcall/embedder/ortlib"
	"rollcall/models"
)

func modelsPull() command {
	var library libraryOptions
	var ort ortlib.Options
	var pull models.PullOptions
	return command{
		name:  "pull",
		args:  "MODEL...",
		short: "download models of the catalogue from their makers",
		long: `Says how large each model is, its licence and what it was trained on. Then downloads
it, checks its digest, tries it out and installs it. An interrupted download is
continued. If a licence is not free, accept it with --accept-licence. If nobody has
published the digest, --trust-first accepts the first file that comes, and locks the
model to it.`,
		flags: func(set *pflag.FlagSet) {
			set.BoolVar(&pull.AcceptLicence, "accept-licence", false, "you have read the licence and may use the model")
			set.BoolVar(&pull.TrustFirst, "trust-first", false, "accept the first file that comes, if nobody has published the model's digest")
			addMirrorFlag(set, &pull.Mirror)
			library.addFlags(set)
			ort.AddFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) == 0 {
				return usageError("models pull needs the name of a model; \"rollcall models list\" shows them")
			}
			lib, err := library.open()
			if err != nil {
				return err
			}
			if pull.Check, err = checkModel(ctx, c, ort); err != nil {
				return err
			}
			for _, name := range args {
				if err := pullOne(ctx, c, lib, name, pull); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func addMirrorFlag(set *pflag.FlagSet, mirror *string) {
	set.StringVar(mirror, "mirror", "", "address or folder that holds NAME.onnx, used instead of the maker's address")
}

func pullOne(ctx context.Context, c console, lib *models.Library, name string, pull models.PullOptions) error {
	m := terminal.NewMeter(c.err, "downloading "+name, terminal.Bytes)
	if pull.Before == nil {
		pull.Before = func(k models.Contract) { printPlan(c.err, k, pull.Mirror) }
	}
	begun := false
	pull.Progress = func(done, total int64) {
		if !begun && done > 0 {
			fmt.Fprintf(c.err, "  continuing after the %s of an earlier download\n", terminal.Size(done))
		}
		begun = true
		m.Step(done, total)
	}
	err := lib.Pull(ctx, name, pull)
	m.End()
	if err != nil {
		return err
	}
	return printInstalled(c, lib, name)
}

// printPlan says what is about to be downloaded, and what a person has to know before
// using it on pupils.
func printPlan(out io.Writer, k models.Contract, mirror string) {
	terminal.Printf(out, "%s: %s\n", k.Name, k.Title)
	terminal.Printf(out, "  size        %s\n", downloadSize(k, mirror))
	terminal.Printf(out, "  licence     %s\n", strings.TrimSpace(k.Licence.Name+"  "+k.Licence.URL))
	terminal.Printf(out, "  trained on  %s\n", k.TrainingData.String())
}

// downloadSize is how much a pull will bring.
func downloadSize(k models.Contract, mirror string) string {
	switch {
	case k.Source == nil || k.Source.Bytes == 0 || mirror != "" && k.Source.Member != "":
		return "not known beforehand"
	case k.Source.Member != "":
		return fmt.Sprintf("%s, an archive of which only %s is kept", terminal.Size(k.Source.Bytes), k.Source.Member)
	}
	return terminal.Size(k.Source.Bytes)
}
