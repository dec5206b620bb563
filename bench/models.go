package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	"rollcall/cmd/terminal"
	"rollcall/embedder"
	"rollcall/embedder/ortlib"
	"rollcall/gallery"
	"rollcall/models"
	"rollcall/rpc"
)

// modelOptions say which models are measured: installed ones, or files that are
// installed into a folder which lasts as long as the bench.
type modelOptions struct {
	runtime   ortlib.Options
	modelsDir string
	embedder  fileOptions
	locator   fileOptions
	against   fileOptions // a second embedder, of bench against alone
	sessions  int
	threads   int
}

// fileOptions say where one model comes from.
type fileOptions struct {
	file     string // ONNX file; "": an installed model
	name     string // of the installed model, or in the catalogue that of the file
	contract string // JSON file; "": the catalogue's
}

func (o *modelOptions) addFlags(set *pflag.FlagSet) {
	const best = ", or else the best one installed"
	o.embedder.addFlags(set, "embedder", "embedder", best)
	o.locator.addFlags(set, "locator", "locator", best)
	set.StringVar(&o.modelsDir, "models-dir", "", "folder of the installed models; empty: the user's data folder")
	set.IntVar(&o.sessions, "sessions", 0, "locked sessions for each model; 0: one more than the cores")
	set.IntVar(&o.threads, "threads", 0, "cores that a run may use while no other call works; 0: the cores, at most 4")
	o.runtime.AddFlags(set)
}

// addFlags adds the flags of a model, which is called what; otherwise says what is taken where
// there is neither file nor name.
func (o *fileOptions) addFlags(set *pflag.FlagSet, flag, what, otherwise string) {
	set.StringVar(&o.file, flag, "", "ONNX file of the "+what+"; empty: an installed one")
	set.StringVar(&o.name, flag+"-name", "", "name of the "+what+"; empty: what the catalogue calls the file"+otherwise)
	set.StringVar(&o.contract, flag+"-contract", "", "contract (JSON) of an ONNX file that the catalogue does not have")
}

// workbench is what the benches that run models work with.
type workbench struct {
	runtime  ortlib.Library
	library  *models.Library
	dir      string // that library is in; "": the user's data folder
	embedder models.Model
	locator  string // name of the locator; "" where none is installed
	sessions int
	threads  int    // of a lone run
	temp     string // folder to remove; "" where library is the user's own
}

// open starts ONNX Runtime and finds or installs the models. The caller closes
// the workbench.
func (o modelOptions) open(ctx context.Context, progress io.Writer) (_ *workbench, err error) {
	w := &workbench{sessions: o.sessions, threads: o.threads}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	m := terminal.NewMeter(progress, "", terminal.Bytes)
	o.runtime.Progress = m.Name
	w.runtime, err = embedder.Start(ctx, o.runtime)
	m.End()
	if err != nil {
		return w, err
	}
	if err := w.openLibrary(o); err != nil {
		return w, err
	}
	if w.embedder, err = w.find(ctx, models.Embedder, "embedder", o.embedder); err != nil {
		return w, err
	}
	locator, err := w.find(ctx, models.Locator, "locator", o.locator)
	if err != nil && !errors.Is(err, models.ErrNoneInstalled) {
		return w, err
	}
	w.locator = locator.Contract.Name
	return w, nil
}

// close removes what was installed for the bench.
func (w *workbench) close() error {
	if w.temp == "" {
		return nil
	}
	return os.RemoveAll(w.temp)
}

// openLibrary opens the user's models, or an empty folder where files were given.
func (w *workbench) openLibrary(o modelOptions) (err error) {
	w.dir = o.modelsDir
	if o.embedder.file != "" || o.locator.file != "" || o.against.file != "" {
		if w.temp, err = os.MkdirTemp("", "rollcall-bench-models-"); err != nil {
			return err
		}
		w.dir = w.temp
	}
	w.library, err = models.OpenLibrary(w.dir)
	return err
}

// beside returns a workbench with another embedder, over the same library, which the caller closes with
// w.
func (w *workbench) beside(ctx context.Context, o fileOptions) (*workbench, error) {
	m, err := w.find(ctx, models.Embedder, "against", o)
	if err != nil {
		return nil, err
	}
	if m.Contract.Name == w.embedder.Contract.Name {
		return nil, fmt.Errorf("both embedders are %s: choose another one with --embedder-name or --against-name", m.Contract.Name)
	}
	second := *w
	second.embedder = m
	return &second, nil
}

// find returns the model of a kind, and installs it first where a file was given. The flag is the one
// that gives the file.
func (w *workbench) find(ctx context.Context, kind models.Kind, flag string, o fileOptions) (m models.Model, err error) {
	switch {
	case o.file != "":
		m, err = w.install(ctx, o)
	case o.contract != "":
		return m, fmt.Errorf("--%s-contract needs --%s: the ONNX file that it describes", flag, flag)
	case o.name != "":
		m, err = w.library.Model(o.name)
	default:
		m, err = w.library.Default(kind)
	}
	if errors.Is(err, models.ErrNoneInstalled) || errors.Is(err, models.ErrNotInstalled) {
		return m, fmt.Errorf("%w; or give the bench an ONNX file with --%s", err, flag)
	}
	if err != nil {
		return m, err
	}
	if m.Contract.Kind != kind {
		return m, fmt.Errorf("--%s: model %s is of the kind %s", flag, m.Contract.Name, m.Contract.Kind)
	}
	return m, nil
}

// install adds a file to the bench's own folder.
func (w *workbench) install(ctx context.Context, o fileOptions) (models.Model, error) {
	add := models.AddOptions{Check: embedder.Check}
	name := o.name
	if o.contract != "" {
		data, err := os.ReadFile(o.contract)
		if err != nil {
			return models.Model{}, err
		}
		contract, err := models.ParseContract(data)
		if err != nil {
			return models.Model{}, fmt.Errorf("%s: %w", o.contract, err)
		}
		add.Contract, name = &contract, contract.Name
	}
	if name == "" {
		var err error
		if name, err = w.nameByDigest(o.file); err != nil {
			return models.Model{}, err
		}
	}
	return w.library.Add(ctx, name, o.file, add)
}

// nameByDigest returns the catalogue's name of the model that a file holds.
func (w *workbench) nameByDigest(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	known, err := w.library.List()
	if err != nil {
		return "", err
	}
	for _, m := range known {
		if m.Contract.SHA256 == digest {
			return m.Contract.Name, nil
		}
	}
	return "", fmt.Errorf("the catalogue has no model with the digest of %s: say which one it is by its -name flag, or describe it by its -contract flag", file)
}

// newEmbedder returns an embedder over the models; observe may be nil. The
// caller closes it.
func (w *workbench) newEmbedder(opts embedder.Options) (*embedder.Embedder, error) {
	opts.Sessions, opts.Threads = w.sessions, w.threads
	if opts.Locator == "" {
		opts.Locator = w.locator
	}
	return embedder.New(w.library, opts)
}

// aligns says whether the embedder needs landmarks.
func (w *workbench) aligns() bool { return w.embedder.Contract.Input.Fit == models.FitAlign }

// mustLocate is an error where crops are embedded without being located.
func (w *workbench) mustLocate() error {
	if w.aligns() && w.locator != "" {
		return nil
	}
	return fmt.Errorf("model %s does not align faces, or no locator is installed: nothing would be located", w.embedder.Contract.Name)
}

// galleryModel returns what the gallery has to know of the embedder, as a server
// tells it.
func (w *workbench) galleryModel() (gallery.Model, error) {
	e, err := w.newEmbedder(embedder.Options{})
	if err != nil {
		return gallery.Model{}, err
	}
	m, err := rpc.Facts(w.library, e)(w.embedder.Contract.Name)
	return m, errors.Join(err, e.Close())
}

// describe returns the models' names and digests, for the report.
func (w *workbench) describe() modelFacts {
	facts := modelFacts{Embedder: w.embedder.Contract.Name, Digest: w.embedder.Contract.SHA256, Dimension: w.embedder.Contract.Output.Dimension}
	if w.aligns() {
		facts.Locator = w.locator
	}
	return facts
}

// modelFacts say what was measured.
type modelFacts struct {
	Embedder  string `json:"embedder"`
	Digest    string `json:"digest"` // SHA-256 of its file
	Dimension int    `json:"dimension"`
	Locator   string `json:"locator,omitempty"` // empty where none was used
}

func (f modelFacts) String() string {
	s := fmt.Sprintf("%s, %d-D, sha256 %.12s…", f.Embedder, f.Dimension, f.Digest)
	if f.Locator != "" {
		s += ", locator " + f.Locator
	}
	return s
}
