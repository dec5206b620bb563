package rpc

import (
	"context"
	"errors"
	"slices"

	"connectrpc.com/connect"
	"golang.org/x/text/unicode/norm"

	"rollcall/access"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

// A check-in stands where everybody passes. What it learns is bounded: whom it may ask
// about, and what an answer tells of those who are not the one on the crop.

// doorCandidates is how many candidates a check-in gets: enough to ask "are you …?".
const doorCandidates = 3

// candidates returns those of an answer as far as the caller may see them. With the id of
// a crop, somebody could ask for the crop's place in another system.
func candidates(ctx context.Context, found []gallery.Candidate) []*pb.Candidate {
	if callerOf(ctx).Role != access.CheckIn {
		return candidatesPB(found)
	}
	out := candidatesPB(found[:min(len(found), doorCandidates)])
	for _, c := range out {
		c.CropId = ""
	}
	return out
}

// scope returns the scope of a call. A caller that may ask about some groups asks about
// these if the call names no scope, and else about a part of them.
func scope(ctx context.Context, asked *pb.Scope) (gallery.Scope, error) {
	sc, groups := scopeOf(asked), callerOf(ctx).Groups
	if len(groups) == 0 {
		return sc, nil
	}
	if len(sc.Groups) == 0 && len(sc.StudentIDs) == 0 {
		return gallery.Scope{Groups: groups}, nil
	}
	for _, g := range sc.Groups {
		if !slices.Contains(groups, norm.NFC.String(g)) {
			return gallery.Scope{}, beyondGroups("scope.groups")
		}
	}
	for _, id := range sc.StudentIDs {
		if err := mayAskAbout(ctx, id, "scope.student_ids"); err != nil {
			return gallery.Scope{}, err
		}
	}
	return sc, nil
}

// mayAskAbout refuses a caller that may ask about some groups, if the student of this field is in none
// of them.
func mayAskAbout(ctx context.Context, id, field string) error {
	groups := callerOf(ctx).Groups
	if len(groups) == 0 {
		return nil
	}
	student, err := galleryOf(ctx).Student(ctx, id)
	// Whether there is a student outside of its groups is not the caller's business.
	if errors.Is(err, gallery.ErrStudentNotFound) || err == nil && !shareOne(student.Groups, groups) {
		return beyondGroups(field)
	}
	return err
}

func shareOne(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

func beyondGroups(field string) *connect.Error {
	return newError(connect.CodePermissionDenied, "SCOPE_NOT_ALLOWED",
		"this token may ask only about the students of its groups, and "+field+" names others: name these alone", nil)
}

// mayNameCrops refuses a probe that is a crop of the gallery. A check-in does not know the
// ids of crops, and could find out with them who is enrolled.
func mayNameCrops(ctx context.Context) error {
	if callerOf(ctx).Role != access.CheckIn {
		return nil
	}
	return newError(connect.CodePermissionDenied, "CROP_NOT_ALLOWED", "a checkin asks about a picture, not about a stored crop: send the image", nil)
}
