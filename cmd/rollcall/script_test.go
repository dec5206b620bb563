package main

import (
	"archive/zip"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rollcall/embedder/onnxtest"
	"rollcall/models"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rollcall": func() {
		if folder := os.Getenv(testCatalogue); folder != "" {
			openLibrary = func(dir string) (*models.Library, error) { return models.OpenCatalogue(dir, os.DirFS(folder)) }
		}
		main()
	}})
}

// testCatalogue, in the environment of a script, is the folder of the catalogue
// that its commands use instead of the program's; see the command "mirror".
const testCatalogue = "ROLLCALL_TEST_CATALOGUE"

// TestScripts runs the scripts of testdata/script. Each finds two small models
// with their contracts, crops of generated people, and the address of a server
// that it may start. The cache is the user's, so that ONNX Runtime is installed
// once.
func TestScripts(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	faces, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "faces"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": waitReady,
			"unzip": unzip,
			"mirror": func(ts *testscript.TestScript, _ bool, args []string) {
				mirror(t, ts, args)
			},
		},
		Condition: func(name string) (bool, error) {
			if name != "faces" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			_, err := os.Stat(filepath.Join(faces, "faces-192.tar"))
			return err == nil, nil
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("FACES", faces)
			env.Values[mirrorKey{}] = new(*onnxtest.Mirror)
			env.Setenv("XDG_CACHE_HOME", cache)
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, "data-home"))
			address, err := freeAddress()
			if err != nil {
				return err
			}
			env.Setenv("ADDRESS", address)
			env.Setenv("ROLLCALL_SERVER", "http://"+address)
			env.Setenv("ROLLCALL_LISTEN", address)
			if err := writeModels(env.WorkDir); err != nil {
				return err
			}
			return writeCrops(env.WorkDir)
		},
	})
}

// waitReady is the script command "ready": it waits until the server takes calls,
// even where it has no model for them.
func waitReady(ts *testscript.TestScript, _ bool, _ []string) {
	client := http.DefaultClient
	if ca := ts.Getenv("ROLLCALL_CA"); ca != "" {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(ts.ReadFile(ca)))
		client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	}
	for range 600 {
		resp, err := client.Get(ts.Getenv("ROLLCALL_SERVER") + "/readyz")
		if err == nil {
			why, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil && !bytes.HasPrefix(why, []byte("STARTING")) {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("no server is ready at %s", ts.Getenv("ROLLCALL_SERVER"))
}

// mirrorShrink is how many times smaller than the makers' the files of the
// scripts' mirrors are.
const mirrorShrink = 64

// unzip is the script command "unzip": it writes what a ZIP file holds beside it.
func unzip(ts *testscript.TestScript, _ bool, args []string) {
	archive, err := zip.OpenReader(ts.MkAbs(args[0]))
	ts.Check(err)
	defer archive.Close()
	for _, file := range archive.File {
		content, err := archive.Open(file.Name)
		ts.Check(err)
		text, err := io.ReadAll(content)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(file.Name), text, 0o600))
	}
}

// mirror is the script command "mirror". Without arguments it starts a server
// that stands for the makers of the catalogue's models, at $MIRROR, and makes it
// the place where the catalogue says that they are. With the name of a model and
// a number of bytes, the next download of that model breaks off after them.
func mirror(t *testing.T, ts *testscript.TestScript, args []string) {
	if len(args) == 2 {
		after, err := strconv.ParseInt(args[1], 10, 64)
		ts.Check(err)
		(*ts.Value(mirrorKey{}).(**onnxtest.Mirror)).Break(args[0], after)
		return
	}
	m := onnxtest.NewMirror(t, mirrorShrink)
	folder := ts.MkAbs("catalogue")
	ts.Check(os.CopyFS(folder, m.Catalogue))
	ts.Setenv(testCatalogue, folder)
	ts.Setenv("MIRROR", m.Address)
	*ts.Value(mirrorKey{}).(**onnxtest.Mirror) = m
}

// mirrorKey is the key of a script's **onnxtest.Mirror.
type mirrorKey struct{}

func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// writeModels writes NAME.onnx and NAME.json for an embedder and a locator.
func writeModels(dir string) error {
	for _, m := range []onnxtest.Model{onnxtest.ArcFace(1), onnxtest.Points()} {
		contract := m.Contract
		contract.SHA256 = "" // as a user's contract: the digest is locked by "add"
		b, err := json.Marshal(contract)
		if err != nil {
			return err
		}
		base := filepath.Join(dir, contract.Name)
		if err := os.WriteFile(base+".json", b, 0o644); err != nil {
			return err
		}
		if err := os.WriteFile(base+".onnx", m.ONNX, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeCrops writes crops/STUDENT/N.jpg for three people, a probe of the first,
// one of a stranger, and a photo of two faces.
func writeCrops(dir string) error {
	files := map[string][]byte{
		"probe.jpg":    onnxtest.Face(1, 3),
		"stranger.jpg": onnxtest.Face(99, 0),
		"blank.jpg":    onnxtest.Blank(1),
		"class.png":    onnxtest.Photo(900, 600, onnxtest.PhotoFace{X: 300, Y: 300, Side: 300}, onnxtest.PhotoFace{X: 700, Y: 200, Side: 40}),
	}
	for i, student := range []string{"ada", "ben", "cem"} {
		for n := range 2 {
			files[fmt.Sprintf("crops/%s/%d.jpg", student, n)] = onnxtest.Face(int64(i+1), n)
		}
	}
	for name, b := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
