package embedder

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"rollcall/embedder/onnxtest"
)

// openAlone opens a session of an installed model, closed when the test ends.
func openAlone(t *testing.T, model onnxtest.Model) *Session {
	t.Helper()
	m, err := onnxtest.Install(t, t.TempDir(), model).Model(model.Contract.Name)
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := OpenSessions(m, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sessions {
		t.Cleanup(s.Close)
	}
	return sessions[1]
}

// TestSessionAlone compares a session with the answer of plain Go.
func TestSessionAlone(t *testing.T) {
	model := onnxtest.SFace(1)
	s := openAlone(t, model)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range s.Input() {
		s.Input()[i] = 255 * rng.Float32()
	}
	want := model.Reference(s.Input())
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
	for name, got := range s.Outputs() {
		if len(got) != len(want) || math.Abs(similarity(got, want)-1) > 1e-6 {
			t.Errorf("%s has %d components with similarity %v to the %d wanted", name, len(got), similarity(got, want), len(want))
		}
	}
	if len(s.Outputs()) != 1 {
		t.Errorf("%d outputs", len(s.Outputs()))
	}
}

// TestLocatorAloneHasTheContractsSize runs a locator at the size of its contract, not of its file.
func TestLocatorAloneHasTheContractsSize(t *testing.T) {
	model := onnxtest.YuNet(320)
	s := openAlone(t, model)
	in := model.Contract.Input
	if len(s.Input()) != 3*in.Width*in.Height {
		t.Errorf("the input has %d samples at %d x %d pixels", len(s.Input()), in.Width, in.Height)
	}
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
	if got := len(s.Outputs()["cls_8"]); got != in.Width*in.Height/64 {
		t.Errorf("cls_8 has %d cells at %d x %d pixels", got, in.Width, in.Height)
	}
}

func TestSessionAloneRefusesAFileThatIsNotItsContracts(t *testing.T) {
	m, err := onnxtest.Install(t, t.TempDir(), onnxtest.Points()).Model(onnxtest.Points().Contract.Name)
	if err != nil {
		t.Fatal(err)
	}
	m.Contract.Input.Width++
	if sessions, err := OpenSessions(m, 1); !errors.Is(err, ErrModel) || sessions != nil {
		t.Errorf("%d sessions, error %v", len(sessions), err)
	}
}
