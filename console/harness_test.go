package console_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	xdraw "golang.org/x/image/draw"
)

// The tests of the pages drive a real browser (Debian's chromium) against the real server
// with its built-in models, and show it real faces. Where one of these is missing they
// say so and are skipped. CI sets:
//
//	ROLLCALL_FACES        a tar archive of pictures of faces, PERSON_NUMBER.jpg
//	ROLLCALL_AXE          axe.min.js, to check the pages for readers who do not see
//	ROLLCALL_SCREENSHOTS  a folder, to keep a picture of each page

// patience is how long a page may take for what it does in a second.
const patience = 60 * time.Second

var chromium = sync.OnceValue(func() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
})

// program is the server, built once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "rollcall-console-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "rollcall")
	out, err := exec.Command("go", "build", "-o", path, "rollcall/cmd/rollcall").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// people are the pictures of faces by person.
var people = sync.OnceValues(func() (map[string][][]byte, error) {
	f, err := os.Open(os.Getenv("ROLLCALL_FACES"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	found := make(map[string][][]byte)
	for r := tar.NewReader(f); len(found) < 400; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		person, _, ok := strings.Cut(filepath.Base(head.Name), "_")
		if !ok || filepath.Ext(head.Name) != ".jpg" {
			continue
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		found[person] = append(found[person], content)
	}
	return found, nil
})

// withPictures returns n people who have at least so many pictures, by their names.
func withPictures(t *testing.T, n, pictures int) map[string][][]byte {
	t.Helper()
	all, err := people()
	must(t, err)
	some := make(map[string][][]byte)
	for i := 0; len(some) < n && i < 10_000; i++ {
		name := fmt.Sprintf("p%04d", i)
		if len(all[name]) >= pictures {
			some[name] = all[name]
		}
	}
	if len(some) < n {
		t.Fatalf("only %d people have %d pictures", len(some), pictures)
	}
	return some
}

// A school is a running server.
type school struct {
	t     *testing.T
	url   string
	token string // an admin's; empty: nobody has to log in
	data  string
	args  []string
	cmd   *exec.Cmd
}

// newSchool starts a server. With tokens, everybody has to log in.
func newSchool(t *testing.T, tokens bool, args ...string) *school {
	t.Helper()
	if chromium() == "" {
		t.Skip("SKIPPED: there is no chromium here to show the pages to (Debian: apt-get install chromium)")
	}
	if os.Getenv("ROLLCALL_FACES") == "" {
		t.Skip("SKIPPED: ROLLCALL_FACES names no archive of faces to show to the pages")
	}
	s := &school{t: t, data: filepath.Join(t.TempDir(), "data"), args: args}
	if tokens {
		out := s.run("tokens", "create", "the principal", "--role", "admin", "--data", s.data)
		s.token = regexp.MustCompile(`rollcall_\S+`).FindString(out)
		if s.token == "" {
			t.Fatalf("no token in %q", out)
		}
	}
	s.start("127.0.0.1:0")
	t.Cleanup(s.stop)
	return s
}

// run runs a command of the program and returns what it prints.
func (s *school) run(args ...string) string {
	s.t.Helper()
	path, err := program()
	must(s.t, err)
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("rollcall %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// start starts the server: again, at the address that it had.
func (s *school) start(listen string) {
	s.t.Helper()
	path, err := program()
	must(s.t, err)
	s.cmd = exec.Command(path, append([]string{"serve", "--data", s.data, "--models-dir", s.t.TempDir(), "--listen", listen}, s.args...)...)
	var stderr bytes.Buffer
	s.cmd.Stderr = &stderr
	stdout, err := s.cmd.StdoutPipe()
	must(s.t, err)
	must(s.t, s.cmd.Start())
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if found := regexp.MustCompile(`answers at (http://\S+)`).FindStringSubmatch(lines.Text()); found != nil {
			s.url = found[1]
			go io.Copy(io.Discard, stdout)
			return
		}
	}
	_ = s.cmd.Wait()
	s.t.Fatalf("the server has ended: %s", stderr.String())
}

// stop ends the server.
func (s *school) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
	s.cmd = nil
}

// restart ends the server, waits, and starts it again at the same address.
func (s *school) restart(away time.Duration) {
	s.t.Helper()
	s.stop()
	time.Sleep(away)
	s.start(strings.TrimPrefix(s.url, "http://"))
}

// call makes a call as the administrator.
func (s *school) call(procedure string, request any) map[string]any {
	s.t.Helper()
	body, err := json.Marshal(request)
	must(s.t, err)
	r, err := http.NewRequest("POST", s.url+"/rollcall.v1."+procedure, bytes.NewReader(body))
	must(s.t, err)
	r.Header.Set("Content-Type", "application/json")
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	resp, err := http.DefaultClient.Do(r)
	must(s.t, err)
	defer resp.Body.Close()
	var answer map[string]any
	must(s.t, json.NewDecoder(resp.Body).Decode(&answer))
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s %v", procedure, resp.Status, answer)
	}
	return answer
}

// enrol enrols a picture as the crop STUDENT/N.
func (s *school) enrol(student string, n int, picture []byte, groups ...string) {
	s.t.Helper()
	s.call("AttendanceService/Embed", map[string]any{
		"image": picture, "cropId": fmt.Sprintf("%s/%d", student, n), "studentId": student, "groups": groups, "allowDuplicate": true, "allowUnlike": true,
	})
}

// A browser shows the pages of a school.
type browser struct {
	t   *testing.T
	ctx context.Context
	url string
	// complaints are errors of scripts and of the console, which no test expects.
	mu         sync.Mutex
	complaints []string // guarded by mu
}

// open opens a browser with its own cookies, whose camera plays a file of pictures ("":
// it has none). What a page complains of fails the test.
func (s *school) open(camera string, more ...chromedp.ExecAllocatorOption) *browser {
	s.t.Helper()
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium()), chromedp.NoSandbox, chromedp.WindowSize(1280, 900), chromedp.Flag("lang", "en"))
	if camera != "" {
		flags = append(flags, chromedp.Flag("use-fake-ui-for-media-stream", true), chromedp.Flag("use-fake-device-for-media-stream", true),
			chromedp.Flag("use-file-for-fake-video-capture", camera))
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(flags, more...)...)
	s.t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	s.t.Cleanup(cancel)
	b := &browser{t: s.t, ctx: ctx, url: s.url}
	must(s.t, chromedp.Listen(ctx, func(event any) { // it also starts the browser
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			b.complaints = append(b.complaints, fmt.Sprint(e.ExceptionDetails.Text, " ", e.ExceptionDetails.Exception.Description))
		case *runtime.EventConsoleAPICalled:
			if (e.Type == "error" || e.Type == "warning") && len(e.Args) > 0 {
				b.complaints = append(b.complaints, fmt.Sprintf("console: %s", e.Args[0].Value))
			}
		}
	}))
	s.t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, complaint := range b.complaints {
			s.t.Errorf("a page complains: %s", complaint)
		}
	})
	return b
}

// action is a step on a page.
type action = chromedp.Action[chromedp.Void]

// do does things on the page, within patience.
func (b *browser) do(what string, actions ...action) {
	b.t.Helper()
	read(b, what, func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		return chromedp.Steps(actions...)(ctx, target)
	})
}

// read reads something of the page, within patience.
func read[T any](b *browser, what string, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, a)
	if err != nil {
		b.keep("failed-" + b.t.Name())
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		b.t.Fatalf("%s: %v; the page says:\n%s", what, err, text)
	}
	return value
}

// visit opens a page by its name, such as "students".
func (b *browser) visit(page string) {
	b.t.Helper()
	b.do("open "+page, chromedp.Navigate(b.url+"/#/"+page), chromedp.WaitVisible("rollcall-"+strings.Split(page, "/")[0]+" h1"))
}

// signIn types a token or a pairing code into the page that asks for one.
func (b *browser) signIn(secret string) {
	b.t.Helper()
	b.do("sign in", chromedp.Navigate(b.url+"/"), chromedp.SendKeys("input[name=secret]", secret), chromedp.Click("form button"), chromedp.WaitVisible("main.main"))
}

// text waits until an element holds a text, and returns all of its text.
func (b *browser) text(selector, part string) string {
	b.t.Helper()
	condition := fmt.Sprintf(`(() => { const e = document.querySelector(%q); return e && e.innerText.includes(%q) ? e.innerText || ' ' : '' })()`, selector, part)
	return read(b, fmt.Sprintf("wait for %q in %s", part, selector), chromedp.Poll[string](condition, chromedp.WithPollingTimeout(patience)))
}

// dark shows the page as who prefers dark colours sees it.
func (b *browser) dark(on bool) {
	b.t.Helper()
	scheme := map[bool]string{true: "dark", false: "light"}[on]
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	must(b.t, err)
}

// keep keeps a picture of the page where ROLLCALL_SCREENSHOTS says.
func (b *browser) keep(name string) {
	b.t.Helper()
	dir := os.Getenv("ROLLCALL_SCREENSHOTS")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Errorf("no picture of %s: %v", name, err)
		return
	}
	must(b.t, os.MkdirAll(dir, 0o755))
	must(b.t, os.WriteFile(filepath.Join(dir, strings.ReplaceAll(name, "/", "-")+".png"), picture, 0o644))
}

// look checks the page with axe-core, in light and dark colours and at the width of a
// phone, and keeps a picture of each.
func (b *browser) look(name string) {
	b.t.Helper()
	views := []struct {
		name          string
		width, height int64
		dark          bool
	}{{"", 1280, 900, false}, {"-dark", 1280, 900, true}, {"-phone", 390, 844, false}}
	for _, view := range views {
		b.do("size", chromedp.EmulateViewport(view.width, view.height))
		b.dark(view.dark)
		b.axe(name + view.name)
		b.wide(name + view.name)
		b.keep(name + view.name)
	}
	b.dark(false)
	b.do("size", chromedp.EmulateViewport(views[0].width, views[0].height))
}

// wide holds that a page does not have to be moved sideways.
func (b *browser) wide(name string) {
	b.t.Helper()
	over := read(b, "width", chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
	if over > 0 {
		b.t.Errorf("%s is %d pixels wider than the window", name, over)
	}
}

// axe holds that axe-core finds nothing to complain of.
func (b *browser) axe(name string) {
	b.t.Helper()
	file := os.Getenv("ROLLCALL_AXE")
	if file == "" {
		b.t.Log("SKIPPED: ROLLCALL_AXE names no axe.min.js")
		return
	}
	source, err := os.ReadFile(file)
	must(b.t, err)
	type violation struct {
		ID, Help string
		Nodes    []struct{ HTML, FailureSummary string }
	}
	b.do("axe", chromedp.Evaluate[chromedp.Void](string(source)))
	found := read(b, "axe", chromedp.Evaluate[[]violation](`axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations)`, chromedp.EvalAwaitPromise))
	for _, f := range found {
		for _, n := range f.Nodes {
			b.t.Errorf("axe on %s: %s (%s): %s\n%s", name, f.ID, f.Help, n.HTML, n.FailureSummary)
		}
	}
}

// cameraOf writes a file that the browser plays as its camera: the pictures in turn, each
// for so many frames of 1/30 s, in the middle of a frame of 640 x 480. A nil picture is
// an empty room.
func cameraOf(t *testing.T, frames int, pictures ...[]byte) string {
	t.Helper()
	var film bytes.Buffer
	for _, picture := range pictures {
		canvas := image.NewRGBA(image.Rect(0, 0, 640, 480))
		draw.Draw(canvas, canvas.Bounds(), image.NewUniform(color.RGBA{120, 125, 130, 255}), image.Point{}, draw.Src)
		if picture != nil {
			face, err := jpeg.Decode(bytes.NewReader(picture))
			must(t, err)
			xdraw.CatmullRom.Scale(canvas, image.Rect(140, 60, 500, 420), face, face.Bounds(), draw.Src, nil)
		}
		var frame bytes.Buffer
		must(t, jpeg.Encode(&frame, canvas, &jpeg.Options{Quality: 92}))
		for range frames {
			film.Write(frame.Bytes())
		}
	}
	path := filepath.Join(t.TempDir(), "camera.mjpeg")
	must(t, os.WriteFile(path, film.Bytes(), 0o600))
	return path
}

// write writes a file for the page to take, and returns its path.
func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, content, 0o600))
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
