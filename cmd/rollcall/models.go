package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	"rollcall/models"
)

// libraryOptions says where the installed models are.
type libraryOptions struct{ dir string }

func (o *libraryOptions) addFlags(set *pflag.FlagSet) {
	set.StringVar(&o.dir, "models-dir", "", "folder of the installed models; empty: the user's data folder")
}

// openLibrary is a variable so that tests can replace it: they install a catalogue from
// a server of their own.
var openLibrary = models.OpenLibrary

func (o *libraryOptions) open() (*models.Library, error) { return openLibrary(o.dir) }

func modelsCommand() command {
	return command{
		name:  "models",
		short: "list, show, install, verify and choose models",
		long: `A model is an ONNX file with a contract, which says how a crop is fed to it. The
catalogue holds the contracts of well-known models. You download their files from
their makers (pull) or supply them (add). To enrol and identify you need an
embedder. An embedder that aligns faces also needs a locator.`,
		children: []command{modelsList(), modelsShow(), modelsPull(), modelsAdd(), modelsVerify(), modelsRemove(), modelsUse()},
	}
}

func modelsList() command {
	var library libraryOptions
	var output terminal.Output
	return command{
		name:  "list",
		short: "list the catalogue and what is installed",
		flags: func(set *pflag.FlagSet) { library.addFlags(set); output.AddFlag(set) },
		run: func(_ context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("models list takes no arguments")
			}
			lib, err := library.open()
			if err != nil {
				return err
			}
			list, err := lib.List()
			if err != nil {
				return err
			}
			if output.JSON() {
				return terminal.PrintJSON(c.out, summaries(list))
			}
			return printModels(c, list)
		},
	}
}

// modelSummary is a model in a JSON list.
type modelSummary struct {
	Name      string      `json:"name"`
	Kind      models.Kind `json:"kind"`
	State     string      `json:"state"`
	Dimension int         `json:"dimension,omitempty"`
	Licence   string      `json:"licence"`
	Free      bool        `json:"free"`
	SHA256    string      `json:"sha256,omitempty"`
	Title     string      `json:"title"`
}

func summaries(list []models.Model) []modelSummary {
	out := make([]modelSummary, len(list))
	for i, m := range list {
		c := m.Contract
		out[i] = modelSummary{c.Name, c.Kind, modelState(m), c.Output.Dimension, c.Licence.Name, c.Licence.Free, c.SHA256, c.Title}
	}
	return out
}

func modelState(m models.Model) string {
	switch {
	case m.BuiltIn:
		return "built in"
	case m.Installed:
		return "installed"
	case m.Damage != "":
		return "damaged"
	}
	return "-"
}

func printModels(c console, list []models.Model) error {
	var rows [][]string
	for _, m := range summaries(list) {
		dimension := "-"
		if m.Dimension > 0 {
			dimension = fmt.Sprintf("%d-D", m.Dimension)
		}
		rows = append(rows, []string{m.Name, string(m.Kind), m.State, dimension, m.Licence, m.Title})
	}
	return terminal.PrintTable(c.out, []string{"MODEL", "KIND", "STATE", "OUTPUT", "LICENCE", "TITLE"}, rows)
}

func modelsShow() command {
	var library libraryOptions
	var output terminal.Output
	return command{
		name:  "show",
		args:  "MODEL",
		short: "show the contract, licence and published accuracy of a model",
		flags: func(set *pflag.FlagSet) { library.addFlags(set); output.AddFlag(set) },
		run: func(_ context.Context, c console, args []string) error {
			if len(args) != 1 {
				return usageError("models show needs one model")
			}
			lib, err := library.open()
			if err != nil {
				return err
			}
			m, err := lib.Model(args[0])
			if err != nil && !errors.Is(err, models.ErrNotInstalled) && !errors.Is(err, models.ErrDamaged) {
				return err
			}
			if output.JSON() {
				return terminal.PrintJSON(c.out, m.Contract)
			}
			return printModel(c, m)
		},
	}
}

func printModel(c console, m models.Model) error {
	k := m.Contract
	rows := [][]string{
		{"model", k.Name + " (" + string(k.Kind) + ", " + strings.ReplaceAll(modelState(m), "-", "not installed") + ")"},
		{"title", k.Title},
		{"about", orDash(k.Description)},
		{"licence", strings.TrimSpace(k.Licence.Name + "  " + k.Licence.URL)},
		{"", k.Licence.Note},
		{"trained on", k.TrainingData.String()},
		{"sha256", orDash(k.SHA256)},
		{"input", fmt.Sprintf("%d x %d pixels, %s, %s, (x - %v) / %v, fit: %s", k.Input.Width, k.Input.Height, k.Input.Layout, k.Input.Colour, k.Input.Mean, k.Input.Std, k.Input.Fit)},
	}
	if k.Source != nil {
		rows = append(rows, []string{"source", strings.TrimSpace(k.Source.URL + "  " + k.Source.Member)})
	}
	if k.Kind == models.Embedder {
		rows = append(rows, []string{"output", fmt.Sprintf("%d-D embedding", k.Output.Dimension)})
		if k.Threshold > 0 {
			rows = append(rows, []string{"threshold", fmt.Sprintf("%.3f (%s)", k.Threshold, k.ThresholdSource)})
		}
	}
	if len(k.Calibration) > 0 {
		rows = append(rows, []string{"calibrated", k.CalibrationSource})
		for _, p := range k.Calibration {
			rows = append(rows, []string{"", fmt.Sprintf("FMR %.0e at similarity %.3f", p.FMR, p.Similarity)})
		}
	}
	for _, a := range k.Accuracy {
		rows = append(rows, []string{"accuracy", fmt.Sprintf("%s on %s: %s (%s)", a.Figure, a.Set, a.Value, a.Source)})
	}
	for _, row := range rows {
		if row[1] != "" {
			if err := terminal.Printf(c.out, "%-11s%s\n", row[0], row[1]); err != nil {
				return err
			}
		}
	}
	return nil
}
