// Package ort calls ONNX Runtime, which package ortlib finds: it makes sessions of models and runs them.
//
// It is a binding of its own because the usual one, github.com/yalue/onnxruntime_go, cannot share weights
// among sessions.
package ort

/*
#cgo linux LDFLAGS: -ldl
#include <stdlib.h>
#include "api.h"
*/
import "C"

import (
	"errors"
	"strings"
	"unsafe"
)

// Open loads the library and begins to use it, without telemetry and without writing to standard error.
// check is told the version that the library reports; if it returns an error, the library is unloaded and
// Open returns that error. After Open has succeeded the library stays loaded. Open must be called before
// anything else of this package, and must not be called again after it has succeeded.
func Open(path string, check func(version string) error) error {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var problem *C.char
	version := C.ort_open(name, &problem)
	if version == nil {
		return errors.New(C.GoString(problem))
	}
	if err := check(C.GoString(version)); err != nil {
		C.ort_close()
		return err
	}
	return failure(C.ort_start())
}

// failure returns a status as an error.
func failure(failed *C.status) error {
	if failed == nil {
		return nil
	}
	text := C.ort_message(failed)
	defer C.free(unsafe.Pointer(text))
	return errors.New(strings.TrimSpace(C.GoString(text)))
}
