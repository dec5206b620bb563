package rpc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rollcall/embedder/onnxtest"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/storage"
)

// holding returns the files of a folder that hold a text.
func holding(t *testing.T, dir string, text []byte) (files []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted since
		}
		if bytes.Contains(b, text) {
			files = append(files, filepath.Base(path))
		}
		return err
	}))
	return files
}

// bytesOf is a vector as it is stored.
func bytesOf(vector []float32) (b []byte) {
	for _, x := range vector {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// TestErasedFromEveryFile deletes students, a crop, and withdraws a consent on a running
// server. Then it looks for the ids and the vectors in every file of the data folder, while
// the server runs, after a restart, and in an older copy of the folder after the list of
// erasures was applied to it.
func TestErasedFromEveryFile(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, setup{})
	admin := bearer(w.admin())
	attendance := rollcallv1connect.NewAttendanceServiceClient(http.DefaultClient, w.url, admin)
	gallery := rollcallv1connect.NewGalleryServiceClient(http.DefaultClient, w.url, admin)
	type person struct {
		student, crop string
		vector        []byte
	}
	var people []person
	add := func(seed int64, student, crop string) {
		resp, err := attendance.Embed(ctx, &pb.EmbedRequest{
			Image: onnxtest.Face(seed, 0), CropId: crop, StudentId: student, ReturnEmbedding: true, AllowDuplicate: true, AllowUnlike: true,
		})
		must(t, err)
		people = append(people, person{student, crop, bytesOf(resp.GetEmbedding())[:256]})
	}
	add(1, "stays-4f1d09", "crop-of-4f1d09")
	add(2, "deleted-77aa31", "crop-of-77aa31")
	add(3, "merged-c3d9e2", "crop-of-c3d9e2")
	add(4, "withdrawn-58b0f6", "crop-of-58b0f6")
	add(5, "keeps-0b6e11", "deleted-crop-9e7702")
	add(6, "keeps-0b6e11", "replaced-crop-21c4aa")
	replaced := people[5].vector
	add(7, "keeps-0b6e11", "replaced-crop-21c4aa")

	// An older copy of the folder, as a backup has it.
	copied := t.TempDir()
	to, err := storage.Open(copied, storage.Options{MinFreeBytes: -1, Target: true})
	must(t, err)
	must(t, storage.Copy(ctx, to, w.store, nil))
	must(t, to.Close())

	_, err = gallery.MergeStudents(ctx, &pb.MergeStudentsRequest{FromStudentId: "merged-c3d9e2", IntoStudentId: "deleted-77aa31"})
	must(t, err)
	resp, err := gallery.DeleteStudent(ctx, &pb.DeleteStudentRequest{StudentId: "deleted-77aa31"})
	must(t, err)
	if r := resp.GetReceipt(); r.GetCrops() != 2 || r.GetEmbeddings() != 2 || r.GetLogLines() < 3 || r.GetChange() == 0 || r.GetFinished() == nil {
		t.Errorf("the receipt is %v", r)
	}
	withdrawn, err := gallery.SetConsent(ctx, &pb.SetConsentRequest{StudentId: "withdrawn-58b0f6", Consent: &pb.Consent{State: pb.ConsentState_CONSENT_STATE_WITHDRAWN}})
	must(t, err)
	if r := withdrawn.GetReceipt(); r.GetCrops() != 1 || r.GetFinished() == nil {
		t.Errorf("the receipt of the withdrawal is %v", r)
	}
	_, err = gallery.DeleteCrop(ctx, &pb.DeleteCropRequest{CropId: "deleted-crop-9e7702"})
	must(t, err)

	check := func(when, dir string) {
		t.Helper()
		for i, secret := range [][]byte{
			people[1].vector, []byte("77aa31"), people[2].vector, []byte("c3d9e2"),
			people[3].vector, []byte("crop-of-58b0f6"), people[4].vector, []byte("9e7702"), replaced,
		} {
			if files := holding(t, dir, secret); len(files) > 0 {
				t.Errorf("%s: secret %d is in %v", when, i, files)
			}
		}
		for _, there := range [][]byte{people[0].vector, []byte("4f1d09"), []byte("withdrawn-58b0f6"), people[6].vector} {
			if len(holding(t, dir, there)) == 0 && when != "the older copy" {
				t.Errorf("%s: %.20q is gone", when, there)
			}
		}
	}
	check("while the server runs", w.data)
	report, err := gallery.CheckConsistency(ctx, &pb.CheckConsistencyRequest{})
	must(t, err)
	if !report.GetConsistent() {
		t.Errorf("%v", report)
	}
	list, err := w.store.Erasures(ctx)
	must(t, err)
	w.stop()
	must(t, <-w.done)
	check("after the server stopped", w.data)

	old, err := storage.Open(copied, storage.Options{MinFreeBytes: -1})
	must(t, err)
	applied, err := old.Apply(ctx, list)
	must(t, err)
	if applied.Students != 3 || applied.Crops != 4 {
		t.Errorf("applied %+v", applied)
	}
	replaced = people[1].vector // of replaced pictures nothing is promised in older copies
	check("the older copy", copied)
	must(t, old.Close())
}

// TestErasuresAreFinishedAtTheStart kills the server between the deletion and what follows:
// the next one finishes it.
func TestErasuresAreFinishedAtTheStart(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, setup{})
	enroll(t, w, 1, 0, "crop-1", "student-77aa31")
	w.stop()
	must(t, <-w.done)

	s, err := storage.Open(w.data, storage.Options{MinFreeBytes: -1})
	must(t, err)
	p, err := s.Partition("default")
	must(t, err)
	seq, err := p.Sequence(ctx)
	must(t, err)
	digests, err := p.Digests(ctx)
	must(t, err)
	open := storage.Erasure{Digest: digests.Student("student-77aa31"), Time: time.Now(), Change: seq + 1, Open: true, Students: []string{"student-77aa31"}, Crops: []string{"crop-1"}}
	must(t, p.Commit(ctx, seq, []storage.Change{{Time: time.Now(), Cause: "delete student", Writes: []storage.Write{
		{Ref: storage.Student{ID: "student-77aa31"}.Ref()}, {Ref: storage.Crop{ID: "crop-1"}.Ref()},
		{Ref: storage.Ref{Kind: storage.KindEmbedding, ID: "crop-1", Model: modelName(t, p)}}, {Ref: open.Ref(), Put: open},
	}}}))
	must(t, s.Close())
	if len(holding(t, w.data, []byte("77aa31"))) == 0 {
		t.Fatal("nothing is left to do: the test is void")
	}

	w = newWorld(t, setup{data: w.data, library: w.library})
	eventually(t, "nothing is left", func() bool { return len(holding(t, w.data, []byte("77aa31"))) == 0 })
}

// modelName returns the name of the model of a gallery.
func modelName(t *testing.T, p *storage.Partition) string {
	for r, err := range p.Load(context.Background()) {
		must(t, err)
		if m, ok := r.(storage.Model); ok {
			return m.Name
		}
	}
	t.Fatal("there is no model")
	return ""
}
