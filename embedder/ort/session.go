package ort

/*
#include <stdlib.h>
#include "api.h"
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// A Session is a model that is ready to run. Several goroutines may run it at once, each with tensors of
// its own.
type Session struct{ session unsafe.Pointer }

// Load makes a session of an ONNX file, with weights of its own. A run uses one thread, the caller's. The
// caller closes the session.
func Load(onnx []byte) (*Session, error) {
	s := new(Session)
	if err := failure(C.ort_load(unsafe.Pointer(unsafe.SliceData(onnx)), C.size_t(len(onnx)), &s.session)); err != nil {
		return nil, err
	}
	return s, nil
}

// Run computes the outputs from the input.
func (s *Session) Run(t *Tensors) error {
	return failure(C.ort_run(s.session, &t.names[0], &t.values[0], C.int(len(t.names))))
}

// Close frees the session. REQUIRES: it does not run.
func (s *Session) Close() { C.ort_release_session(s.session) }

// Shape is the name and the shape of an input or an output.
type Shape struct {
	Name string
	Dims []int64 // none is open
}

// length is how many numbers a tensor of this shape holds.
func (s Shape) length() int {
	n := 1
	for _, d := range s.Dims {
		n *= int(d)
	}
	return n
}

// Tensors are the memory that a run reads and writes, allocated once. They must be used by one goroutine at
// a time.
type Tensors struct {
	Input   []float32
	Outputs map[string][]float32 // by name

	pins   runtime.Pinner // keeps the memory at the address that ONNX Runtime knows
	names  []*C.char      // the input's, then the outputs'
	values []unsafe.Pointer
}

// NewTensors allocates the tensors of a run. The caller closes them.
func NewTensors(input Shape, outputs ...Shape) (*Tensors, error) {
	t := &Tensors{Outputs: make(map[string][]float32, len(outputs))}
	var err error
	if t.Input, err = t.add(input); err != nil {
		t.Close()
		return nil, err
	}
	for _, out := range outputs {
		if t.Outputs[out.Name], err = t.add(out); err != nil {
			t.Close()
			return nil, err
		}
	}
	return t, nil
}

func (t *Tensors) add(s Shape) ([]float32, error) {
	data := make([]float32, s.length())
	t.pins.Pin(&data[0])
	var value unsafe.Pointer
	err := failure(C.ort_tensor(unsafe.Pointer(&data[0]), C.size_t(4*len(data)),
		(*C.int64_t)(unsafe.SliceData(s.Dims)), C.size_t(len(s.Dims)), &value))
	if err != nil {
		return nil, err
	}
	t.names = append(t.names, C.CString(s.Name))
	t.values = append(t.values, value)
	return data, nil
}

// Close frees the tensors. REQUIRES: no run uses them.
func (t *Tensors) Close() {
	for i, value := range t.values {
		C.ort_release_tensor(value)
		C.free(unsafe.Pointer(t.names[i]))
	}
	t.pins.Unpin()
	*t = Tensors{}
}
