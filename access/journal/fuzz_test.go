package journal

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/storage"
)

// FuzzLine: a line of storage is read, or damaged; what is read is written and read alike.
func FuzzLine(f *testing.F) {
	made, err := encode(&pb.Line{Kind: pb.LineKind_LINE_KIND_VERDICT, StudentId: "ada", Token: "door", Address: "10.1.2.3", By: "mr x", Verdict: pb.Verdict_VERDICT_MATCH, Similarity: 0.7}, "key")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(made.Content, made.Who, "ada", false)
	f.Add([]byte{0xff}, []byte{0x0a, 0x05}, "", true)
	f.Fuzz(func(t *testing.T, content, who []byte, student string, blanked bool) {
		stored := storage.Line{Number: 7, Time: time.Unix(1e9, 0).UTC(), Content: content, Who: who, Student: student, Blanked: blanked}
		line, err := decode(stored)
		if err != nil {
			if !errors.Is(err, storage.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if line.GetNumber() != 7 || line.GetStudentId() != student || line.GetErased() != blanked {
			t.Fatalf("%+v became %v", stored, line)
		}
		want := proto.CloneOf(line)
		again, err := encode(line, "")
		if err != nil {
			return // a text that is not UTF-8
		}
		again.Number, again.Time, again.Blanked = stored.Number, stored.Time, blanked
		got, err := decode(again)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := proto.MarshalOptions{Deterministic: true}.Marshal(want)
		b, _ := proto.MarshalOptions{Deterministic: true}.Marshal(got)
		if string(a) != string(b) {
			t.Fatalf("%v became %v", want, got)
		}
	})
}
