package models

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// The models of the catalogue, typed here a second time from the pages and the code of the projects
// themselves: a wrong channel order, scale or layout shows up nowhere else.
var projects = []struct {
	name             string
	kind             Kind
	side             int
	layout, colour   string
	mean, std        float32
	fit              string
	dimension        int
	threshold        float32
	free, downloaded bool
	digest, archive  string
}{
	// OpenCV reads BGR, and FaceRecognizerSF::feature calls blobFromImage with swapRB: the tensor is
	// RGB (opencv modules/objdetect/src/face_recognize.cpp; opencv_zoo issue 53).
	{"sface", Embedder, 112, "NCHW", "RGB", 0, 1, "align", 128, 0.363, true, true,
		"0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79", ""},
	{"arcface-r50", Embedder, 112, "NCHW", "RGB", 127.5, 127.5, "align", 512, 0.40, false, true,
		"4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
		"80ffe37d8a5940d59a7384c201a2a38d4741f2f3c51eef46ebb28218a7b0ca2f"},
	{"arcface-mbf", Embedder, 112, "NCHW", "RGB", 127.5, 127.5, "align", 512, 0.40, false, true,
		"9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f",
		"57d31b56b6ffa911c8a73cfc1707c73cab76efe7f13b675a05223bf42de47c72"},
	{"auraface", Embedder, 112, "NCHW", "RGB", 127.5, 127.5, "align", 512, 0.40, true, true,
		"a7933ea5330113b01c9b60351d8f4c33003f145d8470ac5f0e52ee2effe25c60", ""},
	// DeepFace 0.0.103: models/facial_recognition/onnx, commons/onnx_utils.py ("channels last"),
	// modules/representation.py ("rgb to bgr"), modules/preprocessing.py (resize_image: black bars, and
	// x/255), config/threshold.py. No digest and no size is published.
	{"facenet", Embedder, 160, "NHWC", "BGR", 0, 255, "letterbox", 128, 1 - 0.40, false, true, "", ""},
	{"facenet512", Embedder, 160, "NHWC", "BGR", 0, 255, "letterbox", 512, 1 - 0.30, false, true, "", ""},
	{"deepface-arcface", Embedder, 112, "NHWC", "BGR", 0, 255, "letterbox", 512, 1 - 0.68, false, true, "", ""},
	// align_dataset_mtcnn.py of davidsandberg/facenet resizes the cropped box to a square.
	{"facenet-20180402", Embedder, 160, "NHWC", "RGB", 127.5, 128, "stretch", 512, 1 - 1.1/2, false, false, "", ""},
	{"mobilefacenet-128", Embedder, 112, "NCHW", "RGB", 127.5, 128, "align", 128, 0.366, false, false,
		"e72a5710cce378dc46472b6b845cb90647634f2738d8c3e581735cf195b9866f", ""},
	{"yunet", Locator, 320, "NCHW", "BGR", 0, 1, "corner", 0, 0, true, true,
		"8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4", ""},
}

func TestCatalogueAgreesWithTheProjects(t *testing.T) {
	l, err := OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(l.catalogue) != len(projects) {
		t.Errorf("the catalogue has %d models, this test %d", len(l.catalogue), len(projects))
	}
	for _, p := range projects {
		c, ok := l.catalogue[p.name]
		if !ok {
			t.Errorf("%s is missing", p.name)
			continue
		}
		in := Input{Width: p.side, Height: p.side, Layout: p.layout, Colour: p.colour,
			Mean: [3]float32{p.mean, p.mean, p.mean}, Std: [3]float32{p.std, p.std, p.std}, Fit: p.fit,
			Reshape: p.name == "yunet", Margin: c.Input.Margin}
		if c.Input != in {
			t.Errorf("%s: input is %+v, want %+v", p.name, c.Input, in)
		}
		if c.Kind != p.kind || c.Output.Dimension != p.dimension || c.Threshold != p.threshold || c.SHA256 != p.digest {
			t.Errorf("%s: kind %s, dimension %d, threshold %g, digest %s", p.name, c.Kind, c.Output.Dimension, c.Threshold, c.SHA256)
		}
		if c.Licence.Free != p.free {
			t.Errorf("%s: free is %v", p.name, c.Licence.Free)
		}
		if (c.Template == template112) != (p.fit == "align") {
			t.Errorf("%s: template %v", p.name, c.Template)
		}
		if (c.Source != nil) != p.downloaded {
			t.Fatalf("%s: source is %+v", p.name, c.Source)
		}
		if c.Source != nil && (c.Source.ArchiveSHA256 != p.archive || !strings.HasPrefix(c.Source.URL, "https://") || (c.Source.Bytes == 0) != (p.digest == "")) {
			t.Errorf("%s: source is %+v", p.name, *c.Source)
		}
	}
}

// TestCatalogueAgreesWithFiles compares the digests with files of the models, where there are any.
func TestCatalogueAgreesWithFiles(t *testing.T) {
	files := map[string]string{"yunet": "yunet-2023mar.onnx", "mobilefacenet-128": "mobilefacenet-128.onnx"}
	l, err := OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range files {
		data, err := os.ReadFile(filepath.Join("..", "..", "shared", "models", file))
		if errors.Is(err, fs.ErrNotExist) {
			t.Skipf("no real models here: %s is missing", file)
		}
		if err != nil {
			t.Fatal(err)
		}
		m := mustAdd(t, l, name, data, AddOptions{})
		if s := m.Contract.Source; s != nil && s.Bytes != int64(len(data)) {
			t.Errorf("%s: source.bytes is %d, the file has %d", name, s.Bytes, len(data))
		}
		wantFile(t, l, name, data)
	}
}

func TestReadCatalogueRefuses(t *testing.T) {
	silent := testEmbedder("a")
	silent.TrainingData = TrainingData{}
	for name, files := range map[string]fstest.MapFS{
		"training data": {"a.json": jsonFile(t, silent)},
		"another name":  {"b.json": jsonFile(t, testEmbedder("a"))},
		"invalid":       {"a.json": &fstest.MapFile{Data: []byte("{}")}},
	} {
		if _, err := readCatalogue(files); !errors.Is(err, ErrContract) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestBuiltinSlot does what builtin/README.md says: two files dropped in are all it takes.
func TestBuiltinSlot(t *testing.T) {
	file := fakeONNX(1, 1000)
	c := testEmbedder("inside")
	c.SHA256 = digest(file)
	c.Preference = 10
	builtin := fstest.MapFS{
		"README.md":   {Data: []byte("not a model")},
		"inside.json": jsonFile(t, c),
		"inside.onnx": {Data: file},
	}
	catalogue := fstest.MapFS{"outside.json": jsonFile(t, testEmbedder("outside"))}
	l, err := openLibrary(filepath.Join(t.TempDir(), "absent"), catalogue, builtin)
	if err != nil {
		t.Fatal(err)
	}
	m, err := l.Default(Embedder)
	if err != nil || !m.BuiltIn || !m.Installed || m.Contract.Name != "inside" {
		t.Fatalf("default is %+v, %v", m, err)
	}
	wantFile(t, l, "inside", file)
	if err := l.Pull(t.Context(), "inside", PullOptions{}); err != nil {
		t.Errorf("pull of what is there already: %v", err)
	}
	if _, err := l.Add(t.Context(), "inside", writeFile(t, file), AddOptions{}); !errors.Is(err, ErrNameTaken) {
		t.Errorf("add: got %v", err)
	}
	if err := l.Remove("inside"); err == nil {
		t.Error("a built-in model was removed")
	}

	mustAdd(t, l, "outside", fakeONNX(2, 10), AddOptions{})
	if m, err := l.Default(Embedder); err != nil || m.Contract.Name != "inside" {
		t.Errorf("with the higher preference %s is the default, %v", m.Contract.Name, err)
	}

	builtin["inside.onnx"] = &fstest.MapFile{Data: fakeONNX(3, 1000)}
	if err := l.Verify("inside"); !errors.Is(err, ErrDigestMismatch) {
		t.Errorf("another file: got %v", err)
	}
}

func TestBuiltinRefuses(t *testing.T) {
	file := fakeONNX(1, 10)
	c := testEmbedder("inside")
	unlocked := fstest.MapFS{"inside.json": jsonFile(t, c), "inside.onnx": {Data: file}}
	c.SHA256 = digest(file)
	alone := fstest.MapFS{"inside.json": jsonFile(t, c)}
	whole := fstest.MapFS{"inside.json": jsonFile(t, c), "inside.onnx": {Data: file}}
	twice := fstest.MapFS{"inside.json": jsonFile(t, c)}

	if _, err := openLibrary(t.TempDir(), fstest.MapFS{}, unlocked); !errors.Is(err, ErrContract) {
		t.Errorf("without digest: got %v", err)
	}
	if _, err := openLibrary(t.TempDir(), fstest.MapFS{}, alone); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without file: got %v", err)
	}
	if _, err := openLibrary(t.TempDir(), twice, whole); !errors.Is(err, ErrNameTaken) {
		t.Errorf("in the catalogue too: got %v", err)
	}
}

// TestBuiltinModelsAreWhole verifies what is really built in, which may be nothing.
func TestBuiltinModelsAreWhole(t *testing.T) {
	l, err := OpenLibrary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name := range l.builtin {
		if err := l.Verify(name); err != nil {
			t.Error(err)
		}
	}
	if _, err := fs.Stat(builtinFiles, "builtin/README.md"); err != nil {
		t.Error(err)
	}
}

func jsonFile(t testing.TB, c Contract) *fstest.MapFile {
	t.Helper()
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: data}
}
