package gallery

import (
	"context"
	"io"

	"rollcall/storage/backup"
)

// Backup writes a backup of all galleries and of the server's own records, which
// [backup.Restore] reads. Progress, if not nil, is told how many of how many bytes are
// done. There is one backup at a time: ErrBackupRunning. Other errors are ErrReadOnly,
// ctx's, and those of w.
func (s *Galleries) Backup(ctx context.Context, w io.Writer, progress func(done, total int64)) error {
	_, err := backup.Write(ctx, w, s.store, progress)
	return err
}
