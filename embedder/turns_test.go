package embedder

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/embedder/onnxtest"
)

// TestCropsComeBetweenTurns: while a photo is worked on, by as many goroutines as there are places, a crop
// gets its place as soon as a turn ends, and the work on the photo goes on after it.
func TestCropsComeBetweenTurns(t *testing.T) {
	e := newEmbedder(t, Options{Sessions: 2}, onnxtest.FaceNet(1))
	embed(t, e, Request{Image: onnxtest.Face(1, 0)})
	began, goOn := make(chan struct{}, 100), make(chan struct{})
	var done atomic.Int64
	ended := make(chan error, 1)
	const parts = 100
	go func() {
		ended <- crew{e: e}.each(t.Context(), parts, func(int) error {
			began <- struct{}{}
			<-goOn
			time.Sleep(turnTime) // so that each part is a turn
			done.Add(1)
			return nil
		})
	}()
	<-began
	<-began // both places are taken by the photo
	answer := make(chan error, 1)
	go func() {
		_, err := e.Embed(t.Context(), Request{Image: onnxtest.Face(1, 0)})
		answer <- err
	}()
	eventually(t, "the crop waits", func() bool { return e.Stats().Waiting == 1 })
	if s := e.Stats(); s.Working != 2 {
		t.Errorf("%d work", s.Working)
	}
	close(goOn)
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
	if n := done.Load(); n > parts/2 {
		t.Errorf("the crop waited for %d of %d parts of the photo", n, parts)
	}
	if err := <-ended; err != nil || done.Load() != parts {
		t.Errorf("%v, %d of %d parts are done", err, done.Load(), parts)
	}
	if s := e.Stats(); s.Working != 0 || s.Waiting != 0 {
		t.Errorf("%d work and %d wait after all", s.Working, s.Waiting)
	}
}

// TestEachStops: the first error ends the work, and so does the context and Close.
func TestEachStops(t *testing.T) {
	for _, hired := range []bool{false, true} {
		e := newEmbedder(t, Options{Sessions: 2})
		broken := errors.New("broken")
		var calls atomic.Int64
		err := crew{e: e, hired: hired}.each(t.Context(), 1000, func(i int) error {
			if calls.Add(1); i == 3 {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) || calls.Load() == 1000 {
			t.Errorf("hired %v: %v after %d calls", hired, err, calls.Load())
		}
		ctx, cancel := context.WithCancel(t.Context())
		err = crew{e: e, hired: hired}.each(ctx, 1000, func(i int) error {
			if i == 5 {
				cancel()
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("hired %v: %v after the context ended", hired, err)
		}
		if err := (crew{e: e, hired: hired}).each(t.Context(), 0, nil); err != nil {
			t.Errorf("hired %v: nothing to do: %v", hired, err)
		}
	}
	e := newEmbedder(t, Options{Sessions: 1})
	release := occupy(e)
	defer release()
	answer := make(chan error, 1)
	go func() { answer <- crew{e: e}.one(t.Context(), func() error { return nil }) }()
	closed := make(chan error, 1)
	go func() { closed <- e.Close() }()
	if err := <-answer; !errors.Is(err, ErrClosed) {
		t.Errorf("a turn while the embedder closes: %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// TestEachOutlivesPanics: a panic in a part of the work is an error, which tells nothing that may be of a
// face, and the place is given back.
func TestEachOutlivesPanics(t *testing.T) {
	var none []int
	for _, hired := range []bool{false, true} {
		e := newEmbedder(t, Options{Sessions: 2})
		for name, c := range map[string]struct {
			f    func(i int) error
			says string
		}{
			"of Go's runtime": {func(i int) error { return errors.New(strconv.Itoa(none[i])) }, "index out of range"},
			"with a value":    {func(int) error { panic("the pixels are 1, 2, 3") }, "a value of type string"},
			"with an error":   {func(int) error { panic(errors.New("the pixels are 1, 2, 3")) }, "a value of type *errors"},
		} {
			err := crew{e: e, hired: hired}.each(t.Context(), 100, c.f)
			if !errors.Is(err, errPanic) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "pixels") {
				t.Errorf("hired %v, a panic %s: %v", hired, name, err)
			}
		}
		if n, _ := e.queue.count(); n != 0 {
			t.Errorf("hired %v: %d places are kept", hired, n)
		}
	}
}

// TestFacesOutlivePanics: where a session of a model panics, it and everything else is given back, and the
// next photo is served.
func TestFacesOutlivePanics(t *testing.T) {
	for _, size := range [][2]int{{1000, 700}, {640, 480}} {
		e := newEmbedder(t, Options{Sessions: 1})
		req := PhotoRequest{Image: onnxtest.Photo(size[0], size[1], onnxtest.PhotoFace{X: 300, Y: 240, Side: 200})}
		facesOf(t, e, req)
		for name, m := range e.registry.mu.models {
			s := m.pool.all[0]
			whole := s.compute
			s.compute = nil
			if _, err := e.Faces(t.Context(), req); !errors.Is(err, errPanic) {
				t.Errorf("%v: %s panics: %v", size, name, err)
			}
			if n := m.pool.busy(); n != 0 {
				t.Errorf("%v: %d sessions of %s are kept", size, n, name)
			}
			s.compute = whole
			if p := facesOf(t, e, req); len(p.Faces) != 1 {
				t.Errorf("%v: after a panic of %s: %d faces", size, name, len(p.Faces))
			}
		}
		if s := e.Stats(); s.Working != 0 || tickets(e.queue) != 0 || tickets(e.photos) != 0 {
			t.Errorf("%v: %d work after all", size, s.Working)
		}
	}
}

// TestPhotoQueueFull: photos have a bound of their own, and leave the crops theirs.
func TestPhotoQueueFull(t *testing.T) {
	e := newEmbedder(t, Options{Sessions: 1, Queue: 2}, onnxtest.FaceNet(1))
	image := onnxtest.Photo(1000, 700, onnxtest.PhotoFace{X: 300, Y: 300, Side: 200})
	facesOf(t, e, PhotoRequest{Image: image})
	photo, err := e.photos.turn(t.Context(), nil, "somebody else")
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := e.Faces(t.Context(), PhotoRequest{Image: image})
			answers <- err
		}()
	}
	eventually(t, "all tickets for photos are taken", func() bool { return tickets(e.photos) == 3 })
	if _, err := e.Faces(t.Context(), PhotoRequest{Image: image}); !errors.Is(err, ErrQueueFull) {
		t.Errorf("one photo too many: %v", err)
	}
	embed(t, e, Request{Image: onnxtest.Face(1, 0)}) // a crop is not refused
	photo()
	for range 3 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
}
