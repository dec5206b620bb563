package ort

/*
#include <stdlib.h>
#include "api.h"
*/
import "C"

import "unsafe"

// Optimise writes the graph of an ONNX file to the file graph, as ONNX Runtime runs it on this machine. The
// values of its weights of 1 KiB and more, little-endian and aligned, go into the file weights, a name in
// the folder of graph. Neither file suits another machine.
func Optimise(onnx []byte, graph, weights string) error {
	path, name := C.CString(graph), C.CString(weights)
	defer C.free(unsafe.Pointer(path))
	defer C.free(unsafe.Pointer(name))
	return failure(C.ort_optimise(unsafe.Pointer(unsafe.SliceData(onnx)), C.size_t(len(onnx)), path, name))
}

// Weights are shared by the sessions of one optimised graph, and so is what ONNX Runtime derives from them.
// They are not safe for concurrent use.
type Weights struct {
	packed unsafe.Pointer
	names  []*C.char
	values []unsafe.Pointer
}

// NewWeights returns no weights yet. The caller closes them.
func NewWeights() (*Weights, error) {
	w := new(Weights)
	if err := failure(C.ort_packed(&w.packed)); err != nil {
		return nil, err
	}
	return w, nil
}

// Add adds a float32 weight. data, outside of Go's memory, must stay as it is until Close.
func (w *Weights) Add(s Shape, data []byte) error {
	var value unsafe.Pointer
	err := failure(C.ort_tensor(unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)),
		(*C.int64_t)(unsafe.SliceData(s.Dims)), C.size_t(len(s.Dims)), &value))
	if err != nil {
		return err
	}
	w.names = append(w.names, C.CString(s.Name))
	w.values = append(w.values, value)
	return nil
}

// Load makes a session of an optimised graph. Weights that were not added are read from the file beside it.
// A run uses the given number of threads, of which one is the caller's. The caller closes the session,
// before the weights.
func (w *Weights) Load(graph string, threads int) (*Session, error) {
	path := C.CString(graph)
	defer C.free(unsafe.Pointer(path))
	s := new(Session)
	err := failure(C.ort_load_shared(path, C.int(threads), unsafe.SliceData(w.names), unsafe.SliceData(w.values), C.int(len(w.names)), w.packed, &s.session))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close frees the weights. REQUIRES: no session uses them any more.
func (w *Weights) Close() {
	for i, value := range w.values {
		C.ort_release_tensor(value)
		C.free(unsafe.Pointer(w.names[i]))
	}
	C.ort_release_packed(w.packed)
	*w = Weights{}
}
