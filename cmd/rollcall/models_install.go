package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	"rollcall/embedder"
	"rollcall/embedder/ortlib"
	"rollcall/models"
)

// checkModel returns the check of pull, add and verify: it loads the file and runs it
// once.
func checkModel(ctx context.Context, c console, o ortlib.Options) (models.CheckFunc, error) {
	if _, err := startRuntime(ctx, c, o, slog.New(slog.DiscardHandler)); err != nil {
		return nil, fmt.Errorf("the model cannot be tried out without ONNX Runtime: %w", err)
	}
	return embedder.Check, nil
}

func printInstalled(c console, lib *models.Library, name string) error {
	m, err := lib.Model(name)
	if err != nil {
		return err
	}
	return terminal.Printf(c.out, "%s installed (%s, licence %s, sha256 %.12s…)\n", name, m.Contract.Kind, m.Contract.Licence.Name, m.Contract.SHA256)
}

func modelsAdd() command {
	var library libraryOptions
	var ort ortlib.Options
	var add models.AddOptions
	var contract string
	return command{
		name:  "add",
		args:  "NAME FILE",
		short: "install your own ONNX file under a contract",
		long: `Checks that the file works as the contract of NAME says, copies it, and locks its
digest. NAME is a model of the catalogue, or a new model with its own --contract. To
write one, start from what "rollcall models show --output json NAME" prints.`,
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&contract, "contract", "", "JSON file with the contract of a model that the catalogue does not have")
			set.StringVar(&add.SHA256, "sha256", "", "the digest that the file must have")
			library.addFlags(set)
			ort.AddFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 2 {
				return usageError("models add needs a name and a file")
			}
			lib, err := library.open()
			if err != nil {
				return err
			}
			if contract != "" {
				if add.Contract, err = readContract(contract); err != nil {
					return err
				}
			}
			if add.Check, err = checkModel(ctx, c, ort); err != nil {
				return err
			}
			if _, err := lib.Add(ctx, args[0], args[1], add); err != nil {
				return err
			}
			return printInstalled(c, lib, args[0])
		},
	}
}

func readContract(file string) (*models.Contract, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	c, err := models.ParseContract(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &c, nil
}

func modelsVerify() command {
	var library libraryOptions
	var ort ortlib.Options
	return command{
		name:  "verify",
		args:  "[MODEL...]",
		short: "check the digest of installed models, and try them out",
		flags: func(set *pflag.FlagSet) { library.addFlags(set); ort.AddFlags(set) },
		run: func(ctx context.Context, c console, args []string) error {
			lib, err := library.open()
			if err != nil {
				return err
			}
			check, err := checkModel(ctx, c, ort)
			if err != nil {
				return err
			}
			return runVerify(c, lib, check, args)
		},
	}
}

// runVerify checks all models, even after a bad one.
func runVerify(c console, lib *models.Library, check models.CheckFunc, names []string) error {
	if len(names) == 0 {
		list, err := lib.List()
		if err != nil {
			return err
		}
		for _, m := range list {
			if m.Installed || m.Damage != "" {
				names = append(names, m.Contract.Name)
			}
		}
	}
	if len(names) == 0 {
		_, err := fmt.Fprintln(c.out, "no model is installed")
		return err
	}
	bad := 0
	for _, name := range names {
		if err := verifyOne(lib, check, name); err != nil {
			bad++
			terminal.Printf(c.out, "%s  BAD: %v\n", name, err)
			continue
		}
		terminal.Printf(c.out, "%s  ok\n", name)
	}
	if bad > 0 {
		return &exitError{exitFailure, fmt.Errorf("cannot be used: %d of %s", bad, count(len(names), "model"))}
	}
	return nil
}

func verifyOne(lib *models.Library, check models.CheckFunc, name string) error {
	m, err := lib.Model(name)
	if err != nil {
		return err
	}
	onnx, err := m.Read()
	if err != nil {
		return err
	}
	_, err = check(m.Contract, onnx)
	return err
}

func modelsRemove() command {
	var library libraryOptions
	return command{
		name:  "remove",
		args:  "MODEL",
		short: "uninstall a model",
		flags: library.addFlags,
		run: func(_ context.Context, c console, args []string) error {
			if len(args) != 1 {
				return usageError("models remove needs one model")
			}
			lib, err := library.open()
			if err != nil {
				return err
			}
			if err := lib.Remove(args[0]); err != nil {
				return err
			}
			return terminal.Printf(c.out, "%s removed\n", args[0])
		},
	}
}
