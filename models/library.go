package models

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Names within the folder of a library. Folders whose names begin with a dot are not models.
const (
	modelFile    = "model.onnx"
	contractFile = "contract.json"
)

// Library is what is installed in one folder, together with the catalogue and the built-in models:
//
//	DIR/NAME/model.onnx     the file
//	DIR/NAME/contract.json  its contract, locked: the digest filled in, the golden embedding recorded
//	DIR/.work/NAME/         what is being downloaded or prepared
//
// A Library is safe for concurrent use, and several processes can use one folder: changes of one model
// exclude each other, and an installation appears and disappears as a whole.
type Library struct {
	dir       string
	catalogue map[string]Contract
	builtin   map[string]Contract
	// builtinFiles holds the ONNX files of the built-in models.
	builtinFiles fs.FS
	fetcher      fetcher
}

// OpenLibrary returns the library in the folder dir. The folder need not exist: the first installation
// creates it. "" means the user's own folder: $XDG_DATA_HOME/rollcall/models, or
// ~/.local/share/rollcall/models where that variable is not set to an absolute path; on macOS in
// Application Support, on Windows in the local application data.
func OpenLibrary(dir string) (*Library, error) {
	catalogue, err := fs.Sub(catalogueFiles, "catalogue")
	if err != nil {
		return nil, err
	}
	return OpenCatalogue(dir, catalogue)
}

// OpenCatalogue is [OpenLibrary] with another catalogue than the program's: the contracts NAME.json of a
// folder. Tests use it to install models from a server of their own.
func OpenCatalogue(dir string, catalogue fs.FS) (*Library, error) {
	builtin, err := fs.Sub(builtinFiles, "builtin")
	if err != nil {
		return nil, err
	}
	return openLibrary(dir, catalogue, builtin)
}

func openLibrary(dir string, catalogueFiles, builtinFiles fs.FS) (_ *Library, err error) {
	if dir == "" {
		if dir, err = defaultDir(); err != nil {
			return nil, err
		}
	}
	catalogue, err := readCatalogue(catalogueFiles)
	if err != nil {
		return nil, err
	}
	builtin, err := readBuiltin(builtinFiles)
	if err != nil {
		return nil, err
	}
	for name := range builtin {
		if _, twice := catalogue[name]; twice {
			return nil, fmt.Errorf("built-in model %s: %w: the catalogue has it too", name, ErrNameTaken)
		}
	}
	return &Library{
		dir:          dir,
		catalogue:    catalogue,
		builtin:      builtin,
		builtinFiles: builtinFiles,
		fetcher:      newFetcher(),
	}, nil
}

// List returns every model, whether it is in the catalogue, built into the program or added by the user,
// and whether it is installed or not: embedders first, then by preference, then by name. It reads the
// contracts in the folder each time, which takes about 0.3 ms (BenchmarkDefault), and no ONNX file. Default
// does the same, and Model for one contract.
func (l *Library) List() ([]Model, error) {
	names := make(map[string]bool)
	for name := range l.catalogue {
		names[name] = true
	}
	for name := range l.builtin {
		names[name] = true
	}
	entries, err := os.ReadDir(l.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the models: %w", withoutPath(err))
	}
	for _, entry := range entries {
		if namePattern.MatchString(entry.Name()) {
			names[entry.Name()] = true
		}
	}
	var list []Model
	for name := range names {
		if m, known := l.look(name); known {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b Model) int {
		return cmp.Or(
			strings.Compare(string(a.Contract.Kind), string(b.Contract.Kind)),
			cmp.Compare(a.Contract.Preference, b.Contract.Preference),
			strings.Compare(a.Contract.Name, b.Contract.Name))
	})
	return list, nil
}

// Model returns the installed model of this name. Otherwise the error is [ErrUnknownModel], which suggests
// names, or [ErrNotInstalled] or [ErrDamaged], which say what to do. With these two the returned Model
// still has the contract, as far as it is known.
func (l *Library) Model(name string) (Model, error) {
	m, known := l.look(name)
	switch {
	case !known:
		return Model{}, l.unknown(name)
	case m.Damage != "":
		return m, damaged(m)
	case !m.Installed:
		return m, fmt.Errorf("%w: %s: %s", ErrNotInstalled, name, m.howToInstall())
	}
	return m, nil
}

// Default returns the model of a kind that is used where the user names none: the installed model with the
// lowest preference, and of equals the first by name. The error is [ErrNoneInstalled], which names the
// commands that help. Where the best one is damaged, the error is [ErrDamaged]: taking the next one would
// change the embeddings, and nobody would notice.
func (l *Library) Default(kind Kind) (Model, error) {
	list, err := l.List()
	if err != nil {
		return Model{}, err
	}
	list = slices.DeleteFunc(list, func(m Model) bool { return m.Contract.Kind != kind })
	for _, m := range list {
		if m.Damage != "" {
			return m, damaged(m)
		}
		if m.Installed {
			return m, nil
		}
	}
	return Model{}, noneInstalled(kind, list)
}

// Verify reads the file of an installed model and compares its digest. Errors are those of
// [Library.Model] and [Model.Read].
func (l *Library) Verify(name string) error {
	m, err := l.Model(name)
	if err != nil {
		return err
	}
	_, err = m.Read()
	return err
}

// look returns what is known about a model: built in, installed, or only in the catalogue.
func (l *Library) look(name string) (Model, bool) {
	if !namePattern.MatchString(name) {
		return Model{}, false
	}
	if c, ok := l.builtin[name]; ok {
		return Model{Contract: c, Installed: true, BuiltIn: true, files: l.builtinFiles, file: builtinFile(name)}, true
	}
	current, inCatalogue := l.catalogue[name]
	locked, err := l.readLocked(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Model{Contract: current}, inCatalogue
	case err != nil:
		if !inCatalogue {
			current.Name = name
		}
		return Model{Contract: current, Damage: err.Error()}, true
	}
	if inCatalogue {
		locked = refresh(locked, current)
	}
	return Model{Contract: locked, Installed: true, files: os.DirFS(filepath.Join(l.dir, name)), file: modelFile}, true
}

// readLocked reads the contract of an installation. The error is fs.ErrNotExist where there is none;
// any other is the damage. Messages contain no path.
func (l *Library) readLocked(name string) (Contract, error) {
	dir := filepath.Join(l.dir, name)
	for {
		before, err := os.Stat(dir)
		if err != nil {
			return Contract{}, withoutPath(err)
		}
		if !before.IsDir() {
			return Contract{}, fs.ErrNotExist
		}
		c, err := readInstallation(dir, name)
		if err == nil {
			return c, nil
		}
		// Another process may have removed or replaced it meanwhile. That is no damage.
		if after, statErr := os.Stat(dir); statErr == nil && os.SameFile(before, after) {
			return Contract{}, err
		}
	}
}

// readInstallation reads the contract in the folder of an installation and checks that the file is there
// too.
func readInstallation(dir, name string) (Contract, error) {
	data, err := os.ReadFile(filepath.Join(dir, contractFile))
	if err != nil {
		// Not wrapped: a missing contract in a folder that exists is damage.
		return Contract{}, fmt.Errorf("%s: %v", contractFile, withoutPath(err))
	}
	c, err := ParseContract(data)
	if err != nil {
		return Contract{}, fmt.Errorf("%s: %w", contractFile, err)
	}
	if c.Name != name || c.SHA256 == "" {
		return Contract{}, fmt.Errorf("%s: not the locked contract of %s", contractFile, name)
	}
	info, err := os.Stat(filepath.Join(dir, modelFile))
	if err != nil {
		return Contract{}, fmt.Errorf("%s: %v", modelFile, withoutPath(err))
	}
	if !info.Mode().IsRegular() {
		return Contract{}, fmt.Errorf("%s: not a file", modelFile)
	}
	return c, nil
}

// refresh returns the catalogue's current contract, but takes from the locked contract everything that
// decides what the embeddings are. A newer program may know a better calibration, but must not feed an
// installed model differently.
func refresh(locked, current Contract) Contract {
	if current.SHA256 != "" && current.SHA256 != locked.SHA256 {
		return locked // another file, so the catalogue's figures are not its own
	}
	current.SHA256 = locked.SHA256
	current.Kind = locked.Kind
	current.Input = locked.Input
	current.Template = locked.Template
	current.Decoder = locked.Decoder
	current.Anchors = locked.Anchors
	current.SecondLook, current.Sure = locked.SecondLook, locked.Sure
	current.MirrorEnrolled = locked.MirrorEnrolled
	current.Output = locked.Output
	current.Golden = locked.Golden
	return current
}
