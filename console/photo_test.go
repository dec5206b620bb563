package console_test

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	xdraw "golang.org/x/image/draw"
)

// classPhoto puts faces beside each other on one picture.
func classPhoto(t *testing.T, faces ...[]byte) []byte {
	t.Helper()
	canvas := image.NewRGBA(image.Rect(0, 0, 60+260*len(faces), 360))
	draw.Draw(canvas, canvas.Bounds(), image.NewUniform(color.RGBA{120, 125, 130, 255}), image.Point{}, draw.Src)
	for i, content := range faces {
		face, err := jpeg.Decode(bytes.NewReader(content))
		must(t, err)
		xdraw.CatmullRom.Scale(canvas, image.Rect(50+260*i, 60, 290+260*i, 300), face, face.Bounds(), draw.Src, nil)
	}
	var photo bytes.Buffer
	must(t, jpeg.Encode(&photo, canvas, &jpeg.Options{Quality: 92}))
	return photo.Bytes()
}

// A photo of three students and a stranger is read, one face is corrected, and the
// register is saved.
func TestClassPhoto(t *testing.T) {
	s := newSchool(t, false)
	pictures := withPictures(t, 6, 4)
	names := sorted(pictures)
	for _, name := range names[:5] {
		for i := range 3 {
			s.enrol(name, i, pictures[name][i], "3b")
		}
	}
	b := s.open("")
	folder := t.TempDir()
	_, err := chromedp.CallBrowser(b.ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{Behavior: "allow", DownloadPath: folder})
	must(t, err)
	b.visit("photo")
	b.look("photo-empty")
	photo := write(t, "class.jpg", classPhoto(t, pictures[names[0]][3], pictures[names[1]][3], pictures[names[5]][0], pictures[names[2]][3]))
	b.do("drop", chromedp.SendKeys("input[list]", "3b"), chromedp.SetUploadFiles("rollcall-photo input[type=file]", []string{photo}))
	b.text(".halves", "Present: 3")
	b.text(".halves", "Absent: 2")
	b.text(".halves", "Not known: 1")
	for _, name := range names[3:5] {
		b.text(".halves section:nth-of-type(2)", name)
	}
	b.look("photo")
	b.do("choose the stranger", chromedp.Evaluate[chromedp.Void](`document.querySelector('.picture g.plain').dispatchEvent(new MouseEvent('click'))`), chromedp.WaitVisible("rollcall-photo select"))
	b.look("photo-face")
	b.do("it is the fourth", chromedp.SetValue("rollcall-photo select", names[3]), chromedp.Click("rollcall-photo button.first"))
	b.text(".halves", "Present: 4")
	b.do("save", chromedp.Click(".halves button"))
	var table []byte
	for end := time.Now().Add(patience); time.Now().Before(end) && len(table) == 0; time.Sleep(50 * time.Millisecond) {
		table, _ = os.ReadFile(filepath.Join(folder, "rollcall-photo.csv"))
	}
	for _, row := range []string{"id,state,similarity,corrected", names[0] + ",present", names[3] + ",present,", ",yes", names[4] + ",absent"} {
		if !strings.Contains(string(table), row) {
			t.Errorf("the table has no %q:\n%s", row, table)
		}
	}
}

// Of ten thousand who are absent the page draws some, and more when it is asked to. Who is
// on a face is found by a part of the id.
func TestPhotoOfManyStudents(t *testing.T) {
	s := newSchool(t, false)
	b := s.open("")
	b.visit("photo")
	got := read(b, "draw", chromedp.Evaluate[string](`(async () => {
		const { picture } = await import('/console/parts/picture.js');
		const page = document.querySelector('rollcall-photo');
		page.seats = [{ face: { box: { width: 9, height: 9 } }, verdict: 'VERDICT_UNKNOWN', chosen: '' }];
		page.roll = Array.from({ length: 10_000 }, (_, i) => 's' + i).sort();
		page.size = [9, 9];
		page.view = picture(new Image());
		page.result.replaceChildren(page.detail, page.lists);
		page.update();
		const said = [page.querySelectorAll('li').length];
		page.querySelector('.halves button').click();
		said.push(page.querySelectorAll('li').length);
		page.showSeat(0);
		said.push(page.querySelectorAll('option').length);
		const search = page.querySelector('input[type=search]');
		search.value = 'S9999';
		search.dispatchEvent(new Event('input'));
		said.push(page.querySelector('select').value);
		return said.join(' ');
	})()`, chromedp.EvalAwaitPromise))
	if want := "200 400 201 s9999"; got != want {
		t.Errorf("drawn: %s, want %s", got, want)
	}
}
