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

// installOptions says what serve does about a model that it is told to use and
// that is not installed.
type installOptions struct {
	yes    bool
	mirror string
}

func (o *installOptions) addFlags(set *pflag.FlagSet) {
	set.BoolVar(&o.yes, "yes", false,
		"pull what --model, --locator and --detector name and is not installed, without asking")
	addMirrorFlag(set, &o.mirror)
}

// installMissing offers to pull the models that serve was told to use. It comes
// before everything else: a server that cannot do what it was told to is not
// started.
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

// namedModel is a model that a flag of serve names, and the kind that it has to be of.
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
			"%s is %s, which is of the kind %s; it takes one of the kind %s: \"rollcall models list\" shows them",
			named.flag, named.name, m.Contract.Kind, named.kind)
	}
	switch {
	case errors.Is(err, models.ErrUnknownModel):
		return usageError("%s: %v", named.flag, err)
	case missing:
		return config.offer(ctx, c, lib, m.Contract, err)
	case damaged:
		return nil // the server says so, and takes the model up when it has been installed again
	}
	return err
}

// offer pulls a model if that is wanted; missing is the error that says it is
// not installed and what to do.
func (config *serveConfig) offer(
	ctx context.Context, c console, lib *models.Library, k models.Contract, missing error,
) error {
	// What has to be accepted is for "models pull" to show, not for a question in passing.
	if k.SHA256 == "" || !k.Licence.Free || k.Source == nil && config.install.mirror == "" {
		return missing
	}
	if !config.install.yes {
		terminal, err := openTerminal(c)
		if err != nil {
			return fmt.Errorf("%w, or start the server with --yes, which does it", missing)
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
		pull.Before = func(models.Contract) {} // the question has said it
	}
	return pullOne(ctx, c, lib, k.Name, pull)
}

// openTerminal returns where a person who can answer sees a question: standard
// error, or the terminal itself where standard error goes elsewhere. It fails
// where nobody is there.
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
		line, _ := bufio.NewReader(in).ReadString('\n') // an end without an answer is no
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
