package storage

import (
	"context"
	"fmt"
	"log/slog"
	"os"
)

// pebbleLogger gives Pebble's own log to slog. It holds names of files and, of
// a damaged file, keys; never values.
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

// Fatalf logs at error and ends the process, as Pebble requires: it calls this
// when going on could acknowledge changes that are lost.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.log.Error("storage failed, ending the process: " + fmt.Sprintf(format, args...))
	os.Exit(1)
}
