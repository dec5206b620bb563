package embedder

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"rollcall/embedder/onnxtest"
)

func TestReshape(t *testing.T) {
	file := onnxtest.YuNet(640).ONNX
	for _, side := range []int64{32, 160, 320, 640} {
		dims := []int64{1, 3, side, 2 * side}
		reshaped, err := reshape(file, "input", dims)
		if err != nil {
			t.Fatal(err)
		}
		g, err := readGraph(reshaped)
		if err != nil {
			t.Fatal(err)
		}
		if len(g.inputs) != 1 || !slices.Equal(g.inputs[0].dims, dims) || g.inputs[0].elem != elemFloat {
			t.Errorf("input %+v, want %v", g.inputs, dims)
		}
		if len(g.outputs) != 12 {
			t.Errorf("%d outputs", len(g.outputs))
		}
		for _, out := range g.outputs {
			if !slices.Equal(out.dims, []int64{free, free, free}) || out.elem != elemFloat {
				t.Errorf("output %+v, want three open dimensions", out)
			}
		}
		// Nothing else was lost: the same file comes back from both.
		back, err := reshape(reshaped, "input", []int64{1, 3, 640, 640})
		if err != nil {
			t.Fatal(err)
		}
		direct, err := reshape(file, "input", []int64{1, 3, 640, 640})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(back, direct) {
			t.Error("reshaping twice is not reshaping once")
		}
	}
	other, err := reshape(file, "no such input", []int64{1, 3, 32, 32})
	if err != nil {
		t.Fatal(err)
	}
	if g, err := readGraph(other); err != nil || g.inputs[0].dims[2] != 640 {
		t.Errorf("another input was reshaped: %+v, %v", g.inputs, err)
	}
}

// TestReshapedLocatorAgrees: the same locator, once built for the size and once brought to it.
func TestReshapedLocatorAgrees(t *testing.T) {
	built, brought := onnxtest.YuNet(160), onnxtest.YuNet(640).Named("test-yunet-640")
	library := onnxtest.Install(t, t.TempDir(), onnxtest.ArcFace(1), built, brought)
	one := overLibrary(t, library, Options{Locator: "test-yunet"})
	two := overLibrary(t, library, Options{Locator: "test-yunet-640"})
	for seed := range int64(5) {
		a := embed(t, one, Request{Image: onnxtest.Face(seed, 1)})
		b := embed(t, two, Request{Image: onnxtest.Face(seed, 1)})
		if a.Landmarks == nil || *a.Landmarks != *b.Landmarks {
			t.Errorf("seed %d: %v and %v", seed, a.Landmarks, b.Landmarks)
		}
	}
}

// TestReshapeYuNet brings the published YuNet, fixed at 640 x 640, to sizes for crops and compares
// what it finds with the landmarks that it found at its own size.
func TestReshapeYuNet(t *testing.T) {
	path := filepath.Join(sharedFolder, "models", "yunet-2023mar.onnx")
	onnx, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("needs the real YuNet: %v", err)
	}
	faces := realFaces(t, 20)
	contract := onnxtest.YuNet(160).Contract
	for _, side := range []int{128, 160, 320} {
		contract.Input.Width, contract.Input.Height = side, side
		if _, err := Check(contract, onnx); err != nil {
			t.Fatalf("%d: %v", side, err)
		}
		contract.Name = "yunet-here"
		locator := onnxtest.Model{Contract: contract, ONNX: onnx}
		locator.Contract.SHA256 = ""
		e := newEmbedder(t, Options{}, onnxtest.ArcFace(1), locator)
		for i, f := range faces {
			r := embed(t, e, Request{Image: f.crop})
			if r.Landmarks == nil {
				t.Errorf("%d: no face on picture %d", side, i)
				continue
			}
			// Found in pictures of another size, they differ by some pixels: a tenth of the face.
			const within = 12
			for k, p := range r.Landmarks {
				if dx, dy := p.X-f.landmarks[k].X, p.Y-f.landmarks[k].Y; dx*dx+dy*dy > within*within {
					t.Errorf("%d, picture %d: landmark %d is off by (%.1f, %.1f)", side, i, k, dx, dy)
				}
			}
		}
	}
}

// FuzzReadGraph: any bytes are read or refused, and what is read can be reshaped.
func FuzzReadGraph(f *testing.F) {
	small := onnxtest.Points().ONNX
	f.Add(small[:200])
	f.Add([]byte{})
	f.Add([]byte{0x3a, 0x02, 0x5a, 0x00})
	f.Add(encodeValue(tensorInfo{name: "a", elem: 1, dims: []int64{1, free, 3}}))
	f.Fuzz(func(t *testing.T, onnx []byte) {
		g, err := readGraph(onnx)
		if err != nil {
			return
		}
		for _, in := range g.inputs {
			reshaped, err := reshape(onnx, in.name, []int64{1, 3, 8, 8})
			if err != nil {
				t.Fatalf("read but not reshaped: %v", err)
			}
			if _, err := readGraph(reshaped); err != nil {
				t.Fatalf("not read after reshaping: %v", err)
			}
		}
	})
}

func TestEncodeValueRoundTrip(t *testing.T) {
	for _, want := range []tensorInfo{
		{name: "a", elem: elemFloat, dims: []int64{1, 3, 112, 112}},
		{name: "b", elem: 7, dims: []int64{free, 5}},
		{name: "", elem: 1, dims: []int64{}},
		{name: "c", elem: 1},
	} {
		got, err := readValue(encodeValue(want))
		if err != nil || got.name != want.name || got.elem != want.elem || !slices.Equal(got.dims, want.dims) || (got.dims == nil) != (want.dims == nil) {
			t.Errorf("%+v became %+v, %v", want, got, err)
		}
	}
}
