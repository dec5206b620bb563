package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// What a client of "bench crash" has of its own. They are few, so that most calls replace, move
// or delete something.
const (
	crashStudents = 4
	crashCrops    = 5
	crashPictures = 2 // of each crop
)

// crashTimeout ends a call, whose outcome nobody knows then.
const crashTimeout = 20 * time.Second

// A crashAPI is one gallery of a running server.
type crashAPI struct {
	attendance rollcallv1connect.AttendanceServiceClient
	gallery    rollcallv1connect.GalleryServiceClient
	journal    rollcallv1connect.JournalServiceClient
	tokens     rollcallv1connect.TokenServiceClient
}

// newCrashAPI calls a server with the connections of an HTTP client and a token.
func newCrashAPI(connections http.RoundTripper, address, token, gallery string) crashAPI {
	client := &http.Client{Transport: crashHeaders{connections, token, gallery}}
	return crashAPI{
		rollcallv1connect.NewAttendanceServiceClient(client, address), rollcallv1connect.NewGalleryServiceClient(client, address),
		rollcallv1connect.NewJournalServiceClient(client, address), rollcallv1connect.NewTokenServiceClient(client, address),
	}
}

// crashHeaders adds a token and a gallery to what it sends.
type crashHeaders struct {
	http.RoundTripper
	token, gallery string
}

func (h crashHeaders) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+h.token)
	r.Header.Set("Rollcall-Gallery", url.PathEscape(h.gallery))
	return h.RoundTripper.RoundTrip(r)
}

// errUnknown says that a call got no answer: it may have happened or not.
var errUnknown = errors.New("the call got no answer")

// askServer makes a call and says what its answer means: nil for success, errUnknown, or the
// refusal. A full queue is no answer: the call is made again.
func askServer[Q, A any](ctx context.Context, call func(context.Context, *Q) (*A, error), request *Q) (*A, error) {
	ctx, cancel := context.WithTimeout(ctx, crashTimeout)
	defer cancel()
	var answer *A
	err := patiently(ctx, nil, func() (err error) {
		answer, err = call(ctx, request)
		return err
	})
	var refusal *connect.Error
	switch {
	case err == nil:
		return answer, nil
	case !errors.As(err, &refusal) || !connect.IsWireError(refusal):
		return nil, fmt.Errorf("%w: %w", errUnknown, err)
	}
	switch refusal.Code() {
	case connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeCanceled:
		return nil, fmt.Errorf("%w: %w", errUnknown, err)
	}
	return nil, err
}

// A crashClient changes its own students and crops in one gallery, one call after the other.
type crashClient struct {
	name     string
	gallery  string // that it works in
	pictures []crop // crashPictures for each of its crops
	apart    bool   // the pictures show people whom the model can tell apart

	rng  *rand.Rand
	held holding  // after the last call that was answered
	next *holding // after a call that was not answered, if it happened; nil: there is none

	undoable uint64  // number of the last change, if it is one that can be undone; else 0
	before   holding // that change
	newest   uint64  // greatest number of a change that was acknowledged

	tally *crashTally
}

func (c *crashClient) student() string {
	return fmt.Sprintf("%s-s%d", c.name, c.rng.IntN(crashStudents))
}
func (c *crashClient) crop() (id string, number int) {
	number = c.rng.IntN(crashCrops)
	return fmt.Sprintf("%s-k%d", c.name, number), number
}

// one returns a key of the map, or "" if there is none.
func one[V any](rng *rand.Rand, from map[string]V) string {
	ids := union(from, nil)
	if len(ids) == 0 {
		return ""
	}
	return ids[rng.IntN(len(ids))]
}

func (c *crashClient) groups() (groups []string) {
	for i := range 3 {
		if c.rng.IntN(3) == 0 {
			groups = append(groups, fmt.Sprintf("class-%d", i))
		}
	}
	return groups
}

// errRefused says that the server took a call for one that it may refuse, and did nothing.
var errRefused = errors.New("refused")

// act makes one call. It returns errUnknown if it was not answered, and any other error if the
// answer cannot be right.
func (c *crashClient) act(ctx context.Context, api crashAPI) error {
	next := c.held.clone()
	var kind string
	var do func() (change uint64, err error)
	undoable := false
	some, student := one(c.rng, c.held.crops), one(c.rng, c.held.students)
	switch draw := c.rng.IntN(20); {
	case draw < 8 || some == "" || student == "":
		kind, do = c.enrol(ctx, api, next)
	case draw < 10:
		into := c.student()
		if c.rng.IntN(5) == 0 {
			into = ""
		}
		next.assign(some, into)
		kind, undoable = "assign", true
		do = func() (uint64, error) {
			a, err := askServer(ctx, api.gallery.AssignCrop, &pb.AssignCropRequest{CropId: some, StudentId: into})
			return a.GetChange(), err
		}
	case draw < 12:
		other := one(c.rng, c.held.students)
		if other == student {
			return nil
		}
		next.merge(student, other)
		kind, undoable = "merge", true
		do = func() (uint64, error) {
			a, err := askServer(ctx, api.gallery.MergeStudents, &pb.MergeStudentsRequest{FromStudentId: student, IntoStudentId: other})
			return a.GetChange(), err
		}
	case draw < 13:
		groups := c.groups()
		next.students[student] = groups
		kind, undoable = "groups", true
		do = func() (uint64, error) {
			a, err := askServer(ctx, api.gallery.UpdateStudent, &pb.UpdateStudentRequest{StudentId: student, Groups: groups})
			return a.GetChange(), err
		}
	case draw < 16:
		if c.undoable == 0 {
			return nil
		}
		kind, next = "undo", c.before
		do = func() (uint64, error) {
			a, err := askServer(ctx, api.gallery.UndoChange, &pb.UndoChangeRequest{Change: c.undoable})
			if connect.CodeOf(err) == connect.CodeFailedPrecondition && strings.Contains(err.Error(), "altered nothing") {
				err = errRefused
			}
			return a.GetChange(), err
		}
	case draw < 18:
		delete(next.crops, some)
		kind = "delete a crop"
		do = func() (uint64, error) {
			_, err := askServer(ctx, api.gallery.DeleteCrop, &pb.DeleteCropRequest{CropId: some})
			return 0, err
		}
	default:
		next.deleteStudent(student)
		kind = "delete a student"
		do = func() (uint64, error) {
			_, err := askServer(ctx, api.gallery.DeleteStudent, &pb.DeleteStudentRequest{StudentId: student})
			return 0, err
		}
	}
	change, err := do()
	switch {
	case errors.Is(err, errRefused):
		c.undoable = 0
		return nil
	case errors.Is(err, errUnknown):
		c.next, c.undoable = &next, 0
		c.tally.unanswered(kind)
		return err
	case err != nil:
		return fmt.Errorf("client %s, %s: %w", c.name, kind, err)
	}
	c.tally.acknowledged(kind)
	c.before, c.held, c.undoable = c.held, next, 0
	if undoable {
		c.undoable = change
	}
	c.newest = max(c.newest, change)
	return nil
}

// enrol is a call that enrols or stores a crop, or replaces its picture.
func (c *crashClient) enrol(ctx context.Context, api crashAPI, next holding) (kind string, do func() (uint64, error)) {
	id, number := c.crop()
	student, groups := c.student(), c.groups()
	if c.rng.IntN(6) == 0 {
		student, groups = "", nil
	}
	picture := number*crashPictures + c.rng.IntN(crashPictures)
	kind = "enrol"
	if _, known := c.held.crops[id]; known {
		kind = "replace"
	}
	next.enrol(id, student, groups, picture)
	return kind, func() (uint64, error) {
		a, err := askServer(ctx, api.attendance.Embed, &pb.EmbedRequest{
			Image: c.pictures[picture].jpeg, CropId: id, StudentId: student, Groups: groups, AllowDuplicate: true, AllowUnlike: true,
		})
		if connect.CodeOf(err) == connect.CodeInvalidArgument {
			return 0, errRefused // the picture is not good enough; nothing else of the request can be wrong
		}
		if want := next.crops[id]; err == nil && (a.GetStudentId() != want.student || a.GetReplaced() != (kind == "replace")) {
			return 0, fmt.Errorf("crop %s was answered with student %q (replaced: %v), and must be of %q", id, a.GetStudentId(), a.GetReplaced(), want.student)
		}
		return 0, err
	}
}

// check compares what the server has of the client with what it must have, and takes a call
// that was not answered for what it has become.
func (c *crashClient) check(ctx context.Context, api crashAPI, view *crashView) error {
	if c.newest > view.newest {
		return fmt.Errorf("client %s: change %d was acknowledged, and the newest there is %d", c.name, c.newest, view.newest)
	}
	there := newHolding()
	counts := make(map[string]int32)
	for _, s := range view.students {
		if strings.HasPrefix(s.GetStudentId(), c.name+"-") {
			there.students[s.GetStudentId()] = s.GetGroups()
			counts[s.GetStudentId()] = s.GetCropCount()
		}
	}
	for i := range crashCrops {
		id := fmt.Sprintf("%s-k%d", c.name, i)
		a, err := askServer(ctx, api.gallery.GetCrop, &pb.GetCropRequest{CropId: id})
		if connect.CodeOf(err) == connect.CodeNotFound {
			continue
		}
		if err != nil {
			return err
		}
		if len(a.GetCrop().GetEmbeddings()) != 1 {
			return fmt.Errorf("crop %s has %d embeddings", id, len(a.GetCrop().GetEmbeddings()))
		}
		there.crops[id] = heldCrop{student: a.GetCrop().GetStudentId(), corrected: a.GetCrop().GetCorrected()}
	}
	for id, count := range counts {
		of := 0
		for _, crop := range there.crops {
			if crop.student == id {
				of++
			}
		}
		if int(count) != of {
			return fmt.Errorf("student %s has %d crops, and %d are there", id, count, of)
		}
	}
	was := c.held.differs(there)
	if c.next == nil {
		if was != "" {
			return fmt.Errorf("client %s: %s", c.name, was)
		}
		return c.identify(ctx, api, c.held)
	}
	may := c.next.differs(there)
	if was != "" && may != "" {
		return fmt.Errorf("client %s, neither without the call that was not answered: %s; nor with it: %s", c.name, was, may)
	}
	// Which of two pictures a crop shows, only a search tells.
	without := errors.New(was)
	if was == "" {
		if without = c.identify(ctx, api, c.held); without == nil {
			c.settle(c.held, false)
			return nil
		}
	}
	if may == "" {
		with := c.identify(ctx, api, *c.next)
		if with == nil {
			c.settle(*c.next, true)
			return nil
		}
		return errors.Join(without, with)
	}
	return without
}

// settle notes what a call that was not answered has become.
func (c *crashClient) settle(held holding, happened bool) {
	c.held, c.next = held, nil
	c.tally.settled(happened)
}

// itself is how similar a crop is at least to the picture that it was embedded from. A model may
// have stored crops be the mean with their mirror image: then it is .99 (50 faces of the test
// split), and between pictures of two people .1.
const itself = 0.95

// identify asks about the picture of every crop that belongs to a student: the student must be
// there, by this crop and this picture. Of faces that are told apart, it must be the best.
func (c *crashClient) identify(ctx context.Context, api crashAPI, h holding) error {
	for _, id := range union(h.crops, nil) {
		crop := h.crops[id]
		if crop.student == "" {
			continue
		}
		a, err := askServer(ctx, api.attendance.Identify, &pb.IdentifyRequest{Image: c.pictures[crop.picture].jpeg, MaxCandidates: 100})
		if err != nil {
			return err
		}
		c.tally.identified()
		at := slices.IndexFunc(a.GetCandidates(), func(s *pb.Candidate) bool { return s.GetStudentId() == crop.student })
		if at < 0 || c.apart && at > 0 {
			return fmt.Errorf("client %s: student %s is candidate %d of %d by crop %s", c.name, crop.student, at, len(a.GetCandidates()), id)
		}
		crops := a.GetCandidates()[at].GetCrops()
		k := slices.IndexFunc(crops, func(s *pb.CropSimilarity) bool { return s.GetCropId() == id })
		if k < 0 {
			return fmt.Errorf("client %s: crop %s is not found by its own picture", c.name, id)
		}
		if s := crops[k].GetSimilarity(); s < itself {
			return fmt.Errorf("client %s: crop %s is similar to its own picture by %v only", c.name, id, s)
		}
	}
	return nil
}
