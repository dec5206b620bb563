package console_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// Where a browser may keep nothing, every page works, and what is chosen holds until the page
// is left. Who has to sign in is told why that is not possible.
func TestBrowserThatKeepsNothing(t *testing.T) {
	profile := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(profile, "Default"), 0o755))
	must(t, os.WriteFile(filepath.Join(profile, "Default", "Preferences"), []byte(`{"profile": {"default_content_setting_values": {"cookies": 2}}}`), 0o600))
	s := newSchool(t, false)
	b := s.open("", chromedp.UserDataDir(profile))
	b.visit("students")
	if !read(b, "storage", chromedp.Evaluate[bool](`(() => { try { return !localStorage } catch { return true } })()`)) {
		t.Fatal("this browser keeps something")
	}
	for _, page := range []string{"door", "enrol", "identify", "photo", "health"} {
		b.visit(page)
	}
	b.do("choose German", chromedp.SetValue(".foot select", "de"), chromedp.Evaluate[chromedp.Void](`document.querySelector('.foot select').dispatchEvent(new Event('change'))`))
	b.text("h1", "Wie es Rollcall geht")
	b.do("settings of the door", chromedp.Evaluate[chromedp.Void](`location.hash = '#/door'`), chromedp.Click("footer button:nth-of-type(2)"), chromedp.WaitVisible("dialog input[type=file]"),
		chromedp.SetUploadFiles("dialog input[type=file]", []string{write(t, "names.csv", []byte("7,Grace Hopper\n"))}))
	b.text("dialog [role=status]", "1 Namen")
	b.text(".notices", "vergisst die Namen")

	s = newSchool(t, true)
	b.url = s.url
	b.do("sign in", chromedp.Navigate(s.url), chromedp.SendKeys("input[name=secret]", s.token), chromedp.Click("form button"))
	b.text("[role=alert]", "cookie")
}
