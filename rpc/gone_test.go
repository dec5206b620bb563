package rpc_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"rollcall/embedder"
	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/rpc"
)

// endlessQueue stands for a queue in which a call waits until its context ends.
type endlessQueue struct {
	rpc.Embedder
	entered chan struct{}
	left    chan error
}

func (q endlessQueue) Embed(ctx context.Context, _ embedder.Request) (*embedder.Result, error) {
	q.entered <- struct{}{}
	<-ctx.Done()
	q.left <- ctx.Err()
	return nil, ctx.Err()
}

// TestCallersWhoAreGoneLeaveTheQueue: a call leaves the queue when its caller gives up, over each protocol, and when
// the caller's connection is cut. What a call does in the queue then, TestContextEndsInQueue of package embedder says.
func TestCallersWhoAreGoneLeaveTheQueue(t *testing.T) {
	queue := endlessQueue{entered: make(chan struct{}), left: make(chan error)}
	w := newWorld(t, setup{options: rpc.Options{RequestTimeout: time.Hour}, wrap: func(b rpc.Backend) rpc.Backend {
		queue.Embedder = b.Embedder
		b.Embedder = queue
		return b
	}})
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	call := func(client *http.Client, o ...connect.ClientOption) {
		calls++
		api := rollcallv1connect.NewAttendanceServiceClient(client, w.url, o...)
		go func() {
			_, err := api.Identify(ctx, &pb.IdentifyRequest{Image: onnxtest.Face(1, 0)})
			if connect.CodeOf(err) != connect.CodeCanceled {
				t.Errorf("the caller got %v", err)
			}
		}()
	}
	call(http.DefaultClient)
	call(h2c(), connect.WithGRPC())
	call(h2c())
	body := fmt.Sprintf(`{"image":%q}`, b64(onnxtest.Face(1, 0)))
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	must(t, err)
	calls++
	_, err = io.WriteString(conn, begin("POST", embedPath, len(body), body))
	must(t, err)
	for range calls {
		<-queue.entered
	}
	cancel()
	must(t, conn.Close())
	for range calls {
		if err := <-queue.left; err != context.Canceled {
			t.Errorf("a call left the queue with %v", err)
		}
	}
	w.counts(fmt.Sprintf(`code="canceled",procedure="%s"} 3`, "/rollcall.v1.AttendanceService/Identify"))
}
