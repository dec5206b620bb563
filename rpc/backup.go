package rpc

import (
	"bufio"
	"context"
	"time"

	"connectrpc.com/connect"

	pb "rollcall/proto/rollcall/v1"
)

// backupService answers the calls about the whole server.
type backupService struct{ *api }

// partBytes is how much of a backup one response holds. A client has Options.WriteTimeout
// to read each, so that a slow one does not hold the disk space of the checkpoint for long.
const partBytes = 1 << 20

// backupRetryAfter is about how long a backup of a school takes.
const backupRetryAfter = 10 * time.Second

func (s backupService) Backup(ctx context.Context, _ *pb.BackupRequest, stream *connect.ServerStream[pb.BackupResponse]) error {
	caller := callerOf(ctx)
	if len(caller.Galleries) > 0 {
		return newError(connect.CodePermissionDenied, "ALL_GALLERIES_ONLY",
			"a backup holds all galleries: take it with a token that may use all of them", nil)
	}
	if !caller.Embeddings {
		return newError(connect.CodePermissionDenied, "EMBEDDING_NOT_ALLOWED",
			"a backup holds all embeddings: take it with an admin's token that was made with embeddings", nil)
	}
	parts := &parts{server: s.server, stream: stream}
	buffered := bufio.NewWriterSize(parts, partBytes)
	err := s.Galleries.Backup(ctx, buffered, func(done, total int64) { parts.done, parts.total = done, total })
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return err
	}
	s.logger.Info("a backup was sent", "token", caller.Token, "bytes", parts.total, "request_id", recordOf(ctx).id)
	return nil
}

// parts sends what is written to it.
type parts struct {
	server      *Server
	stream      *connect.ServerStream[pb.BackupResponse]
	done, total int64
}

// Write serves io.Writer.
func (p *parts) Write(b []byte) (int, error) {
	if p.server.isDraining() {
		return 0, p.server.unavailable()
	}
	if err := p.stream.Send(&pb.BackupResponse{Content: b, BytesDone: p.done, BytesTotal: p.total}); err != nil {
		return 0, err
	}
	return len(b), nil
}
