package main

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"rollcall/access"
	pages "rollcall/console"
	"rollcall/embedder"
	"rollcall/embedder/ortlib"
	"rollcall/gallery"
	"rollcall/index"
	"rollcall/rpc"
)

// serveConfig is the configuration of serve. The flags fill it, and the environment sets
// flags that are not given. validate checks it as a whole.
type serveConfig struct {
	network networkOptions
	data    string
	sealKey sealKeyOptions
	library libraryOptions
	install installOptions
	ort     ortlib.Options

	model, locator, detector     string
	sessions, threads, queue     int
	modelTTL                     time.Duration
	modelMemoryMiB               int64
	engine                       string
	fpir                         float64
	margin                       float32
	galleryMemoryMiB             int64
	acceptLoss                   bool
	limits                       access.LimitOptions
	requestTimeout, drainTimeout time.Duration
	requestMemoryMiB             int64
	logFormat, logLevel          string
	backups                      backupsOptions

	set *pflag.FlagSet // says which flags were given
}

func (config *serveConfig) addFlags(set *pflag.FlagSet) {
	config.set = set
	config.network.addFlags(set)
	set.StringVar(&config.data, "data", "rollcall-data", "folder of the gallery; made if it is missing")
	config.sealKey.addFlags(set)
	config.library.addFlags(set)
	set.StringVar(&config.model, "model", "", "embedder of a new gallery; empty: that of its first crop, and until then the best one installed")
	set.StringVar(&config.locator, "locator", "", "locator that finds landmarks; \"none\": embed without alignment; empty: the best one installed")
	set.StringVar(&config.detector, "detector", "", "detector that finds the faces of photos; empty: the best one installed")
	config.install.addFlags(set)
	set.IntVar(&config.sessions, "sessions", 0, "locked sessions for each model; 0: one more than the cores")
	set.IntVar(&config.threads, "threads", 0, "cores that a run may use while no other call works; with others, each uses one; 0: the cores, at most 4")
	set.IntVar(&config.queue, "queue", 0, fmt.Sprintf("callers that may wait for a session; 0: %d x sessions", embedder.QueuePerSession))
	set.DurationVar(&config.modelTTL, "model-ttl", 0, "unload a model that was idle for this time; 0: never")
	set.Int64Var(&config.modelMemoryMiB, "model-memory", 0, "MiB that loaded models may take; 0: no limit")
	set.StringVar(&config.engine, "index-engine", "exact", "how vectors are searched: "+oneOf(index.Engines))
	set.Float64Var(&config.fpir, "fpir", gallery.DefaultFPIR, "for a new gallery: share of strangers' probes that may get a MATCH")
	set.Float32Var(&config.margin, "margin", gallery.DefaultMargin, "for a new gallery: similarity by which the best student must be ahead of the next")
	set.Int64Var(&config.galleryMemoryMiB, "gallery-memory", 0, "MiB that galleries may take in memory, before unused ones are unloaded; 0: no limit")
	set.BoolVar(&config.acceptLoss, "accept-loss", false, "start even if acknowledged changes are missing on disk, and go on with what is there")
	set.Float64Var(&config.limits.Requests, "requests-per-second", 500, "of each token and of each address, before more are refused; 0: no limit")
	set.Float64Var(&config.limits.Crops, "crops-per-minute", 30_000, "of each token and of each address, before more are refused; 0: no limit")
	set.Float64Var(&config.limits.WrongTokens, "wrong-tokens-per-minute", 60, "of each address, before it has to wait; 0: no limit")
	set.DurationVar(&config.requestTimeout, "request-timeout", 30*time.Second, "end a call that takes longer")
	set.Int64Var(&config.requestMemoryMiB, "request-memory", 256, "MiB that requests may take in memory, before more are refused")
	set.DurationVar(&config.drainTimeout, "drain-timeout", 20*time.Second, "wait this long for calls in flight when stopping")
	set.StringVar(&config.logFormat, "log-format", "text", oneOf(logFormats))
	set.StringVar(&config.logLevel, "log-level", "info", oneOf(logLevels))
	config.backups.addFlags(set)
	config.ort.AddFlags(set)
}

var (
	logFormats = []string{"text", "json"}
	logLevels  = []string{"debug", "info", "warn", "error"}
)

const (
	// maxSessions is more than the cores of any machine: more sessions than cores only take memory.
	maxSessions = 1024
	// maxQueue limits memory: each waiting caller has a crop of up to 8 MiB.
	maxQueue = 10_000
	// maxMemoryMiB is a tebibyte.
	maxMemoryMiB = 1 << 20
	// maxLimit is more than any machine answers.
	maxLimit = 1_000_000
)

// validate returns a usage error that names the first flag with an impossible value and
// says which values are possible. It opens nothing, but it looks up a name in --listen.
func (config *serveConfig) validate() error {
	for _, rule := range []struct {
		flag  string
		value any
		holds bool
		may   string
	}{
		{"data", config.data, config.data != "", "the name of a folder"},
		{"sessions", config.sessions, within(config.sessions, 0, maxSessions), fmt.Sprintf("0 (one more than the cores) to %d", maxSessions)},
		{"threads", config.threads, within(config.threads, 0, maxSessions), fmt.Sprintf("0 (the cores, at most 4) to %d", maxSessions)},
		{"queue", config.queue, within(config.queue, 0, maxQueue), fmt.Sprintf("0 (%d x sessions) to %d", embedder.QueuePerSession, maxQueue)},
		{"model-ttl", config.modelTTL, config.modelTTL >= 0, "0 (never) or a time such as 10m"},
		{"model-memory", config.modelMemoryMiB, within(config.modelMemoryMiB, 0, maxMemoryMiB), fmt.Sprintf("0 (no limit) to %d MiB", maxMemoryMiB)},
		{"gallery-memory", config.galleryMemoryMiB, within(config.galleryMemoryMiB, 0, maxMemoryMiB), fmt.Sprintf("0 (no limit) to %d MiB", maxMemoryMiB)},
		{"index-engine", config.engine, slices.Contains(index.Engines, config.engine), oneOf(index.Engines)},
		{"fpir", config.fpir, within(config.fpir, gallery.MinFPIR, gallery.MaxFPIR), fmt.Sprintf("%v to %v", gallery.MinFPIR, gallery.MaxFPIR)},
		{"margin", config.margin, within(config.margin, 0, 2), "0 to 2"},
		{"request-memory", config.requestMemoryMiB, within(config.requestMemoryMiB, rpc.MinRequestBytes>>20, maxMemoryMiB), fmt.Sprintf("%d to %d MiB", rpc.MinRequestBytes>>20, maxMemoryMiB)},
		{"requests-per-second", config.limits.Requests, within(config.limits.Requests, 0, maxLimit), fmt.Sprintf("0 (no limit) to %d", maxLimit)},
		{"crops-per-minute", config.limits.Crops, within(config.limits.Crops, 0, maxLimit), fmt.Sprintf("0 (no limit) to %d", maxLimit)},
		{"wrong-tokens-per-minute", config.limits.WrongTokens, within(config.limits.WrongTokens, 0, maxLimit), fmt.Sprintf("0 (no limit) to %d", maxLimit)},
		{"request-timeout", config.requestTimeout, config.requestTimeout > 0, "a time of more than 0, such as 30s"},
		{"drain-timeout", config.drainTimeout, config.drainTimeout > 0, "a time of more than 0, such as 20s"},
		{"backup-every", config.backups.every, config.backups.every >= time.Minute, "a time of at least 1m, such as 24h"},
		{"backup-keep", config.backups.keep, within(config.backups.keep, 1, maxBackups), fmt.Sprintf("1 to %d", maxBackups)},
		{"log-format", config.logFormat, slices.Contains(logFormats, config.logFormat), oneOf(logFormats)},
		{"log-level", config.logLevel, slices.Contains(logLevels, config.logLevel), oneOf(logLevels)},
	} {
		if !rule.holds {
			return usageError("--%s is %q; it can be %s", rule.flag, fmt.Sprint(rule.value), rule.may)
		}
	}
	return config.network.validate()
}

// within is false for NaN.
func within[T int | int64 | float32 | float64](value, least, most T) bool {
	return value >= least && value <= most
}

// oneOf writes choices as "a, b or c".
func oneOf(choices []string) string {
	last := len(choices) - 1
	return strings.Join(choices[:last], ", ") + " or " + choices[last]
}

// logger writes to standard error; standard output is for results.
func (config *serveConfig) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(config.logLevel)) // cannot fail: validate has checked the word
	opts := &slog.HandlerOptions{Level: level}
	if config.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

func (config *serveConfig) rpcOptions(logger *slog.Logger, metrics *rpc.Metrics) rpc.Options {
	return rpc.Options{
		Console:      pages.Handler(),
		Limits:       config.limits,
		RequestBytes: config.requestMemoryMiB << 20,
		// Two crops for each session keep it busy.
		StreamWorkers:  2 * cmp.Or(config.sessions, embedder.DefaultSessions()),
		RequestTimeout: config.requestTimeout,
		DrainTimeout:   config.drainTimeout,
		Logger:         logger,
		Metrics:        metrics,
	}
}

func (config *serveConfig) embedderOptions(logger *slog.Logger, metrics *rpc.Metrics) embedder.Options {
	return embedder.Options{
		Sessions:     config.sessions,
		Threads:      config.threads,
		Queue:        config.queue,
		TTL:          config.modelTTL,
		MemoryBudget: config.modelMemoryMiB << 20,
		Locator:      config.locator,
		Detector:     config.detector,
		Logger:       logger,
		Observe:      metrics.ObserveStage,
	}
}

func (config *serveConfig) galleryOptions(logger *slog.Logger) gallery.Options {
	return gallery.Options{Engine: config.engine, New: config.newSettings(), Logger: logger}
}

// newSettings are the settings of a new gallery.
func (config *serveConfig) newSettings() gallery.Settings {
	s := gallery.Settings{Model: config.model, FPIR: config.fpir, Margin: config.margin}
	if s.Margin == 0 {
		s.Margin = -1 // no margin: 0 would mean the default
	}
	return s
}
