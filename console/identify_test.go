package console_test

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// A picture is dropped, and the page says whose face it is and why.
func TestIdentify(t *testing.T) {
	s := newSchool(t, false)
	pictures := withPictures(t, 4, 4)
	var names []string
	for name := range pictures {
		names = append(names, name)
	}
	for _, name := range names[:3] {
		for i, picture := range pictures[name][:3] {
			s.enrol(name, i, picture)
		}
	}
	b := s.open("")
	b.visit("identify")
	b.look("identify-empty")
	for i, name := range []string{names[0], names[3]} {
		want := []string{name, "Not recognised"}[i]
		b.do("drop", chromedp.SetUploadFiles("rollcall-identify input[type=file]", []string{write(t, "face.jpg", pictures[name][3])}))
		b.text("rollcall-identify .verdict", want)
		b.look([]string{"identify-match", "identify-stranger"}[i])
	}
	b.do("drop something else", chromedp.SetUploadFiles("rollcall-identify input[type=file]", []string{write(t, "face.jpg", []byte("no picture"))}))
	b.text(".notices", "")
}
