package ortlib

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

func skipUnlessELF(t *testing.T) machine {
	t.Helper()
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		t.Skip("the C compiler here does not build ELF files")
	}
	return thisMachine()
}

func TestInspectELF(t *testing.T) {
	m := skipUnlessELF(t)
	got, err := inspect(elfLibrary(t, "1.25.1"), m)
	if err != nil || got != (version{1, 25, 1}) {
		t.Errorf("a library of version 1.25.1: %v, %v", got, err)
	}
	good := elfLibrary(t, "1.24.3")
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	edited := func(edit func(b []byte) []byte) string {
		path := filepath.Join(t.TempDir(), "libonnxruntime.so")
		writeFile(t, path, edit(bytes.Clone(whole)))
		return path
	}
	// e_type and e_machine are 2 bytes each at 16 and 18 of every ELF header.
	for _, tt := range []struct{ name, path, want string }{
		{"too old", elfLibrary(t, "1.23.2"), "1.24"},
		{"too new", elfLibrary(t, "2.0.0"), "before 2.0"},
		{"no version", sharedLibrary(t, entrySource), "does not say its version"},
		{"no entry point", sharedLibrary(t, "int other(void) { return 0; }\n"), "does not export OrtGetApiBase"},
		{"entry point only used", sharedLibrary(t, "int OrtGetApiBase(void); int f(void) { return OrtGetApiBase(); }\n"), "does not export"},
		{"not a library", edited(func(b []byte) []byte { b[16] = 1; return b }), "not a shared library"},
		{"other architecture", edited(func(b []byte) []byte { b[18], b[19] = 22, 0; return b }), "built for EM_S390"},
		{"cut in half", edited(func(b []byte) []byte { return b[:len(b)/2] }), ""},
		{"cut in the header", edited(func(b []byte) []byte { return b[:40] }), "not a whole ELF file"},
		{"text", edited(func([]byte) []byte { return []byte("INPUT(libonnxruntime.so.1)") }), "not a shared library"},
		{"empty", edited(func([]byte) []byte { return nil }), "not a shared library"},
		{"missing", filepath.Join(t.TempDir(), "none"), "no such file"},
	} {
		got, err := inspect(tt.path, m)
		if !errors.Is(err, ErrUnusable) {
			t.Errorf("%s: %v, %v; want ErrUnusable", tt.name, got, err)
			continue
		}
		contains(t, err, tt.want)
	}
	if m.arch != "s390x" {
		if _, err := inspect(good, machine{os: m.os, arch: "s390x", musl: m.musl}); !errors.Is(err, ErrUnusable) {
			t.Errorf("on another architecture: %v", err)
		}
	}
	if _, err := inspect(good, machine{os: "darwin", arch: m.arch}); !errors.Is(err, ErrUnusable) {
		t.Errorf("an ELF file on macOS: %v", err)
	}
}

func TestInspectLibc(t *testing.T) {
	m := skipUnlessELF(t)
	if m.musl {
		t.Skip("the C compiler here does not build for glibc")
	}
	// The linker notes a library as needed by its soname, whatever is in it.
	named := func(soname string) string {
		return sharedLibrary(t, "int libc_stand_in(void) { return 0; }\n", "-nostdlib", "-Wl,-soname,"+soname)
	}
	forMusl := elfLibrary(t, "1.24.3", "-nostdlib", "-Wl,--no-as-needed", named("libc.musl-x86_64.so.1"))
	forGlibc := elfLibrary(t, "1.24.3", "-nostdlib", "-Wl,--no-as-needed", named("libc.so.6"))
	onMusl := m
	onMusl.musl = true
	for _, tt := range []struct {
		name, path string
		m          machine
		want       string // "" means that it fits
	}{
		{"glibc on glibc", forGlibc, m, ""},
		{"musl on musl", forMusl, onMusl, ""},
		{"glibc on musl", forGlibc, onMusl, "built for glibc"},
		{"musl on glibc", forMusl, m, "built for musl"},
	} {
		_, err := inspect(tt.path, tt.m)
		if tt.want == "" && err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if tt.want != "" {
			contains(t, err, tt.want)
		}
	}
}

// machOLibrary writes the parts of a Mach-O library that inspect reads.
func machOLibrary(cpu macho.Cpu, fileType macho.Type, symbol string, v version) []byte {
	const headerSize, idSize, symtabSize, nlistSize = 32, 48, 24, 16
	le := binary.LittleEndian
	words := func(b []byte, values ...uint32) []byte {
		for _, v := range values {
			b = le.AppendUint32(b, v)
		}
		return b
	}
	b := words(nil, macho.Magic64, uint32(cpu), 0, uint32(fileType), 2, idSize+symtabSize, 0, 0)
	packed := uint32(v[0]<<16 | v[1]<<8 | v[2])
	b = words(b, loadCmdIDDylib, idSize, 24, 1, packed, 0)
	b = append(b, "@rpath/libonnx.dylib\x00\x00\x00\x00"...)
	symbolsAt := uint32(headerSize + idSize + symtabSize)
	names := "\x00" + symbol + "\x00"
	b = words(b, uint32(macho.LoadCmdSymtab), symtabSize, symbolsAt, 1, symbolsAt+nlistSize, uint32(len(names)))
	b = words(b, 1)             // the name's place in names
	b = append(b, 0xf, 1, 0, 0) // external, defined in section 1
	b = le.AppendUint64(b, 0x1000)
	return append(b, names...)
}

// fatLibrary puts Mach-O files of several architectures into one.
func fatLibrary(cpus []macho.Cpu, files ...[]byte) []byte {
	const align = 4096
	be := binary.BigEndian
	b := be.AppendUint32(nil, macho.MagicFat)
	b = be.AppendUint32(b, uint32(len(files)))
	for i, file := range files {
		for _, v := range []uint32{uint32(cpus[i]), 0, uint32((i + 1) * align), uint32(len(file)), 12} {
			b = be.AppendUint32(b, v)
		}
	}
	for i, file := range files {
		b = append(b, make([]byte, (i+1)*align-len(b))...)
		b = append(b, file...)
	}
	return b
}

func TestInspectMachO(t *testing.T) {
	m := machine{os: "darwin", arch: "arm64"}
	arm := machOLibrary(macho.CpuArm64, macho.TypeDylib, "_OrtGetApiBase", version{1, 24, 3})
	intel := machOLibrary(macho.CpuAmd64, macho.TypeDylib, "_OrtGetApiBase", version{1, 24, 3})
	both := fatLibrary([]macho.Cpu{macho.CpuAmd64, macho.CpuArm64}, intel, arm)
	for _, tt := range []struct {
		name    string
		content []byte
		want    string // "" means that it fits
	}{
		{"arm64", arm, ""},
		{"both", both, ""},
		{"amd64", intel, "built for CpuAmd64"},
		{"too old", machOLibrary(macho.CpuArm64, macho.TypeDylib, "_OrtGetApiBase", version{1, 23, 2}), "version 1.23.2"},
		{"other symbol", machOLibrary(macho.CpuArm64, macho.TypeDylib, "_OrtGetApiBas3", version{1, 24, 3}), "does not export"},
		{"executable", machOLibrary(macho.CpuArm64, macho.TypeExec, "_OrtGetApiBase", version{1, 24, 3}), "not a shared library"},
		{"fat without ours", fatLibrary([]macho.Cpu{macho.CpuAmd64}, intel), "no library for CpuArm64"},
		{"cut", arm[:60], "not a whole Mach-O file"},
	} {
		path := filepath.Join(t.TempDir(), "libonnxruntime.dylib")
		writeFile(t, path, tt.content)
		got, err := inspect(path, m)
		if tt.want == "" {
			if err != nil || got != (version{1, 24, 3}) {
				t.Errorf("%s: %v, %v", tt.name, got, err)
			}
			continue
		}
		if !errors.Is(err, ErrUnusable) {
			t.Errorf("%s: %v does not wrap ErrUnusable", tt.name, err)
		}
		contains(t, err, tt.want)
	}
}

func TestHasMusl(t *testing.T) {
	static := filepath.Join(t.TempDir(), "static") // no loader to read from it
	writeFile(t, static, []byte("static"))
	for _, tt := range []struct {
		name  string
		files []string
		want  bool
	}{
		{"musl", []string{"lib/ld-musl-x86_64.so.1"}, true},
		{"glibc amd64", []string{"lib64/ld-linux-x86-64.so.2"}, false},
		{"glibc arm64", []string{"lib/ld-linux-aarch64.so.1"}, false},
		{"glibc, and musl for cross builds", []string{"lib64/ld-linux-x86-64.so.2", "lib/ld-musl-x86_64.so.1"}, false},
		{"neither", nil, false},
	} {
		root := t.TempDir()
		for _, name := range tt.files {
			writeFile(t, filepath.Join(root, name), nil)
		}
		if got := hasMusl(static, root); got != tt.want {
			t.Errorf("%s: hasMusl = %v", tt.name, got)
		}
	}
}

func TestHasMuslByLoader(t *testing.T) {
	skipUnlessELF(t)
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler (cc) to build an executable with")
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "main.c"), []byte("int main(void) { return 0; }\n"))
	for loader, want := range map[string]bool{
		"/lib/ld-musl-x86_64.so.1":     true,
		"/lib64/ld-linux-x86-64.so.2":  false,
		"/opt/musl/ld-linux-own.so.2":  false,
		"/opt/own/lib/ld-musl-own.so1": true,
	} {
		out := filepath.Join(dir, "main")
		cmd := exec.Command(cc, "-o", out, filepath.Join(dir, "main.c"), "-Wl,--dynamic-linker="+loader)
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, output)
		}
		if got := hasMusl(out, t.TempDir()); got != want {
			t.Errorf("an executable with loader %s: hasMusl = %v", loader, got)
		}
	}
}
