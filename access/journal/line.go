package journal

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/storage"
)

// A line is stored in three parts, each a part of the contract's own message: the
// student, who asked, and the rest. Number and time are storage's.

// encode returns a line of now for storage, and uses up the given one.
func encode(line *pb.Line, request string) (storage.Line, error) {
	stored := storage.Line{Time: time.Now().UTC(), Student: line.GetStudentId(), Request: request}
	var err error
	if stored.Who, err = proto.Marshal(&pb.Line{Token: line.GetToken(), TokenId: line.GetTokenId(), Address: line.GetAddress(), By: line.GetBy()}); err != nil {
		return storage.Line{}, fmt.Errorf("journal: encoding a line: %w", err)
	}
	line.Number, line.Time, line.StudentId, line.Token, line.TokenId, line.Address, line.By, line.Erased = 0, nil, "", "", "", "", "", false
	if stored.Content, err = proto.Marshal(line); err != nil {
		return storage.Line{}, fmt.Errorf("journal: encoding a line: %w", err)
	}
	return stored, nil
}

// decode returns a line of storage's.
func decode(stored storage.Line) (*pb.Line, error) {
	line := new(pb.Line)
	merge := proto.UnmarshalOptions{Merge: true}
	for _, part := range [][]byte{stored.Content, stored.Who} {
		if err := merge.Unmarshal(part, line); err != nil {
			return nil, fmt.Errorf("%w: line %d of the journal does not parse; restore a backup", storage.ErrCorrupt, stored.Number)
		}
	}
	line.Number, line.Time = stored.Number, timestamppb.New(stored.Time)
	line.StudentId, line.Erased = stored.Student, stored.Blanked
	return line, nil
}
