package embedder

import (
	"log/slog"
	"runtime"
	"time"

	"rollcall/embedder/picture"
	"rollcall/models"
)

// LocatorNone as [Options.Locator] switches the search for landmarks off. A model that aligns then uses the
// request's landmarks. Without these it gets the whole crop stretched over its input, which costs most of
// its accuracy unless the crop is already aligned. LocatorNone is meant for aligned crops.
const LocatorNone = "none"

// Options of [New]. The zero value is a good choice.
type Options struct {
	// Sessions is how many runs of each model go on side by side. They share its weights.
	// Default: [DefaultSessions].
	Sessions int
	// Threads is how many cores a run may use while no other call works. With others, each run uses one.
	// Default: the cores that Go may use, at most 4.
	Threads int
	// Queue is how many calls may wait while the others work. The next one is refused with a
	// [QueueFullError], or takes the place of one whose caller has more. Default: [QueuePerSession] times Sessions.
	Queue int
	// TTL is how long a model may be idle before it is unloaded. Default: 0, never.
	TTL time.Duration
	// MemoryBudget bounds the bytes of loaded models as [ModelStats.Bytes] counts them. Over it the model
	// that has been idle longest is unloaded. A model in use never is, so the models in use together can
	// exceed the budget. Default: 0, no limit.
	MemoryBudget int64
	// Locator names the model that finds the landmarks, or is [LocatorNone]. Default: the installed locator
	// with the best preference.
	Locator string
	// Detector names the model that finds the faces of photos. Default: the installed detector with the
	// best preference.
	Detector string
	// Limits bounds the crops that are decoded. Default: those of package picture.
	Limits picture.Limits
	// PhotoLimits bounds the photos that are decoded. Default: 16 MiB, and the pixels of package picture.
	PhotoLimits picture.Limits
	// Logger logs the loading and unloading of models, and panics. It never logs anything about crops.
	// Default: no log.
	Logger *slog.Logger
	// Observe is told how long each stage of each call took, for metrics. It is called by many
	// goroutines at once and must return quickly. Default: nil, nobody.
	Observe func(stage Stage, d time.Duration)
}

// DefaultSessions is the default of [Options.Sessions]: one for each core that Go may use, and one more, which
// works while another decodes a picture or waits for its core. On two cores three identified 6 % more crops a
// second than two, and four 10 %; each takes some memory (2026-11-26, with bench/peers/ask).
func DefaultSessions() int { return runtime.GOMAXPROCS(0) + 1 }

// QueuePerSession is the default of [Options.Queue] for each session: enough that no session is idle while
// callers come and go. A longer queue would serve no more crops a second, and make each caller wait longer.
// With 7 ms a crop on two cores the last caller in the queue waits 30 ms. A class of 30 that arrives at once
// has to come again only a few times.
const QueuePerSession = 2

// mostThreads bounds the default of Options.Threads. A layer of MobileFaceNet takes 0.06 ms on one core, so
// that many threads would mostly wait for each other. It was measured with two cores only.
const mostThreads = 4

// photoBytes is the default of Options.PhotoLimits.Bytes: a JPEG of 24 megapixels in a camera's best
// quality has some 12 MB.
const photoBytes = 16 << 20

func (o Options) withDefaults() Options {
	if o.Sessions <= 0 {
		o.Sessions = DefaultSessions()
	}
	if o.Threads <= 0 {
		o.Threads = min(mostThreads, runtime.GOMAXPROCS(0))
	}
	if o.Queue <= 0 {
		o.Queue = QueuePerSession * o.Sessions
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

// Models gives the embedder the installed models. *models.Library implements it. Its methods are called
// from many goroutines at once.
type Models interface {
	// Model returns the installed model of that name.
	Model(name string) (models.Model, error)
	// Default returns the installed model that is used where no model of the kind is named.
	Default(kind models.Kind) (models.Model, error)
}

var _ Models = (*models.Library)(nil)
