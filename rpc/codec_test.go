package rpc

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "rollcall/proto/rollcall/v1"
)

// requests are an Identify and an Embed with a crop of 4 kB: a JPEG of 112 x 112 pixels.
func requests() map[string]proto.Message {
	image := make([]byte, 4<<10)
	rng := rand.New(rand.NewPCG(24, 6))
	for i := range image {
		image[i] = byte(rng.UintN(256))
	}
	return map[string]proto.Message{
		"Identify": &pb.IdentifyRequest{Image: image, Scope: &pb.Scope{Groups: []string{"3b"}}},
		"Embed":    &pb.EmbedRequest{Image: image, CropId: "2026-09-01/ada-1", StudentId: "ada", Groups: []string{"3b", "chess"}},
	}
}

// BenchmarkRead reads requests from their bodies, in JSON and in protobuf's binary form.
func BenchmarkRead(b *testing.B) {
	for name, m := range requests() {
		for _, form := range []struct {
			name    string
			marshal func(proto.Message) ([]byte, error)
			read    func([]byte, proto.Message) error
		}{{"JSON", protojson.Marshal, readJSON}, {"protobuf", proto.Marshal, readProto}} {
			body, err := form.marshal(m)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(name+"/"+form.name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				own := make([]byte, len(body))
				for b.Loop() {
					copy(own, body) // reading writes into it
					if err := form.read(own, m.ProtoReflect().New().Interface()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkValidate checks the rules of the .proto.
func BenchmarkValidate(b *testing.B) {
	for name, m := range requests() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := validate(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWrite writes answers.
func BenchmarkWrite(b *testing.B) {
	exact := true
	quality := &pb.Quality{LocatorScore: 0.998, EyeDistance: 35.2, Brightness: 0.49, Sharpness: 213.4, Width: 112, Height: 112, Stretched: 1}
	for name, m := range map[string]proto.Message{
		"Identify": &pb.IdentifyResponse{Verdict: pb.Verdict_VERDICT_MATCH, StudentId: "ada", Similarity: 0.71, Threshold: 0.35, Model: "rollcall-base-2", Dimension: 192,
			Quality: quality, StudentsInScope: 30, Exact: &exact, Candidates: []*pb.Candidate{{StudentId: "ada", Similarity: 0.71}, {StudentId: "grace", Similarity: 0.2}}},
		"Embed": &pb.EmbedResponse{Quality: quality, Dimension: 192, Model: "rollcall-base-2", CropId: "2026-09-01/ada-1", StudentId: "ada", Stored: true, Enrolled: true,
			Landmarks: []*pb.Point{{X: 38.3, Y: 51.7}, {X: 73.5, Y: 51.5}, {X: 56, Y: 71.7}, {X: 41.5, Y: 92.4}, {X: 70.7, Y: 92.2}}},
	} {
		for form, write := range map[string]func(proto.Message) ([]byte, error){"JSON": writeJSON, "protobuf": proto.Marshal} {
			b.Run(name+"/"+form, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := write(m); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
