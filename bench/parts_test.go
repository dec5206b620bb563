package bench

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"rollcall/embedder"
	"rollcall/embedder/onnxtest"
	"rollcall/models"
	pb "rollcall/proto/rollcall/v1"
)

// TestCheck changes one bit of each kind of answer.
func TestCheck(t *testing.T) {
	right := &pb.EmbedResponse{Model: "m", Stored: true, Embedding: []float32{0.6, -0.8}}
	c := &call{name: "store", do: func(context.Context) (proto.Message, error) { return proto.Clone(right), nil }}
	if err := c.learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*pb.EmbedResponse){
		"":          func(*pb.EmbedResponse) {},
		"embedding": func(r *pb.EmbedResponse) { r.Embedding[1] = math.Float32frombits(math.Float32bits(-0.8) ^ 1) },
		"replaced":  func(r *pb.EmbedResponse) { r.Replaced = true },
		"quality":   func(r *pb.EmbedResponse) { r.Quality = &pb.Quality{Sharpness: 1} },
	} {
		answer := proto.Clone(right).(*pb.EmbedResponse)
		change(answer)
		difference, err := c.check(answer)
		if err != nil {
			t.Fatal(err)
		}
		if field == "" != (difference == "") || !strings.Contains(difference, field) {
			t.Errorf("a change of %q is reported as %q", field, difference)
		}
		if strings.ContainsAny(difference, "0123456789") {
			t.Errorf("%q shows a value", difference)
		}
	}
}

func TestPatiently(t *testing.T) {
	full := connect.NewError(connect.CodeResourceExhausted, errors.New("full"))
	detail, err := connect.NewErrorDetail(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	withDelay := connect.NewError(connect.CodeResourceExhausted, errors.New("full"))
	withDelay.AddDetail(detail)

	answers := []error{withDelay, &embedder.QueueFullError{RetryAfter: time.Millisecond}, nil}
	retries := 0
	err = patiently(t.Context(), func() { retries++ }, func() error {
		next := answers[0]
		answers = answers[1:]
		return next
	})
	if err != nil || retries != 2 || len(answers) != 0 {
		t.Errorf("error %v after %d retries", err, retries)
	}
	if err := patiently(t.Context(), nil, func() error { return full }); !errors.Is(err, full) {
		t.Errorf("without a delay the error is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := patiently(ctx, cancel, func() error { return withDelay }); err == nil {
		t.Error("it goes on although ctx has ended")
	}
}

func TestTail(t *testing.T) {
	var log tail
	for range 2 * tailLines {
		for _, part := range []string{"a long", " line\nnext ", "line\n"} {
			if _, err := log.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
	}
	log.Write([]byte("no end"))
	lines := strings.Split(log.String(), "\n")
	if len(lines) > tailLines || lines[len(lines)-1] != "no end" || lines[len(lines)-2] != "next line" || lines[len(lines)-3] != "a long line" {
		t.Errorf("%d lines, the last ones %q", len(lines), lines[len(lines)-3:])
	}
}

func TestMachine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cpuinfo")
	text := "processor\t: 0\nmodel\t\t: 1\nmodel name\t: Some Processor: fast\nprocessor\t: 1\nmodel name\t: Another\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := cpuModel(file); got != "Some Processor: fast" {
		t.Errorf("the processor is %q", got)
	}
	if got := cpuModel(file + "-missing"); got != "unknown" {
		t.Errorf("without the file the processor is %q", got)
	}
}

func TestResidentBytes(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells the memory of a process in /proc")
	}
	// What earlier tests left is given back first: it would be counted as a loss
	// if that happened between the two readings.
	debug.FreeOSMemory()
	before, err := residentBytes(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	const size = 256 * mib // much beside what this process gives back meanwhile
	block := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		block[i] = 1
	}
	after, err := residentBytes(os.Getpid())
	runtime.KeepAlive(block)
	if err != nil || after-before < size*3/4 {
		t.Errorf("%d bytes more after touching %d; error %v", after-before, size, err)
	}
	if _, err := residentBytes(math.MaxInt32); err == nil {
		t.Error("a process that does not exist has memory")
	}
}

// open opens a workbench that is closed when the test ends.
func open(t *testing.T, o modelOptions) (*workbench, error) {
	w, err := o.open(t.Context(), t.Output())
	if err == nil {
		t.Cleanup(func() {
			if err := w.close(); err != nil {
				t.Error(err)
			}
		})
	}
	return w, err
}

func TestOpenModels(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	sface, points := onnxtest.SFace(1), onnxtest.Points()
	embedderFile, locatorFile := write("e.onnx", sface.ONNX), write("l.onnx", points.ONNX)
	embedderContract, locatorContract := write("e.json", contractJSON(t, sface.Contract)), write("l.json", contractJSON(t, points.Contract))

	w, err := open(t, modelOptions{
		embedder: fileOptions{file: embedderFile, contract: embedderContract},
		locator:  fileOptions{file: locatorFile, contract: locatorContract},
	})
	if err != nil {
		t.Fatal(err)
	}
	if facts := w.describe(); facts.Embedder != "test-sface" || facts.Locator != "test-points" || facts.Digest != sface.Contract.SHA256 {
		t.Errorf("the models are %v", facts)
	}
	otherContract := sface.Named("other").Contract
	second, err := w.beside(t.Context(), fileOptions{file: embedderFile, contract: write("o.json", contractJSON(t, otherContract))})
	if err != nil {
		t.Fatal(err)
	}
	if second.embedder.Contract.Name != "other" || w.embedder.Contract.Name != "test-sface" || second.locator != w.locator {
		t.Errorf("beside %v stands %v", w.describe(), second.describe())
	}
	_, err = w.beside(t.Context(), fileOptions{contract: embedderContract})
	wantError(t, err, "needs --against")
	temp := w.temp
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(temp); !os.IsNotExist(err) {
		t.Errorf("the models' folder is left: %v", err)
	}

	installed := testModels(t)
	for says, o := range map[string]modelOptions{
		"models pull sface":        {modelsDir: t.TempDir(), embedder: fileOptions{name: "sface"}},
		"-contract flag":           {embedder: fileOptions{file: embedderFile}},
		"needs --embedder":         {modelsDir: installed, embedder: fileOptions{contract: embedderContract}},
		"of the kind locator":      {modelsDir: installed, embedder: fileOptions{name: "test-points"}},
		"unknown model":            {modelsDir: installed, embedder: fileOptions{name: "test-nothing"}},
		models.ErrContract.Error(): {embedder: fileOptions{file: embedderFile, contract: embedderFile}},
		"e.onnx-missing":           {embedder: fileOptions{file: embedderFile + "-missing"}},
		"does not fulfil its":      {embedder: fileOptions{file: locatorFile, contract: write("n.json", contractJSON(t, withoutDigest(sface.Contract)))}},
	} {
		_, err := open(t, o)
		wantError(t, err, says)
	}
}

func withoutDigest(c models.Contract) models.Contract {
	c.SHA256 = ""
	return c
}
