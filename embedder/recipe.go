package embedder

import (
	"errors"
	"fmt"

	"rollcall/models"
)

// pipeline is the version of decoding, locating and aligning. It is raised when a change makes new
// embeddings compare less well with older ones.
const pipeline = 1

// Recipe says how embeddings of a model are made now: the model, the locator and the version of decoding
// and alignment. It is one line, to be compared as a whole. Embeddings of different recipes compare less
// well. An empty name means the default model. Recipe loads nothing and is cheap. The errors are those of
// package models, and models.ErrNoneInstalled.
func (e *Embedder) Recipe(model string) (string, error) {
	if model == "" {
		var err error
		if model, err = e.registry.choose(models.Embedder); err != nil {
			return "", err
		}
	}
	i, err := e.registry.ingredient(model)
	if err != nil {
		return "", err
	}
	return e.registry.recipe(i)
}

// ingredient is the part of a model that counts in a recipe.
type ingredient struct {
	file   string // its name and the first digits of its digest
	aligns bool
}

func ingredientOf(c models.Contract) ingredient {
	return ingredient{fmt.Sprintf("%s@%.12s", c.Name, c.SHA256), c.Input.Fit == models.FitAlign}
}

// ingredient returns that of a model that is installed. It reads the contract once.
func (r *registry) ingredient(name string) (ingredient, error) {
	r.mu.Lock()
	i, known := r.mu.ingredients[name]
	r.mu.Unlock()
	if known {
		return i, nil
	}
	found, err := r.source.Model(name)
	if err != nil {
		return ingredient{}, err
	}
	i = ingredientOf(found.Contract)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.ingredients[name] = i
	return i, nil
}

// recipe returns the recipe of an embedder.
func (r *registry) recipe(embedder ingredient) (string, error) {
	if !embedder.aligns {
		return fmt.Sprintf("%s pipeline-%d", embedder.file, pipeline), nil
	}
	aligned, err := r.aligned()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s pipeline-%d", embedder.file, aligned, pipeline), nil
}

// aligned says what crops are aligned by.
func (r *registry) aligned() (string, error) {
	name := r.options.Locator
	if name == LocatorNone {
		return "unaligned", nil
	}
	if name == "" {
		var err error
		if name, err = r.choose(models.Locator); errors.Is(err, models.ErrNoneInstalled) {
			return "landmarks-given", nil
		} else if err != nil {
			return "", err
		}
	}
	i, err := r.ingredient(name)
	return i.file, err
}
