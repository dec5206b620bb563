package bench

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rollcall/embedder"
	"rollcall/embedder/picture"
)

// listed says whether the folder has a table of its faces. Otherwise it has a folder for
// each person.
func (o *evalOptions) listed() bool {
	_, err := os.Stat(filepath.Join(o.faces.folder, facesTable))
	return err == nil
}

// read returns the crops of the folder.
func (o *evalOptions) read(ctx context.Context, progress io.Writer) ([]crop, error) {
	if !o.listed() {
		return readPeople(o.faces.folder)
	}
	faces, err := readFaces(o.faces.folder, o.faces.split)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(progress, "cutting %d crops …\n", len(faces))
	return o.cut.cutAll(ctx, faces)
}

// readPeople lists the crops of a folder with a folder for each person. It opens none of
// them. Hidden files are left out.
func readPeople(dir string) ([]crop, error) {
	people, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder of the people: %w", err)
	}
	var crops []crop
	for _, person := range people {
		if !person.IsDir() || hidden(person) {
			continue
		}
		files, err := os.ReadDir(filepath.Join(dir, person.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the folder of a person: %w", err)
		}
		for _, f := range files {
			if f.Type().IsRegular() && !hidden(f) {
				crops = append(crops, crop{
					name: person.Name() + "/" + f.Name(), person: person.Name(),
					file: filepath.Join(dir, person.Name(), f.Name()),
				})
			}
		}
	}
	if len(crops) == 0 {
		return nil, fmt.Errorf("%s holds no crops: it needs a folder for each person, %s/PERSON/any-name.jpg, or %s with %s", dir, dir, facesTable, facesArchive)
	}
	return crops, nil
}

func hidden(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), ".") }

// maxCropBytes is more than the embedder takes, which says so then.
const maxCropBytes = 8<<20 + 1

// image returns the bytes of the crop's image.
func (c crop) image() (data []byte, err error) {
	if c.file == "" {
		return c.jpeg, nil
	}
	file, err := os.Open(c.file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return io.ReadAll(io.LimitReader(file, maxCropBytes))
}

// reasonUnreadable is why a file is unusable that is no image.
const reasonUnreadable embedder.Reason = "UNREADABLE"

// unreadable says whether an error of the embedder is the file's fault.
func unreadable(err error) bool {
	return slices.ContainsFunc([]error{picture.ErrEmpty, picture.ErrTooManyBytes, picture.ErrTooManyPixels, picture.ErrNotImage, picture.ErrBroken},
		func(is error) bool { return errors.Is(err, is) })
}

// peopleToEnrol counts the people with two crops or more.
func peopleToEnrol(crops []crop) (n int) {
	counts := make(map[string]int)
	for _, c := range crops {
		if counts[c.person]++; counts[c.person] == 2 {
			n++
		}
	}
	return n
}

// labelColumn is one column of labels.
type labelColumn struct {
	name   string
	byCrop []string // of each crop; "": not labelled
}

// readLabels reads the labels of the crops; none without a file. The first column names a
// person or a file.
func readLabels(name string, crops []crop) ([]labelColumn, error) {
	if name == "" {
		return nil, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read the labels: %w", err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read the labels in %s: %w", name, err)
	}
	if len(rows) == 0 || len(rows[0]) < 2 || rows[0][0] != "person" && rows[0][0] != "file" {
		return nil, fmt.Errorf("read the labels in %s: the first row must be \"person\" or \"file\", and a name for each label", name)
	}
	of := make(map[string][]string)
	for _, row := range rows[1:] {
		of[row[0]] = row
	}
	columns := make([]labelColumn, len(rows[0])-1)
	labelled := false
	for k := range columns {
		columns[k] = labelColumn{name: rows[0][k+1], byCrop: make([]string, len(crops))}
		for i, c := range crops {
			key := c.person
			if rows[0][0] == "file" {
				key = c.name
			}
			if row := of[key]; row != nil {
				columns[k].byCrop[i], labelled = row[k+1], true
			}
		}
	}
	if !labelled {
		return nil, fmt.Errorf("read the labels in %s: none of its rows names a %s of the folder", name, rows[0][0])
	}
	return columns, nil
}
