package models

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// defaultDir returns the folder in which models are kept where the user names none.
func defaultDir() (string, error) {
	base, err := dataDir(runtime.GOOS, os.Getenv, os.UserHomeDir)
	if err != nil {
		return "", fmt.Errorf("find the folder of the models: %w: name the folder yourself", err)
	}
	return filepath.Join(base, "rollcall", "models"), nil
}

func dataDir(goos string, getenv func(string) string, home func() (string, error)) (string, error) {
	if goos == "windows" {
		if dir := getenv("LocalAppData"); dir != "" {
			return dir, nil
		}
		return "", errors.New("%LocalAppData% is not set")
	}
	// The XDG base directory specification says to ignore a relative path.
	if dir := getenv("XDG_DATA_HOME"); goos != "darwin" && filepath.IsAbs(dir) {
		return dir, nil
	}
	dir, err := home()
	if err != nil {
		return "", err
	}
	if goos == "darwin" {
		return filepath.Join(dir, "Library", "Application Support"), nil
	}
	return filepath.Join(dir, ".local", "share"), nil
}
