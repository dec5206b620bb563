package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// cropFile is a file and the ids under which it is to be enrolled.
type cropFile struct{ path, crop, student, group string }

// layout says what each part of a crop's path in the folder means. It is one of layouts, and a
// pflag.Value.
type layout string

var layouts = []string{"student/file", "group/student/file"}

func (l *layout) Set(value string) error {
	if !slices.Contains(layouts, value) {
		return fmt.Errorf("it can be %s", oneOf(layouts))
	}
	*l = layout(value)
	return nil
}

func (l *layout) String() string { return string(*l) }

func (l *layout) Type() string { return "string" }

// fits says whether a crop may have this path in the folder.
func (l layout) fits(name string) bool {
	return strings.Count(name, "/") == strings.Count(string(l), "/")
}

// cropFile returns the crop at a path that fits.
func (l layout) cropFile(folder, name string) cropFile {
	f := cropFile{path: filepath.Join(folder, filepath.FromSlash(name)), crop: name}
	parts := strings.Split(name, "/")
	for i, what := range strings.Split(string(l), "/") {
		switch what {
		case "student":
			f.student = parts[i]
		case "group":
			f.group = parts[i]
		}
	}
	return f
}

// folderFiles lists the crops of a folder, and what cannot be enrolled. If files lie where the
// layout has none, the error is a usage error.
func folderFiles(folder string, l layout) ([]cropFile, []fileFailure, error) {
	var found folderFinds
	above, err := foldersAbove(folder)
	if err != nil {
		return nil, nil, fileError(folder, err)
	}
	if err := found.read(folder, "", above); err != nil {
		return nil, nil, fileError(folder, err)
	}
	if misfits := found.misfits(l); len(misfits) > 0 {
		return nil, nil, found.misfitError(folder, l, misfits)
	}
	if len(found.files)+len(found.failed) == 0 {
		return nil, nil, fmt.Errorf("%s holds no crops: put each student's crops into a folder that has the student's id as its name, %s/STUDENT/any-name.jpg", folder, folder)
	}
	var files []cropFile
	ids := make(map[string]string) // a crop's id, as the server compares ids -> the path
	for _, name := range found.files {
		id := norm.NFC.String(name)
		if other, taken := ids[id]; taken {
			found.fail(name, fmt.Errorf("its name is spelt like that of %q, but with other bytes: rename one of them", other))
			continue
		}
		ids[id] = name
		files = append(files, l.cropFile(folder, name))
	}
	return files, found.failed, nil
}

// foldersAbove returns all folders that a folder lies in.
func foldersAbove(folder string) (above []fs.FileInfo, err error) {
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, err
	}
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return nil, err
	}
	for dir := filepath.Dir(folder); dir != folder; folder, dir = dir, filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil {
			above = append(above, info)
		}
	}
	return above, nil
}

// folderFinds is what lies in a folder, each with its path in the folder, with slashes.
type folderFinds struct {
	files  []string // also folders that are deeper than in any layout, with a slash at the end
	failed []fileFailure
}

func (f *folderFinds) fail(name string, err error) {
	f.failed = append(f.failed, unreadable(name, err))
}

// maxDepth is how many folders deep the files of the deepest layout lie.
var maxDepth = strings.Count(layouts[len(layouts)-1], "/")

// read notes what lies in the folder dir. name is its path in the whole folder, and above are the
// folders that it lies in. An error is about dir itself; if an entry fails, the others are read.
func (f *folderFinds) read(dir, name string, above []fs.FileInfo) error {
	self, err := os.Stat(dir) // not Lstat: links are followed
	if err != nil {
		return err
	}
	for _, info := range above {
		if os.SameFile(info, self) {
			return errors.New("it is a link to a folder that it lies in")
		}
	}
	if name != "" && strings.Count(name, "/") >= maxDepth {
		f.files = append(f.files, name+"/")
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if passedOver(entry.Name()) {
			continue
		}
		in := path.Join(name, entry.Name())
		if err := f.readEntry(filepath.Join(dir, entry.Name()), in, append(above, self)); err != nil {
			f.fail(in, err)
		}
	}
	return nil
}

func (f *folderFinds) readEntry(file, name string, above []fs.FileInfo) error {
	if !utf8.ValidString(name) {
		return errors.New("its name is not UTF-8, so it cannot be an id: rename it")
	}
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return f.read(file, name, above)
	case !info.Mode().IsRegular():
		return errors.New("it is not a file")
	}
	f.files = append(f.files, name)
	return nil
}

// passedOver says whether a file is left out because nobody wants to enrol it: hidden files, and
// those that Windows puts into folders of pictures.
func passedOver(name string) bool {
	return strings.HasPrefix(name, ".") || strings.EqualFold(name, "Thumbs.db") || strings.EqualFold(name, "desktop.ini")
}

// misfits are the files that lie where the layout has none.
func (f *folderFinds) misfits(l layout) []string {
	var out []string
	for _, name := range f.files {
		if !l.fits(name) {
			out = append(out, name)
		}
	}
	return out
}

// misfitError names the first few misfits, and says which layout fits or how to get one.
func (f *folderFinds) misfitError(folder string, l layout, misfits []string) error {
	const few = 3
	named := strings.Join(misfits[:min(few, len(misfits))], ", ")
	if more := len(misfits) - few; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	for _, other := range layouts {
		if len(f.misfits(layout(other))) == 0 {
			return usageError("%s is not laid out as %s: there is %s; say --layout %s", folder, l, named, other)
		}
	}
	return usageError("%s is not laid out as %s: there is %s; move that to STUDENT/FILE, or everything to GROUP/STUDENT/FILE and say --layout group/student/file; to enrol one file, give --student",
		folder, l, named)
}
