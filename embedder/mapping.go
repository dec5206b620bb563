package embedder

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile returns the content of a file, which is read when it is needed. The caller unmaps it. The file may
// be deleted meanwhile, but not changed.
func mapFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
}

// forgetPages takes a mapping's pages out of memory until they are read again.
func forgetPages(mapped []byte) error {
	if len(mapped) == 0 {
		return nil
	}
	return unix.Madvise(mapped, unix.MADV_DONTNEED)
}

func unmap(mapped []byte) {
	if len(mapped) > 0 {
		_ = unix.Munmap(mapped) // it fails only for memory that is no mapping
	}
}
