package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// inspection looks at a folder that holds a store, and changes nothing.
//
// Pebble checks each block that it reads. It does not see when its list of tables or a log
// ends too early, when an older log is missing, or when a table lies in another one's
// place: then it serves what is left. Here that is an error which names the file.
type inspection struct {
	fs       vfs.FS
	dir      string
	manifest string // the file with the list of tables
	opts     Options
}

// inspect refuses a store that is not ours, that lost changes, or whose files do not belong
// together. It returns the store, open for reading, and sets the format of writing to that
// of the store.
func inspect(dir string, desc *pebble.DBDesc, writing *pebble.Options, opts Options) (*pebble.DB, error) {
	if desc.FormatMajorVersion != pebble.FormatDefault {
		writing.FormatMajorVersion = min(desc.FormatMajorVersion, formatVersion)
	}
	o := *writing
	in := inspection{fs: o.FS, dir: dir, manifest: filepath.Base(desc.ManifestFilename), opts: opts}
	if desc.FormatMajorVersion == pebble.FormatDefault && in.hasChanges() {
		return nil, fmt.Errorf("%w: the file marker.format-version.* is missing, and nothing else is lost with it: "+
			"make an empty file %q in the folder", ErrCorrupt, fmt.Sprintf("marker.format-version.000001.%03d", formatVersion))
	}
	o.ReadOnly = true
	o.FS = withoutOptions{o.FS}
	db, err := pebble.Open(dir, &o)
	if err != nil {
		return nil, in.openError(err)
	}
	err = checkSchema(db)
	if errors.Is(err, ErrForeign) && in.hasChanges() {
		err = in.badManifest("nothing can be found without it")
	}
	if err == nil {
		err = checkSealKey(db, opts.SealKey)
	}
	if err == nil {
		err = checkFinished(db, opts)
	}
	if err == nil {
		err = in.checkContent(db)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// hasChanges says whether changes were acknowledged in the folder, or may have been.
func (in *inspection) hasChanges() bool {
	said, err := saidAcknowledged(in.fs, in.dir)
	return err == nil && said > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, io.EOF)
}

// checkContent returns ErrCorrupt if a table is not the one that the manifest names, and
// ErrLost if changes are missing, unless the loss is accepted.
func (in *inspection) checkContent(db *pebble.DB) error {
	tables, inTables, err := in.checkTables(db)
	if err != nil {
		return err
	}
	number, _, err := meta(db, metaNumber)
	if err != nil {
		return err
	}
	if number < inTables {
		// What the manifest says last is how far Pebble's history goes. Pebble serves nothing
		// that comes after it, and would write over it.
		return in.badManifest(missing(number+1, inTables))
	}
	lost, err := in.checkLogs(inTables)
	if err == nil && lost == nil {
		lost, err = in.checkAcknowledged(number)
	}
	if err != nil || lost == nil {
		return err
	}
	if in.manifestDamaged() {
		return in.badManifest(lost.Error())
	}
	why := in.badLogs()
	if unnamed := in.unnamedTables(tables, inTables); len(unnamed) > 0 {
		why += fmt.Sprintf(", or %s has lost its end: it does not name %s, which has later changes", in.manifest, strings.Join(unnamed, ", "))
	}
	lost = fmt.Errorf("%w: %w, because %s; restore a backup, or go on with what is there: serve --accept-loss", ErrLost, lost, why)
	if in.opts.AcceptLoss {
		in.opts.Logger.Error("going on without changes that were acknowledged", "reason", lost)
		return nil
	}
	return lost
}

// badManifest is the error of a folder whose manifest is damaged or ends too early. The
// loss cannot be accepted: Pebble would delete the tables that are not named any more.
func (in *inspection) badManifest(lost string) error {
	return fmt.Errorf("%w: the file %s, which lists the tables, is damaged, so that %s; restore a backup",
		ErrCorrupt, in.manifest, lost)
}

// openError says which files kept Pebble from opening the folder.
func (in *inspection) openError(err error) error {
	var tables []string
	for _, found := range tableInError.FindAllStringSubmatch(err.Error(), -1) {
		tables = append(tables, found[1]+".sst")
	}
	slices.Sort(tables)
	switch tables = slices.Compact(tables); {
	case len(tables) > 0 && in.manifestDamaged():
		return in.badManifest("the tables that it does name are gone")
	case len(tables) > 0:
		return fmt.Errorf("%w: the tables %s are missing or have another length than %s says; restore a backup",
			ErrCorrupt, strings.Join(tables, ", "), in.manifest)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: a file is missing: %w; restore a backup", ErrCorrupt, err)
	case strings.Contains(err.Error(), in.manifest) && in.manifestDamaged():
		return in.badManifest("nothing can be found without it")
	case pebble.IsCorruptionError(err):
		return fmt.Errorf("%s: %w", in.badLogs(), err) // Pebble opens no table here
	}
	return err
}

// tableInError finds the tables in Pebble's error about files that are missing or too short.
var tableInError = regexp.MustCompile(`(?m)^L\d: (\d{6,}): `)

// manifestDamaged says whether the manifest does not end where a record ends. After a power
// failure it may end in the middle of a record, which nobody waited for: this alone is no loss.
func (in *inspection) manifestDamaged() bool {
	file, err := in.fs.Open(in.fs.PathJoin(in.dir, in.manifest))
	if err != nil {
		return true
	}
	defer file.Close()
	r := record.NewReader(file, 0)
	for {
		rec, err := r.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, rec)
		}
		if err != nil {
			return !errors.Is(err, io.EOF)
		}
	}
}

// badLogs says what is wrong with Pebble's logs.
func (in *inspection) badLogs() string {
	logs, err := wal.Scan(wal.Dir{FS: in.fs, Dirname: in.dir})
	if err != nil || len(logs) == 0 {
		return "Pebble's log (a file *.log) is missing"
	}
	var bad []string
	for _, log := range logs {
		if damage, damaged, err := findDamage(log); err != nil || damaged {
			bad = append(bad, filepath.Base(damage.file))
		}
	}
	if len(bad) > 0 {
		return "Pebble's log " + strings.Join(bad, ", ") + " is damaged"
	}
	_, newest := logs[len(logs)-1].SegmentLocation(0)
	return "Pebble's log has lost its end, in " + filepath.Base(newest) + " or in a file *.log that is missing"
}

// dropBadOptions deletes Pebble's file of options if it is damaged: it says nothing that the
// program does not say, and Pebble writes it anew.
func dropBadOptions(dir, path string, o *pebble.Options, log *slog.Logger) error {
	if path == "" {
		return nil
	}
	bad, err := badOptions(o.FS, dir, path)
	if err != nil || !bad {
		return err
	}
	log.Warn("a file of options is damaged, and is written anew", "file", filepath.Base(path))
	return o.FS.Remove(path)
}

// badOptions says whether Pebble would refuse a file of options.
func badOptions(fsys vfs.FS, dir, path string) (bool, error) {
	file, err := fsys.Open(path)
	if err != nil {
		return false, fmt.Errorf("storage: opening %s: %w", path, err)
	}
	text, err := io.ReadAll(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return false, fmt.Errorf("storage: reading %s: %w", path, err)
	}
	o := &pebble.Options{FS: fsys}
	o.EnsureDefaults()
	return o.CheckCompatibility(dir, string(text)) != nil, nil
}

// withoutOptions hides Pebble's files of options. Nothing in them is needed for reading.
type withoutOptions struct{ vfs.FS }

func (w withoutOptions) List(dir string) ([]string, error) {
	names, err := w.FS.List(dir)
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "OPTIONS-") }), err
}

// Unwrap is for vfs.Root.
func (w withoutOptions) Unwrap() vfs.FS { return w.FS }
