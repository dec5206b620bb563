package roster

import (
	"archive/zip"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"rollcall/gallery"
)

// OneRoster (1EdTech, CSV tables of versions 1.1 and 1.2): users.csv has everybody at the school,
// enrollments.csv says who is in which class, classes.csv and courses.csv have the names of the classes. In 1.1
// users.csv says who is a student. In 1.2 roles.csv does.

const (
	usersFile       = "users.csv"
	rolesFile       = "roles.csv"
	enrollmentsFile = "enrollments.csv"
	classesFile     = "classes.csv"
	coursesFile     = "courses.csv"
)

// readZip reads OneRoster's files from a ZIP, where they may lie in one folder.
func (r Roster) readZip(file string, o Options) error {
	packed, err := zip.OpenReader(file)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	defer packed.Close()
	var in fs.FS = packed
	for _, f := range packed.File {
		if dir, name := path.Split(f.Name); name == usersFile && dir != "" {
			if in, err = fs.Sub(packed, path.Clean(dir)); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			break
		}
	}
	return r.readOneRoster(in, file, o)
}

// oneRoster is what the files of one school say.
type oneRoster struct {
	files   fs.FS
	name    string // of the folder or ZIP
	options Options

	users    map[string]user   // by sourcedId
	students map[string]bool   // of the users, by sourcedId
	groups   map[string]string // by the sourcedId of a class; "": the class is no more
}

// user is a row of users.csv.
type user struct {
	id, at string // in the column of the ids, and where that is
	gone   bool   // or no student
}

func (r Roster) readOneRoster(files fs.FS, name string, o Options) error {
	s := &oneRoster{files: files, name: name, options: o, users: make(map[string]user), students: make(map[string]bool), groups: make(map[string]string)}
	for _, read := range []func() error{s.readUsers, s.readRoles, s.readCourses} {
		if err := read(); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.students)) {
		if err := s.addStudent(r, s.users[name]); err != nil {
			return err
		}
	}
	return s.readEnrollments(r)
}

// addStudent puts a student into groups.
func (s *oneRoster) addStudent(r Roster, u user, groups ...string) error {
	if u.gone {
		return nil
	}
	if u.id == "" {
		return fmt.Errorf("%s: the student has no %s: name another column of %s for the ids", u.at, s.options.ID, usersFile)
	}
	id, err := gallery.StudentID(u.id)
	if err != nil {
		return fmt.Errorf("%s: %w", u.at, err)
	}
	r.add(id, groups...)
	return nil
}

// table reads a file row by row. Active is false for a row whose status says that it is to be deleted. A file that
// is missing has no rows, unless it is required.
func (s *oneRoster) table(file string, required bool, row func(t *table, active bool), needed ...string) error {
	f, err := s.files.Open(file)
	if errors.Is(err, fs.ErrNotExist) && !required {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: it is no folder or ZIP of OneRoster: %w", s.name, err)
	}
	defer f.Close()
	t, err := openTable(f, path.Join(s.name, file), needed...)
	if err != nil {
		return err
	}
	for t.next() {
		status := strings.TrimSpace(t.get("status")) // empty in a file with the whole school
		row(t, status == "" || strings.EqualFold(status, "active"))
	}
	return t.err
}

// key returns what rows of other files name this one by.
func key(t *table, column string) string {
	value := strings.TrimSpace(t.get(column))
	if value == "" {
		t.fail(column, fmt.Errorf("the column %s is empty", column))
	}
	return value
}

func isStudent(t *table) bool { return strings.EqualFold(strings.TrimSpace(t.get("role")), "student") }

func (s *oneRoster) readUsers() error {
	return s.table(usersFile, true, func(t *table, active bool) {
		name := key(t, "sourcedId")
		if _, twice := s.users[name]; twice {
			t.fail("sourcedId", fmt.Errorf("two users have the sourcedId %q", name))
		}
		u := user{id: strings.TrimSpace(t.get(s.options.ID)), at: t.at(t.columns[strings.ToLower(s.options.ID)])}
		u.gone = !active || strings.EqualFold(strings.TrimSpace(t.get("enabledUser")), "false") || t.has("role") && !isStudent(t)
		s.users[name] = u
		if isStudent(t) {
			s.students[name] = true
		}
	}, "sourcedId", s.options.ID)
}

func (s *oneRoster) readRoles() error {
	return s.table(rolesFile, false, func(t *table, active bool) {
		if name := s.userOf(t); active && isStudent(t) {
			s.students[name] = true
		}
	}, "userSourcedId", "role")
}

// userOf returns the user whom a row is about, who must be in users.csv.
func (s *oneRoster) userOf(t *table) string {
	name := key(t, "userSourcedId")
	if _, known := s.users[name]; !known {
		t.fail("userSourcedId", fmt.Errorf("%s has no user %q", usersFile, name))
	}
	return name
}

// readCourses names the classes: by their titles, or those of their courses. Where several classes have one
// title, the sourcedId tells them apart.
func (s *oneRoster) readCourses() error {
	courses := make(map[string]string)
	err := s.table(coursesFile, false, func(t *table, _ bool) {
		courses[key(t, "sourcedId")] = strings.TrimSpace(t.get("title"))
	}, "sourcedId", "title")
	if err != nil {
		return err
	}
	named := make(map[string]int)
	err = s.table(classesFile, false, func(t *table, active bool) {
		class := key(t, "sourcedId")
		title := cmp.Or(strings.TrimSpace(t.get("title")), courses[strings.TrimSpace(t.get("courseSourcedId"))], class)
		if !active {
			title = ""
		}
		s.groups[class] = title
		named[title]++
	}, "sourcedId", "title")
	for class, title := range s.groups {
		if named[title] > 1 && title != "" {
			s.groups[class] = title + " (" + class + ")"
		}
	}
	return err
}

func (s *oneRoster) readEnrollments(r Roster) error {
	return s.table(enrollmentsFile, true, func(t *table, active bool) {
		name, class := s.userOf(t), key(t, "classSourcedId")
		ended := strings.TrimSpace(t.get("endDate"))
		if !active || !s.isStudentIn(t, name) || ended != "" && ended < s.options.Today {
			return
		}
		group, known := s.groups[class]
		switch {
		case !known:
			group = class // without classes.csv
		case group == "":
			return
		}
		if group = t.group("classSourcedId", group); t.err == nil {
			if err := s.addStudent(r, s.users[name], group); err != nil {
				t.err = err
			}
		}
	}, "userSourcedId", "classSourcedId")
}

// isStudentIn says whether a row of enrollments.csv is about a student. Without the column role the other files
// say so.
func (s *oneRoster) isStudentIn(t *table, name string) bool {
	if t.has("role") {
		return isStudent(t)
	}
	return s.students[name]
}
