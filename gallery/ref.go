package gallery

import (
	"cmp"
	"strings"

	"rollcall/storage"
)

// settingsRef names the one record of the settings.
var settingsRef = storage.Ref{Kind: storage.KindSettings}

func modelRef(name string) storage.Ref { return storage.Ref{Kind: storage.KindModel, ID: name} }

func studentRef(id string) storage.Ref { return storage.Ref{Kind: storage.KindStudent, ID: id} }

func cropRef(id string) storage.Ref { return storage.Ref{Kind: storage.KindCrop, ID: id} }

func embeddingRef(cropID, model string) storage.Ref {
	return storage.Ref{Kind: storage.KindEmbedding, ID: cropID, Model: model}
}

// compareRefs orders names by kind, id and model.
func compareRefs(a, b storage.Ref) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.ID, b.ID), strings.Compare(a.Model, b.Model))
}
