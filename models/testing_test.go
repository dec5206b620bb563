package models

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"
)

// fakeONNX returns a file that inspect takes for ONNX: a version, a graph and size seeded bytes.
func fakeONNX(seed uint64, size int) []byte {
	random := rand.New(rand.NewPCG(seed, 0))
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = byte(random.Uint32())
	}
	tensor := wireField(9, payload) // TensorProto.raw_data
	graph := wireField(graphInitializer, tensor)
	return append([]byte{modelIRVersion << 3, 8}, wireField(modelGraph, graph)...)
}

// wireField encodes a length-delimited protobuf field.
func wireField(number int, payload []byte) []byte {
	data := binary.AppendUvarint(nil, uint64(number<<3|wireBytes))
	data = binary.AppendUvarint(data, uint64(len(payload)))
	return append(data, payload...)
}

var template112 = Landmarks{{38.2946, 51.6963}, {73.5318, 51.5014}, {56.0252, 71.7366}, {41.5493, 92.3655}, {70.7299, 92.2041}}

// testEmbedder returns a valid contract of an embedder, without digest and source.
func testEmbedder(name string) Contract {
	return Contract{
		Name: name, Kind: Embedder, Title: "A test model",
		Licence:      Licence{Name: "MIT", Free: true},
		TrainingData: TrainingData{Text: "seeded bytes", Source: "this test"},
		Input: Input{Width: 112, Height: 112, Layout: NCHW, Colour: RGB,
			Mean: [3]float32{127.5, 127.5, 127.5}, Std: [3]float32{128, 128, 128}, Fit: FitAlign},
		Template:  template112,
		Output:    Output{Dimension: 4},
		Threshold: 0.4, ThresholdSource: "this test",
		Preference: 50,
	}
}

// testLocator returns a valid contract of a locator, without digest and source.
func testLocator(name string) Contract {
	return Contract{
		Name: name, Kind: Locator, Title: "A test locator",
		Licence:      Licence{Name: "MIT", Free: true},
		TrainingData: TrainingData{Text: "seeded bytes", Source: "this test"},
		Input: Input{Width: 160, Height: 160, Layout: NCHW, Colour: BGR,
			Std: [3]float32{1, 1, 1}, Fit: FitCorner, Reshape: true},
		Decoder:    DecoderYuNet,
		Preference: 50,
	}
}

func testDetector(name string) Contract {
	return Contract{
		Name: name, Kind: Detector, Title: "A test detector",
		Licence: Licence{Name: "MIT", Free: true},
		Input: Input{Width: 64, Height: 32, Layout: NCHW, Colour: RGB,
			Std: [3]float32{1, 1, 1}, Fit: FitCorner},
		Decoder: DecoderBlaze,
		Anchors: []Anchors{{Stride: 8, Count: 2}, {Stride: 16, Count: 6}},
	}
}

// sourced returns the contract with the digest of file and a source at url.
func sourced(c Contract, file []byte, url string) Contract {
	c.SHA256 = digest(file)
	c.Source = &Source{URL: url, Bytes: int64(len(file))}
	return c
}

// testLibrary opens a library in dir whose catalogue holds these contracts.
func testLibrary(t testing.TB, dir string, contracts ...Contract) *Library {
	t.Helper()
	l, err := libraryOf(dir, contracts...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// libraryOf is testLibrary where there is no test. Pauses between attempts are short; the stall is
// long enough for a busy machine.
func libraryOf(dir string, contracts ...Contract) (*Library, error) {
	catalogue := make(fstest.MapFS)
	for _, c := range contracts {
		data, err := json.Marshal(c)
		if err != nil {
			return nil, err
		}
		catalogue[c.Name+".json"] = &fstest.MapFile{Data: data}
	}
	l, err := openLibrary(dir, catalogue, fstest.MapFS{})
	if err != nil {
		return nil, err
	}
	l.fetcher.backoff = time.Millisecond
	l.fetcher.stall = 10 * time.Second
	return l, nil
}

// writeFile puts data into a file of its own folder and returns its name.
func writeFile(t testing.TB, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.onnx")
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// mustAdd adds a file and fails the test where that fails.
func mustAdd(t testing.TB, l *Library, name string, file []byte, opts AddOptions) Model {
	t.Helper()
	m, err := l.Add(context.Background(), name, writeFile(t, file), opts)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wantFile fails unless the model is installed and its file is want.
func wantFile(t testing.TB, l *Library, name string, want []byte) {
	t.Helper()
	m, err := l.Model(name)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Fatalf("model %s has %d bytes that are not the %d expected", name, len(got), len(want))
	}
}

// wantNothing fails if anything is installed under the name, or being prepared.
func wantNothing(t testing.TB, l *Library, name string) {
	t.Helper()
	for _, leftover := range []string{name, filepath.Join(workDir, name, stageDir), filepath.Join(workDir, name, oldDir)} {
		if exists(filepath.Join(l.dir, leftover)) {
			t.Errorf("%s is there", leftover)
		}
	}
}
