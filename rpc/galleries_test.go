package rpc

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	"rollcall/access"
	"rollcall/access/journal"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
	"rollcall/rpc/erasure"
	"rollcall/storage"
)

// idleEmbedder has a free queue. Nothing else is asked of it.
type idleEmbedder struct{ Embedder }

func (idleEmbedder) QueueFull(string) error { return nil }

// severalGalleries starts a server with the galleries default, ours and theirs, which has
// a student. It has no models. Calls come from who the header Test-Galleries says.
func severalGalleries(t *testing.T) (url string, galleries *gallery.Galleries, store *storage.Store) {
	t.Helper()
	store = storage.OpenMemory(storage.Faults{})
	galleries, err := gallery.OpenGalleries(t.Context(), store, gallery.Options{
		Models: func(name string) (gallery.Model, error) {
			return gallery.Model{Name: name, Digest: "aa", Recipe: "r", Dimension: 2, Threshold: 0.5}, nil
		},
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"ours", "theirs"} {
		if err := galleries.Create(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	theirs, release, err := galleries.Use(t.Context(), "theirs")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	_, err = theirs.Enroll(t.Context(), gallery.Enrolment{CropID: "secret-crop", StudentID: "secret-student", Groups: []string{"secret-group"},
		Embedding: gallery.Embedding{Model: "m", Digest: "aa", Recipe: "r", Vector: []float32{1, 0}}})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := access.OpenTokens(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Logger: slog.New(slog.DiscardHandler)})
	journals := journal.Open(store, slog.New(slog.DiscardHandler))
	eraser := erasure.Open(store, galleries, journals, slog.New(slog.DiscardHandler))
	t.Cleanup(eraser.Close)
	s.Ready(Backend{Embedder: idleEmbedder{}, Eraser: eraser, Galleries: galleries, Journals: journals, Tokens: tokens})
	handler := s.Handler()
	var mu sync.Mutex
	made := make(map[string]string) // the tokens of admins, by their galleries
	token := func(only string) string {
		mu.Lock()
		defer mu.Unlock()
		if made[only] == "" {
			caller := access.Caller{Role: access.Admin}
			if only != "" {
				caller.Galleries = strings.Split(only, ",")
			}
			text, _, err := tokens.Create(t.Context(), access.Token{Caller: caller}, access.Anybody)
			if err != nil {
				t.Error(err)
			}
			made[only] = text
		}
		return made[only]
	}
	token("") // the first is of who may do everything
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+token(r.Header.Get("Test-Galleries")))
		handler.ServeHTTP(w, r)
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(func() {
		server.Close()
		if err := galleries.Close(); err != nil {
			t.Error(err)
		}
		if err := journals.Close(); err != nil {
			t.Error(err)
		}
		if err := tokens.Close(); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return server.URL, galleries, store
}

// bodies are valid requests of every call that is about a gallery.
var bodies = map[string]string{
	"AttendanceService/Embed":             `{"image":"eA==","cropId":"secret-crop"}`,
	"AttendanceService/Identify":          `{"image":"eA=="}`,
	"AttendanceService/Verify":            `{"studentId":"secret-student","image":"eA=="}`,
	"AttendanceService/IdentifyBurst":     `{"frames":[{"image":"eA=="}]}`,
	"AttendanceService/RollCall":          `{"probes":[{"image":"eA=="}]}`,
	"AttendanceService/Detect":            `{"image":"eA=="}`,
	"GalleryService/EnrollStream":         `{"crop":{"image":"eA==","cropId":"secret-crop"}}`,
	"GalleryService/GetStudent":           `{"studentId":"secret-student"}`,
	"GalleryService/ListStudents":         `{"group":"secret-group"}`,
	"GalleryService/ListDueStudents":      `{"group":"secret-group"}`,
	"GalleryService/ListInactiveStudents": `{"since":"2026-09-01T00:00:00Z"}`,
	"GalleryService/UpdateStudent":        `{"studentId":"secret-student"}`,
	"GalleryService/SetConsent":           `{"studentId":"secret-student","consent":{"state":"CONSENT_STATE_GIVEN"}}`,
	"GalleryService/SetDeleteAfter":       `{"studentId":"secret-student"}`,
	"GalleryService/DeleteStudent":        `{"studentId":"secret-student"}`,
	"GalleryService/GetCrop":              `{"cropId":"secret-crop"}`,
	"GalleryService/AssignCrop":           `{"cropId":"secret-crop","studentId":"x"}`,
	"GalleryService/DeleteCrop":           `{"cropId":"secret-crop"}`,
	"GalleryService/MergeStudents":        `{"fromStudentId":"secret-student","intoStudentId":"x"}`,
	"GalleryService/ListLookalikes":       `{}`,
	"GalleryService/ListChanges":          `{"studentId":"secret-student"}`,
	"GalleryService/UndoChange":           `{"change":1}`,
	"GalleryService/GetSettings":          `{}`,
	"GalleryService/UpdateSettings":       `{"fpir":0.1}`,
	"GalleryService/CheckConsistency":     `{}`,
	"ModelService/ListModels":             `{}`,
	"ModelService/GetModel":               `{"model":"m"}`,
	"GalleryService/GetCalibration":       `{}`,
	"GalleryService/UpdateCalibration":    `{"frozen":true}`,
	"ExportService/ExportGallery":         `{"vectors":true}`,
	"ExportService/ExportStudent":         `{"studentId":"secret-student"}`,
	"ExportService/ImportRecords":         `{"records":[{"student":{"studentId":"secret-student"}}]}`,
	"JournalService/RecordCheckIn":        `{"studentId":"secret-student","method":"METHOD_CARD"}`,
	"JournalService/WatchVerdicts":        `{}`,
	"JournalService/ListLines":            `{"studentId":"secret-student"}`,
	"JournalService/ListDays":             `{}`,
}

// TestForeignGalleryIsUnknown makes every call about a gallery that does not exist, about
// one that is another caller's, and about names that no gallery has. All answers are the
// same, to the byte: nobody learns which other galleries there are.
func TestForeignGalleryIsUnknown(t *testing.T) {
	url, galleries, _ := severalGalleries(t)
	for path, m := range methods() {
		if m.input == nil || m.server {
			continue
		}
		name := strings.TrimPrefix(path, "/rollcall.v1.")
		body, ok := bodies[name]
		if !ok {
			t.Errorf("this test has no request of %s", name)
			continue
		}
		for _, protocol := range []string{"application/json", "application/grpc+json", "application/grpc-web+json", "application/connect+json"} {
			streams := m.stream || m.answers
			if (protocol == "application/json") == streams || protocol == "application/connect+json" && !streams {
				continue
			}
			answer := func(id string) string { return rawCall(t, url+path, protocol, body, "ours", id) }
			want := answer("no-such-gallery")
			if !strings.Contains(want, "you may use no gallery of this name") {
				t.Errorf("%s by %s: %q", name, protocol, want)
			}
			for _, id := range []string{"theirs", "default", "%74heirs", "bad\x01id", "%zz", "%00server", strings.Repeat("x", 1000)} {
				if strings.Contains(id, "\x01") {
					id = "%01"
				}
				if got := answer(id); got != want {
					t.Errorf("%s by %s: gallery %.20q answers\n%q, and an unknown one\n%q", name, protocol, id, got, want)
				}
			}
		}
	}
	theirs, release, err := galleries.Use(t.Context(), "theirs")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if stats := theirs.Stats(); stats.Sequence != 2 || stats.Crops != 1 {
		t.Errorf("the foreign gallery was changed: %+v", stats)
	}
}

var ofOneAnswer = regexp.MustCompile(`(?m)^(Date|X-Request-Id): .*$`)

// rawCall returns all of an answer that does not differ from call to call.
func rawCall(t *testing.T, url, protocol, body, only, id string) string {
	t.Helper()
	message := []byte(body)
	if protocol != "application/json" { // an envelope
		message = append([]byte{0, 0, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", protocol)
	r.Header.Set("Test-Galleries", only)
	r.Header.Set("Rollcall-Gallery", id)
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: &p}}
	defer client.CloseIdleConnections()
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	fmt.Fprintln(&all, resp.Status, string(answer))
	_ = resp.Header.Write(&all)
	_ = resp.Trailer.Write(&all)
	return ofOneAnswer.ReplaceAllString(all.String(), "")
}

// TestGalleriesOfACaller: a caller sees its galleries only. Who has one need not name it.
// Galleries are made and deleted by who may use all.
func TestGalleriesOfACaller(t *testing.T) {
	url, _, _ := severalGalleries(t)
	client := rollcallv1connect.NewGalleryServiceClient(http.DefaultClient, url)
	as := func(only, id string) context.Context { return calling(t, only, id) }
	for only, want := range map[string][]string{"": {"default", "ours", "theirs"}, "ours": {"ours"}, "theirs,default": {"default", "theirs"}, "gone": nil} {
		// A header that names no gallery of the caller does not matter here.
		list, err := client.ListGalleries(as(only, "nothing"), &pb.ListGalleriesRequest{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, g := range list.GetGalleries() {
			got = append(got, g.GetGalleryId())
		}
		if !slices.Equal(got, want) {
			t.Errorf("who may use %q sees %q", only, got)
		}
	}
	for _, c := range []struct {
		only, id string
		students int32 // -1: not found
	}{
		{"", "", 0}, {"", "theirs", 1}, {"theirs", "", 1}, {"theirs", "theirs", 1}, {"ours", "", 0}, {"ours,theirs", "", -1}, {"ours,theirs", "%74heirs", 1}, {"gone", "", -1},
	} {
		list, err := client.ListStudents(as(c.only, c.id), &pb.ListStudentsRequest{})
		switch {
		case c.students < 0 && connect.CodeOf(err) != connect.CodeNotFound, c.students >= 0 && (err != nil || list.GetTotal() != c.students):
			t.Errorf("%+v: %v, %v", c, list, err)
		}
	}
	for _, id := range []string{"theirs", "new", "ours", "default"} {
		_, err := client.CreateGallery(as("ours", ""), &pb.CreateGalleryRequest{GalleryId: id})
		if connect.CodeOf(err) != connect.CodePermissionDenied {
			t.Errorf("create %s: %v", id, err)
		}
		_, err = client.DeleteGallery(as("ours", ""), &pb.DeleteGalleryRequest{GalleryId: id})
		if connect.CodeOf(err) != connect.CodePermissionDenied {
			t.Errorf("delete %s: %v", id, err)
		}
	}
	made, err := client.CreateGallery(as("", "nothing"), &pb.CreateGalleryRequest{GalleryId: "E\u0301cole"})
	if err != nil || made.GetGallery().GetGalleryId() != "École" {
		t.Errorf("%v, %v", made, err)
	}
	if _, err := client.ListStudents(as("École", "E%CC%81cole"), &pb.ListStudentsRequest{}); err != nil {
		t.Error(err)
	}
	// A deletion does not wait for itself where the header names the gallery.
	if _, err := client.DeleteGallery(as("", "theirs"), &pb.DeleteGalleryRequest{GalleryId: "theirs"}); err != nil {
		t.Error(err)
	}
	for id, want := range map[string]connect.Code{"theirs": connect.CodeNotFound, "default": connect.CodeFailedPrecondition, "\u200b": connect.CodeNotFound} {
		if _, err := client.DeleteGallery(as("", ""), &pb.DeleteGalleryRequest{GalleryId: id}); connect.CodeOf(err) != want {
			t.Errorf("delete %q: %v", id, err)
		}
	}
	for id, want := range map[string]connect.Code{"ours": connect.CodeAlreadyExists, "\u200b": connect.CodeInvalidArgument} {
		if _, err := client.CreateGallery(as("", ""), &pb.CreateGalleryRequest{GalleryId: id}); connect.CodeOf(err) != want {
			t.Errorf("create %q: %v", id, err)
		}
	}
}

// calling is the context of a call of who may use some galleries only (empty: all), about
// a gallery.
func calling(t *testing.T, only, id string) context.Context {
	ctx, info := connect.NewClientContext(t.Context())
	info.RequestHeader().Set("Test-Galleries", only)
	info.RequestHeader().Set("Rollcall-Gallery", id)
	return ctx
}

// TestCheckTellsWhatIsLeftOver: of galleries that are on disk only, who may use all is told.
func TestCheckTellsWhatIsLeftOver(t *testing.T) {
	url, _, store := severalGalleries(t)
	client := rollcallv1connect.NewGalleryServiceClient(http.DefaultClient, url)
	lost, err := store.Partition("lost")
	if err != nil {
		t.Fatal(err)
	}
	record := storage.Student{ID: "s"}
	if err := lost.Commit(t.Context(), 0, []storage.Change{{Cause: "enrol", Writes: []storage.Write{{Ref: record.Ref(), Put: record}}}}); err != nil {
		t.Fatal(err)
	}
	for only, want := range map[string][]string{"": {"lost"}, "ours": nil} {
		report, err := client.CheckConsistency(calling(t, only, "ours"), &pb.CheckConsistencyRequest{})
		if err != nil || !report.GetConsistent() || !slices.Equal(report.GetLeftOver(), want) {
			t.Errorf("who may use %q is told %v, %v", only, report, err)
		}
	}
	if _, err := client.DeleteGallery(calling(t, "", ""), &pb.DeleteGalleryRequest{GalleryId: "lost"}); err != nil {
		t.Error(err)
	}
	if report, err := client.CheckConsistency(calling(t, "", ""), &pb.CheckConsistencyRequest{}); err != nil || len(report.GetLeftOver()) > 0 {
		t.Errorf("once it is deleted: %v, %v", report, err)
	}
}

// TestChangesNameTheirCaller: the log says with whose token a gallery was made and deleted,
// and a student changed.
func TestChangesNameTheirCaller(t *testing.T) {
	url, _, store := severalGalleries(t)
	client := rollcallv1connect.NewGalleryServiceClient(http.DefaultClient, url)
	if _, err := client.CreateGallery(calling(t, "", ""), &pb.CreateGalleryRequest{GalleryId: "fresh"}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.DeleteGallery(calling(t, "", ""), &pb.DeleteGalleryRequest{GalleryId: "fresh"}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.UpdateStudent(calling(t, "theirs", ""), &pb.UpdateStudentRequest{StudentId: "secret-student"}); err != nil {
		t.Fatal(err)
	}
	tokens, err := rollcallv1connect.NewTokenServiceClient(http.DefaultClient, url).ListTokens(calling(t, "", ""), &pb.ListTokensRequest{})
	if err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]string) // by the only gallery of a token
	for _, token := range tokens.GetTokens() {
		ids[strings.Join(token.GetGalleries(), ",")] = token.GetTokenId()
	}
	for _, c := range []struct{ partition, causes, by string }{
		{storage.ServerPartition, "make gallery, delete gallery", ids[""]}, {"theirs", "change groups", ids["theirs"]},
	} {
		partition, err := store.Partition(c.partition)
		if err != nil {
			t.Fatal(err)
		}
		var causes []string
		for change, err := range partition.Changes(t.Context(), 0) {
			if err != nil {
				t.Fatal(err)
			}
			if c.by != "" && change.By == c.by {
				causes = append(causes, change.Cause)
			}
		}
		if got := strings.Join(causes, ", "); got != c.causes {
			t.Errorf("%q: by %q %q, want %q", c.partition, c.by, got, c.causes)
		}
	}
}
