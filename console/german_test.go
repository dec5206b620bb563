package console_test

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// The pages are there in German, which is chosen once.
func TestGerman(t *testing.T) {
	s := newSchool(t, false)
	b := s.open("")
	b.visit("door")
	b.do("choose", chromedp.SetValue(".foot select", "de"))
	b.text("rollcall-door", "Kamera starten")
	for page, title := range map[string]string{
		"door": "Anmeldung an der Tür", "enrol": "aufnehmen", "identify": "Wessen Gesicht ist das?", "photo": "Wer ist auf dem Foto?", "students": "Schülerinnen und Schüler", "health": "Wie es Rollcall geht",
	} {
		b.visit(page)
		b.text("h1", title)
		b.keep("german-" + page)
	}
}
