package embedder

import (
	"log/slog"
	"runtime"
	"time"

	"rollcall/embedder/picture"
	"rollcall/models"
)

// LocatorNone as [Options.Locator] switches the search for landmarks off: a model that aligns then
// gets its landmarks from the request, or the whole crop stretched over its input. That costs most of
// the accuracy of such a model and is meant for crops that are aligned already.
const LocatorNone = "none"

// Options of [New]. The zero value is a good choice.
type Options struct {
	// Sessions is how many copies of each model run side by side, each with its own memory.
	// Default: the cores that Go may use divided by ThreadsPerSession, at least 1.
	Sessions int
	// ThreadsPerSession is how many cores one run may use. One gives the most crops a second, more
	// give a single crop sooner. Default: 1.
	ThreadsPerSession int
	// Queue is how many callers may wait while the others work; the next one is refused with a
	// [QueueFullError]. Default: 4 times Sessions.
	Queue int
	// TTL is how long a model may be idle before it is unloaded. Default: 0, never.
	TTL time.Duration
	// MemoryBudget bounds the bytes of loaded models as [ModelStats.Bytes] counts them. Over it the
	// model that was idle for the longest time is unloaded; one in use never is, so the budget can
	// be exceeded while more is needed at once. Default: 0, no limit.
	MemoryBudget int64
	// Locator names the model that finds the landmarks, or is [LocatorNone]. Default: the installed
	// locator that the models' preferences rank first.
	Locator string
	// Detector names the model that finds the faces of photos. Default: the installed detector that the
	// models' preferences rank first.
	Detector string
	// Limits bounds the crops that are decoded. Default: those of package picture.
	Limits picture.Limits
	// PhotoLimits bounds the photos that are decoded. Default: 16 MiB, and the pixels of package picture.
	PhotoLimits picture.Limits
	// Logger hears of models that are loaded and unloaded, and of panics, never of crops. Default: nowhere.
	Logger *slog.Logger
	// Observe is told how long each stage of each call took, for metrics. It is called by many
	// goroutines at once and must return quickly. Default: nil, nobody.
	Observe func(stage Stage, d time.Duration)
}

// queuePerSession is the default of Options.Queue by session: with 7 ms a crop the last in the queue
// waits 35 ms, and a class of 30 that arrives at once on four cores has to retry only a few times.
const queuePerSession = 4

// photoBytes is the default of Options.PhotoLimits.Bytes: a JPEG of 24 megapixels in the best quality of
// a camera has some 12 MB.
const photoBytes = 16 << 20

func (o Options) withDefaults() Options {
	if o.ThreadsPerSession <= 0 {
		o.ThreadsPerSession = 1
	}
	if o.Sessions <= 0 {
		o.Sessions = max(1, runtime.GOMAXPROCS(0)/o.ThreadsPerSession)
	}
	if o.Queue <= 0 {
		o.Queue = queuePerSession * o.Sessions
	}
	if o.PhotoLimits.Bytes <= 0 {
		o.PhotoLimits.Bytes = photoBytes
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(Stage, time.Duration) {}
	}
	return o
}

// Models is what the embedder asks of the installed models; *models.Library fulfils it. Its methods
// are called from many goroutines at once.
type Models interface {
	// Model returns the installed model of that name.
	Model(name string) (models.Model, error)
	// Default returns the installed model of a kind that is used where none is named.
	Default(kind models.Kind) (models.Model, error)
}

var _ Models = (*models.Library)(nil)
