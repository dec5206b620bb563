package console_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf16"

	"github.com/chromedp/chromedp"
)

// sorted returns the names of people in order.
func sorted(pictures map[string][][]byte) []string {
	var names []string
	for name := range pictures {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// students returns who is enrolled, with how many crops.
func (s *school) students() map[string]float64 {
	crops := make(map[string]float64)
	all, _ := s.call("GalleryService/ListStudents", map[string]any{"pageSize": 1000})["students"].([]any)
	for _, st := range all {
		st := st.(map[string]any)
		crops[st["student_id"].(string)], _ = st["crop_count"].(float64)
	}
	return crops
}

// The camera takes three pictures of a student. Files of another one follow, of which
// somebody else's is refused, until a person insists.
func TestEnrolOne(t *testing.T) {
	s := newSchool(t, false)
	pictures := withPictures(t, 2, 5)
	names := sorted(pictures)
	b := s.open(cameraOf(t, 30, pictures[names[0]][:5]...))
	b.visit("enrol")
	b.look("enrol-empty")
	b.do("with the camera", chromedp.SendKeys("input[name=student]", names[0]), chromedp.SendKeys("input[name=groups]", "3b, chess"),
		chromedp.Click("section:first-of-type .drop button:nth-of-type(2)"))
	b.text(".guide [role=status]", "Done")
	b.keep("enrol-guide")
	if got := s.students(); got[names[0]] != 3 {
		t.Errorf("enrolled %v", got)
	}
	var files []string
	for i, picture := range pictures[names[1]][:3] {
		files = append(files, write(t, fmt.Sprintf("%d.jpg", i), picture))
	}
	b.do("files", chromedp.SetValue("input[name=student]", names[1]), chromedp.SetUploadFiles("section:first-of-type input[type=file]", files))
	b.text("section:first-of-type ul", names[1]+"/2")
	b.do("somebody else's", chromedp.SetUploadFiles("section:first-of-type input[type=file]", []string{write(t, "wrong.jpg", pictures[names[0]][4])}))
	b.text("section:first-of-type .note.bad", names[1]+"/wrong")
	b.look("enrol-refused")
	if got := s.students(); got[names[1]] != 3 {
		t.Errorf("enrolled %v", got)
	}
	b.do("insist", chromedp.Click("section:first-of-type .note.bad button"), chromedp.WaitNotPresent("section:first-of-type .note.bad"))
	b.text("section:first-of-type ul li:first-child", "crops: 4")
}

// A folder is dropped, the server goes away in the middle, and the folder is dropped
// again.
func TestEnrolClass(t *testing.T) {
	s := newSchool(t, false)
	pictures := withPictures(t, 12, 3)
	names := sorted(pictures)
	folder := t.TempDir()
	for i, name := range names {
		must(t, os.MkdirAll(filepath.Join(folder, name), 0o755))
		for n, picture := range pictures[name][:3] {
			if i == 0 && n > 0 || i == 1 && n > 1 {
				continue // who has only one picture, and who has two
			}
			must(t, os.WriteFile(filepath.Join(folder, name, fmt.Sprintf("%d.jpg", n)), picture, 0o600))
		}
	}
	must(t, os.WriteFile(filepath.Join(folder, names[11], "9.jpg"), []byte("no picture"), 0o600))
	b := s.open("")
	b.visit("enrol")
	b.do("drop", chromedp.SendKeys("input[name=group]", "3b"), chromedp.SetUploadFiles("section:last-of-type input[type=file]", []string{folder}))
	b.text("section:last-of-type [role=status]", "of 34 pictures")
	s.restart(0)
	b.text("[data-report]", "12 of 12")
	b.look("enrol-report")
	report := b.text("[data-report] table", "fewer than three crops")
	t.Log(report)
	got := s.students()
	if len(got) != 12 || got[names[0]] != 1 || got[names[1]] != 2 || got[names[11]] != 3 {
		t.Errorf("enrolled %v", got)
	}
	b.do("drop again", chromedp.SetUploadFiles("section:last-of-type input[type=file]", []string{folder}))
	b.text("section:last-of-type [role=status]", "34 of 34")
	b.text("[data-report]", "12 of 12")
}

// A table as a spreadsheet writes it says whose each picture is. Two folders have a picture
// of the same name. What is on its way stays with the student it was dropped for.
func TestEnrolTable(t *testing.T) {
	s := newSchool(t, false)
	pictures := withPictures(t, 2, 4)
	names := sorted(pictures)
	folder := t.TempDir()
	for i, class := range []string{"3a", "3ü"} {
		must(t, os.MkdirAll(filepath.Join(folder, class), 0o755))
		must(t, os.WriteFile(filepath.Join(folder, class, "1.jpg"), pictures[names[i]][0], 0o600))
	}
	table := "id;file;groups\r\nanna;3a/1.jpg;3a\r\nbjörn;3ü\\1.JPG;3b, chess\r\nnobody;1.jpg;\r\n"
	text := []byte{0xff, 0xfe}
	for _, c := range utf16.Encode([]rune(table)) {
		text = append(text, byte(c), byte(c>>8))
	}
	must(t, os.WriteFile(filepath.Join(folder, "class.csv"), text, 0o600))
	b := s.open("")
	b.visit("enrol")
	b.do("drop", chromedp.SetUploadFiles("section:last-of-type input[type=file]", []string{folder}))
	b.text("[data-report]", "2 of 3")
	b.text("[data-report]", "1 files of the table")
	for i, student := range []string{"anna", "björn"} {
		if answer := s.call("AttendanceService/Identify", map[string]any{"image": pictures[names[i]][0], "face": "FACE_LARGEST"}); answer["student_id"] != student {
			t.Errorf("the picture of %s is of %v", student, answer["student_id"])
		}
	}

	var files []string
	for n, picture := range pictures[names[0]][1:4] {
		files = append(files, write(t, fmt.Sprintf("%d/image.jpg", n), picture)) // as tablets name each
	}
	b.do("drop, and type", chromedp.SetValue("input[name=student]", "anna"), chromedp.SetUploadFiles("section:first-of-type input[type=file]", files), chromedp.SetValue("input[name=student]", "carla"))
	b.text("section:first-of-type ul li:first-child", "crops: 4")
	if got := s.students(); got["anna"] != 4 || got["carla"] != 0 {
		t.Errorf("enrolled %v", got)
	}
}
