package ortlib

import (
	"debug/elf"
	"debug/macho"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// entryPoint is the one symbol through which every client reaches ONNX Runtime.
const entryPoint = "OrtGetApiBase"

// symbolVersionPrefix: ONNX Runtime's build gives its exported symbols the ELF version VERS_1.24.3 through
// a generated linker script. The file name and the soname (libonnxruntime.so.1) tell less: distributions
// rename the file, and the soname holds only the major version.
const symbolVersionPrefix = "VERS_"

// inspect checks that the file is an ONNX Runtime library that this process can
// load, and returns its version. It reads the file without loading it: a library
// that turns out wrong cannot be unloaded from a process again. Errors wrap
// ErrUnusable.
func inspect(path string, m machine) (version, error) {
	f, err := os.Open(path)
	if err != nil {
		return version{}, unusable("%w", err)
	}
	defer f.Close()
	var magic [4]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil {
		return version{}, unusable("is not a shared library")
	}
	var v version
	switch {
	case m.os == "darwin" && isMachO(magic):
		v, err = inspectMachO(f, m)
	case m.os != "darwin" && string(magic[:]) == elf.ELFMAG:
		v, err = inspectELF(f, m)
	default:
		err = fmt.Errorf("is not a shared library of %s", m.os)
	}
	if err != nil {
		return version{}, unusable("%w", err)
	}
	return v, v.suitable()
}

func unusable(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrUnusable}, args...)...)
}

// elfMachines gives the ELF names of the architectures that ONNX Runtime is built for, by Go's names. An
// architecture that is not listed is not checked.
var elfMachines = map[string]elf.Machine{
	"386":     elf.EM_386,
	"amd64":   elf.EM_X86_64,
	"arm":     elf.EM_ARM,
	"arm64":   elf.EM_AARCH64,
	"loong64": elf.EM_LOONGARCH,
	"ppc64le": elf.EM_PPC64,
	"riscv64": elf.EM_RISCV,
	"s390x":   elf.EM_S390,
}

func inspectELF(f *os.File, m machine) (version, error) {
	file, err := elf.NewFile(f)
	if err != nil {
		return version{}, fmt.Errorf("is not a whole ELF file: %w", err)
	}
	if file.Type != elf.ET_DYN {
		return version{}, errors.New("is not a shared library")
	}
	if want, known := elfMachines[m.arch]; known && file.Machine != want {
		return version{}, fmt.Errorf("is built for %v, this process for %v", file.Machine, want)
	}
	needs, err := file.ImportedLibraries()
	if err != nil {
		return version{}, fmt.Errorf("has no readable list of needed libraries: %w", err)
	}
	if err := checkLibc(needs, m.musl); err != nil {
		return version{}, err
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return version{}, fmt.Errorf("has no readable symbols: %w", err)
	}
	for _, s := range symbols {
		if s.Name != entryPoint || s.Section == elf.SHN_UNDEF {
			continue
		}
		text, ok := strings.CutPrefix(s.Version, symbolVersionPrefix)
		if !ok {
			return version{}, fmt.Errorf("does not say its version: %s has no symbol version", entryPoint)
		}
		return parseVersion(text)
	}
	return version{}, fmt.Errorf("does not export %s", entryPoint)
}

// checkLibc compares the C library that an ELF file needs with the machine's. musl cannot load a library
// that was linked against glibc, not even with gcompat, which lacks fortified functions that ONNX Runtime
// uses. glibc cannot load one for musl.
func checkLibc(needs []string, musl bool) error {
	isMusl := func(name string) bool { return strings.HasPrefix(name, "libc.musl-") }
	switch {
	case musl && slices.Contains(needs, "libc.so.6"):
		return errors.New("is built for glibc, this machine has musl")
	case !musl && slices.ContainsFunc(needs, isMusl):
		return errors.New("is built for musl, this machine has glibc")
	}
	return nil
}

// machoCPUs names Go's architectures in Mach-O terms.
var machoCPUs = map[string]macho.Cpu{
	"amd64": macho.CpuAmd64,
	"arm64": macho.CpuArm64,
}

// loadCmdIDDylib is LC_ID_DYLIB of Apple's <mach-o/loader.h>, which debug/macho
// does not name. Its body is: command, size, name offset, timestamp, current
// version, compatibility version, each 4 bytes, then the name.
const (
	loadCmdIDDylib      = 0xd
	currentVersionStart = 16
	currentVersionEnd   = 20
)

func isMachO(magic [4]byte) bool {
	le, be := binary.LittleEndian.Uint32(magic[:]), binary.BigEndian.Uint32(magic[:])
	return le == macho.Magic64 || be == macho.MagicFat
}

func inspectMachO(f *os.File, m machine) (version, error) {
	want := machoCPUs[m.arch]
	file, err := macho.NewFile(f)
	if err != nil {
		fat, fatErr := macho.NewFatFile(f)
		if fatErr != nil {
			return version{}, fmt.Errorf("is not a whole Mach-O file: %w", err)
		}
		i := slices.IndexFunc(fat.Arches, func(a macho.FatArch) bool { return a.Cpu == want })
		if i < 0 {
			return version{}, fmt.Errorf("holds no library for %v", want)
		}
		file = fat.Arches[i].File
	}
	if file.Type != macho.TypeDylib {
		return version{}, errors.New("is not a shared library")
	}
	if file.Cpu != want {
		return version{}, fmt.Errorf("is built for %v, this process for %v", file.Cpu, want)
	}
	// C symbols carry a leading underscore in Mach-O.
	isEntry := func(s macho.Symbol) bool { return s.Name == "_"+entryPoint && s.Sect != 0 }
	if file.Symtab == nil || !slices.ContainsFunc(file.Symtab.Syms, isEntry) {
		return version{}, fmt.Errorf("does not export %s", entryPoint)
	}
	for _, load := range file.Loads {
		raw := load.Raw()
		if len(raw) < currentVersionEnd || file.ByteOrder.Uint32(raw) != loadCmdIDDylib {
			continue
		}
		// A version is packed as major<<16 | minor<<8 | patch.
		packed := file.ByteOrder.Uint32(raw[currentVersionStart:currentVersionEnd])
		return version{int(packed >> 16), int(packed >> 8 & 0xff), int(packed & 0xff)}, nil
	}
	return version{}, errors.New("does not say its version")
}
