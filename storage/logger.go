package storage

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
)

// pebbleLogger gives Pebble's own log to slog. It holds names of files, and never keys or
// values: keys hold ids.
type pebbleLogger struct{ log *slog.Logger }

// Infof logs at debug: an operator has no use for every flush.
func (l pebbleLogger) Infof(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("pebble: " + fmt.Sprintf(format, args...))
	}
}

// Errorf logs at error.
func (l pebbleLogger) Errorf(format string, args ...any) {
	l.log.Error("pebble: " + fmt.Sprintf(format, args...))
}

// damaged logs a damaged file without what Pebble would add: the first and the last key in it,
// and where the program was.
func (l pebbleLogger) damaged(info pebble.DataCorruptionInfo) {
	l.log.Error("a file of the data folder is damaged", "file", filepath.Base(info.Path), "error", info.Details.Error()) // not the error itself, which prints a stack
}

// Fatalf logs at error and ends the process, as Pebble requires: it calls this
// when going on could acknowledge changes that are lost.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.log.Error("storage failed, ending the process: " + fmt.Sprintf(format, args...))
	os.Exit(1)
}
