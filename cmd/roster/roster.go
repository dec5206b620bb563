// Package roster reads who is at a school from the files that its administration exports, and compares
// that with a gallery. [Read] takes tables with the columns id and groups, and the CSV files of OneRoster
// 1.1 and 1.2. [Compare] says what has to change. Only ids and the names of groups are kept of a file.
//
// Its functions are safe for concurrent use.
package roster

import (
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rollcall/gallery"
)

// A Roster is who is at a school: the groups of each student, sorted, by the student's id. Ids are in
// Unicode's form NFC.
type Roster map[string][]string

// add puts a student into groups.
func (r Roster) add(student string, groups ...string) {
	all := append(r[student], groups...)
	slices.Sort(all)
	r[student] = slices.Compact(all)
}

// Options say how OneRoster's files are read.
type Options struct {
	// ID is the column of users.csv that has the ids of students: sourcedId, identifier or username. Default:
	// sourcedId.
	ID string
	// Today, as 2026-07-31, leaves out enrolments that have ended before. Default "": none is left out.
	Today string
}

// IDColumns are the possible values of [Options.ID].
var IDColumns = []string{"sourcedId", "identifier", "username"}

// mostBytes bounds a file, and what is unpacked of a ZIP: a roster of a million lines has less.
const mostBytes = 256 << 20

// ErrEmpty says that a roster has no student: it is a wrong file, or one that is cut off.
var ErrEmpty = errors.New("the roster has no student in it")

// Read reads a roster from one or more files, each with a part of the school: tables, and folders or ZIP
// files of OneRoster. Errors name the file, and where they can the line and the column. ErrEmpty is one of
// them.
func Read(files []string, o Options) (Roster, error) {
	o.ID = cmp.Or(o.ID, IDColumns[0])
	r := make(Roster)
	for _, file := range files {
		if err := r.readFile(file, o); err != nil {
			return nil, err
		}
	}
	if len(r) == 0 {
		return nil, ErrEmpty
	}
	return r, nil
}

func (r Roster) readFile(file string, o Options) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return r.readOneRoster(os.DirFS(file), file, o)
	}
	if strings.EqualFold(filepath.Ext(file), ".zip") {
		return r.readZip(file, o)
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return r.readTable(f, file)
}

// readTable reads a table with the columns id and groups. A student may have several rows.
func (r Roster) readTable(from io.Reader, name string) error {
	t, err := openTable(from, name, "id", "groups")
	if err != nil {
		return err
	}
	for t.next() {
		student := t.student("id")
		var groups []string
		for _, g := range strings.Split(t.get("groups"), ";") {
			if strings.TrimSpace(g) != "" {
				groups = append(groups, t.group("groups", g))
			}
		}
		if t.err == nil {
			r.add(student, groups...)
		}
	}
	return t.err
}

// student returns the id of a student in a column of the row, as galleries keep it.
func (t *table) student(column string) string {
	id, err := gallery.StudentID(strings.TrimSpace(t.get(column)))
	if err != nil {
		t.fail(column, err)
	}
	return id
}

// group returns the id of a group, which the row has in a column, as galleries keep it.
func (t *table) group(column, group string) string {
	id, err := gallery.GroupID(strings.TrimSpace(group))
	if err != nil {
		t.fail(column, err)
	}
	return id
}
