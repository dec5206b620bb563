package rpc_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"rollcall/embedder"
	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// The old server's fault: two calls at once, and it died. Here many clients
// embed and identify at once, over two protocols, and each answer is the one
// that the same call gets when it is alone, bit for bit.
func TestManyClientsGetTheAnswersOfOne(t *testing.T) {
	const people, clients, rounds = 6, 16, 4
	w := newWorld(t, setup{embed: embedder.Options{Queue: clients}})
	ctx := context.Background()
	for i := range people {
		enroll(t, w, int64(i), 0, fmt.Sprintf("c%d", i), fmt.Sprintf("s%d", i))
	}
	token := bearer(w.admin())
	connected := rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url, token)
	ask := func(client rollcallv1connect.AttendanceServiceClient, person int) (*pb.EmbedResponse, *pb.IdentifyResponse, error) {
		image := onnxtest.Face(int64(person), 1)
		embedded, err := client.Embed(ctx, &pb.EmbedRequest{Image: image, ReturnEmbedding: true})
		if err != nil {
			return nil, nil, err
		}
		identified, err := client.Identify(ctx, &pb.IdentifyRequest{Image: image, MaxCandidates: people})
		return embedded, identified, err
	}
	embedded, identified := make([]*pb.EmbedResponse, people), make([]*pb.IdentifyResponse, people)
	for i := range people {
		var err error
		embedded[i], identified[i], err = ask(connected, i)
		must(t, err)
		wantVerdict(t, identified[i], pb.Verdict_VERDICT_MATCH, fmt.Sprintf("s%d", i))
	}
	var wg sync.WaitGroup
	for n := range clients {
		wg.Go(func() {
			client := connected
			if n%2 == 1 {
				client = rollcallv1connect.NewAttendanceServiceClient(h2c(), w.url, connect.WithGRPC(), token)
			}
			for round := range rounds {
				person := (n + round) % people
				e, i, err := ask(client, person)
				if err != nil {
					t.Errorf("client %d: %v", n, err)
					return
				}
				if !slices.Equal(e.GetEmbedding(), embedded[person].GetEmbedding()) || !proto.Equal(i, identified[person]) {
					t.Errorf("client %d got another answer for person %d than a client alone", n, person)
				}
			}
		})
	}
	wg.Wait()
}
