package models

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// AddOptions says how a file is added. The zero value adds a file of the catalogue's model.
type AddOptions struct {
	// SHA256 is the digest that the file must have, 64 hexadecimal digits. "": only the contract's digest
	// counts.
	SHA256 string
	// Contract is the user's own, for a name that no other model has; nil for a model of the catalogue.
	Contract *Contract
	// Check tries the model out before anything is stored. nil: the model is stored without a trial.
	Check CheckFunc
}

// Add installs a copy of the user's ONNX file as the model name and returns the model. The file must be in
// one piece (no external data) and have at most 2 GiB. If the contract names a digest, the file must have
// it; otherwise the file's digest is recorded, and the model is locked to it from then on. Adding the file
// that is already installed changes nothing.
//
// Errors are [ErrUnknownModel] without a contract for the name, [ErrContract], [ErrDigestMismatch],
// [ErrNameTaken] where another file is installed under the name, the context's, and what Check
// returns.
func (l *Library) Add(ctx context.Context, name, file string, opts AddOptions) (Model, error) {
	c, err := l.contractToAdd(name, opts.Contract)
	if err != nil {
		return Model{}, err
	}
	data, err := readFile(ctx, file, func(int64, int64) {})
	if err != nil {
		return Model{}, fmt.Errorf("add model %s: %w", name, err)
	}
	for _, want := range []string{c.SHA256, strings.ToLower(opts.SHA256)} {
		if want == "" {
			continue
		}
		if err := checkDigest(data, want); err != nil {
			return Model{}, fmt.Errorf("add model %s: %w%s", name, err, hint(data))
		}
	}
	w, err := l.openWorkshop(ctx, name)
	if err != nil {
		return Model{}, fmt.Errorf("add model %s: %w", name, err)
	}
	defer w.unlock()
	if m, known := l.look(name); known && m.Installed {
		if opts.Contract == nil && m.Contract.SHA256 == digest(data) && l.Verify(name) == nil {
			return m, nil
		}
		if opts.Contract != nil || m.Contract.SHA256 != digest(data) {
			return Model{}, fmt.Errorf("add model %s: %w: run %q first; embeddings of the two models cannot be compared", name, ErrNameTaken, removeCommand+" "+name)
		}
	}
	if err := w.install(c, data, opts.Check); err != nil {
		return Model{}, fmt.Errorf("add model %s: %w", name, err)
	}
	return l.Model(name)
}

// contractToAdd returns the contract for a file that a user adds.
func (l *Library) contractToAdd(name string, own *Contract) (Contract, error) {
	if !namePattern.MatchString(name) {
		return Contract{}, fmt.Errorf("add model: %w: name %.80q must match %s", ErrContract, name, namePattern)
	}
	if _, ok := l.builtin[name]; ok {
		return Contract{}, fmt.Errorf("add model %s: %w: it is part of the program", name, ErrNameTaken)
	}
	known, inCatalogue := l.catalogue[name]
	switch {
	case own == nil && !inCatalogue:
		return Contract{}, fmt.Errorf("%w; a model that the catalogue does not have needs a contract", l.unknown(name))
	case own == nil:
		return known, nil
	case inCatalogue:
		return Contract{}, fmt.Errorf("add model %s: %w: the catalogue has it; choose another name for a contract of your own", name, ErrNameTaken)
	case own.Name != name:
		return Contract{}, fmt.Errorf("add model %s: %w: it is named %.80q", name, ErrContract, own.Name)
	}
	if err := own.Validate(); err != nil {
		return Contract{}, fmt.Errorf("add model %s: %w", name, err)
	}
	return *own, nil
}

// readFile reads a regular file of at most maxFileBytes, until ctx ends, and reports its progress.
func readFile(ctx context.Context, name string, progress func(done, total int64)) ([]byte, error) {
	// Stat first, because opening a named pipe would wait for a writer.
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	if info.Size() > maxFileBytes {
		return nil, fmt.Errorf("%s has %d bytes, more than the %d that an ONNX file may have", name, info.Size(), int64(maxFileBytes))
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data := make([]byte, info.Size())
	progress(0, info.Size())
	for done := 0; done < len(data); {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		n, err := file.Read(data[done:min(done+chunkBytes, len(data))])
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s became shorter while it was read", name)
		}
		if err != nil {
			return nil, err
		}
		done += n
		progress(int64(done), info.Size())
	}
	return data, nil
}

// hint says what a file with the wrong digest seems to be, if it is not an ONNX file.
func hint(data []byte) string {
	if what := notONNX(data); what != "" {
		return ": it is " + what
	}
	return ""
}
