package bench

import (
	"context"
	"fmt"
	"strings"

	pb "rollcall/proto/rollcall/v1"
)

// crashGalleries are those that last as long as the folder.
var crashGalleries = []string{"default", "elm-street", "oak-lane"}

// A crashView is what a server holds of one gallery, and for the office what it holds beside.
type crashView struct {
	students []*pb.Student       // all, without their crops
	newest   uint64              // number of the newest change
	checkIns map[string][]uint64 // the numbers of their lines, by By

	galleries map[string]int // how many students each has
	tokens    []*pb.Token
}

// viewGallery reads a gallery: all students, all changes (which verifies their chain), the whole
// journal (which verifies its chains), and whether storage and index agree.
func viewGallery(ctx context.Context, api crashAPI, tally *crashTally) (*crashView, error) {
	v := &crashView{checkIns: make(map[string][]uint64)}
	report, err := askServer(ctx, api.gallery.CheckConsistency, &pb.CheckConsistencyRequest{})
	if err != nil {
		return nil, err
	}
	if !report.GetConsistent() {
		return nil, fmt.Errorf("storage and index disagree: %v", report.GetDifferences())
	}
	if v.students, err = listStudents(ctx, api); err != nil {
		return nil, err
	}
	for _, s := range v.students {
		if !strings.HasPrefix(s.GetStudentId(), crashClientPrefix) {
			return nil, fmt.Errorf("student %s is there, and nobody made it", s.GetStudentId())
		}
	}
	if err := v.readChanges(ctx, api, tally); err != nil {
		return nil, err
	}
	return v, v.readJournal(ctx, api, tally)
}

func listStudents(ctx context.Context, api crashAPI) (all []*pb.Student, err error) {
	request := &pb.ListStudentsRequest{PageSize: 1000}
	for {
		page, err := askServer(ctx, api.gallery.ListStudents, request)
		if err != nil {
			return nil, err
		}
		all = append(all, page.GetStudents()...)
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			return all, nil
		}
	}
}

// readChanges reads the log from its end to its beginning: no number is missing.
func (v *crashView) readChanges(ctx context.Context, api crashAPI, tally *crashTally) error {
	request := &pb.ListChangesRequest{PageSize: 1000}
	last := uint64(0)
	for {
		page, err := askServer(ctx, api.gallery.ListChanges, request)
		if err != nil {
			return err
		}
		for _, c := range page.GetChanges() {
			if v.newest == 0 {
				v.newest, last = c.GetChange(), c.GetChange()+1
			}
			if c.GetChange() != last-1 {
				return fmt.Errorf("the log goes from change %d to %d", last, c.GetChange())
			}
			last = c.GetChange()
		}
		tally.read(len(page.GetChanges()))
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			break
		}
	}
	if last > 1 {
		return fmt.Errorf("the log begins with change %d", last)
	}
	return nil
}

// readJournal reads the journal: no number is missing.
func (v *crashView) readJournal(ctx context.Context, api crashAPI, tally *crashTally) error {
	request := &pb.ListLinesRequest{PageSize: 1000}
	last := uint64(0)
	for {
		page, err := askServer(ctx, api.journal.ListLines, request)
		if err != nil {
			return err
		}
		for _, line := range page.GetLines() {
			if line.GetNumber() != last+1 {
				return fmt.Errorf("the journal goes from line %d to %d", last, line.GetNumber())
			}
			last = line.GetNumber()
			if line.GetKind() == pb.LineKind_LINE_KIND_CHECK_IN {
				v.checkIns[line.GetBy()] = append(v.checkIns[line.GetBy()], last)
			}
		}
		tally.read(len(page.GetLines()))
		if request.After = page.GetNextAfter(); page.GetEnd() {
			return nil
		}
	}
}

// viewServer reads what the office has made.
func viewServer(ctx context.Context, at func(gallery, token string) crashAPI, secret string) (*crashView, error) {
	v := &crashView{galleries: make(map[string]int)}
	api := at("", secret)
	galleries, err := askServer(ctx, api.gallery.ListGalleries, &pb.ListGalleriesRequest{})
	if err != nil {
		return nil, err
	}
	for _, g := range galleries.GetGalleries() {
		students, err := listStudents(ctx, at(g.GetGalleryId(), secret))
		if err != nil {
			return nil, err
		}
		v.galleries[g.GetGalleryId()] = len(students)
	}
	tokens, err := askServer(ctx, api.tokens.ListTokens, &pb.ListTokensRequest{})
	if err != nil {
		return nil, err
	}
	v.tokens = tokens.GetTokens()
	return v, nil
}
