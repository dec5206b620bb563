package rpc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"rollcall/gallery"
)

// readyTimeout limits how long /readyz waits for the first load of a model.
const readyTimeout = 10 * time.Second

// livez answers 200: the process answers.
func (s *Server) livez(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }

// readyz answers 200 "ok" while the server can do all of its work. Else it answers 503
// with the reason, as in ErrorInfo, and its meaning.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := s.notReady(ctx); err != nil {
		var f *failure
		if errors.As(translate(ctx, err), &f) {
			http.Error(w, f.reason+": "+f.message, http.StatusServiceUnavailable)
		}
		return
	}
	fmt.Fprintln(w, "ok")
}

// notReady returns why a check-in or an enrolment would fail now, or nil.
func (s *Server) notReady(ctx context.Context) error {
	if e := s.unavailable(); e != nil {
		return e
	}
	api := s.open.Load().api
	if err := api.defaultModelWorks(ctx); err != nil {
		return err
	}
	return api.Galleries.Writable()
}

// defaultModelWorks returns why the model of the default gallery cannot be used, or
// nil. It loads a model at most once: a model that has worked counts as working, even
// if it was unloaded since because nobody used it.
func (a *api) defaultModelWorks(ctx context.Context) error {
	g, release, err := a.Galleries.Use(ctx, gallery.DefaultGallery)
	if err != nil {
		return err
	}
	defer release()
	name, err := a.modelName(context.WithValue(ctx, galleryKey{}, g), "")
	if err != nil {
		return err
	}
	if _, err := a.Embedder.Recipe(name); err != nil {
		return err
	}
	a.mu.Lock()
	worked := a.mu.worked == name
	a.mu.Unlock()
	if worked {
		return nil
	}
	if _, err := a.Embedder.Load(ctx, name); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.worked = name
	return nil
}
