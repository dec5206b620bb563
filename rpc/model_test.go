package rpc_test

import (
	"net/http"
	"testing"

	"connectrpc.com/connect"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// TestModelsSayWhatTheyWereTrainedOn: whoever asks about a model learns it from the contract, and of a
// user's own model that its contract does not say.
func TestModelsSayWhatTheyWereTrainedOn(t *testing.T) {
	w := newWorld(t, setup{})
	client := rollcallv1connect.NewModelServiceClient(http.DefaultClient, w.url)
	list, err := client.ListModels(t.Context(), &pb.ListModelsRequest{})
	must(t, err)
	if len(list.GetModels()) < 10 {
		t.Fatalf("%d models are listed", len(list.GetModels()))
	}
	for _, listed := range list.GetModels() {
		m, err := w.library.Model(listed.GetName())
		if err != nil && m.Contract.Name == "" {
			t.Fatal(err)
		}
		got, err := client.GetModel(t.Context(), &pb.GetModelRequest{Model: listed.GetName()})
		must(t, err)
		want := m.Contract.TrainingData.String()
		if got.GetModel().GetTrainingData() != want || listed.GetTrainingData() != want {
			t.Errorf("%s: %q and %q, want %q", listed.GetName(), listed.GetTrainingData(), got.GetModel().GetTrainingData(), want)
		}
	}
	_, err = client.GetModel(t.Context(), &pb.GetModelRequest{Model: "nope"})
	if connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("an unknown model: %v", err)
	}
}
