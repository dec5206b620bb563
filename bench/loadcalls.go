package bench

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// loadGroups is how many classes the students of the load are in.
const loadGroups = 4

// loadCalls returns the calls that client i makes over and over with one person's
// crops. No call changes the answer of another.
func loadCalls(api rollcallv1connect.AttendanceServiceClient, seed uint64, i int, f face) ([]*call, error) {
	cut := gentleCut(seed, 0)
	enrolled, err := cut.cut(f)
	if err != nil {
		return nil, err
	}
	f.name += "-probe" // is cut differently
	probe, err := cut.cut(f)
	if err != nil {
		return nil, err
	}
	student, group := fmt.Sprintf("student-%d", i), fmt.Sprintf("class-%d", i%loadGroups)
	embed := func(req *pb.EmbedRequest) func(context.Context) (proto.Message, error) {
		req.ReturnEmbedding, req.AllowDuplicate, req.AllowUnlike = true, true, true
		return func(ctx context.Context) (proto.Message, error) { return api.Embed(ctx, req) }
	}
	identify := func(req *pb.IdentifyRequest) func(context.Context) (proto.Message, error) {
		return func(ctx context.Context) (proto.Message, error) { return api.Identify(ctx, req) }
	}
	return []*call{
		{name: "enrol", do: embed(&pb.EmbedRequest{
			Image: enrolled.jpeg, CropId: fmt.Sprintf("enrolled-%d", i), StudentId: student, Groups: []string{group}})},
		{name: "identify among all", do: identify(&pb.IdentifyRequest{Image: probe.jpeg})},
		{name: "store", do: embed(&pb.EmbedRequest{Image: probe.jpeg, CropId: fmt.Sprintf("stored-%d", i)})},
		{name: "identify in a class", do: identify(&pb.IdentifyRequest{
			Image: probe.jpeg, Scope: &pb.Scope{Groups: []string{group}}})},
		{name: "identify a stored crop", do: identify(&pb.IdentifyRequest{CropId: fmt.Sprintf("stored-%d", i)})},
	}, nil
}

// checkConsistency asks the server to compare its disk with its memory.
func checkConsistency(ctx context.Context, client *http.Client, url string, res *loadResult) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	report, err := rollcallv1connect.NewGalleryServiceClient(client, url).CheckConsistency(ctx, &pb.CheckConsistencyRequest{})
	if err != nil {
		return fmt.Errorf("compare storage and index after the load: %w", err)
	}
	if !report.GetConsistent() {
		res.Inconsistent = max(1, len(report.GetDifferences()))
	}
	return nil
}
