package main

import (
	"context"
	"io"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"rollcall/cmd/terminal"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

func settingsCommand() command {
	return command{
		name:  "settings",
		short: "show and change the settings of the gallery",
		long: `The settings are stored with the gallery: the model for calls that name none, the
wanted false positive identification rate (fpir), the margin by which the best
student must be ahead of the next one, and how many days verdicts and changes are
kept (keep_verdicts, keep_changes). The flags of serve with the same names are only
for new galleries. With require_consent=true nobody is enrolled whose consent was not
given (rollcall students consent).`,
		children: []command{settingsShow(), settingsSet()},
	}
}

func settingsShow() command {
	var o clientOptions
	return command{
		name:  "show",
		short: "show the settings, and what can be recognised under them",
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("settings show takes no arguments")
			}
			if err := o.validate(); err != nil {
				return err
			}
			resp, err := o.galleries().GetSettings(ctx, &pb.GetSettingsRequest{})
			if err != nil {
				return callError(o.server, err)
			}
			return o.printSettings(c, resp, resp.GetSettings(), resp.GetCoverage())
		},
	}
}

func settingsSet() command {
	var o clientOptions
	return command{
		name:  "set",
		args:  "NAME=VALUE...",
		short: "change settings, such as fpir=0.01",
		long: `Changes settings for all later calls, for example:

  rollcall settings set model=rollcall-base-2
  rollcall settings set fpir=0.01 margin=0.04
  rollcall settings set keep_verdicts=90

Verdicts that are older than keep_verdicts leave the journal within an hour, and
changes that are older than keep_changes leave the log at later changes.`,
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			change, err := settingsChange(args)
			if err != nil {
				return err
			}
			return o.updateSettings(ctx, c, change)
		},
	}
}

// settingsChange reads the changes. They are not flags, because the environment can set
// flags.
func settingsChange(args []string) (*pb.UpdateSettingsRequest, error) {
	if len(args) == 0 {
		return nil, usageError("settings set needs what to change: model=NAME, fpir=RATE, margin=SIMILARITY, keep_verdicts=DAYS, keep_changes=DAYS or require_consent=true|false")
	}
	change := new(pb.UpdateSettingsRequest)
	for _, arg := range args {
		name, value, found := strings.Cut(arg, "=")
		var err error
		switch {
		case !found || value == "":
			return nil, usageError("%q is not NAME=VALUE, such as fpir=0.01", arg)
		case name == "model":
			change.Model = proto.String(value)
		case name == "fpir":
			change.Fpir = new(float64)
			*change.Fpir, err = strconv.ParseFloat(value, 64)
		case name == "margin":
			var margin float64
			margin, err = strconv.ParseFloat(value, 32)
			change.Margin = proto.Float32(float32(margin))
		case name == "keep_verdicts":
			change.KeepVerdicts, err = wholeNumber(value)
		case name == "keep_changes":
			change.KeepChanges, err = wholeNumber(value)
		case name == "require_consent":
			if value != "true" && value != "false" {
				return nil, usageError("require_consent is %q; it must be true or false", value)
			}
			change.RequireConsent = proto.Bool(value == "true")
		default:
			return nil, usageError("there is no setting %q; there are model, fpir, margin, keep_verdicts, keep_changes and require_consent", name)
		}
		if err != nil {
			return nil, usageError("%s is %q; it must be a number", name, value)
		}
	}
	if change.Fpir != nil {
		if err := checkFPIR("fpir", change.GetFpir()); err != nil {
			return nil, err
		}
	}
	if change.Margin != nil && !within(change.GetMargin(), 0, 2) {
		return nil, usageError("margin is %v; it can be 0 to 2", change.GetMargin())
	}
	for name, days := range map[string]*int32{"keep_verdicts": change.KeepVerdicts, "keep_changes": change.KeepChanges} {
		if days != nil && !within(int(*days), 1, gallery.MaxKeep) {
			return nil, usageError("%s is %d; it can be 1 to %d days", name, *days, gallery.MaxKeep)
		}
	}
	return change, nil
}

func wholeNumber(value string) (*int32, error) {
	n, err := strconv.ParseInt(value, 10, 32)
	return proto.Int32(int32(n)), err
}

// checkFPIR returns a usage error if a gallery does not take this rate. name is the flag or
// setting.
func checkFPIR(name string, fpir float64) error {
	if within(fpir, gallery.MinFPIR, gallery.MaxFPIR) {
		return nil
	}
	return usageError("%s is %v; it can be %v to %v", name, fpir, gallery.MinFPIR, gallery.MaxFPIR)
}

func modelsUse() command {
	var o clientOptions
	return command{
		name:  "use",
		args:  "MODEL",
		short: "choose the model of the gallery",
		long: `Chooses an installed model as the gallery's model for calls that name none, as
"rollcall settings set model=MODEL" does. Nobody is recognised by a crop that was not
embedded under it: enrol the crops again. From then on the gallery expects embeddings
made in the way that the server uses the model now (its locator and alignment).`,
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 1 {
				return usageError("models use needs one model")
			}
			return o.updateSettings(ctx, c, &pb.UpdateSettingsRequest{Model: proto.String(args[0])})
		},
	}
}

func (o *clientOptions) updateSettings(ctx context.Context, c console, change *pb.UpdateSettingsRequest) error {
	if err := o.validate(); err != nil {
		return err
	}
	resp, err := o.galleries().UpdateSettings(ctx, change)
	if err != nil {
		return callError(o.server, err)
	}
	return o.printSettings(c, resp, resp.GetSettings(), resp.GetCoverage())
}

func (o *clientOptions) printSettings(c console, message proto.Message, s *pb.Settings, coverage *pb.Coverage) error {
	if o.output.JSON() {
		return printMessage(c.out, message)
	}
	model := s.GetModel()
	if model == "" {
		model = "none yet: the first crop that is stored chooses it"
	}
	terminal.Printf(c.out, "model   %s\n", model)
	terminal.Printf(c.out, "fpir    %v  (about 1 of %.0f strangers may be taken for a student)\n", s.GetFpir(), 1/s.GetFpir())
	terminal.Printf(c.out, "margin  %v  (the similarity by which the best student must be ahead of the next)\n", s.GetMargin())
	terminal.Printf(c.out, "keep    verdicts for %s, changes for %s\n", count(int(s.GetKeepVerdicts()), "day"), count(int(s.GetKeepChanges()), "day"))
	if s.GetRequireConsent() {
		terminal.Printf(c.out, "consent required  (nobody is enrolled whose consent was not given)\n")
	}
	printCoverage(c.out, s.GetModel(), coverage)
	return nil
}

// printCoverage prints why people may not be recognised, if there is a reason.
func printCoverage(out io.Writer, model string, c *pb.Coverage) {
	if problem := c.GetModelProblem(); problem != "" {
		terminal.Printf(out, "The server cannot use %s: %s\n", model, problem)
	}
	if c.GetWithout() > 0 {
		terminal.Printf(out, "Without an embedding under %s: %d of %s. Nobody is recognised by them until they are enrolled again.\n",
			model, c.GetWithout(), count(int(c.GetCrops()), "enrolled crop"))
	}
	if c.GetOtherwise() > 0 {
		terminal.Printf(out, "Embedded in another way than expected (%s): %d of %s. They compare less well: enrol them again.\n",
			c.GetRecipe(), c.GetOtherwise(), count(int(c.GetCrops()), "enrolled crop"))
	}
	if c.GetRecipe() != "" && c.GetServerRecipe() != "" && c.GetRecipe() != c.GetServerRecipe() {
		terminal.Printf(out, "The server makes embeddings in another way (%s) than the gallery's were made (%s): use the same locator, or \"rollcall models use %s\" and enrol the crops again.\n",
			c.GetServerRecipe(), c.GetRecipe(), model)
	}
}
