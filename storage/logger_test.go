package storage

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The log names a damaged file, and nobody whose records are in it.
func TestLogOfDamageHoldsNoIDs(t *testing.T) {
	fs := vfs.NewMem()
	s := openMem(t, fs)
	put(t, partition(t, s, "elm"), Student{ID: "ada-lovelace"})
	if err := onPebble(s).db.Flush(); err != nil {
		t.Fatal(err)
	}
	closeNow(t, s)
	names, err := fs.List("gallery")
	if err != nil {
		t.Fatal(err)
	}
	tables := 0
	for _, name := range names {
		if filepath.Ext(name) != ".sst" {
			continue
		}
		tables++
		alter(t, fs, "gallery/"+name, func(b []byte) []byte { b[10] ^= 1; return b })
	}
	var log bytes.Buffer
	s, err = Open("gallery", Options{FS: fs, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err == nil {
		_, _, err = readAll(t.Context(), s)
		t.Log("opened, and read:", err)
		closeNow(t, s)
	}
	if text := log.String(); tables == 0 || !strings.Contains(text, ".sst") || !strings.Contains(text, "is damaged") || strings.Contains(text, "ada-lovelace") || strings.Contains(text, "stack trace") {
		t.Errorf("%d tables; the log: %s", tables, text)
	}
}
