package rpc_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"rollcall/access"
	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/rpc"
	"rollcall/storage"
	"rollcall/storage/backup"
)

// backupOf receives a backup.
func (w *world) backupOf(client *http.Client, options ...connect.ClientOption) ([]byte, error) {
	w.t.Helper()
	parts, err := rollcallv1connect.NewBackupServiceClient(client, w.url, options...).Backup(w.t.Context(), &pb.BackupRequest{})
	must(w.t, err)
	defer parts.Close()
	var file bytes.Buffer
	for parts.Receive() {
		file.Write(parts.Msg().GetContent())
	}
	return file.Bytes(), parts.Err()
}

// enrolled enrols crops of people, and returns a client for the answers about them.
func (w *world) enrolled(people int, options ...connect.ClientOption) rollcallv1connect.AttendanceServiceClient {
	w.t.Helper()
	client := rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url, options...)
	for p := range people {
		_, err := client.Embed(w.t.Context(), &pb.EmbedRequest{Image: onnxtest.Face(int64(p), 0), CropId: fmt.Sprint("crop ", p), StudentId: fmt.Sprint("student ", p)})
		must(w.t, err)
	}
	return client
}

// TestBackup takes backups, over every protocol, while others enrol, and restores each elsewhere:
// everybody who was enrolled before is identified there.
func TestBackup(t *testing.T) {
	w := newWorld(t, setup{})
	admin := bearer(w.admin())
	client := w.enrolled(5, admin)
	var done atomic.Bool
	var enrolling sync.WaitGroup
	enrolling.Go(func() {
		for n := 100; !done.Load(); n++ {
			if _, err := client.Embed(context.Background(), &pb.EmbedRequest{Image: onnxtest.Face(int64(n), 0), CropId: fmt.Sprint("crop ", n), StudentId: fmt.Sprint("student ", n), AllowDuplicate: true}); err != nil {
				t.Error(err)
			}
		}
	})
	for name, receive := range map[string]func() ([]byte, error){
		"connect":  func() ([]byte, error) { return w.backupOf(http.DefaultClient, admin) },
		"grpc":     func() ([]byte, error) { return w.backupOf(h2c(), admin, connect.WithGRPC()) },
		"grpc-web": func() ([]byte, error) { return w.backupOf(http.DefaultClient, admin, connect.WithGRPCWeb()) },
	} {
		file, err := receive()
		must(t, err)
		data := filepath.Join(t.TempDir(), "data")
		_, err = backup.Restore(t.Context(), bytes.NewReader(file), data, backup.Options{})
		must(t, err)
		again := newWorld(t, setup{data: data, library: w.library})
		there := rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, again.url, admin) // the token came with it
		for p := range 5 {
			resp, err := there.Identify(t.Context(), &pb.IdentifyRequest{Image: onnxtest.Face(int64(p), 0)})
			must(t, err)
			if resp.GetStudentId() != fmt.Sprint("student ", p) {
				t.Errorf("%s: %v for student %d", name, resp, p)
			}
		}
		again.stop()
	}
	done.Store(true)
	enrolling.Wait()
}

// TestBackupIsForAdmins of all galleries, with embeddings.
func TestBackupIsForAdmins(t *testing.T) {
	w := newWorld(t, setup{})
	if _, err := w.backupOf(http.DefaultClient); reasonOf(err) != "EMBEDDING_NOT_ALLOWED" {
		t.Errorf("without a token: %v", err)
	}
	all := w.admin()
	for reason, c := range map[string]access.Caller{
		"EMBEDDING_NOT_ALLOWED": {Role: access.Admin},
		"ALL_GALLERIES_ONLY":    {Role: access.Admin, Embeddings: true, Galleries: []string{"default"}},
		"ROLE_NOT_ALLOWED":      {Role: access.Enroll, Embeddings: true},
	} {
		if _, err := w.backupOf(http.DefaultClient, bearer(w.token(c))); reasonOf(err) != reason {
			t.Errorf("%s: %v", reason, err)
		}
	}
	if _, err := w.backupOf(http.DefaultClient, bearer(all)); err != nil {
		t.Error(err)
	}
}

// largeData makes a data folder whose backup does not fit into the buffers of a connection.
func largeData(t *testing.T) (dir string, bytes int64) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	store, err := storage.Open(dir, storage.Options{})
	must(t, err)
	p, err := store.Partition("large")
	must(t, err)
	const each = 1 << 20
	for n := range uint64(16) {
		e := storage.Embedding{CropID: fmt.Sprint("crop ", n), Model: "m", Vector: make([]float32, each/4), Created: time.Unix(0, 0)}
		must(t, p.Commit(t.Context(), n, []storage.Change{{Time: time.Unix(0, 0), Cause: "enrol", Writes: []storage.Write{{Ref: e.Ref(), Put: e}}}}))
	}
	must(t, store.Close())
	return dir, 16 * each
}

// beginBackup asks for a backup, and returns when the server begins to send it.
func (w *world) beginBackup(token string) net.Conn {
	w.t.Helper()
	conn := w.dial(strings.Replace(begin("POST", "/rollcall.v1.BackupService/Backup", 5, "\x00\x00\x00\x00\x00"), "Content-Type: application/json",
		"Content-Type: application/connect+proto\r\nAuthorization: Bearer "+token, 1))
	head := make([]byte, len("HTTP/1.1 200 OK"))
	_, err := io.ReadFull(conn, head)
	must(w.t, err)
	if string(head) != "HTTP/1.1 200 OK" {
		w.t.Fatalf("the backup begins with %q", head)
	}
	return conn
}

func (w *world) getsBackup(token string) {
	w.t.Helper()
	eventually(w.t, "the next client gets its backup", func() bool {
		_, err := w.backupOf(http.DefaultClient, bearer(token))
		if err != nil && reasonOf(err) != "BACKUP_RUNNING" {
			w.t.Fatal(err)
		}
		return err == nil
	})
}

// TestBackupsOneAtATime: a second one is refused until the client of the first has gone away.
func TestBackupsOneAtATime(t *testing.T) {
	data, _ := largeData(t)
	w := newWorld(t, setup{data: data})
	token := w.admin()
	first := w.beginBackup(token)
	if _, err := w.backupOf(http.DefaultClient, bearer(token)); reasonOf(err) != "BACKUP_RUNNING" {
		t.Errorf("a second backup: %v", err)
	}
	must(t, first.Close())
	w.getsBackup(token)
}

// TestBackupThatNobodyReads is cut off.
func TestBackupThatNobodyReads(t *testing.T) {
	data, bytes := largeData(t)
	w := newWorld(t, setup{data: data, options: rpc.Options{WriteTimeout: 300 * time.Millisecond}})
	token := w.admin()
	slow := w.beginBackup(token)
	w.getsBackup(token)
	if got, _ := io.Copy(io.Discard, slow); got >= bytes {
		t.Errorf("it got %d bytes, all there are", got)
	}
}

// TestBackupMetrics: the age of the newest backup, and the failures, of a server that writes some.
func TestBackupMetrics(t *testing.T) {
	w := newWorld(t, setup{})
	if text := get(t, w.url+"/metrics"); strings.Contains(text, "rollcall_backup_") {
		t.Error("a server that writes no backups tells their age")
	}
	for newest, age := range map[time.Time]string{{}: "+Inf", time.Now().Add(-time.Hour): "36"} {
		w := newWorld(t, setup{wrap: func(b rpc.Backend) rpc.Backend { b.Backups = backups{newest}; return b }})
		text := get(t, w.url+"/metrics")
		if !strings.Contains(text, "\nrollcall_backup_age_seconds "+age) || !strings.Contains(text, "\nrollcall_backup_failures_total 3\n") {
			t.Errorf("newest %v: %s", newest, text)
		}
	}
}

type backups struct{ newest time.Time }

func (b backups) Newest() time.Time { return b.newest }

func (backups) Failures() uint64 { return 3 }

func (backups) HeldUntil(time.Time) time.Time { return time.Time{} }
