//go:build !linux && !darwin

package ortlib

import (
	"context"
	"errors"
)

// lock fails. It is never called, because there is nothing to install on these systems. It lets the package
// compile where a library is only found.
func lock(context.Context, string, func()) (unlock func() error, err error) {
	return nil, errors.ErrUnsupported
}
