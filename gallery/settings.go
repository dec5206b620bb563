package gallery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"unique"

	"rollcall/storage"
)

const (
	// DefaultFPIR means that one stranger in a thousand is taken for a student. Few
	// strangers come to a school's door, so the register gets one false entry in
	// months.
	DefaultFPIR = 0.001

	// DefaultMargin is how much more similar than any other student the best one
	// must be for a match: half the standard deviation (0.10) of the similarities
	// of different people. Measured with mobilefacenet-128 on aligned pictures of
	// 603 people of LFW, all enrolled: one of 625 probes was AMBIGUOUS, and its
	// best student was the wrong one; every match was right. At 0.15, 11 would be
	// AMBIGUOUS.
	DefaultMargin = 0.05

	// MinFPIR is the smallest rate that can be asked for: far below the rates that
	// any calibration covers.
	MinFPIR = 1e-9

	// MaxFPIR is the largest: every second stranger gets a name.
	MaxFPIR = 0.5

	// DefaultKeepVerdicts is how many days verdicts are kept.
	DefaultKeepVerdicts = storage.DefaultKeepVerdicts

	// DefaultKeepChanges is how many days changes are kept.
	DefaultKeepChanges = storage.DefaultKeepChanges

	// MaxKeep is the most days that anything is kept: a hundred years.
	MaxKeep = 36500
)

// Settings are the configuration of a gallery. They are stored with it.
type Settings struct {
	// Model is the name of the embedder for calls that name none. Empty: none was
	// chosen yet; the first enrolment chooses its own.
	Model string

	// FPIR is the wanted false positive identification rate, [MinFPIR, MaxFPIR], of a
	// search that does not ask for another.
	FPIR float64

	// Margin is the similarity, [0, 2], by which the best student must be ahead of
	// the next one for a match.
	Margin float32

	// KeepVerdicts is how many days the lines of the journal are kept, 1 to [MaxKeep].
	KeepVerdicts int

	// KeepChanges is how many days the log says what was changed, 1 to [MaxKeep].
	KeepChanges int

	// RequireConsent refuses to enrol students whose consent was not given.
	RequireConsent bool
}

// withDefaults returns the settings with every field set, or the error of Check.
func (s Settings) withDefaults() (Settings, error) {
	if s.FPIR == 0 {
		s.FPIR = DefaultFPIR
	}
	switch {
	case s.Margin == 0:
		s.Margin = DefaultMargin
	case s.Margin < 0:
		s.Margin = 0
	}
	s.KeepVerdicts = cmp.Or(s.KeepVerdicts, DefaultKeepVerdicts)
	s.KeepChanges = cmp.Or(s.KeepChanges, DefaultKeepChanges)
	return s, s.Check()
}

// Check returns ErrInvalidSettings, wrapped with what is wrong, or
// ErrInvalidFPIR, or nil.
func (s Settings) Check() error {
	if _, err := parseIfAny("model", s.Model); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidSettings, err)
	}
	if !(s.Margin >= 0 && s.Margin <= 2) { // or NaN
		return fmt.Errorf("%w: margin %v is not between 0 and 2", ErrInvalidSettings, s.Margin)
	}
	for name, days := range map[string]int{"keep_verdicts": s.KeepVerdicts, "keep_changes": s.KeepChanges} {
		if days < 1 || days > MaxKeep {
			return fmt.Errorf("%w: %s is %d; it can be 1 to %d days", ErrInvalidSettings, name, days, MaxKeep)
		}
	}
	return checkFPIR(s.FPIR)
}

// checkFPIR returns ErrInvalidFPIR unless MinFPIR <= fpir <= MaxFPIR.
func checkFPIR(fpir float64) error {
	if !(fpir >= MinFPIR && fpir <= MaxFPIR) { // or NaN
		return fmt.Errorf("%w: %v is not between %v and %v", ErrInvalidFPIR, fpir, MinFPIR, MaxFPIR)
	}
	return nil
}

func (e *edit) putSettings(s Settings) {
	e.put(storage.Settings{
		Model: s.Model, FPIR: s.FPIR, Margin: s.Margin, Updated: e.now,
		KeepVerdicts: s.KeepVerdicts, KeepChanges: s.KeepChanges, RequireConsent: s.RequireConsent,
	})
}

// Settings returns the settings. The errors are ErrClosed and ErrUnavailable.
func (g *Gallery) Settings(ctx context.Context) (Settings, error) {
	m, release, err := g.read(ctx)
	if err != nil {
		return Settings{}, err
	}
	defer release()
	return settingsOf(m.settings), nil
}

func settingsOf(r storage.Settings) Settings {
	return Settings{Model: r.Model, FPIR: r.FPIR, Margin: r.Margin, KeepVerdicts: r.KeepVerdicts, KeepChanges: r.KeepChanges, RequireConsent: r.RequireConsent}
}

// SettingsChange says what to change; nil leaves a setting as it is.
type SettingsChange struct {
	Model  *string
	FPIR   *float64
	Margin *float32

	KeepVerdicts *int
	KeepChanges  *int

	RequireConsent *bool
}

// UpdateSettings changes settings, for all calls that come after it. Choosing a
// model also adopts the recipe by which this server uses it. From then on
// embeddings of this recipe are the expected ones, and [Gallery.Coverage] counts
// the others. The errors are ErrInvalidSettings, ErrInvalidFPIR, those of
// [Options.Models], a *DigestError, ErrReadOnly, ErrUnavailable and ErrClosed.
func (g *Gallery) UpdateSettings(ctx context.Context, change SettingsChange) (Settings, error) {
	var model *Model
	if change.Model != nil {
		found, err := g.model(*change.Model)
		if err != nil {
			return Settings{}, err
		}
		model = &found
	}
	var s Settings
	_, err := g.writer.do(ctx, "change settings", func(e *edit) error {
		r, ok := lookup[storage.Settings](e, settingsRef)
		if !ok {
			return errors.New("the gallery has no settings")
		}
		s = settingsOf(r)
		if model != nil {
			s.Model = model.Name
			if err := e.takeRecipe(*model); err != nil {
				return err
			}
		}
		if change.FPIR != nil {
			s.FPIR = *change.FPIR
		}
		if change.Margin != nil {
			s.Margin = *change.Margin
		}
		if change.KeepVerdicts != nil {
			s.KeepVerdicts = *change.KeepVerdicts
		}
		if change.KeepChanges != nil {
			s.KeepChanges = *change.KeepChanges
		}
		if change.RequireConsent != nil {
			s.RequireConsent = *change.RequireConsent
		}
		if err := s.Check(); err != nil {
			return err
		}
		e.putSettings(s)
		return nil
	})
	if err != nil {
		return Settings{}, fmt.Errorf("change settings: %w", err)
	}
	return s, nil
}

// takeRecipe makes the server's recipe for a model the one that the gallery expects
// under it.
func (e *edit) takeRecipe(m Model) error {
	locked, ok := lookup[storage.Model](e, modelRef(m.Name))
	if !ok {
		return nil // the first embedding brings it
	}
	if err := m.agrees(locked); err != nil {
		return err
	}
	if locked.Recipe != m.Recipe {
		locked.Recipe = m.Recipe
		e.put(locked)
	}
	return nil
}

// Coverage is how many crops of a gallery can be recognised under one model.
type Coverage struct {
	Model     string // "": the gallery has chosen none yet
	Recipe    string // that is expected under it; "": nothing is embedded yet
	Crops     int    // enrolled
	Without   int    // enrolled crops without an embedding under the model: nobody is recognised by them
	Otherwise int    // enrolled crops whose embedding under the model was made by another recipe
}

// Coverage counts the crops that can be recognised under a model; "" is the model
// of the settings. The errors are ErrClosed and ErrUnavailable.
func (g *Gallery) Coverage(ctx context.Context, model string) (Coverage, error) {
	m, release, err := g.read(ctx)
	if err != nil {
		return Coverage{}, err
	}
	defer release()
	if model == "" {
		model = m.settings.Model
	}
	c := Coverage{Model: model}
	for _, st := range m.byID {
		c.Crops += len(st.crops)
	}
	c.Without = c.Crops
	if sp := m.spaces[model]; sp != nil {
		c.Recipe = sp.Recipe
		c.Without -= sp.owned
		c.Otherwise = sp.owned - sp.recipes[unique.Make(c.Recipe)]
	}
	return c, nil
}
