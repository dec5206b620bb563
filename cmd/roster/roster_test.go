package roster

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// write writes files into a folder of the test's, and returns it.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTables(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       Roster
		wrong      string // what the error says; "": there is none
	}{
		{"plain", "id,groups\ns1,3b;chess\ns2,\n", Roster{"s1": {"3b", "chess"}, "s2": nil}, ""},
		{"other columns and their order", "Name,GROUPS, Id \nAda,3b,s1\n", Roster{"s1": {"3b"}}, ""},
		{"byte order mark, CRLF, quotes", "\xef\xbb\xbfid,groups\r\n\"s,1\",\" 3b ; chess ;; 3b\"\r\n", Roster{"s,1": {"3b", "chess"}}, ""},
		{"several rows of a student", "id,groups\ns1,b\ns2,a\ns1,a\n", Roster{"s1": {"a", "b"}, "s2": {"a"}}, ""},
		{"other forms of Unicode", "id,groups\nZoe\u0308,e\u0301\nZo\u00eb,\u00e9\n", Roster{"Zo\u00eb": {"\u00e9"}}, ""},
		{"empty lines", "id,groups\n\ns1,a\n\n", Roster{"s1": {"a"}}, ""},
		{"nothing", "", nil, "f.csv: the file is empty"},
		{"a header alone", "id,groups\n", nil, "no student"},
		{"no header", "s1,3b\n", nil, "f.csv: the first line names no column id"},
		{"semicolons", "id;groups\ns1;3b\n", nil, "separated by commas"},
		{"a column twice", "id,groups,ID\n", nil, "f.csv:1:11: there are two columns id"},
		{"no id", "id,groups\ns1,a\n ,b\n", nil, "f.csv:3:1: invalid id: empty student id"},
		{"a bad id", "groups,id\na,\"s\x01\"\n", nil, "f.csv:2:3: "},
		{"a bad group", "id,groups\ns1,a;b\x02\n", nil, "f.csv:2:4: "},
		{"too few fields", "id,groups\ns1\n", nil, "f.csv:2:1: the row has not as many fields"},
		{"an open quote", "id,groups\n\"s1,a\n", nil, "f.csv:"},
		{"not UTF-8", "id,groups\nZo\xeb,a\n", nil, "f.csv:2:1: the text is not UTF-8"},
	} {
		got, err := Read([]string{filepath.Join(write(t, map[string]string{"f.csv": c.text}), "f.csv")}, Options{})
		switch {
		case c.wrong != "":
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: error %v, want %q", c.name, err, c.wrong)
			}
		case err != nil || !same(got, c.want):
			t.Errorf("%s: %v, %v, want %v", c.name, got, err, c.want)
		}
	}
}

// same compares rosters; no groups and empty groups are the same.
func same(a, b Roster) bool { return maps.EqualFunc(a, b, slices.Equal[[]string]) }

// school is a small school in OneRoster's files.
func school() map[string]string {
	return map[string]string{
		"users.csv": "sourcedId,status,role,username,identifier,enabledUser,givenName\n" +
			"u1,,student,ada,1001,true,Ada\nu2,active,Student,ben,1002,true,Ben\nu3,tobedeleted,student,cem,1003,true,Cem\n" +
			"u4,,teacher,dan,1004,true,Dan\nu5,,student,eva,1005,false,Eva\nu6,,student,fay,1006,true,Fay\n",
		"classes.csv": "sourcedId,status,title,courseSourcedId\nc1,,3b,k1\nc2,,Maths,k1\nc3,,Maths,k1\nc4,tobedeleted,Latin,k1\nc5,,,k2\n",
		"courses.csv": "sourcedId,title\nk1,Course\nk2,Chess\n",
		"enrollments.csv": "sourcedId,status,classSourcedId,userSourcedId,role,endDate\n" +
			"e1,,c1,u1,student,\ne2,,c2,u1,student,2026-07-31\ne3,,c3,u2,student,2026-01-31\ne4,,c1,u4,teacher,\n" +
			"e5,tobedeleted,c1,u2,student,\ne6,,c1,u3,student,\ne7,,c4,u2,student,\ne8,,c5,u2,student,\ne9,,c3,u2,student,\n",
	}
}

func TestOneRoster(t *testing.T) {
	want := Roster{"1001": {"3b", "Maths (c2)"}, "1002": {"Chess", "Maths (c3)"}, "1006": nil}
	o := Options{ID: "identifier", Today: "2026-03-01"}
	files := school()
	dir := write(t, files)
	got, err := Read([]string{dir}, o)
	if err != nil || !same(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if got, err := Read([]string{dir}, Options{}); err != nil || !slices.Equal(slices.Sorted(maps.Keys(got)), []string{"u1", "u2", "u6"}) {
		t.Errorf("by sourcedId: %v, %v", got, err)
	}
	for _, inside := range []string{"", "export/"} {
		var packed bytes.Buffer
		z := zip.NewWriter(&packed)
		for name, content := range files {
			f, err := z.Create(inside + name)
			if err == nil {
				_, err = f.Write([]byte(content))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(write(t, map[string]string{"school.ZIP": packed.String()}), "school.ZIP")
		if got, err := Read([]string{file}, o); err != nil || !same(got, want) {
			t.Errorf("from a ZIP: %v, %v, want %v", got, err, want)
		}
	}

	// Version 1.2: the roles are in a file of their own, and the classes may be missing.
	files["users.csv"] = "sourcedId,status,identifier\nu1,,1001\nu2,,1002\nu3,tobedeleted,1003\nu4,,\nu5,tobedeleted,1005\nu6,,1006\n"
	files["roles.csv"] = "sourcedId,userSourcedId,role\nr1,u1,student\nr2,u4,teacher\nr3,u6,student\n"
	delete(files, "classes.csv")
	want = Roster{"1001": {"c1", "c2"}, "1002": {"c3", "c4", "c5"}, "1006": nil}
	if got, err := Read([]string{write(t, files)}, o); err != nil || !same(got, want) {
		t.Errorf("version 1.2: %v, %v, want %v", got, err, want)
	}
}

func TestOneRosterErrors(t *testing.T) {
	for _, c := range []struct{ file, old, new, says string }{
		{"users.csv", "u2,active", "u1,active", `users.csv:3:1: two users have the sourcedId "u1"`},
		{"users.csv", "1001", "", "users.csv:2:17: the student has no identifier"},
		{"users.csv", "1001", "a\x01", "users.csv:2:17: "},
		{"users.csv", "sourcedId", "id", "users.csv: the first line names no column sourcedId"},
		{"enrollments.csv", "c1,u1", "c1,u9", `enrollments.csv:2:8: users.csv has no user "u9"`},
		{"enrollments.csv", "c1,u1", ",u1", "enrollments.csv:2:5: the column classSourcedId is empty"},
		{"classes.csv", "c1", "", "classes.csv:2:1: the column sourcedId is empty"},
	} {
		files := school()
		files[c.file] = strings.Replace(files[c.file], c.old, c.new, 1)
		_, err := Read([]string{write(t, files)}, Options{ID: "identifier"})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("error %v, want %q", err, c.says)
		}
	}
	_, err := Read([]string{t.TempDir()}, Options{})
	if err == nil || !strings.Contains(err.Error(), "no folder or ZIP of OneRoster") {
		t.Errorf("an empty folder: %v", err)
	}
	_, err = Read(nil, Options{})
	if !errors.Is(err, ErrEmpty) {
		t.Errorf("no file: %v", err)
	}
}

// TestCompare applies the difference of random rosters to a model of a gallery, which then has what the roster
// says, and nothing is left to do.
func TestCompare(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 27))
		state := make(map[string]Known)
		for range 3 {
			wanted := make(Roster)
			for i := range 12 {
				id := fmt.Sprintf("s%02d", i)
				if rng.IntN(3) > 0 {
					wanted.add(id)
					for range rng.IntN(3) {
						wanted.add(id, string(rune('a'+rng.IntN(3))))
					}
				}
				if k, known := state[id]; known && rng.IntN(6) == 0 {
					k.Refused, k.Groups = true, nil
					state[id] = k
				}
			}
			before := maps.Clone(state)
			d := Compare(wanted, values(state))
			change := func(list []Change, f func(k *Known, c Change)) {
				for _, c := range list {
					k := state[c.ID]
					if !slices.Equal(k.Groups, c.Before) {
						t.Fatalf("seed %d: %+v was in %v", seed, c, k.Groups)
					}
					f(&k, c)
					state[c.ID] = k
				}
			}
			change(d.New, func(k *Known, c Change) { k.ID, k.Groups = c.ID, c.After })
			change(d.Moved, func(k *Known, c Change) { k.Groups = c.After })
			change(d.Leavers, func(k *Known, c Change) { k.Groups, k.Leaves = nil, true })
			for _, id := range d.Returned {
				k := state[id]
				k.Leaves = false
				state[id] = k
			}
			for id, k := range state {
				groups, stays := wanted[id]
				switch old := before[id]; {
				case !stays && !k.Leaves || stays && k.Leaves:
					t.Errorf("seed %d: %s in the roster is %v, and leaves is %v", seed, id, stays, k.Leaves)
				case stays && !k.Refused && !slices.Equal(k.Groups, groups), (!stays || k.Refused) && len(k.Groups) > 0:
					t.Errorf("seed %d: %s is in %v, the roster says %v", seed, id, k.Groups, groups)
				case k.Refused != old.Refused:
					t.Errorf("seed %d: the consent of %s changed", seed, id)
				}
			}
			for id := range wanted {
				if _, known := state[id]; !known {
					t.Errorf("seed %d: %s is missing", seed, id)
				}
			}
			if again := Compare(wanted, values(state)); !again.Nothing() || again.Unchanged != len(wanted) || again.Gone != len(state)-len(wanted) {
				t.Fatalf("seed %d: a second time there is still %+v", seed, again)
			}
		}
	}
}

func values(m map[string]Known) []Known { return slices.Collect(maps.Values(m)) }

// FuzzTable reads what looks like a table: no panic, every id is one that the server takes, and what was read
// comes back from a table that is written from it.
func FuzzTable(f *testing.F) {
	for _, text := range []string{"id,groups\ns1,3b;chess\n", "\xef\xbb\xbfgroups,id\r\n\"a\",\"b\"\"c\"\r\n", "id,groups\n\"\n", "id,id,groups\n", "id,groups\n\xff,a\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := make(Roster)
		if err := r.readTable(bytes.NewReader(text), "f"); err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		var again strings.Builder
		again.WriteString("id,groups\n")
		quote := strings.NewReplacer(`"`, `""`)
		for id, groups := range r {
			if id == "" || !norm.NFC.IsNormalString(id) || slices.Contains(groups, "") {
				t.Fatalf("%q is in %q", id, groups)
			}
			fmt.Fprintf(&again, "\"%s\",\"%s\"\n", quote.Replace(id), quote.Replace(strings.Join(groups, ";")))
		}
		back := make(Roster)
		if err := back.readTable(strings.NewReader(again.String()), "f"); err != nil || !reflect.DeepEqual(back, r) {
			t.Errorf("%q came back as %q, %v", r, back, err)
		}
	})
}
