package bench

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// goAway ends a call after a few milliseconds. Whether it was answered by then is chance.
func (c *soakCaller) goAway(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, time.Duration(c.rng.IntN(30_000))*time.Microsecond)
	defer stop()
	_, _ = c.attendance.Identify(ctx, &pb.IdentifyRequest{Image: c.probe()})
	return nil
}

// halfRequest sends a part of a request and closes the connection.
func (c *soakCaller) halfRequest(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(c.child.url, "http://"))
	if err != nil {
		return err
	}
	defer conn.Close()
	if c.rng.IntN(2) == 0 {
		if err := conn.(*net.TCPConn).SetLinger(0); err != nil { // with a reset
			return err
		}
	}
	var request bytes.Buffer
	body := c.identifyJSON(c.probe())
	fmt.Fprintf(&request, "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nRollcall-Gallery: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		rollcallv1connect.AttendanceServiceIdentifyProcedure, c.token, c.id, len(body), body)
	_, err = conn.Write(request.Bytes()[:c.rng.IntN(request.Len())])
	return err
}

func (c *soakCaller) identifyJSON(image []byte) string {
	return `{"image":"` + base64.StdEncoding.EncodeToString(image) + `"}`
}

// cutStream leaves an EnrollStream in the middle.
func (c *soakCaller) cutStream(ctx context.Context) error {
	return patiently(ctx, nil, func() error { return c.cutStreamNow(ctx) })
}

func (c *soakCaller) cutStreamNow(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	stream, err := c.streams.EnrollStream(ctx)
	if err != nil {
		return err
	}
	for range 1 + c.rng.IntN(6) {
		if err := stream.Send(&pb.EnrollStreamRequest{Crop: c.enrolment(c.anybody(), 0)}); err != nil {
			return errors.Join(err, stream.CloseResponse())
		}
	}
	if _, err := stream.Receive(); err != nil {
		return errors.Join(err, stream.CloseResponse())
	}
	stop()
	_ = stream.CloseResponse() // the end that was wanted
	return nil
}

// wrong sends one of many requests that are refused.
func (c *soakCaller) wrong(ctx context.Context) error {
	image := c.probe()
	identify, good := rollcallv1connect.AttendanceServiceIdentifyProcedure, c.identifyJSON(image)
	all := []struct {
		what, path, token, gallery, body string
	}{
		{"JSON that ends", identify, c.token, c.id, good[:c.rng.IntN(len(good)-1)]},
		{"an unknown field", identify, c.token, c.id, `{"picture":""}`},
		{"no image", identify, c.token, c.id, `{"image":"bm90IGFuIGltYWdl"}`},
		{"half of an image", identify, c.token, c.id, c.identifyJSON(image[:len(image)/2])},
		{"too long a request", rollcallv1connect.JournalServiceRecordCheckInProcedure, c.token, c.id, `{"studentId":"` + strings.Repeat("a", 1<<20) + `"}`},
		{"a wrong token", identify, "rollcall_wrong", c.id, good},
		{"an unknown gallery", identify, c.token, "nowhere", good},
		{"an unknown path", "/rollcall.v1.AttendanceService/Guess", c.token, c.id, "{}"},
		{"an unknown model", identify, c.token, c.id, strings.TrimSuffix(good, "}") + `,"model":"nobody"}`},
		{"a student who is not there", rollcallv1connect.AttendanceServiceVerifyProcedure, c.token, c.id, strings.TrimSuffix(good, "}") + `,"studentId":"nobody"}`},
	}
	w := all[c.rng.IntN(len(all))]
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.child.url+w.path, strings.NewReader(w.body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+w.token)
	req.Header.Set("Rollcall-Gallery", w.gallery)
	resp, err := c.http.Transport.(toGallery).Transport.RoundTrip(req)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	switch {
	case err != nil:
		return err
	case resp.StatusCode < 400 || resp.StatusCode == http.StatusInternalServerError:
		return fmt.Errorf("%s: the answer is %s: %.200s", w.what, resp.Status, answer)
	}
	return nil
}
