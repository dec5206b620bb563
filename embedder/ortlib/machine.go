package ortlib

import (
	"bytes"
	"debug/elf"
	"path/filepath"
	"runtime"
)

// machine is what decides which library can be loaded.
type machine struct {
	os, arch string // in Go's names
	musl     bool   // the C library is musl, not glibc; Linux only
}

func (m machine) String() string { return m.os + "/" + m.arch }

func thisMachine() machine {
	m := machine{os: runtime.GOOS, arch: runtime.GOARCH}
	// The running executable itself, by a path that stays right even when the file has been replaced.
	m.musl = m.os == "linux" && hasMusl("/proc/self/exe", "/")
	return m
}

// hasMusl reports whether libraries are loaded with musl as C library: whether the executable asks for
// musl's loader. A static executable asks for none; then it reports whether musl's is the only loader under
// root.
func hasMusl(executable, root string) bool {
	if loader := elfInterpreter(executable); loader != nil {
		return bytes.Contains(loader, []byte("/ld-musl-"))
	}
	present := func(pattern string) bool {
		// The only error is of a bad pattern.
		found, err := filepath.Glob(filepath.Join(root, pattern))
		return err == nil && len(found) > 0
	}
	return present("lib/ld-musl-*.so.1") && !present("lib/ld-linux*.so.*") && !present("lib64/ld*.so.*")
}

// elfInterpreter returns the path of the loader that an ELF executable asks for,
// nil if it asks for none or cannot be read.
func elfInterpreter(executable string) []byte {
	file, err := elf.Open(executable)
	if err != nil {
		return nil
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		name := make([]byte, p.Filesz)
		if _, err := p.ReadAt(name, 0); err != nil {
			return nil
		}
		return name
	}
	return nil
}
