//go:build !linux

package storage

import "errors"

// exchangeFolders returns errors.ErrUnsupported: only Linux lets two folders change their
// names in one step.
func exchangeFolders(_, _ string) error { return errors.ErrUnsupported }
