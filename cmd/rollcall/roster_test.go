package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// studentServer keeps students in memory, and fails now and then.
type studentServer struct {
	rollcallv1connect.UnimplementedGalleryServiceHandler

	mu       sync.Mutex
	students map[string]*pb.Student
	changes  int
	broken   int // changes that are still made before all others fail; negative: none fails
}

func (s *studentServer) ListStudents(_ context.Context, req *pb.ListStudentsRequest) (*pb.ListStudentsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const page = 3 // however many are asked for
	resp := new(pb.ListStudentsResponse)
	for _, id := range slices.Sorted(maps.Keys(s.students)) {
		if id <= req.GetPageToken() {
			continue
		}
		if len(resp.Students) == page {
			resp.NextPageToken = resp.Students[page-1].GetStudentId()
			break
		}
		resp.Students = append(resp.Students, s.students[id])
	}
	return resp, nil
}

// change counts a change. REQUIRES: mu is held.
func (s *studentServer) change() error {
	if s.broken == 0 {
		return connect.NewError(connect.CodeUnavailable, errors.New("it is broken"))
	}
	s.broken--
	s.changes++
	return nil
}

func (s *studentServer) UpdateStudent(_ context.Context, req *pb.UpdateStudentRequest) (*pb.UpdateStudentResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.change(); err != nil {
		return nil, err
	}
	known := s.students[req.GetStudentId()]
	if known == nil && !req.GetCreate() {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("student not found"))
	}
	s.students[req.GetStudentId()] = &pb.Student{StudentId: req.GetStudentId(), Groups: req.GetGroups(), DeleteAfter: known.GetDeleteAfter(), Consent: known.GetConsent()}
	return new(pb.UpdateStudentResponse), nil
}

func (s *studentServer) SetDeleteAfter(_ context.Context, req *pb.SetDeleteAfterRequest) (*pb.SetDeleteAfterResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.change(); err != nil {
		return nil, err
	}
	known := s.students[req.GetStudentId()]
	if known == nil {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("student not found"))
	}
	s.students[req.GetStudentId()] = &pb.Student{StudentId: req.GetStudentId(), Groups: known.GetGroups(), DeleteAfter: req.GetDeleteAfter(), Consent: known.GetConsent()}
	return new(pb.SetDeleteAfterResponse), nil
}

// TestRosterSync syncs random rosters one after the other. Each run breaks off at a random change, again and again
// until all is done. Then the students are those of the roster, and another run changes nothing.
func TestRosterSync(t *testing.T) {
	for seed := range uint64(15) {
		rng := rand.New(rand.NewPCG(seed, 8))
		server := &studentServer{students: make(map[string]*pb.Student), broken: -1}
		address := startGalleryService(t, server)
		model := make(map[string]string) // groups, or "gone", by student
		for round := range 4 {
			file, wanted := randomRoster(t, rng, round)
			for id := range model {
				if wanted[id] == nil {
					model[id] = "gone"
				}
			}
			for id, groups := range wanted {
				model[id] = strings.Join(groups, ";")
			}
			sync := []string{"roster", "sync", file, "--server", address, "--yes", "--force"}
			server.changes = 0
			code, stdout, stderr := runCommand(t.Context(), append(sync, "--dry-run")...)
			if code != exitOK || server.changes > 0 {
				t.Fatalf("seed %d: a dry run made %d changes: %d, %s", seed, server.changes, code, stdout+stderr)
			}
			for runs := 0; ; runs++ {
				server.broken = rng.IntN(6)
				code, stdout, stderr = runCommand(t.Context(), sync...)
				if code == exitOK {
					break
				}
				if runs > 50 || code != exitUnavailable || !strings.Contains(stderr, "the same command changes the others") {
					t.Fatalf("seed %d, run %d: exit code %d: %s", seed, runs, code, stdout+stderr)
				}
			}
			server.changes, server.broken = 0, -1
			code, stdout, stderr = runCommand(t.Context(), sync...)
			if code != exitOK || server.changes > 0 || !strings.HasSuffix(stdout, "nothing to do\n") {
				t.Errorf("seed %d: the second run made %d changes: %s", seed, server.changes, stdout+stderr)
			}
			got := make(map[string]string)
			last := time.Now().UTC().AddDate(0, 0, 90)
			for id, s := range server.students {
				got[id] = strings.Join(s.GetGroups(), ";")
				switch day, err := time.Parse(time.DateOnly, s.GetDeleteAfter()); {
				case s.GetDeleteAfter() == "":
				case err != nil || last.Sub(day).Abs() > 48*time.Hour || got[id] != "":
					t.Errorf("seed %d: %s is kept until %q, in the groups %q", seed, id, s.GetDeleteAfter(), got[id])
				default:
					got[id] = "gone"
				}
			}
			if !maps.Equal(got, model) {
				t.Fatalf("seed %d, round %d: %v, want %v", seed, round, got, model)
			}
		}
	}
}

// randomRoster writes a roster, and returns what it says.
func randomRoster(t *testing.T, rng *rand.Rand, round int) (file string, wanted map[string][]string) {
	t.Helper()
	wanted = make(map[string][]string)
	text := "id,groups\n"
	for i := range 10 {
		if rng.IntN(3) == 0 {
			continue
		}
		groups := []string{}
		for _, g := range []string{"chess", fmt.Sprintf("class %d", round), "maths"} {
			if rng.IntN(2) == 0 {
				groups = append(groups, g)
			}
		}
		id := fmt.Sprintf("s%d", i)
		wanted[id] = groups
		text += id + "," + strings.Join(groups, ";") + "\n"
	}
	if len(wanted) == 0 {
		return randomRoster(t, rng, round)
	}
	file = filepath.Join(t.TempDir(), "roster.csv")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, wanted
}
