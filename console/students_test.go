package console_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// row clicks a button in the row of a table that has a text.
func (b *browser) row(text, button string) {
	b.t.Helper()
	b.do("the button "+button+" of "+text, chromedp.Poll[chromedp.Void](fmt.Sprintf(
		`(() => { const b = [...document.querySelectorAll('tr')].filter((r) => r.innerText.includes(%q)).flatMap((r) => [...r.querySelectorAll('button')]).find((b) => b.innerText.includes(%q)); b?.click(); return b !== undefined })()`,
		text, button), chromedp.WithPollingTimeout(patience)))
}

// The office finds a student, moves a crop and takes that back, merges two students who
// are one, notes a consent, and deletes.
func TestStudents(t *testing.T) {
	s := newSchool(t, true)
	pictures := withPictures(t, 4, 5)
	names := sorted(pictures)
	for _, name := range names[:3] {
		for i := range 3 {
			s.enrol(name, i, pictures[name][i], "3b")
		}
	}
	for i := 3; i < 5; i++ { // one person under two ids
		s.enrol("double", i, pictures[names[0]][i], "3b")
	}
	b := s.open("")
	b.signIn(s.call("TokenService/CreateToken", map[string]any{"name": "office", "role": "ROLE_ENROLL"})["secret"].(string))
	b.visit("students")
	b.text("[role=status]", "4 of 4")
	b.do("search", chromedp.SendKeys("input[type=search]", names[1]))
	b.text("[role=status]", "1 of 4")
	b.do("search", chromedp.Evaluate[chromedp.Void](`const field = document.querySelector('input[type=search]'); field.value = ''; field.dispatchEvent(new Event('input'))`))
	b.do("who is due", chromedp.Click("details:nth-of-type(1) summary"))
	b.text("details:nth-of-type(1)", "fewer than three crops")
	b.do("who look alike", chromedp.Click("details:nth-of-type(2) summary"))
	b.text("details:nth-of-type(2)", "double")
	b.look("students")
	b.row("double", "They are one person")
	b.do("yes", chromedp.Click("dialog.ask button.first"))
	b.text(".notices", "one student now")
	if got := s.students(); len(got) != 3 || got[names[0]] != 5 {
		t.Errorf("merged: %v", got)
	}
	b.do("undo", chromedp.Click(".notices button"))
	b.text(".notices", "undone")
	if got := s.students(); len(got) != 4 || got["double"] != 2 {
		t.Errorf("undone: %v", got)
	}

	b.visit("students/" + names[1])
	b.text("section", names[1]+"/2")
	b.look("student")
	b.row(names[1]+"/2", "Move")
	b.look("student-move")
	b.do("to nobody who can be", chromedp.SetValue("dialog input", strings.Repeat("x", 200)), chromedp.Click("dialog button.first"))
	b.text(".notices:popover-open", "student_id") // above the dialog, which stays
	b.do("move", chromedp.SetValue("dialog input", names[2]), chromedp.Click("dialog button.first"))
	b.text(".notices", "moved")
	if got := s.students(); got[names[1]] != 2 || got[names[2]] != 4 {
		t.Errorf("moved: %v", got)
	}
	b.do("undo", chromedp.Click(".notices > :last-child button"))
	b.text("section", names[1]+"/2")
	b.do("consent", chromedp.SetValue("section[aria-label='Groups and consent'] select", "CONSENT_STATE_GIVEN"), chromedp.Click("section[aria-label='Groups and consent'] > :nth-child(2) button"))
	b.text(".notices > :last-child", "Saved")
	if got := s.call("GalleryService/GetStudent", map[string]any{"studentId": names[1]}); !strings.Contains(fmt.Sprint(got), "CONSENT_STATE_GIVEN") {
		t.Errorf("consent: %v", got)
	}
	b.do("delete", chromedp.Click("header button.danger"), chromedp.WaitVisible("dialog.ask"))
	b.look("student-delete")
	b.do("yes", chromedp.Click("dialog.ask button.danger"))
	b.text("[data-receipt]", names[1])
	b.look("student-receipt")
	if got := s.students(); len(got) != 3 || got[names[1]] != 0 {
		t.Errorf("deleted: %v", got)
	}
}

// A list of a thousand students is there within a second, and no task keeps the page from
// answering for 200 ms.
func TestThousandStudents(t *testing.T) {
	s := newSchool(t, false)
	for i := range 1000 {
		s.call("GalleryService/SetConsent", map[string]any{"studentId": fmt.Sprintf("s%04d", i), "consent": map[string]any{"state": "CONSENT_STATE_GIVEN"}})
	}
	b := s.open("")
	b.visit("students")
	b.text("[role=status]", "1,000 of 1,000")
	b.do("search", chromedp.SendKeys("input[type=search]", "s0999"))
	b.text("[role=status]", "1 of 1,000")
	b.keep("students-1000")
	painted := read(b, "paint", chromedp.Evaluate[float64](`performance.getEntriesByType('paint').find((e) => e.name === 'first-contentful-paint').startTime`))
	longest := read(b, "tasks", chromedp.Evaluate[float64](`new Promise((resolve) => { let most = 0; new PerformanceObserver((l) => { for (const e of l.getEntries()) most = Math.max(most, e.duration) }).observe({type: 'longtask', buffered: true}); setTimeout(() => resolve(most), 300) })`, chromedp.EvalAwaitPromise))
	t.Logf("first paint after %.0f ms, longest task %.0f ms", painted, longest)
}
