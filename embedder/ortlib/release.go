package ortlib

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
)

// releaseAddress is the folder of the pinned version among the project's
// releases; see https://onnxruntime.ai/docs/install.
const releaseAddress = "https://github.com/microsoft/onnxruntime/releases/download/v" + Version

// maxArchive bounds a download in bytes; the largest archive has 86 MB.
const maxArchive = 256 << 20

// downloadRelease fetches a release archive and verifies it.
func (in *installer) downloadRelease(ctx context.Context, a artifact, folder string) (string, error) {
	address, err := url.JoinPath(in.releases, a.name)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: the server answered %s", a.name, response.Status)
	}
	body := &watchedReader{
		r:    io.LimitReader(response.Body, maxArchive),
		read: func(done int64) { in.progress("downloading "+a.name, min(done, a.bytes), a.bytes) },
	}
	archive := filepath.Join(folder, a.name)
	if err := writeSynced(archive, body); err != nil {
		return "", fmt.Errorf("download of %s: %w", a.name, err)
	}
	digest, err := fileSHA256(archive)
	if err != nil {
		return "", err
	}
	if digest != a.archiveSHA256 {
		return "", mismatch(a.name, digest, a.archiveSHA256)
	}
	return archive, nil
}

// watchedReader tells read how many bytes have been read so far.
type watchedReader struct {
	r    io.Reader
	done int64
	read func(done int64)
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.done += int64(n)
	w.read(w.done)
	return n, err
}
