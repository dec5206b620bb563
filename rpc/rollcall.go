package rpc

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"connectrpc.com/connect"

	"rollcall/embedder"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

// RollCall fails as a whole if a crop is no image, and names this probe. An unusable crop
// gets a seat that says so.
func (s attendanceService) RollCall(ctx context.Context, req *pb.RollCallRequest) (*pb.RollCallResponse, error) {
	within, err := scope(ctx, req.GetScope())
	if err != nil {
		return nil, err
	}
	results, err := s.embedProbes(ctx, req)
	if err != nil {
		return nil, err
	}
	resp := &pb.RollCallResponse{Model: results[0].Model, Dimension: int32(results[0].Dimension)}
	var probes []gallery.Embedding
	var usable []int // index in probes -> index in results
	for i, res := range results {
		seat := &pb.Seat{Quality: qualityPB(res.Quality)}
		resp.Seats = append(resp.Seats, seat)
		if len(res.Quality.Reasons) > 0 {
			seat.Verdict = pb.Verdict_VERDICT_UNUSABLE
			seat.Reasons = seat.GetQuality().GetReasons()
			continue
		}
		probes = append(probes, embeddingOf(res))
		usable = append(usable, i)
	}
	roll, err := galleryOf(ctx).RollCall(ctx, resp.GetModel(), probes, within, req.GetFpir())
	if err != nil {
		return nil, err
	}
	resp.Absent = roll.Absent
	resp.Threshold = roll.Threshold
	resp.Warnings = warningsPB(roll.Warnings)
	for j, seat := range roll.Seats {
		fillSeat(ctx, resp.GetSeats()[usable[j]], seat)
	}
	for i, seat := range resp.GetSeats() {
		if seat.GetAssigned() == "" {
			resp.Unknown = append(resp.Unknown, int32(i))
		}
		s.noteVerdict(ctx, seatLine(seat, roll, results[i].Recipe))
	}
	return resp, nil
}

// embedProbes embeds all probes, as many at once as an EnrollStream.
func (s attendanceService) embedProbes(ctx context.Context, req *pb.RollCallRequest) ([]*embedder.Result, error) {
	name, err := s.modelName(ctx, req.GetModel())
	if err != nil {
		return nil, err
	}
	results := make([]*embedder.Result, len(req.GetProbes()))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.server.opts.StreamWorkers)
	for i, probe := range req.GetProbes() {
		s.server.part(ctx, group, func() (err error) {
			results[i], err = patiently(ctx, func() (*embedder.Result, error) {
				return s.embed(ctx, probe.GetImage(), probe.GetLandmarks(), name, false)
			})
			return err
		}, func(err error) error {
			if err != nil {
				return probeError(translate(ctx, err), i)
			}
			return nil
		})
	}
	return results, group.Wait()
}

// probeError adds to an invalid_argument which probe is wrong.
func probeError(err error, i int) error {
	var f *failure
	if connect.CodeOf(err) != connect.CodeInvalidArgument || !errors.As(err, &f) {
		return err
	}
	return fieldError(f.reason, fmt.Sprintf("probes[%d]", i), fmt.Sprintf("probe %d: %s", i, f.message))
}

func fillSeat(ctx context.Context, seat *pb.Seat, found gallery.Seat) {
	seat.Verdict = verdicts[found.Verdict]
	seat.StudentId = found.StudentID
	seat.Assigned = found.Assigned
	seat.Similarity = found.Similarity
	seat.Fpir = fpirPB(found.FPIR)
	seat.Candidates = candidates(ctx, found.Candidates)
	seat.Reasons = reasonsPB(found.Reasons)
}
