package console_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// pair returns a code that pairs a tablet for the door.
func (s *school) pair() string {
	return s.call("TokenService/CreatePairingCode", map[string]any{"name": "door", "role": "ROLE_CHECKIN"})["code"].(string)
}

// lines waits until the journal has so many lines of verdicts and check-ins, and returns
// them all.
func (s *school) lines(atLeast int) []map[string]any {
	s.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		var lines []map[string]any
		answer := s.call("JournalService/ListLines", map[string]any{"kinds": []string{"LINE_KIND_VERDICT", "LINE_KIND_CHECK_IN"}, "pageSize": 1000})
		all, _ := answer["lines"].([]any)
		for _, l := range all {
			lines = append(lines, l.(map[string]any))
		}
		if len(lines) >= atLeast {
			return lines
		}
		if time.Now().After(end) {
			s.t.Fatalf("the journal has only %v", lines)
		}
	}
}

// A tablet is paired, and checks in who is enrolled. A stranger is sent to the office.
// The tablet goes on when the server was away, and ends when it is unpaired.
func TestDoor(t *testing.T) {
	s := newSchool(t, true)
	pictures := withPictures(t, 3, 4)
	var names []string
	for name := range pictures {
		names = append(names, name)
	}
	for i := range 3 {
		s.enrol(names[0], i, pictures[names[0]][i])
		s.enrol(names[1], i, pictures[names[1]][i])
	}
	ada, stranger := pictures[names[0]][3], pictures[names[2]][0]
	b := s.open(cameraOf(t, 120, ada, nil, stranger, nil))
	b.do("open", chromedp.Navigate(b.url+"/"), chromedp.WaitVisible("input[name=secret]"))
	b.look("signin")
	b.do("a wrong code", chromedp.SendKeys("input[name=secret]", "AAAA-AAAA"), chromedp.Click("form button"))
	b.text("[role=alert]", "code")
	code := s.pair()
	b.do("pair", chromedp.SetValue("input[name=secret]", code[:4]+"-"+strings.ToLower(code[4:])), chromedp.Click("form button"), chromedp.WaitVisible("rollcall-door"))

	b.text(".panel.good", names[0])
	b.keep("door-match")
	b.text(".panel.plain", "Not recognised")
	b.look("door-stranger")
	first := s.lines(2)[0]
	if first["student_id"] != names[0] || first["procedure"] != "/rollcall.v1.AttendanceService/IdentifyBurst" {
		t.Errorf("the journal begins with %v", first)
	}

	// A match is taken back.
	b.text(".panel.good", names[0])
	b.do("not me", chromedp.Click(".panel.good button"))
	b.text(".panel", "Taken back")
	taken := s.lines(len(s.lines(1)))
	if last := taken[len(taken)-1]; last["method"] != "METHOD_CANCELLED" || last["student_id"] != names[0] {
		t.Errorf("after it was taken back: %v", last)
	}

	// Somebody checks in with a card, under a name that only this tablet knows.
	b.do("settings", chromedp.Click("footer button:nth-of-type(2)"), chromedp.WaitVisible("dialog input[type=file]"))
	b.look("door-settings")
	b.do("names", chromedp.SetUploadFiles("dialog input[type=file]", []string{write(t, "names.csv", []byte("id,name\n"+names[0]+",\"Lovelace, Ada\"\ncard-7,Grace Hopper\n"))}))
	b.text("dialog [role=status]", "2 names")
	b.do("close", chromedp.Click("dialog button.first"), chromedp.WaitNotPresent("dialog"))
	b.do("without a face", chromedp.Click("footer button:nth-of-type(1)"), chromedp.WaitVisible("dialog select"))
	b.look("door-without")
	b.do("card", chromedp.SendKeys("dialog input", "card-7"), chromedp.Click("dialog button.first"), chromedp.WaitNotPresent("dialog"))
	found := false
	for _, l := range s.lines(1) {
		found = found || l["student_id"] == "card-7" && l["method"] == "METHOD_CARD"
	}
	if !found {
		t.Error("the journal has no check-in with the card")
	}
	b.text(".panel.good", "Lovelace, Ada")

	s.restart(3 * time.Second)
	b.text(".panel.good", "Lovelace, Ada")

	for _, token := range s.call("TokenService/ListTokens", map[string]any{})["tokens"].([]any) {
		if token := token.(map[string]any); token["role"] == "ROLE_CHECKIN" {
			s.call("TokenService/RevokeToken", map[string]any{"tokenId": token["token_id"]})
		}
	}
	b.text("[role=alert]", "This session has ended")
	b.keep("door-unpaired")
}

// Two students who are too alike to tell apart are asked who it is, and what they choose
// is a check-in by hand. A question goes away by itself when the child has left.
func TestDoorAsksWhoOfTwo(t *testing.T) {
	s := newSchool(t, true)
	pictures := withPictures(t, 1, 5)
	name := sorted(pictures)[0]
	for i, twin := range []string{"ada", "bea", "ada", "bea"} {
		s.enrol(twin, i, pictures[name][i/2])
	}
	b := s.open(cameraOf(t, 150, pictures[name][4], nil))
	b.signIn(s.pair())
	b.text(".panel.unsure", "Are you")
	b.keep("door-which")
	b.text(".panel.plain", "Look into the camera")
	b.do("choose, in haste", chromedp.Poll[chromedp.Void](`(() => {
		const buttons = document.querySelectorAll('.panel.unsure .row button');
		for (const button of buttons) { button.click(); button.click(); }
		return buttons.length > 0;
	})()`, chromedp.WithPollingTimeout(patience)))
	b.text(".panel.good", "Checked in")
	byHand := 0
	for _, l := range s.lines(3) {
		if l["method"] == "METHOD_BY_HAND" && (l["student_id"] == "ada" || l["student_id"] == "bea") && l["by"] == "chosen of two at the door" {
			byHand++
		}
	}
	if byHand != 1 {
		t.Errorf("%d check-ins by hand: %v", byHand, s.lines(3))
	}
}

// looked waits until the door has looked at so many more frames.
func (b *browser) looked(frames int) {
	b.t.Helper()
	const count = `performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/Detect')).length`
	before := read(b, "frames", chromedp.Evaluate[int](`performance.setResourceTimingBufferSize(100_000), `+count))
	b.do("look", chromedp.Poll[chromedp.Void](fmt.Sprintf("%s >= %d", count, before+frames), chromedp.WithPollingTimeout(patience)))
}

// Who stays in front of the camera is one line in the journal, also who is not known, who
// can ask for another try. A camera that is pulled out is missed, and used again.
func TestDoorStays(t *testing.T) {
	s := newSchool(t, true)
	pictures := withPictures(t, 2, 4)
	names := sorted(pictures)
	for i := range 3 {
		s.enrol(names[0], i, pictures[names[0]][i])
	}
	b := s.open(cameraOf(t, 30, pictures[names[0]][3]))
	b.signIn(s.pair())
	b.text(".panel.good", names[0])
	b.looked(40)
	b.text(".panel.good", names[0])
	if lines := s.lines(1); len(lines) != 1 {
		t.Errorf("one stay, and the journal has %v", lines)
	}

	b.do("pull the camera out", chromedp.Evaluate[chromedp.Void](`(() => {
		window.getUserMedia = navigator.mediaDevices.getUserMedia;
		navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotFoundError'));
		document.querySelector('video').srcObject.getTracks()[0].stop();
	})()`))
	b.text(".panel.bad", "No picture from the camera")
	b.keep("door-camera")
	b.do("put it back", chromedp.Evaluate[chromedp.Void](`(() => { navigator.mediaDevices.getUserMedia = window.getUserMedia })()`))
	b.text(".panel.good", names[0])

	stranger := s.open(cameraOf(t, 30, pictures[names[1]][0]))
	stranger.signIn(s.pair())
	stranger.text(".panel.plain", "Not recognised")
	before := len(s.lines(1))
	stranger.looked(40)
	if lines := s.lines(1); len(lines) != before {
		t.Errorf("a stranger stays, and the journal has %v", lines[before:])
	}
	stranger.do("try again", chromedp.Click(".panel button"))
	s.lines(before + 1)
}

// Faces are followed: who stays, moves a little or is missed for a moment is the same
// visitor; who comes into the place of another, from behind or later, is another.
func TestVisitors(t *testing.T) {
	s := newSchool(t, false)
	b := s.open("")
	b.visit("students")
	got := read(b, "follow", chromedp.Evaluate[string](`(async () => {
		const { Visitors } = await import('/console/parts/visitors.js');
		const visitors = new Visitors();
		const names = new Map();
		const said = [];
		const see = (now, ...boxes) => {
			const here = visitors.see(boxes.map(([left, top, width]) => ({ box: { left, top, width, height: width * 1.2 } })), now);
			for (const v of here) if (!names.has(v)) names.set(v, 'ABCDEFGH'.charAt(names.size));
			said.push(here.map((v) => names.get(v)).join('') || '-');
		};
		see(0, [100, 100, 200]);
		see(200, [120, 110, 210]);                     // moves a little
		see(400);                                      // is missed
		see(1500, [130, 100, 205]);                    // and found again
		see(1700, [130, 100, 205], [180, 120, 90]);    // somebody stands behind
		see(1900, [200, 110, 90], [210, 100, 200]);    // who is still further away
		see(2100, [205, 110, 100]);                    // and comes nearer when the first has left
		see(2300, [205, 110, 120]);
		see(3700, [400, 100, 200], [190, 100, 140]);   // the first is gone for good
		see(5300, [190, 100, 140]);                    // it was empty for too long
		return said.join(' ');
	})()`, chromedp.EvalAwaitPromise))
	if want := "A A - A AB AB B B CB D"; got != want {
		t.Errorf("visitors %s, want %s", got, want)
	}
}
