package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rollcall/embedder/onnxtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rollcall": main})
}

// TestScripts runs the scripts of testdata/script. Each finds two small models
// with their contracts, crops of generated people, and the address of a server
// that it may start. The cache is the user's, so that ONNX Runtime is installed
// once.
func TestScripts(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": waitReady,
		},
		Setup: func(env *testscript.Env) error {
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

// waitReady is the script command "ready": it waits until the server answers.
func waitReady(ts *testscript.TestScript, _ bool, _ []string) {
	for range 600 {
		resp, err := http.Get("http://" + ts.Getenv("ADDRESS") + "/healthz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("no server is ready at %s", ts.Getenv("ADDRESS"))
}

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

// writeCrops writes crops/STUDENT/N.jpg for three people, a probe of the first
// and one of a stranger.
func writeCrops(dir string) error {
	files := map[string][]byte{
		"probe.jpg":    onnxtest.Face(1, 3),
		"stranger.jpg": onnxtest.Face(99, 0),
		"blank.jpg":    onnxtest.Blank(1),
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
