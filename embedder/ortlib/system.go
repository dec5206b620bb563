package ortlib

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// loaderConfig lists the folders of the dynamic loader, see ldconfig(8).
const loaderConfig = "/etc/ld.so.conf"

// maxConfigDepth bounds includes within includes of the loader's configuration,
// which may name each other.
const maxConfigDepth = 8

// systemFolders returns the folders that the system's dynamic loader searches,
// in its order, and those of the common package managers.
func systemFolders(goos string) []string {
	if goos == "darwin" {
		folders := filepath.SplitList(os.Getenv("DYLD_LIBRARY_PATH"))
		return distinct(append(folders, "/opt/homebrew/lib", "/opt/local/lib", "/usr/local/lib"))
	}
	folders := filepath.SplitList(os.Getenv("LD_LIBRARY_PATH"))
	folders = append(folders, configuredFolders(loaderConfig, 0)...)
	return distinct(append(folders,
		"/usr/local/lib", "/usr/local/lib64", "/lib64", "/usr/lib64", "/lib", "/usr/lib"))
}

// configuredFolders reads a file in the format of ld.so.conf(5): a folder or an
// include with a glob on each line, # starts a comment. A file that cannot be
// read names no folders: musl systems have none.
func configuredFolders(config string, depth int) []string {
	file, err := os.Open(config)
	if err != nil || depth > maxConfigDepth {
		return nil
	}
	defer file.Close()
	var folders []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(line)
		switch {
		case len(fields) == 1:
			folders = append(folders, fields[0])
		case len(fields) > 1 && fields[0] == "include":
			for _, pattern := range fields[1:] {
				if !filepath.IsAbs(pattern) {
					pattern = filepath.Join(filepath.Dir(config), pattern)
				}
				// A bad pattern matches nothing, as for the loader.
				included, _ := filepath.Glob(pattern)
				for _, name := range included {
					folders = append(folders, configuredFolders(name, depth+1)...)
				}
			}
		}
	}
	return folders
}

// libraryNames returns the files in the folder that are named as ONNX Runtime's
// library is, with or without a version: libonnxruntime.so.1.24.3,
// libonnxruntime.1.24.3.dylib. Its plug-ins (libonnxruntime_providers_*) are
// named otherwise.
func libraryNames(folder, goos string) []string {
	patterns := []string{"libonnxruntime.so", "libonnxruntime.so.*"}
	if goos == "darwin" {
		patterns = []string{"libonnxruntime.dylib", "libonnxruntime.*.dylib"}
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	var names []string
	for _, entry := range entries {
		for _, pattern := range patterns {
			if ok, err := filepath.Match(pattern, entry.Name()); err == nil && ok {
				names = append(names, filepath.Join(folder, entry.Name()))
			}
		}
	}
	return names
}

// distinct returns the absolute paths among folders, each once.
func distinct(folders []string) []string {
	seen := make(map[string]bool)
	var kept []string
	for _, folder := range folders {
		folder = filepath.Clean(folder)
		if filepath.IsAbs(folder) && !seen[folder] {
			seen[folder] = true
			kept = append(kept, folder)
		}
	}
	return kept
}
