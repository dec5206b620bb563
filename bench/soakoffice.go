package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

func (c *soakCaller) replace(ctx context.Context) error {
	return c.embed(ctx, c.enrolment(c.anybody(), c.rng.IntN(2)))
}

func (c *soakCaller) store(ctx context.Context) error {
	id := "stored"
	if err := c.embed(ctx, &pb.EmbedRequest{Image: c.probe(), CropId: id}); err != nil {
		return err
	}
	if err := c.identified(ctx, &pb.IdentifyRequest{CropId: id}); err != nil {
		return err
	}
	_, err := c.gallery.DeleteCrop(ctx, &pb.DeleteCropRequest{CropId: id})
	return err
}

func (c *soakCaller) enrolStream(ctx context.Context) error {
	var requests []*pb.EmbedRequest
	for range 10 {
		requests = append(requests, c.enrolment(c.anybody(), c.rng.IntN(2)))
	}
	return c.enrol(ctx, requests)
}

func (c *soakCaller) deleteStudent(ctx context.Context) error {
	i := c.anybody()
	if _, err := c.gallery.DeleteStudent(ctx, &pb.DeleteStudentRequest{StudentId: c.student(i)}); err != nil {
		return err
	}
	return errors.Join(c.embed(ctx, c.enrolment(i, 0)), c.embed(ctx, c.enrolment(i, 1)))
}

func (c *soakCaller) merge(ctx context.Context) error {
	from := c.anybody()
	into := (from + 1) % len(c.people)
	merged, err := c.gallery.MergeStudents(ctx, &pb.MergeStudentsRequest{FromStudentId: c.student(from), IntoStudentId: c.student(into)})
	if err != nil {
		return err
	}
	return c.undo(ctx, merged.GetChange())
}

func (c *soakCaller) undo(ctx context.Context, change uint64) error {
	_, err := c.gallery.UndoChange(ctx, &pb.UndoChangeRequest{Change: change})
	return err
}

func (c *soakCaller) assign(ctx context.Context) error {
	i := c.anybody()
	moved, err := c.gallery.AssignCrop(ctx, &pb.AssignCropRequest{CropId: c.crop(i, 1), StudentId: c.student((i + 1) % len(c.people))})
	if err != nil {
		return err
	}
	return c.undo(ctx, moved.GetChange())
}

// consent notes what was said of a student.
func (c *soakCaller) consent(ctx context.Context) error {
	_, err := c.gallery.SetConsent(ctx, &pb.SetConsentRequest{StudentId: c.student(c.anybody()), Consent: &pb.Consent{State: pb.ConsentState_CONSENT_STATE_GIVEN, Reference: "form 12"}})
	return err
}

func (c *soakCaller) groups(ctx context.Context) error {
	i := c.anybody()
	_, err := c.gallery.UpdateStudent(ctx, &pb.UpdateStudentRequest{StudentId: c.student(i), Groups: c.class(c.anybody())})
	return err
}

// list reads the first pages of everything that is listed.
func (c *soakCaller) list(ctx context.Context) error {
	students, err := c.gallery.ListStudents(ctx, &pb.ListStudentsRequest{PageSize: c.page()})
	if err == nil {
		_, err = c.gallery.ListStudents(ctx, &pb.ListStudentsRequest{PageSize: c.page(), PageToken: students.GetNextPageToken()})
	}
	_, err2 := c.gallery.ListDueStudents(ctx, &pb.ListDueStudentsRequest{PageSize: c.page()})
	_, err3 := c.gallery.ListChanges(ctx, &pb.ListChangesRequest{PageSize: c.page(), StudentId: c.student(c.anybody())})
	_, err4 := c.journal.ListLines(ctx, &pb.ListLinesRequest{PageSize: c.page(), From: timestamppb.New(time.Now().Add(-time.Minute))})
	_, err5 := c.journal.ListDays(ctx, &pb.ListDaysRequest{})
	_, err6 := c.models.ListModels(ctx, &pb.ListModelsRequest{})
	_, err7 := c.tokens.ListTokens(ctx, &pb.ListTokensRequest{})
	return errors.Join(err, err2, err3, err4, err5, err6, err7)
}

func (c *soakCaller) lookalikes(ctx context.Context) error {
	_, err := c.gallery.ListLookalikes(ctx, &pb.ListLookalikesRequest{PageSize: c.page()})
	return err
}

// watchShortly opens a watch, takes what there is and closes it in the middle.
func (c *soakCaller) watchShortly(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	stream, err := c.journal.WatchVerdicts(ctx, &pb.WatchVerdictsRequest{})
	if err != nil {
		return err
	}
	if !stream.Receive() {
		return errors.Join(errors.New("the watch has no first answer"), stream.Err(), stream.Close())
	}
	stop()
	_ = stream.Close() // the end that was wanted
	return nil
}

// calibrate gives the gallery points of its own, and then lets it calibrate itself again.
func (c *soakCaller) calibrate(ctx context.Context) error {
	model := c.soak.models[0]
	_, err := c.gallery.UpdateCalibration(ctx, &pb.UpdateCalibrationRequest{Model: model, Points: []*pb.OperatingPoint{{Fmr: 1e-2, Similarity: 0.4}, {Fmr: 1e-4, Similarity: 0.6}}})
	if err != nil {
		return err
	}
	frozen := false
	if _, err = c.gallery.UpdateCalibration(ctx, &pb.UpdateCalibrationRequest{Model: model, Frozen: &frozen}); err != nil {
		return err
	}
	_, err = c.gallery.GetCalibration(ctx, &pb.GetCalibrationRequest{Model: model})
	return err
}

// useModel lets the gallery use the other model for a moment.
func (c *soakCaller) useModel(ctx context.Context) (err error) {
	use := func(model string) error {
		_, err := c.gallery.UpdateSettings(ctx, &pb.UpdateSettingsRequest{Model: &model})
		return err
	}
	if err := use(c.soak.models[1]); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, use(c.soak.models[0])) }()
	for i := range 3 {
		if err := c.embed(ctx, c.enrolment(i, 0)); err != nil {
			return err
		}
	}
	return c.identified(ctx, &pb.IdentifyRequest{Image: c.probe()})
}

func (c *soakCaller) makeToken(ctx context.Context) error {
	made, err := c.tokens.CreateToken(ctx, &pb.CreateTokenRequest{Name: "for a moment", Role: pb.Role_ROLE_REGISTER, Galleries: []string{c.id}})
	if err != nil {
		return err
	}
	_, err = c.tokens.RevokeToken(ctx, &pb.RevokeTokenRequest{TokenId: made.GetToken().GetTokenId()})
	return err
}

// pair pairs a tablet and unpairs it.
func (c *soakCaller) pair(ctx context.Context) error {
	made, err := c.tokens.CreatePairingCode(ctx, &pb.CreatePairingCodeRequest{Name: "tablet", Role: pb.Role_ROLE_CHECKIN, Galleries: []string{c.id}})
	if connect.CodeOf(err) == connect.CodeResourceExhausted {
		return nil // there are too many codes that the address was not let use
	}
	if err != nil {
		return err
	}
	cookies, err := c.buySession(ctx, map[string]string{"code": made.GetCode()})
	if errors.Is(err, errAddress) {
		return nil // the code is forgotten in ten minutes
	}
	if err != nil {
		return err
	}
	return c.endSession(ctx, cookies)
}

func (c *soakCaller) backup(ctx context.Context) error {
	return patiently(ctx, nil, func() error {
		parts, err := c.backups.Backup(ctx, &pb.BackupRequest{})
		if err != nil {
			return err
		}
		for parts.Receive() {
		}
		return errors.Join(parts.Err(), parts.Close())
	})
}

// cutBackup leaves a backup after its first part.
func (c *soakCaller) cutBackup(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	return patiently(ctx, nil, func() error {
		parts, err := c.backups.Backup(ctx, &pb.BackupRequest{})
		if err != nil {
			return err
		}
		if !parts.Receive() {
			return errors.Join(parts.Err(), parts.Close())
		}
		stop()
		_ = parts.Close() // the end that was wanted
		return nil
	})
}

// move imports an export into a new gallery, and deletes that. Its name is new, because what was deleted is
// not imported again.
func (c *soakCaller) move(ctx context.Context) error {
	records, err := c.export(ctx)
	if err != nil {
		return err
	}
	id := fmt.Sprintf("%s-%x", c.id, c.rng.Uint32())
	if _, err := c.gallery.CreateGallery(ctx, &pb.CreateGalleryRequest{GalleryId: id}); err != nil {
		return err
	}
	err = c.importInto(ctx, id, records)
	_, gone := c.gallery.DeleteGallery(ctx, &pb.DeleteGalleryRequest{GalleryId: id})
	return errors.Join(err, gone)
}

func (c *soakCaller) importInto(ctx context.Context, gallery string, records []*pb.Record) error {
	client := &http.Client{Transport: toGallery{bearer{&http.Transport{}, c.token}, gallery}}
	defer client.CloseIdleConnections()
	api := rollcallv1connect.NewExportServiceClient(client, c.child.url)
	stored := 0
	for batch := range slices.Chunk(records, 100) {
		done, err := api.ImportRecords(ctx, &pb.ImportRecordsRequest{Records: batch, AllowDuplicate: true, AllowUnlike: true})
		if err != nil {
			return err
		}
		for _, p := range done.GetProblems() {
			return fmt.Errorf("a record of an export: %s: %s", p.GetProblem().GetReason(), p.GetProblem().GetMessage())
		}
		stored += int(done.GetStored())
	}
	if stored < len(c.people) {
		return fmt.Errorf("%d of %d exported records were stored", stored, len(records))
	}
	return nil
}

func (c *soakCaller) export(ctx context.Context) (records []*pb.Record, err error) {
	parts, err := c.exports.ExportGallery(ctx, &pb.ExportGalleryRequest{Vectors: true})
	if err != nil {
		return nil, err
	}
	for parts.Receive() {
		records = append(records, parts.Msg().GetRecords()...)
	}
	return records, errors.Join(parts.Err(), parts.Close())
}

// exportStudent asks for all that is kept of somebody.
func (c *soakCaller) exportStudent(ctx context.Context) error {
	parts, err := c.exports.ExportStudent(ctx, &pb.ExportStudentRequest{StudentId: c.student(c.anybody()), Vectors: true})
	if err != nil {
		return err
	}
	for parts.Receive() {
	}
	return errors.Join(parts.Err(), parts.Close())
}

func (c *soakCaller) check(ctx context.Context) error {
	report, err := c.gallery.CheckConsistency(ctx, &pb.CheckConsistencyRequest{})
	if err == nil && !report.GetConsistent() {
		err = errors.New("storage and index disagree")
	}
	return err
}
