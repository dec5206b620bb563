package ortlib

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// downloadNPM has npm fetch the package's archive. "npm pack" downloads and stops
// there: nothing is unpacked, no dependency fetched, no script of the package run.
func (in *installer) downloadNPM(ctx context.Context, a artifact, folder string) (string, error) {
	err := in.runClient(ctx, client{
		program: "npm",
		args: []string{
			"pack", a.name, "--ignore-scripts",
			// The package is fetched only once: in npm's own cache it would only take space, and in the
			// work folder its growth can be watched.
			"--cache=" + filepath.Join(folder, "cache"),
			"--loglevel=error", "--logs-max=0", "--update-notifier=false",
			// npm waits more than a minute between its default two retries. A machine that cannot reach
			// npm's registry should try pip sooner.
			"--fetch-retries=1", "--fetch-retry-mintimeout=2000",
		},
		folder: folder,
		step:   fmt.Sprintf("downloading %s with npm", a.name),
		total:  a.bytes,
	})
	if err != nil {
		return "", err
	}
	return theOnly(folder, "*.tgz")
}

// downloadPip has pip fetch the wheel of a fixed Python version, whatever Python runs pip: the library
// inside does not depend on the version, and the digest of this one is known.
func (in *installer) downloadPip(ctx context.Context, a artifact, folder string) (string, error) {
	err := in.runClient(ctx, client{
		program: "python3",
		args: []string{
			"-m", "pip", "download", a.name, "--dest", folder,
			"--no-deps", "--only-binary=:all:",
			"--platform", a.tag, "--python-version", "3.11", "--implementation", "cp", "--abi", "cp311",
			"--no-input", "--disable-pip-version-check", "--quiet",
		},
		folder: folder,
		step:   fmt.Sprintf("downloading %s with pip", a.name),
		total:  a.bytes,
	})
	if err != nil {
		return "", err
	}
	return theOnly(folder, "*.whl")
}

// theOnly returns the one file in the folder that matches.
func theOnly(folder, pattern string) (string, error) {
	found, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("delivered %d files %s, expected one", len(found), pattern)
	}
	if _, err := os.Stat(found[0]); err != nil {
		return "", err
	}
	return found[0], nil
}
