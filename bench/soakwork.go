package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"connectrpc.com/connect"

	pb "rollcall/proto/rollcall/v1"
)

// work is something that a caller does again and again. It leaves the gallery with all of its
// students.
type work struct {
	name   string
	weight int // how often, beside the others
	do     func(*soakCaller, context.Context) error
}

// doorWork is what a token of the role checkin may do, and clients of all roles do wrong.
var doorWork = []work{
	{"identify", 30, (*soakCaller).identify},
	{"verify", 5, (*soakCaller).verify},
	{"identify a burst", 3, (*soakCaller).burst},
	{"call the roll on a photo", 1, (*soakCaller).rollCall},
	{"call the roll on crops", 2, (*soakCaller).rollCallCrops},
	{"find faces", 1, (*soakCaller).detect},
	{"record a check-in", 4, (*soakCaller).checkIn},
	{"begin and end a session", 1, (*soakCaller).session},
	{"go away during a call", 4, (*soakCaller).goAway},
	{"go away during a request", 4, (*soakCaller).halfRequest},
	{"send what is wrong", 8, (*soakCaller).wrong},
}

// officeWork is what the others may do.
var officeWork = []work{
	{"replace a crop", 10, (*soakCaller).replace},
	{"store a crop", 4, (*soakCaller).store},
	{"enrol a stream", 2, (*soakCaller).enrolStream},
	{"cut a stream off", 4, (*soakCaller).cutStream},
	{"delete and enrol a student", 4, (*soakCaller).deleteStudent},
	{"merge students and undo it", 3, (*soakCaller).merge},
	{"assign a crop and undo it", 3, (*soakCaller).assign},
	{"change groups", 3, (*soakCaller).groups},
	{"note a consent", 2, (*soakCaller).consent},
	{"list", 3, (*soakCaller).list},
	{"look for lookalikes", 1, (*soakCaller).lookalikes},
	{"watch for a moment", 3, (*soakCaller).watchShortly},
	{"calibrate", 1, (*soakCaller).calibrate},
	{"make and revoke a token", 1, (*soakCaller).makeToken},
	{"pair a tablet", 1, (*soakCaller).pair},
	{"export and import", 1, (*soakCaller).move},
	{"export a student", 2, (*soakCaller).exportStudent},
	{"check the gallery", 1, (*soakCaller).check},
}

func (c *soakCaller) student(i int) string   { return fmt.Sprintf("student-%d", i) }
func (c *soakCaller) crop(i, k int) string   { return fmt.Sprintf("student-%d/%d", i, k) }
func (c *soakCaller) anybody() int           { return c.rng.IntN(len(c.people)) }
func (c *soakCaller) probe() []byte          { return c.people[c.anybody()].crops[2] }
func (c *soakCaller) class(i int) []string   { return []string{fmt.Sprintf("class-%d", i%loadGroups)} }
func (c *soakCaller) image(i, k int) []byte  { return c.people[i].crops[k] }
func (c *soakCaller) page() (pageSize int32) { return int32(1 + c.rng.IntN(20)) }

// enrolment is crop k of student i.
func (c *soakCaller) enrolment(i, k int) *pb.EmbedRequest {
	return &pb.EmbedRequest{
		Image: c.image(i, k), CropId: c.crop(i, k), StudentId: c.student(i), Groups: c.class(i),
		AllowDuplicate: true, AllowUnlike: true,
	}
}

// open makes the gallery and enrols everybody with two crops, one half in a stream.
func (c *soakCaller) open(ctx context.Context) error {
	// One of the same name may be there: from the run before, if its end was cut off.
	_, _ = c.gallery.DeleteGallery(ctx, &pb.DeleteGalleryRequest{GalleryId: c.id})
	if _, err := c.gallery.CreateGallery(ctx, &pb.CreateGalleryRequest{GalleryId: c.id}); err != nil {
		return err
	}
	made, err := c.tokens.CreateToken(ctx, &pb.CreateTokenRequest{Name: "door", Role: pb.Role_ROLE_CHECKIN, Galleries: []string{c.id}})
	if err != nil {
		return err
	}
	c.door = made.GetSecret()
	var requests []*pb.EmbedRequest
	for i := range c.people {
		requests = append(requests, c.enrolment(i, 0))
		if err := c.embed(ctx, c.enrolment(i, 1)); err != nil {
			return err
		}
	}
	return c.enrol(ctx, requests)
}

// leave deletes the gallery; its tokens end with it.
func (c *soakCaller) leave(ctx context.Context) error {
	_, err := c.gallery.DeleteGallery(ctx, &pb.DeleteGalleryRequest{GalleryId: c.id})
	return err
}

func (c *soakCaller) embed(ctx context.Context, req *pb.EmbedRequest) error {
	return patiently(ctx, nil, func() error {
		_, err := c.attendance.Embed(ctx, req)
		return err
	})
}

// enrol sends crops through one stream, as soon as the server has room for it.
func (c *soakCaller) enrol(ctx context.Context, requests []*pb.EmbedRequest) error {
	return patiently(ctx, nil, func() error { return c.enrolNow(ctx, requests) })
}

func (c *soakCaller) enrolNow(ctx context.Context, requests []*pb.EmbedRequest) error {
	stream, err := c.streams.EnrollStream(ctx)
	if err != nil {
		return err
	}
	go func() {
		for _, r := range requests {
			if stream.Send(&pb.EnrollStreamRequest{Crop: r}) != nil {
				return // Receive says why
			}
		}
		_ = stream.CloseRequest()
	}()
	for answers := 0; ; answers++ {
		resp, err := stream.Receive()
		if errors.Is(err, io.EOF) && answers == len(requests) {
			return stream.CloseResponse()
		}
		if err != nil {
			return errors.Join(err, stream.CloseResponse())
		}
		if p := resp.GetProblem(); p != nil {
			return errors.Join(fmt.Errorf("%s: %s", p.GetReason(), p.GetMessage()), stream.CloseResponse())
		}
	}
}

func (c *soakCaller) identify(ctx context.Context) error {
	req := &pb.IdentifyRequest{Image: c.probe()}
	if c.rng.IntN(3) == 0 {
		req.Scope = &pb.Scope{Groups: c.class(c.anybody())}
	}
	return orAbsent(c.identified(ctx, req))
}

func (c *soakCaller) identified(ctx context.Context, req *pb.IdentifyRequest) error {
	return patiently(ctx, nil, func() error {
		_, err := c.attendance.Identify(ctx, req)
		return err
	})
}

// orAbsent is for calls that need a student, whom the other caller may just have deleted.
func orAbsent(err error) error {
	if connect.CodeOf(err) == connect.CodeNotFound {
		return nil
	}
	return err
}

func (c *soakCaller) verify(ctx context.Context) error {
	return orAbsent(patiently(ctx, nil, func() error {
		_, err := c.attendance.Verify(ctx, &pb.VerifyRequest{StudentId: c.student(c.anybody()), Image: c.probe()})
		return err
	}))
}

func (c *soakCaller) burst(ctx context.Context) error {
	i := c.anybody()
	req := &pb.IdentifyBurstRequest{Frames: []*pb.BurstFrame{{Image: c.image(i, 0)}, {Image: c.image(i, 1)}, {Image: c.image(i, 2)}}}
	return patiently(ctx, nil, func() error {
		_, err := c.attendance.IdentifyBurst(ctx, req)
		return err
	})
}

func (c *soakCaller) rollCall(ctx context.Context) error {
	return patiently(ctx, nil, func() error {
		_, err := c.attendance.RollCall(ctx, &pb.RollCallRequest{Photo: c.photo})
		return err
	})
}

func (c *soakCaller) rollCallCrops(ctx context.Context) error {
	req := new(pb.RollCallRequest)
	for range soakSeats {
		req.Probes = append(req.Probes, &pb.RollCallProbe{Image: c.probe()})
	}
	return patiently(ctx, nil, func() error {
		_, err := c.attendance.RollCall(ctx, req)
		return err
	})
}

func (c *soakCaller) detect(ctx context.Context) error {
	return patiently(ctx, nil, func() error {
		_, err := c.attendance.Detect(ctx, &pb.DetectRequest{Image: c.photo})
		return err
	})
}

func (c *soakCaller) checkIn(ctx context.Context) error {
	_, err := c.journal.RecordCheckIn(ctx, &pb.RecordCheckInRequest{StudentId: c.student(c.anybody()), Method: pb.Method_METHOD_CARD})
	return err
}

// session buys a session with the caller's token, as a browser does, and ends it.
func (c *soakCaller) session(ctx context.Context) error {
	cookies, err := c.buySession(ctx, map[string]string{"token": c.token})
	if err != nil {
		return err
	}
	return c.endSession(ctx, cookies)
}

func (c *soakCaller) buySession(ctx context.Context, payment map[string]string) ([]*http.Cookie, error) {
	body, err := json.Marshal(payment)
	if err != nil {
		return nil, err
	}
	resp, err := c.browse(ctx, http.MethodPost, bytes.NewReader(body), nil)
	if err != nil {
		return nil, err
	}
	return resp.Cookies(), nil
}

func (c *soakCaller) endSession(ctx context.Context, cookies []*http.Cookie) error {
	_, err := c.browse(ctx, http.MethodDelete, nil, cookies)
	return err
}

// errAddress says that the address has to wait, because of the wrong tokens that it sends.
var errAddress = errors.New("too many wrong tokens came from this address")

// browse calls the page /session without a token.
func (c *soakCaller) browse(ctx context.Context, method string, body io.Reader, cookies []*http.Cookie) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.child.url+"/session", body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	for _, cookie := range cookies {
		req.AddCookie(cookie)
	}
	resp, err := c.http.Transport.(toGallery).Transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	switch {
	case err != nil || resp.StatusCode == http.StatusOK:
	case resp.StatusCode == http.StatusTooManyRequests:
		err = errAddress
	default:
		err = fmt.Errorf("%s /session: %s: %s", method, resp.Status, answer)
	}
	return resp, err
}
