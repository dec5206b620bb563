package models

import (
	"errors"
	"io/fs"
)

// Errors that callers tell apart with errors.Is. The messages around them say what to do.
// Errors of [Library.Model], [Library.Default] and [Model.Read] may be shown to clients: they
// contain no path.
var (
	// ErrUnknownModel: no contract of this name exists.
	ErrUnknownModel = errors.New("unknown model")
	// ErrNotInstalled: the contract is known, the file is not here.
	ErrNotInstalled = errors.New("model is not installed")
	// ErrNoneInstalled: no model of the kind asked for is installed.
	ErrNoneInstalled = errors.New("a model is missing")
	// ErrDamaged: an installation exists but cannot be used: a file is missing or unreadable.
	ErrDamaged = errors.New("the installation of the model is damaged")
	// ErrDigestMismatch: a file is not the one that its contract names.
	ErrDigestMismatch = errors.New("the file is not the one that the contract names")
	// ErrLicence: the model's licence has to be accepted before it is downloaded.
	ErrLicence = errors.New("the licence has not been accepted")
	// ErrNoDigest: nobody has published the digest of the model's file. Who downloads it trusts the server.
	ErrNoDigest = errors.New("the digest of the model's file is not known")
	// ErrNoSource: the model cannot be downloaded; the user supplies its file.
	ErrNoSource = errors.New("the model cannot be downloaded")
	// ErrNameTaken: another model already has this name.
	ErrNameTaken = errors.New("the name is taken")
	// ErrContract: a contract cannot be read or contradicts itself.
	ErrContract = errors.New("invalid contract")
)

// withoutPath takes the path out of an error of the file system, for messages that reach clients.
func withoutPath(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
