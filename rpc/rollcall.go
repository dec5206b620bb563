package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"connectrpc.com/connect"

	"rollcall/embedder"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

// mostFaces is how many faces a roll call takes: the contract allows as many probes.
const mostFaces = 200

// RollCall fails as a whole if a crop is no image, and names this probe. An unusable crop
// gets a seat that says so.
func (s attendanceService) RollCall(ctx context.Context, req *pb.RollCallRequest) (*pb.RollCallResponse, error) {
	within, err := scope(ctx, req.GetScope())
	if err != nil {
		return nil, err
	}
	name, err := s.modelName(ctx, req.GetModel())
	if err != nil {
		return nil, err
	}
	resp := &pb.RollCallResponse{Model: name}
	results, err := s.facesOf(ctx, req, resp)
	if err != nil {
		return nil, err
	}
	var probes []gallery.Embedding
	var usable []int // index in probes -> index in results
	for i, res := range results {
		resp.Dimension = int32(res.Dimension)
		seat := resp.GetSeats()[i]
		seat.Quality = qualityPB(res.Quality)
		if len(res.Quality.Reasons) > 0 {
			seat.Verdict = pb.Verdict_VERDICT_UNUSABLE
			seat.Reasons = seat.GetQuality().GetReasons()
			continue
		}
		probes = append(probes, embeddingOf(res))
		usable = append(usable, i)
	}
	roll, err := galleryOf(ctx).RollCall(ctx, name, probes, within, req.GetFpir())
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

// facesOf embeds the probes or the faces of the photo, and gives resp a seat for each.
func (s attendanceService) facesOf(ctx context.Context, req *pb.RollCallRequest, resp *pb.RollCallResponse) ([]*embedder.Result, error) {
	if len(req.GetPhoto()) > 0 {
		return s.embedPhoto(ctx, req, resp)
	}
	probes := make([]shown, len(req.GetProbes()))
	for i, p := range req.GetProbes() {
		probes[i] = shown{image: p.GetImage(), landmarks: p.GetLandmarks()}
		resp.Seats = append(resp.Seats, new(pb.Seat))
	}
	return s.embedAll(ctx, "probes", probes, resp.GetModel())
}

// embedPhoto finds the faces of the photo, and embeds them all.
func (s attendanceService) embedPhoto(ctx context.Context, req *pb.RollCallRequest, resp *pb.RollCallResponse) ([]*embedder.Result, error) {
	if err := s.countCrop(ctx); err != nil {
		return nil, err
	}
	photo, results, err := s.Embedder.EmbedFaces(ctx, embedder.FacesRequest{
		PhotoRequest: embedder.PhotoRequest{Image: req.GetPhoto(), LeastFace: float64(req.GetLeastSize()), Caller: callerOf(ctx).Token},
		Model:        resp.GetModel(), Most: mostFaces,
	})
	if err != nil {
		return nil, ofField(translate(ctx, err), "image", "photo")
	}
	s.server.opts.Metrics.facesFound(len(photo.Faces))
	if len(photo.Faces) > mostFaces {
		return nil, fieldError("TOO_MANY_FACES", "photo", fmt.Sprintf("the photo has %d faces, and a roll call takes %d: photograph the class in parts", len(photo.Faces), mostFaces))
	}
	for range photo.Faces[min(1, len(photo.Faces)):] { // the photo itself counts for one
		if _, err := patiently(ctx, func() (struct{}, error) { return struct{}{}, s.countCrop(ctx) }); err != nil {
			return nil, err
		}
	}
	resp.Width, resp.Height = int32(photo.Width), int32(photo.Height)
	for _, f := range photo.Faces {
		resp.Seats = append(resp.Seats, &pb.Seat{Face: facePB(f)})
	}
	return results, nil
}

// embedAll embeds all faces of a list of the request, as many at once as an EnrollStream.
func (s attendanceService) embedAll(ctx context.Context, field string, faces []shown, model string) ([]*embedder.Result, error) {
	results := make([]*embedder.Result, len(faces))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.server.opts.StreamWorkers)
	for i, f := range faces {
		s.server.part(ctx, group, func() (err error) {
			results[i], err = patiently(ctx, func() (*embedder.Result, error) { return s.embed(ctx, f, model, false) })
			return err
		}, func(err error) error {
			if err != nil {
				return itemError(translate(ctx, err), field, i)
			}
			return nil
		})
	}
	return results, group.Wait()
}

// itemError adds to an invalid_argument which item of a list is wrong.
func itemError(err error, field string, i int) error {
	var f *failure
	if connect.CodeOf(err) != connect.CodeInvalidArgument || !errors.As(err, &f) {
		return err
	}
	place := fmt.Sprintf("%s[%d]", field, i)
	if f.field != "" {
		place += "." + f.field
	}
	return fieldError(f.reason, place, fmt.Sprintf("%s %d: %s", strings.TrimSuffix(field, "s"), i, f.message))
}

// ofField renames the field of an invalid_argument, where the request calls it otherwise.
func ofField(err error, from, to string) error {
	var f *failure
	if connect.CodeOf(err) != connect.CodeInvalidArgument || !errors.As(err, &f) || f.field != from {
		return err
	}
	return fieldError(f.reason, to, f.message)
}

func fillSeat(ctx context.Context, seat *pb.Seat, found gallery.Seat) {
	seat.Verdict = verdicts[found.Verdict]
	seat.StudentId = found.StudentID
	seat.Assigned = found.Assigned
	seat.Similarity = found.Similarity
	seat.Threshold = found.Threshold
	seat.Fpir = fpirPB(found.FPIR)
	seat.Candidates = candidates(ctx, found.Candidates)
	seat.Reasons = reasonsPB(found.Reasons)
}
