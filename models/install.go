package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// goldenTolerance is recorded with a golden embedding. The components of a unit vector of 128 to 512
// dimensions are about 0.04 to 0.09. Another order of additions changes them by some 1e-6, and a wrong
// channel order or scale by much more than the tolerance.
const goldenTolerance = 1e-3

// CheckFunc tries a model out before it is installed. It returns an error where the file does not do what
// the contract says. Otherwise it returns the embedding of the generated picture, of unit length, or nil
// where there is none to record. It must not keep onnx.
type CheckFunc func(c Contract, onnx []byte) (golden []float32, err error)

// Names within the working folder of one model, DIR/.work/NAME. Only the holder of the lock may change the
// others.
const (
	workDir      = ".work"
	lockFile     = "lock"
	downloadFile = "download"      // what has come of a download so far
	stateFile    = "download.json" // what it is a download of, see download.go
	stageDir     = "stage"         // the next installation, until it is complete
	oldDir       = "old"           // the previous installation, until the next is in place
)

// workshop is the working folder of one model, locked.
type workshop struct {
	name      string
	dir       string // DIR/.work/NAME
	installed string // DIR/NAME
	unlock    func()
}

// openWorkshop locks a model against other changes and removes what a crash has left. It waits for the lock
// until ctx ends.
func (l *Library) openWorkshop(ctx context.Context, name string) (*workshop, error) {
	w := &workshop{
		name:      name,
		dir:       filepath.Join(l.dir, workDir, name),
		installed: filepath.Join(l.dir, name),
	}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return nil, fmt.Errorf("create the folder of the models: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(w.dir, lockFile))
	if err != nil {
		return nil, fmt.Errorf("wait for another change of the model: %w", err)
	}
	w.unlock = unlock
	if err := w.recover(); err != nil {
		unlock()
		return nil, fmt.Errorf("remove what an interrupted change of the model left: %w", err)
	}
	return w, nil
}

func (w *workshop) path(name string) string { return filepath.Join(w.dir, name) }

// recover restores the previous installation if a crash came after it was moved away and before the next
// one was in place. It removes the rest.
func (w *workshop) recover() error {
	// A half removed installation is not restored.
	_, err := readInstallation(w.path(oldDir), w.name)
	if whole := err == nil; whole && !exists(w.installed) {
		if err := os.Rename(w.path(oldDir), w.installed); err != nil {
			return err
		}
	}
	return errors.Join(os.RemoveAll(w.path(oldDir)), os.RemoveAll(w.path(stageDir)))
}

// install makes data the file of the model, in place of what is installed. The digest of data has already
// been compared.
func (w *workshop) install(c Contract, data []byte, check CheckFunc) error {
	if err := inspect(data); err != nil {
		return err
	}
	c.SHA256 = digest(data)
	if check != nil {
		golden, err := check(c, data)
		if err != nil {
			return fmt.Errorf("try out the model: %w", err)
		}
		if golden != nil {
			c.Golden = &Golden{Embedding: golden, Tolerance: goldenTolerance}
		}
	}
	if err := c.Validate(); err != nil {
		return err
	}
	contract, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	if err := w.store(data, contract); err != nil {
		return errors.Join(err, w.recover())
	}
	return nil
}

// store puts the two files of an installation in place. It prepares them in another folder and renames
// that, because a rename replaces a folder as a whole.
func (w *workshop) store(data, contract []byte) error {
	stage := w.path(stageDir)
	if err := os.Mkdir(stage, 0o755); err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(stage, modelFile), data); err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(stage, contractFile), contract); err != nil {
		return err
	}
	if err := syncDir(stage); err != nil {
		return err
	}
	// What is installed, if anything is, moves out of the way.
	if err := os.Rename(w.installed, w.path(oldDir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(stage, w.installed); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(w.installed)); err != nil {
		return err
	}
	return os.RemoveAll(w.path(oldDir))
}

// dropDownload forgets what has been downloaded.
func (w *workshop) dropDownload() error {
	return errors.Join(os.RemoveAll(w.path(downloadFile)), os.RemoveAll(w.path(stateFile)))
}

// Remove deletes a model from the folder, with its partial download and the user's contract. For a model
// that is not there the error is [ErrNotInstalled]. Built-in models cannot be removed. Remove fails at once
// while another process changes the same model.
func (l *Library) Remove(name string) error {
	m, known := l.look(name)
	switch {
	case !known:
		return l.unknown(name)
	case m.BuiltIn:
		return fmt.Errorf("remove model %s: it is part of the program", name)
	case !m.Installed && m.Damage == "" && !exists(filepath.Join(l.dir, workDir, name)):
		return fmt.Errorf("remove model %s: %w", name, ErrNotInstalled)
	}
	now, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("another process is busy with it"))
	w, err := l.openWorkshop(now, name)
	if err != nil {
		return fmt.Errorf("remove model %s: %w", name, err)
	}
	defer w.unlock()
	// Looked up again: recover may just have restored it.
	if !exists(w.installed) {
		if err := w.dropDownload(); err != nil {
			return fmt.Errorf("remove model %s: %w", name, err)
		}
		return fmt.Errorf("remove model %s: %w", name, ErrNotInstalled)
	}
	// It is moved to stageDir and not to oldDir, because recover never restores stageDir after a crash.
	if err := os.Rename(w.installed, w.path(stageDir)); err != nil {
		return fmt.Errorf("remove model %s: %w", name, err)
	}
	err = errors.Join(syncDir(l.dir), os.RemoveAll(w.path(stageDir)), w.dropDownload())
	if err != nil {
		return fmt.Errorf("remove model %s: %w", name, err)
	}
	return nil
}

// exists reports whether something has this name. It says true where it cannot find out.
func exists(name string) bool {
	_, err := os.Lstat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

// writeSynced writes a new file and waits until it is on disk.
func writeSynced(name string, data []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncDir makes the names in a folder durable. Windows has no such call and does not need it.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
