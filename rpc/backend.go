package rpc

import (
	"context"

	"rollcall/embedder"
	"rollcall/gallery"
	"rollcall/models"
)

// Backend is what the handlers call. All of it must be safe for concurrent use.
type Backend struct {
	Embedder Embedder
	Gallery  Gallery
	Models   Catalogue
}

// Embedder turns crops into embeddings and finds the faces of photos; *embedder.Embedder is one.
type Embedder interface {
	Embed(ctx context.Context, req embedder.Request) (*embedder.Result, error)
	Faces(ctx context.Context, req embedder.PhotoRequest) (*embedder.Photo, error)
	Stats() embedder.Stats
}

// Gallery is the meaning behind the services; *gallery.Gallery is one. It is an
// interface because a distributed gallery is to come.
type Gallery interface {
	Enroll(ctx context.Context, e gallery.Enrolment) (gallery.Enrolled, error)
	Identify(ctx context.Context, p gallery.Probe) (gallery.Identification, error)
	IdentifyCrop(ctx context.Context, cropID string, p gallery.Probe) (gallery.Identification, error)
	RollCall(ctx context.Context, probes [][]float32, model gallery.Model, scope gallery.Scope, fpir float64) (gallery.Roll, error)
	Student(ctx context.Context, id string) (gallery.StudentInfo, error)
	Students(ctx context.Context, after string, limit int, group string) ([]gallery.StudentInfo, string, error)
	CountStudents(group string) int
	UpdateStudent(ctx context.Context, id string, groups []string) (gallery.StudentInfo, error)
	DeleteStudent(ctx context.Context, id string) (int, error)
	Crop(ctx context.Context, id string) (gallery.CropInfo, error)
	AssignCrop(ctx context.Context, cropID, studentID string) (gallery.CropInfo, error)
	DeleteCrop(ctx context.Context, id string) error
	CheckConsistency(ctx context.Context) (gallery.Report, error)
	Stats() gallery.Stats
}

// Catalogue says which models there are; *models.Library is one.
type Catalogue interface {
	List() ([]models.Model, error)
	Model(name string) (models.Model, error)
	Default(kind models.Kind) (models.Model, error)
}
