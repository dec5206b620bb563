package console_test

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// An administrator sees what the server does, pairs a tablet, finds an answer in the
// journal, and revokes the tablet.
func TestHealth(t *testing.T) {
	s := newSchool(t, true)
	pictures := withPictures(t, 3, 4)
	names := sorted(pictures)
	for _, name := range names[:2] {
		for i := range 3 {
			s.enrol(name, i, pictures[name][i])
		}
	}
	for _, name := range names {
		if _, err := jpeg.Decode(bytes.NewReader(pictures[name][3])); err != nil {
			t.Fatal(err)
		}
		s.call("AttendanceService/Identify", map[string]any{"image": pictures[name][3], "face": "FACE_LARGEST"})
	}
	b := s.open("")
	b.signIn(s.token)
	b.visit("health")
	b.text(".figures", "Time for an answer")
	b.text("rollcall-health", "Where the time goes")
	b.text("rollcall-health", "The threshold comes from the model")
	b.text("section[aria-label='The last answers'] table", names[0])
	b.look("health")
	b.do("search", chromedp.SetValue("select[name=verdict]", "VERDICT_UNKNOWN"), chromedp.Evaluate[chromedp.Void](`document.querySelector('select[name=verdict]').dispatchEvent(new Event('change'))`),
		chromedp.Poll[chromedp.Void](fmt.Sprintf(`!document.querySelector("section[aria-label='The last answers']").innerText.includes(%q)`, names[0])))
	b.text("section[aria-label='The last answers'] table", "Not recognised")

	// An answer that comes late is not shown in the place of a newer one.
	overtaken := read(b, "two searches", chromedp.Evaluate[string](`(async () => {
		const { fetch } = window;
		let slow;
		window.fetch = async (path, init) => {
			const answer = await fetch(path, init);
			if (slow || !path.endsWith('/ListLines')) return answer;
			await new Promise((resolve) => { slow = resolve });
			return answer;
		};
		const place = document.querySelector("section[aria-label='The last answers']");
		const until = async (done) => { while (!done()) await new Promise((resolve) => setTimeout(resolve, 20)) };
		const search = (verdict) => {
			const field = place.querySelector('select');
			field.value = verdict;
			field.dispatchEvent(new Event('change'));
		};
		search('VERDICT_UNUSABLE');
		await until(() => slow);
		search('VERDICT_MATCH');
		await until(() => place.querySelectorAll('tbody tr').length === 2);
		slow();
		await new Promise((resolve) => setTimeout(resolve, 200));
		window.fetch = fetch;
		return place.innerText;
	})()`, chromedp.EvalAwaitPromise))
	if !strings.Contains(overtaken, names[0]) {
		t.Errorf("the older answer is shown: %s", overtaken)
	}

	b.do("pair", chromedp.SendKeys("input[name=tablet]", "the gate"), chromedp.Click("section[aria-label='Who may use it'] form button"))
	shown := b.text("section[aria-label='Who may use it'] .note", "Type this into the tablet")
	b.look("health-code")
	code := regexp.MustCompile(`[0-9A-Z]{4}-[0-9A-Z]{4}`).FindString(shown)
	tablet := s.open("")
	tablet.signIn(code)
	b.visit("health")
	b.do("again", chromedp.Reload())
	b.text("section[aria-label='Who may use it'] table", "the gate")
	b.do("revoke", chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll('tr')].find((r) => r.innerText.includes('the gate')).querySelector('button').click()`), chromedp.WaitVisible("dialog.ask"))
	b.look("health-revoke")
	b.do("yes", chromedp.Click("dialog.ask button.danger"), chromedp.WaitNotPresent("dialog.ask"))
	b.text("section[aria-label='Who may use it'] table", "ended")
	tablet.do("reload", chromedp.Reload(), chromedp.WaitVisible("input[name=secret]"))
}

// A tablet that is paired while a school is chosen is for this school only. A school that is
// gone is not chosen any longer.
func TestPairsForTheChosenSchool(t *testing.T) {
	s := newSchool(t, true)
	s.call("GalleryService/CreateGallery", map[string]any{"galleryId": "east"})
	b := s.open("")
	b.signIn(s.token)
	b.do("choose", chromedp.Evaluate[chromedp.Void](`localStorage.setItem('rollcall.gallery', 'east')`), chromedp.Reload())
	b.visit("health")
	b.do("pair", chromedp.SendKeys("input[name=tablet]", "the gate"), chromedp.Click("section[aria-label='Who may use it'] form button"))
	code := regexp.MustCompile(`[0-9A-Z]{4}-[0-9A-Z]{4}`).FindString(b.text("section[aria-label='Who may use it'] .note", "Type this into the tablet"))
	s.open("").signIn(code)
	found := false
	for _, token := range s.call("TokenService/ListTokens", map[string]any{})["tokens"].([]any) {
		if token := token.(map[string]any); token["role"] == "ROLE_CHECKIN" {
			found = fmt.Sprint(token["galleries"]) == "[east]"
		}
	}
	if !found {
		t.Errorf("the tablet is not for the school east: %v", s.call("TokenService/ListTokens", map[string]any{}))
	}
	s.call("GalleryService/DeleteGallery", map[string]any{"galleryId": "east"})
	b.do("again", chromedp.Evaluate[chromedp.Void](`setTimeout(() => location.reload())`))
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) { // it loads twice
		if shown, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`localStorage.getItem('rollcall.gallery') === null && document.querySelector('.figures')?.innerText !== undefined`)); err == nil && shown {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the school that is gone is still chosen")
		}
	}
}
