package models

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

// The contracts of the models that Rollcall knows: catalogue/NAME.json.
//
//go:embed catalogue/*.json
var catalogueFiles embed.FS

// The models that are part of the program: builtin/NAME.json with builtin/NAME.onnx.
//
//go:embed builtin
var builtinFiles embed.FS

// readCatalogue reads the contracts of a folder, by name. It skips files that are not JSON.
func readCatalogue(files fs.FS) (map[string]Contract, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("read the catalogue: %w", err)
	}
	contracts := make(map[string]Contract)
	for _, entry := range entries {
		name, isContract := strings.CutSuffix(entry.Name(), ".json")
		if !isContract {
			continue
		}
		data, err := fs.ReadFile(files, entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read the contract of %s: %w", name, err)
		}
		c, err := ParseContract(data)
		if err != nil {
			return nil, fmt.Errorf("read the contract of %s: %w", name, err)
		}
		if c.Name != name {
			return nil, fmt.Errorf("read the contract of %s: %w: it is named %s", name, ErrContract, c.Name)
		}
		if c.TrainingData == (TrainingData{}) {
			return nil, fmt.Errorf("read the contract of %s: %w: training_data is missing: write what is known and what is not stated", name, ErrContract)
		}
		contracts[name] = c
	}
	return contracts, nil
}

// readBuiltin reads the built-in models of a folder: contracts that are locked to a file beside them.
func readBuiltin(files fs.FS) (map[string]Contract, error) {
	contracts, err := readCatalogue(files)
	if err != nil {
		return nil, err
	}
	for name, c := range contracts {
		if c.SHA256 == "" {
			return nil, fmt.Errorf("built-in model %s: %w: sha256 is missing", name, ErrContract)
		}
		if _, err := fs.Stat(files, builtinFile(name)); err != nil {
			return nil, fmt.Errorf("built-in model %s: %w", name, err)
		}
	}
	return contracts, nil
}

// builtinFile names the ONNX file of a built-in model in its folder.
func builtinFile(name string) string { return name + ".onnx" }
