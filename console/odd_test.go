package console_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// Ids and names of every kind are text, stay in their place, and lead to their page.
func TestOddIDs(t *testing.T) {
	s := newSchool(t, false)
	face := withPictures(t, 1, 1)
	ids := []string{`<img src=x onerror="window.hurt = 1">`, strings.Repeat("\U0001F600", 32), "3b/../%2F#?&'\"", "100%", "שלום עולם", "__proto__", strings.Repeat("w", 128), "/"}
	for i, id := range ids {
		s.call("AttendanceService/Embed", map[string]any{"image": face[sorted(face)[0]][0], "cropId": fmt.Sprint(i), "studentId": id, "groups": []string{id}, "allowDuplicate": true, "allowUnlike": true})
	}
	b := s.open("")
	b.visit("students")
	b.do("the width of a phone", chromedp.EmulateViewport(390, 844))
	b.text("[role=status]", fmt.Sprintf("%d of %[1]d", len(ids)))
	b.wide("the list")
	for _, id := range ids {
		b.do("open "+id, chromedp.Navigate(b.url+"/#/students"), chromedp.WaitVisible("rollcall-students table"),
			chromedp.Poll[chromedp.Void](fmt.Sprintf(`(() => { const a = [...document.querySelectorAll('td a')].find((a) => a.textContent === %q); a?.click(); return a })()`, id), chromedp.WithPollingTimeout(patience)),
			chromedp.Poll[chromedp.Void](fmt.Sprintf(`document.querySelector('h1.id')?.textContent === %q`, id), chromedp.WithPollingTimeout(patience)))
		b.wide(id)
	}
	b.keep("odd-student")
	b.do("half a path", chromedp.Navigate(b.url+"/#/students/"+url.PathEscape("a")+"%"), chromedp.WaitVisible("main button"))
	if read(b, "hurt", chromedp.Evaluate[bool](`'hurt' in window`)) {
		t.Error("an id was run as a script")
	}
}

// A table that is saved holds nothing that a spreadsheet would run, however it splits it,
// and is read again as it was.
func TestTables(t *testing.T) {
	s := newSchool(t, false)
	b := s.open("")
	b.visit("students")
	saved := read(b, "save", chromedp.Evaluate[string](`(async () => {
		const { saveTable, readTable, readFile } = await import('/console/parts/csv.js');
		let blob;
		const make = URL.createObjectURL;
		URL.createObjectURL = (b) => make.call(URL, (blob = b));
		saveTable('x.csv', [['id', 'n'], ['=1+1', 2], ['a;=2', -3], ['b\t@x', 'c,"d"'], ['two\nlines', 'ä ö']]);
		return JSON.stringify(readTable(await readFile(blob)));
	})()`, chromedp.EvalAwaitPromise))
	want := `[["id","n"],["'=1+1","2"],["a;'=2","-3"],["b\t'@x","c,\"d\""],["two\nlines","ä ö"]]`
	if saved != want {
		t.Errorf("saved and read: %s\nwant %s", saved, want)
	}
}
