package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	"rollcall/embedder"
	"rollcall/models"
)

// installOptions say what serve does if a model that a flag names is not installed.
type installOptions struct {
	yes    bool
	mirror string
}

func (o *installOptions) addFlags(set *pflag.FlagSet) {
	set.BoolVar(&o.yes, "yes", false,
		"pull the models that --model, --locator and --detector name, if they are not installed, without asking")
	addMirrorFlag(set, &o.mirror)
}

// installMissing offers to pull the models that flags name. It comes before everything
// else: without these models the server does not start.
func (config *serveConfig) installMissing(ctx context.Context, c console) error {
	lib, err := config.library.open()
	if err != nil {
		return err
	}
	for _, named := range []namedModel{
		{"--model", config.model, models.Embedder},
		{"--locator", config.locator, models.Locator},
		{"--detector", config.detector, models.Detector},
	} {
		if named.name == "" || named.kind == models.Locator && named.name == embedder.LocatorNone {
			continue
		}
		if err := config.installNamed(ctx, c, lib, named); err != nil {
			return err
		}
	}
	return nil
}

// namedModel is a model that a flag of serve names, and the kind that it must have.
type namedModel struct {
	flag, name string
	kind       models.Kind
}

// installNamed offers to pull one model.
func (config *serveConfig) installNamed(ctx context.Context, c console, lib *models.Library, named namedModel) error {
	m, err := lib.Model(named.name)
	missing, damaged := errors.Is(err, models.ErrNotInstalled), errors.Is(err, models.ErrDamaged)
	if known := err == nil || missing || damaged; known && m.Contract.Kind != named.kind {
		return usageError(
			"%s is %s, which is a model of the kind %s; it must be one of the kind %s: \"rollcall models list\" shows them",
			named.flag, named.name, m.Contract.Kind, named.kind)
	}
	switch {
	case errors.Is(err, models.ErrUnknownModel):
		return usageError("%s: %v", named.flag, err)
	case missing:
		return config.offer(ctx, c, lib, m.Contract, err)
	case damaged:
		return nil // the server says so, and uses the model once it is installed again
	}
	return err
}

// offer pulls a model if the person wants it. missing is the error that says that it is
// not installed and what to do.
func (config *serveConfig) offer(
	ctx context.Context, c console, lib *models.Library, k models.Contract, missing error,
) error {
	// A licence that has to be accepted, or an unknown digest, is left to "models pull": a
	// short question here is not enough.
	if k.SHA256 == "" || !k.Licence.Free || k.Source == nil && config.install.mirror == "" {
		return missing
	}
	if !config.install.yes {
		terminal, err := openTerminal(c)
		if err != nil {
			return fmt.Errorf("%w, or start the server with --yes, which pulls it", missing)
		}
		defer terminal.Close()
		printPlan(terminal, k, config.install.mirror)
		yes, err := ask(ctx, c.in, terminal, k.Name+" is not installed: pull it now?")
		if err != nil {
			return err
		}
		if !yes {
			return missing
		}
	}
	check, err := checkModel(ctx, c, config.ort)
	if err != nil {
		return err
	}
	pull := models.PullOptions{Mirror: config.install.mirror, Check: check}
	if !config.install.yes {
		pull.Before = func(models.Contract) {} // printed already, before the question
	}
	return pullOne(ctx, c, lib, k.Name, pull)
}

// openTerminal returns a writer that a person sees who can answer: standard error, or
// the terminal itself if standard error is redirected. It fails if standard input is no
// terminal.
func openTerminal(c console) (io.WriteCloser, error) {
	switch {
	case !terminal.Attended(c.in):
		return nil, errors.New("standard input is no terminal")
	case terminal.Attended(c.err):
		return struct {
			io.Writer
			io.Closer
		}{c.err, io.NopCloser(nil)}, nil
	}
	return os.OpenFile("/dev/tty", os.O_WRONLY, 0)
}

// ask puts a question to a person; anything but y or yes is no.
func ask(ctx context.Context, in io.Reader, out io.Writer, question string) (bool, error) {
	fmt.Fprintf(out, "%s [y/N] ", question)
	answers := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n') // the end of the input means no
		answers <- line
	}()
	select {
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case line := <-answers:
		answer := strings.ToLower(strings.TrimSpace(line))
		return answer == "y" || answer == "yes", nil
	}
}
