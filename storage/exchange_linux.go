package storage

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// exchangeFolders lets two folders change their names in one step. It returns
// errors.ErrUnsupported where the file system cannot.
func exchangeFolders(a, b string) error {
	err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	}
	return err
}
